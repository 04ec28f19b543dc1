"""The layers of EDM's networks against their definitions: attention, resampling, and images that skip the blocks."""

import torch
from torch.nn import functional

from cfs_explore.backbones.nets.edm_layers import Resample, ResampledConv, UNetBlock
from cfs_explore.backbones.nets.song_unet import SongUNet


def test_attention_heads_take_interleaved_queries_keys_and_values():
    torch.manual_seed(0)
    block = UNetBlock(128, 128, 8, heads=2)
    x = torch.randn(2, 128, 4, 4)
    with torch.no_grad():
        q, k, v = block.qkv(x).reshape(2, 2, 64, 3, 16).unbind(3)
        weights = torch.einsum("bhcq,bhck->bhqk", q, k / 8).softmax(-1)
        expected = torch.einsum("bhqk,bhck->bhcq", weights, v).reshape(x.shape)
        torch.testing.assert_close(block._attend(x), expected, rtol=1e-4, atol=1e-5)


def test_resampling_with_two_equal_taps_averages_and_repeats():
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(Resample("down", [1, 1])(x), functional.avg_pool2d(x, 2))
    torch.testing.assert_close(Resample("up", [1, 1])(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_filtering_after_the_convolution_is_filtering_before_it_inside_the_image():
    torch.manual_seed(0)
    fused = ResampledConv(3, 4, 3, "down", [1, 3, 3, 1], fused=True)
    x = torch.zeros(1, 3, 16, 16)
    x[..., 4:12, 4:12] = torch.randn(1, 3, 8, 8)
    padded = functional.pad(x, [1] * 4)
    kernel = fused.resample_filter
    filtered = functional.conv2d(functional.pad(padded, [1] * 4), kernel.expand(3, 1, 4, 4), groups=3)
    with torch.no_grad():
        expected = functional.conv2d(filtered, fused.weight, fused.bias, stride=2)
        torch.testing.assert_close(fused(x), expected, rtol=1e-4, atol=1e-5)


def test_skip_encoder_and_decoder_add_images_of_every_resolution():
    torch.manual_seed(0)
    net = SongUNet(16, 3, 3, model_channels=8, channel_mult=[1, 2, 2], num_blocks=1, attn_resolutions=[],
                   encoder_type="skip", decoder_type="skip").eval()  # fmt: skip
    assert {"8x8_aux_down", "8x8_aux_skip", "4x4_aux_down", "4x4_aux_skip"} <= set(net.enc)
    assert {"4x4_aux_norm", "4x4_aux_conv", "8x8_aux_up", "8x8_aux_conv", "16x16_aux_up"} <= set(net.dec)
    seen = {}
    net.enc["4x4_aux_down"].register_forward_hook(lambda module, inputs, output: seen.update(image=output))
    for side, value in ((4, 1.0), (8, 10.0), (16, 100.0)):
        layer = net.dec[f"{side}x{side}_aux_conv"]
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.constant_(layer.bias, value)
    x = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(net(x, torch.ones(1)), torch.full((1, 3, 16, 16), 111.0))
    torch.testing.assert_close(seen["image"], functional.avg_pool2d(x, 4))
