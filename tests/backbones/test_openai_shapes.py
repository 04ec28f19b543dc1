"""The shapes of iDDPM and ADM weights: the architecture they tell, and networks that are refused."""

from dataclasses import replace

import pytest
from openai_configurations import FILE, TINY, shapes_of

from cfs_explore.backbones.openai_shapes import changes_inside_blocks, is_openai_unet, read_architecture
from cfs_explore.errors import BackboneError


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"resblock_updown": True},
        {"conv_resample": False},
        {"use_scale_shift_norm": False},
        {"num_res_blocks": 3, "attention_levels": ()},
        {"attention_levels": (0, 2), "out_channels": 3},
        {"level_channels": (64,), "attention_levels": (0,), "num_res_blocks": 2},
        {"level_channels": (32, 96), "attention_levels": (1,), "num_channels": 64, "num_classes": 7},
        {"in_channels": 1, "out_channels": 1, "resblock_updown": True, "num_res_blocks": 2},
        {"conv_resample": False, "num_res_blocks": 2, "attention_levels": (2,)},
    ],
    ids=str,
)
def test_the_shapes_of_a_network_tell_its_architecture(changes):
    architecture = replace(TINY, **changes)
    shapes = shapes_of(architecture)
    assert is_openai_unet(shapes)
    assert read_architecture(shapes, FILE) == architecture
    assert changes_inside_blocks(shapes) == architecture.resblock_updown


def test_upsamplers_are_refused():
    for out_channels in (3, 6):
        with pytest.raises(BackboneError, match="super-resolution"):
            read_architecture(shapes_of(replace(TINY, in_channels=6, out_channels=out_channels)), FILE)


def test_outputs_that_are_no_noise_are_refused():
    with pytest.raises(BackboneError, match="takes 3 channels and gives 4"):
        read_architecture(shapes_of(replace(TINY, out_channels=4)), FILE)


def test_a_classifier_is_not_such_a_network():
    shapes = {name: shape for name, shape in shapes_of(TINY).items() if not name.startswith("output_blocks.")}
    assert not is_openai_unet(shapes)
