"""Files that are not what they should be, over the families with files of their own: what is said, and what is used."""

import itertools

import pytest
import torch
from edm_pickle_writer import network, write_snapshot
from native_files import TENSORS, save, training_checkpoint, weights_of, write_native
from original_weights import fixture, state_dict_of
from safetensors.torch import save_file

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.edm_snapshot import convert
from cfs_explore.errors import BackboneError

EDM = "edm_vp_ddpmpp"
FAMILY_OF = {name: name for name in TENSORS} | {EDM: "edm"}


@pytest.fixture(scope="module")
def weights():
    """Family -> its network's parameters; not to be changed."""
    return {family: weights_of(family) for family in TENSORS}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Name -> a whole file; not to be changed."""
    return {name: write_native(tmp_path_factory.mktemp(name), name) for name in FAMILY_OF}


def values(backbone) -> dict[str, torch.Tensor]:
    return {name: value for name, value in backbone.module.state_dict().items() if name != "sigmas"}


@pytest.mark.parametrize(("name", "wrong"), list(itertools.permutations(FAMILY_OF, 2)))
def test_a_wrong_family_is_refused_and_the_right_one_named(files, name, wrong):
    complaint = f"does not hold a {FAMILY_OF[wrong]} backbone. It looks like {FAMILY_OF[name]}"
    with pytest.raises(BackboneError, match=complaint):
        load_backbone(files[name], family=FAMILY_OF[wrong], device="cpu")


@pytest.mark.parametrize("share", [0.002, 0.3, 0.999])
@pytest.mark.parametrize("form", ["zip", "before zip", "safetensors"])
@pytest.mark.parametrize("family", TENSORS)
def test_half_downloaded_files_are_said_to_be_cut_short(weights, tmp_path, family, form, share):
    path = save(tmp_path / "model.pt", family, weights[family], _use_new_zipfile_serialization=form == "zip")
    if form == "safetensors":
        path = path.with_suffix(".safetensors")
        save_file({name: value.clone() for name, value in weights[family].items()}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BackboneError, match=r"bytes\) is damaged or was cut short.*Download it again"):
        load_backbone(path, device="cpu")


def test_half_a_converted_snapshot_is_said_to_be_cut_short(files, tmp_path):
    weights = convert(files[EDM], tmp_path / "converted") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BackboneError, match="damaged or was cut short"):
        load_backbone(weights.parent, device="cpu")


@pytest.mark.parametrize("family", TENSORS)
def test_seven_missing_keys_are_counted_five_named_and_a_cause_given(weights, tmp_path, family):
    part = "Conv_1" if family == "score-sde" else "out_layers"
    gone = [name for name in weights[family] if f".{part}." in name and name.endswith("weight")][:7]
    left = {name: value for name, value in weights[family].items() if name not in gone}
    with pytest.raises(BackboneError, match=r"and 2 more\W.*(incomplete|lost part)") as caught:
        load_backbone(save(tmp_path / "model.pt", family, left), device="cpu")
    assert [name in str(caught.value) for name in gone] == [True] * 5 + [False] * 2


@pytest.mark.parametrize("family", TENSORS)
def test_keys_of_another_network_are_named(weights, tmp_path, family):
    first = "all_modules.4.Extra_" if family == "score-sde" else "middle_block.extra."
    more = {f"{first}{i}.weight": torch.zeros(1) for i in range(7)}
    with pytest.raises(BackboneError, match=r"and (9 more|2 more)\W.*([Aa]nother|lost part)") as caught:
        load_backbone(save(tmp_path / "model.pt", family, weights[family] | more), device="cpu")
    assert first in str(caught.value)


def test_keys_that_a_snapshot_lacks_or_has_too_many_are_named(tmp_path):
    original = fixture(EDM)
    tensors = state_dict_of(original)
    gone = [name for name in tensors if ".conv1.weight" in name][:6]
    left = {name: value for name, value in tensors.items() if name not in gone} | {"model.head.weight": torch.ones(2)}
    with pytest.raises(
        BackboneError, match=r"6 missing: .*conv1\.weight and 1 more; 1 unexpected: .*head.*\. The file"
    ):
        load_backbone(write_snapshot(tmp_path / "x.pkl", network(original, left)), device="cpu")


@pytest.mark.parametrize("family", TENSORS)
def test_of_a_training_checkpoint_the_averaged_weights_are_used_and_that_is_said(weights, tmp_path, family):
    backbone = load_backbone(save(tmp_path / "model.pt", family, training_checkpoint(family)), device="cpu")
    found = values(backbone)
    assert set(found) == set(weights[family])
    assert all(torch.equal(found[name], value) for name, value in weights[family].items())
    assert "averaged (EMA) weights in its entry 'ema'" in " ".join(backbone.notes)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("family", TENSORS)
def test_half_precision_weights_are_computed_with_in_float32_and_that_is_said(weights, tmp_path, family, dtype):
    halves = {name: value.to(dtype) for name, value in weights[family].items()}
    backbone = load_backbone(save(tmp_path / "model.pt", family, halves), device="cpu")
    found = values(backbone)
    assert all(torch.equal(found[name], value.float()) for name, value in halves.items())
    kind = str(dtype).removeprefix("torch.")
    assert f"The weights are stored as {kind} and computed with in float32." in backbone.notes
    x, level = torch.zeros(1, *backbone.input_shape), backbone.match(2.0)
    with torch.no_grad():
        assert backbone.forward(x, level).dtype == torch.float32
