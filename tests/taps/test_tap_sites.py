"""Which sites a backbone has: execution order, regions, kinds, and depth as the share of work done."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cfs_explore.backbones import load_backbone
from cfs_explore.contracts import REGIONS
from cfs_explore.taps.capture import capture

EXPECTED = [
    ("conv_in", "input", "conv", 8, 8),
    ("down_blocks.0.resnets.0", "encoder", "resnet", 8, 8),
    ("down_blocks.0.downsamplers.0", "encoder", "downsampler", 4, 8),
    ("down_blocks.1.resnets.0", "encoder", "resnet", 4, 16),
    ("down_blocks.1.attentions.0", "encoder", "attention", 4, 16),
    ("mid_block.resnets.0", "middle", "resnet", 4, 16),
    ("mid_block.attentions.0", "middle", "attention", 4, 16),
    ("mid_block.resnets.1", "middle", "resnet", 4, 16),
    ("up_blocks.0.resnets.0", "decoder", "resnet", 4, 16),
    ("up_blocks.0.attentions.0", "decoder", "attention", 4, 16),
    ("up_blocks.0.resnets.1", "decoder", "resnet", 4, 16),
    ("up_blocks.0.attentions.1", "decoder", "attention", 4, 16),
    ("up_blocks.0.upsamplers.0", "decoder", "upsampler", 8, 16),
    ("up_blocks.1.resnets.0", "decoder", "resnet", 8, 8),
    ("up_blocks.1.resnets.1", "decoder", "resnet", 8, 8),
    ("conv_act", "output", "conv", 8, 8),
]


def test_every_site_in_execution_order(tiny):
    assert [(t.name, t.region, t.kind, t.resolution, t.channels) for t in tiny.taps()] == EXPECTED


def test_order_is_that_of_a_traced_forward(tiny):
    fired, handles = [], []
    for name, module in tiny.module.named_modules():
        if name in {t.name for t in tiny.taps()}:
            handles.append(module.register_forward_hook(lambda *_, name=name: fired.append(name)))
    with torch.no_grad():
        tiny.forward(torch.zeros(1, 1, 8, 8), tiny.match(5.0))
    for handle in handles:
        handle.remove()
    assert fired == [t.name for t in tiny.taps()]


def test_depth_grows_from_0_to_1_and_regions_follow(tiny):
    depths = [t.depth for t in tiny.taps()]
    assert 0 < depths[0] < 0.1
    assert depths == sorted(depths)
    assert 0.9 < depths[-1] < 1.0  # conv_out follows
    regions = [REGIONS.index(t.region) for t in tiny.taps()]
    assert regions == sorted(regions)


@pytest.mark.parametrize("index", [0, 4, 9, 12, 15])
def test_depth_is_the_work_of_the_truncated_forward(tiny, index):
    tap, x, level = tiny.taps()[index], torch.zeros(2, 1, 8, 8), tiny.match(5.0)
    work = {}
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            tiny.forward(x, level)
        work["full"] = counter.get_total_flops()
        with FlopCounterMode(display=False) as counter, capture(tiny.module, [tap.name]):
            tiny.forward(x, level)
        work["cut"] = counter.get_total_flops()
    assert tap.depth == pytest.approx(work["cut"] / work["full"], rel=1e-9)


def test_resnet_down_and_upsamplers_are_sites_too(save_unet):
    folder = save_unet({"_class_name": "DDPMScheduler"}, downsample_type="resnet", upsample_type="resnet")
    kinds = {t.name: t.kind for t in load_backbone(folder, device="cpu").taps()}
    assert kinds["down_blocks.0.downsamplers.0"] == "downsampler"
    assert kinds["up_blocks.0.upsamplers.0"] == "upsampler"
    assert [kinds[name] for name, *_ in EXPECTED[:2]] == ["conv", "resnet"]
