"""What loading a checkpoint adds to reading its bytes, for files of the released networks' sizes (CPU).

The files are written here with random weights, and read once before, so that all reads come from the page cache.

Usage: python benchmarks/loading.py    (writes up to 3 GB to the temporary folder)
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DModel

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.nets import dit, edm_precond, ncsnpp, openai_unet, uvit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "backbones"))
from edm_pickle_writer import EasyDict, Persistent, hang, write_snapshot  # noqa: E402 - found by the line above

GOAL = 2.0


def main() -> None:
    """Print a line for each file."""
    print(f"{'file':34} {'MB':>6} {'read':>8} {'load':>8} {'added (goal: at most ' + f'{GOAL:.0f} s)':>28}")
    for name, write in FILES.items():
        with tempfile.TemporaryDirectory() as folder:
            path, options = write(Path(folder))
            measure(name, path, options)


def measure(name: str, path: Path, options: dict) -> None:
    """One line: reading the file's bytes, and making a backbone of it."""
    weights = path if path.is_file() else path / "diffusion_pytorch_model.safetensors"
    for _ in range(2):
        start = time.perf_counter()
        size = len(weights.read_bytes())
        read = time.perf_counter() - start
    start = time.perf_counter()
    load_backbone(path, device="cpu", **options)
    load = time.perf_counter() - start
    print(f"{name:34} {size / 1e6:6.0f} {read:6.2f} s {load:6.2f} s {load - read:26.2f} s")


def _state(folder: Path, network: torch.nn.Module, **options) -> tuple[Path, dict]:
    torch.save(network.state_dict(), folder / "model.pt")
    return folder / "model.pt", options


def iddpm(folder: Path) -> tuple[Path, dict]:
    """improved-diffusion, CIFAR-10."""
    widths = (128, 256, 256, 256)
    network = openai_unet.Architecture(3, 6, 128, widths, 3, (1, 2), None, True, False, True, num_heads=4)
    return _state(folder, openai_unet.OpenAIUNet(network), preset="cifar10_uncond_50M_500K")


def training(folder: Path) -> tuple[Path, dict]:
    """The same with averaged weights and an optimizer's state beside it."""
    path, options = iddpm(folder)
    weights = torch.load(path)
    state = {
        k: {"step": 1, "exp_avg": value.clone(), "exp_avg_sq": value.clone()}
        for k, value in enumerate(weights.values())
    }
    averaged = {name: value.clone() for name, value in weights.items()}
    torch.save({"model": weights, "ema": averaged, "optimizer": {"state": state, "param_groups": []}}, path)
    return path, options


def edm(folder: Path) -> tuple[Path, dict]:
    """EDM, DDPM++, CIFAR-10, read by the restricted unpickler."""
    arguments = {"img_resolution": 32, "img_channels": 3, "label_dim": 0, "model_type": "SongUNet",
                 "model_channels": 128, "channel_mult": [2, 2, 2], "num_blocks": 4, "augment_dim": 9}  # fmt: skip
    network = edm_precond.EDMPrecond(**arguments)
    root = Persistent("EDMPrecond", _init_kwargs=EasyDict(arguments), sigma_data=0.5)
    return write_snapshot(folder / "edm.pkl", hang(root, network.state_dict())), {}


def score_sde(folder: Path) -> tuple[Path, dict]:
    """Score-SDE, NCSN++ deep, with the averaged weights in their training's list."""
    architecture = ncsnpp.Architecture(
        "ncsnpp", 3, 128, (1, 2, 2, 2), 4, (1,), "biggan", "fourier", "none", "residual",
        fir=True, skip_rescale=True, centered=False, scale_by_sigma=True,
    )  # fmt: skip
    network = ncsnpp.NCSNpp(architecture, torch.logspace(1.69897, -2, 1000))
    state = network.state_dict()
    shadow = [value for name, value in network.named_parameters() if value.requires_grad]
    content = {"model": {f"module.{name}": value for name, value in state.items()}, "step": 1}
    torch.save(content | {"ema": {"decay": 0.999, "num_updates": 1, "shadow_params": shadow}}, folder / "model.pth")
    return folder / "model.pth", {"preset": "ve/cifar10_ncsnpp_continuous"}


def u_vit(folder: Path) -> tuple[Path, dict]:
    """U-ViT-S/2, CIFAR-10."""
    network = uvit.Architecture(32, 2, 3, 512, 12, 8, 2048, False, False, None, True)
    return _state(folder, uvit.UViT(network), preset="cifar10_uvit_small")


def dit_xl(folder: Path) -> tuple[Path, dict]:
    """DiT-XL/2, 256 pixels, with a small autoencoder."""
    levels = {"block_out_channels": [32] * 4, "down_block_types": ["DownEncoderBlock2D"] * 4}
    levels |= {"up_block_types": ["UpDecoderBlock2D"] * 4, "latent_channels": 4, "sample_size": 256}
    AutoencoderKL(**levels).save_pretrained(folder / "vae")
    network = dit.Architecture(32, 2, 4, 8, 1152, 28, 16, 4608, 1001)
    return _state(folder, dit.DiT(network), preset="DiT-XL/2-256x256", vae=str(folder / "vae"))


def unet2d(folder: Path) -> tuple[Path, dict]:
    """diffusers, the layout of the DDPM for CIFAR-10."""
    kinds = ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D")
    network = UNet2DModel(
        sample_size=32, in_channels=3, out_channels=3, block_out_channels=(128, 256, 256, 256), down_block_types=kinds,
        up_block_types=tuple(kind.replace("Down", "Up") for kind in reversed(kinds)),
    )  # fmt: skip
    network.save_pretrained(folder)
    return folder, {"schedule": "ddpm-linear-1000"}


FILES: dict[str, Callable[[Path], tuple[Path, dict]]] = {
    "improved-diffusion .pt": iddpm,
    "the same, a training checkpoint": training,
    "EDM .pkl": edm,
    "Score-SDE .pth": score_sde,
    "U-ViT .pth": u_vit,
    "DiT-XL/2 .pt": dit_xl,
    "diffusers UNet2DModel folder": unet2d,
}


if __name__ == "__main__":
    main()
