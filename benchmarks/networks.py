"""Native networks against diffusers' UNets of the same widths, depths and attention, as ratios (CPU, fp32).

Weights are random: the time does not hang on their values.

Usage: python benchmarks/networks.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from diffusers import UNet2DModel
from torch.utils.flop_counter import FlopCounterMode

from cfs_explore.backbones.nets import ncsnpp, openai_unet
from cfs_explore.backbones.nets.dhariwal_unet import DhariwalUNet
from cfs_explore.backbones.nets.song_unet import SongUNet

ROUNDS = 9
_CIFAR_EDM = {"model_channels": 128, "channel_mult": (2, 2, 2), "num_blocks": 4, "attn_resolutions": (16,)}
_IDDPM = openai_unet.Architecture(3, 6, 128, (128, 256, 256, 256), 3, (1, 2), None, True, False, True, num_heads=4)
_ADM = openai_unet.Architecture(
    3, 6, 192, (192, 384, 576, 768), 3, (1, 2, 3), None, True, True, True, num_head_channels=64
)
_NCSNPP = ncsnpp.Architecture(
    "ncsnpp", 3, 128, (1, 2, 2, 2), 4, (1,), "biggan", "fourier", "output_skip", "input_skip",
    fir=True, skip_rescale=True, centered=False, scale_by_sigma=True,
)  # fmt: skip
_DDPM = ncsnpp.Architecture(
    "ddpm", 3, 128, (1, 2, 2, 2), 2, (1,), "ddpm", "positional", "none", "none",
    fir=False, skip_rescale=False, centered=True, scale_by_sigma=False,
)  # fmt: skip


def main() -> None:
    """Print a line for each network; the goal is on the time at equal work."""
    print(f"{torch.get_num_threads()} threads, {ROUNDS} interleaved rounds, medians of their ratios\n")
    print(f"{'network':20} {'ms per image':>13} {'diffusers':>10} {'time':>7} {'work':>7} {'per work (goal 1.10)':>22}")
    for name, (native, other, side, batch) in pairs().items():
        compare(name, native, other, side, batch)


def pairs() -> dict[str, tuple[Callable, torch.nn.Module, int, int]]:
    """Name -> native forward of (x, t), a UNet2DModel of the same widths, depths and attention; side; batch."""
    sigmas = torch.logspace(1.7, -2, 1000)
    return {
        "iDDPM, CIFAR-10": (openai_unet.OpenAIUNet(_IDDPM).eval(), _diffusers(
            (128, 256, 256, 256), 3, (1, 2), 64, out_channels=6, resnet_time_scale_shift="scale_shift"), 32, 8),
        "ADM, ImageNet 64": (openai_unet.OpenAIUNet(_ADM).eval(), _diffusers(
            (192, 384, 576, 768), 3, (1, 2, 3), 64, out_channels=6, resnet_time_scale_shift="scale_shift",
            downsample_type="resnet", upsample_type="resnet"), 64, 1),
        "EDM, DDPM++": (_edm(SongUNet(32, 3, 3, **_CIFAR_EDM)), _diffusers(
            (256, 256, 256), 4, (1,), 256, downsample_type="resnet", upsample_type="resnet"), 32, 4),
        "EDM, ADM": (_edm(DhariwalUNet(32, 3, 3, **_CIFAR_EDM)), _diffusers(
            (256, 256, 256), 4, (1,), 64, resnet_time_scale_shift="scale_shift", downsample_type="resnet",
            upsample_type="resnet"), 32, 4),
        "Score-SDE, NCSN++": (ncsnpp.NCSNpp(_NCSNPP, sigmas).eval(), _diffusers(
            (128, 256, 256, 256), 4, (1,), 256, down="SkipDownBlock2D", up="SkipUpBlock2D",
            down_attention="AttnSkipDownBlock2D", up_attention="AttnSkipUpBlock2D", time_embedding_type="fourier"),
            32, 4),
        "Score-SDE, DDPM": (ncsnpp.NCSNpp(_DDPM, sigmas).eval(), _diffusers(
            (128, 256, 256, 256), 2, (1,), 256), 32, 8),
    }  # fmt: skip


def _diffusers(
    widths: tuple[int, ...],
    blocks: int,
    attention: tuple[int, ...],
    head: int,
    down: str = "DownBlock2D",
    up: str = "UpBlock2D",
    down_attention: str = "AttnDownBlock2D",
    up_attention: str = "AttnUpBlock2D",
    **options,
) -> Callable:
    down_types = tuple(down_attention if level in attention else down for level in range(len(widths)))
    up_types = tuple(up_attention if level in attention else up for level in reversed(range(len(widths))))
    network = UNet2DModel(
        in_channels=3,
        out_channels=options.pop("out_channels", 3),
        block_out_channels=widths,
        layers_per_block=blocks,
        down_block_types=down_types,
        up_block_types=up_types,
        attention_head_dim=head,
        **options,
    ).eval()
    return lambda x, t: network(x, t, return_dict=False)[0]


def _edm(network: torch.nn.Module) -> Callable:
    network.eval()
    return lambda x, t: network(x, t.float(), None)


def compare(name: str, native: Callable, other: Callable, side: int, batch: int) -> None:
    """One line: both forwards of the same images, interleaved."""
    x, t = torch.randn(batch, 3, side, side), torch.full((batch,), 100)
    seconds: dict[str, list[float]] = {"native": [], "diffusers": []}
    work = {}
    with torch.inference_mode():
        for key, forward in (("native", native), ("diffusers", other)):
            with FlopCounterMode(display=False) as counter:
                forward(x, t)
            work[key] = counter.get_total_flops()
        for _ in range(ROUNDS):
            for key, forward in (("native", native), ("diffusers", other)):
                start = time.perf_counter()
                forward(x, t)
                seconds[key].append(time.perf_counter() - start)
    ratio = statistics.median(a / b for a, b in zip(seconds["native"], seconds["diffusers"], strict=True))
    amount = work["native"] / work["diffusers"]
    ms = {key: 1e3 * statistics.median(values) / batch for key, values in seconds.items()}
    print(f"{name:20} {ms['native']:13.1f} {ms['diffusers']:10.1f} {ratio:7.2f} {amount:7.2f} {ratio / amount:22.2f}")


if __name__ == "__main__":
    main()
