"""Tiny real networks and image sets that several rooms' tests share. torch loads only where a test asks for it."""

import json
import os
import shutil
import sys
from pathlib import Path

# Small networks, and processes beside each other, are fastest on one thread; numpy and torch ask when they load.
os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}  # numba tells its number to torch, too

import numpy as np
import pytest

#: A real UNet2DModel of some 20,000 weights: two resolutions, attention in the lower one.
TINY_UNET = {
    "sample_size": 8,
    "in_channels": 1,
    "out_channels": 1,
    "layers_per_block": 1,
    "block_out_channels": (8, 16),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 4,
    "attention_head_dim": 4,
}

METHODS = Path(__file__).parent / "fixtures" / "methods"


@pytest.fixture(scope="session", autouse=True)
def _small_and_private(tmp_path_factory):
    """Runs and locks of the tests stay in a temporary folder.

    No test takes what another one measured, or it could not tell whether measuring again gives the same.
    """
    patch = pytest.MonkeyPatch()
    patch.setenv("CFS_EXPLORE_RUNS", str(tmp_path_factory.mktemp("runs")))
    patch.setenv("CFS_EXPLORE_CACHE_GB", "0")
    patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # cfs-explore by its name
    patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # processes that tests start import three times faster
    patch.setattr(os, "fsync", lambda number: None)  # no test cuts the power; a third of a tiny run waits for the disk
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _for_the_owner(monkeypatch):
    """A page says in the environment for whom its process acts; that ends with the test."""
    monkeypatch.setenv("CFS_EXPLORE_VISITORS_FETCH", "*")


@pytest.fixture(scope="session")
def save_unet(tmp_path_factory):
    """Write a tiny random UNet2DModel and a scheduler config as a diffusers folder; gives the folder."""
    import torch
    from diffusers import UNet2DModel

    torch.set_num_threads(1)

    def save(scheduler: dict | None = None, *, seed: int = 0, **changes) -> Path:
        folder = tmp_path_factory.mktemp("unets") / "tiny"
        torch.manual_seed(seed)
        UNet2DModel(**(TINY_UNET | changes)).save_pretrained(folder / "unet")
        if scheduler is not None:
            (folder / "scheduler").mkdir()
            (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
        return folder

    return save


@pytest.fixture(scope="session")
def tiny_folder(save_unet) -> Path:
    """A diffusers folder of the tiny network on the linear-1000 schedule."""
    return save_unet({"_class_name": "DDPMScheduler", "beta_schedule": "linear"})


@pytest.fixture(scope="session")
def tiny(tiny_folder):
    """The tiny backbone, loaded."""
    from cfs_explore.backbones import load_backbone

    return load_backbone(tiny_folder, device="cpu")


@pytest.fixture(scope="session")
def kept_training(write_images, tmp_path_factory) -> Path:
    """The folder of a training of the tiny network, five steps long, that kept the weights after 0, 1, 2 and 4."""
    from cfs_explore.train import TrainSpec, train

    spec = TrainSpec(
        data=str(write_images(16, seed=1)),
        network=json.loads(json.dumps(TINY_UNET)),
        schedule={"num_train_timesteps": 1000},
        steps=5,
        batch_size=4,
        learning_rate=0.01,
        milestones=True,
    )
    return train(spec, tmp_path_factory.mktemp("trained") / "net", device="cpu")


@pytest.fixture(scope="session")
def oracle_arrays() -> dict[str, np.ndarray]:
    """What the paper's own code computed: images, noise, snapshots, scores (tests/fixtures/methods)."""
    from safetensors.numpy import load_file

    return load_file(METHODS / "oracle.safetensors")


@pytest.fixture(scope="session")
def oracle_backbone():
    """The network that it was computed with."""
    from cfs_explore.backbones import load_backbone

    return load_backbone(METHODS / "backbone", device="cpu")


@pytest.fixture(scope="session")
def tiny_images() -> np.ndarray:
    """float32 (24, 1, 8, 8) in [-1, 1], smooth and all different."""
    return _smooth(np.random.default_rng(0), 24).astype(np.float32)[:, None] / 127.5 - 1.0


@pytest.fixture(scope="session")
def write_images(tmp_path_factory):
    """Write n smooth grey 8 x 8 images as .npz, .npy, folder or zip of PNGs; gives the path."""

    def write(n: int, kind: str = "npz", *, seed: int = 0, shift: int = 0, side: int = 8) -> Path:
        pixels = _smooth(np.random.default_rng(seed), n, shift, side)
        home = tmp_path_factory.mktemp("images")
        if kind == "npz":
            np.savez(home / "set.npz", images=pixels)
            return home / "set.npz"
        return _as_png(home, pixels, kind)

    return write


@pytest.fixture(scope="session")
def tiny_spec(tiny_folder, write_images):
    """The content of a spec on the tiny backbone: so many ID and OOD images, two levels and draws, further fields."""

    def spec(id_images: int, ood_images: int, **fields) -> dict:
        return {
            "backbone": str(tiny_folder),
            "id": {"train": {"name": "ramps", "source": str(write_images(id_images, "npz", seed=1))}},
            "ood": [{"name": "bright", "source": str(write_images(ood_images, "npz", seed=2, shift=60))}],
            "levels": [5.0, -1.0],
            "draws": 2,
        } | fields

    return spec


@pytest.fixture(scope="session")
def rivals_run(tiny, tiny_spec, tmp_path_factory):
    """A finished run, read only, with CFS and the cheap rivals measured on 12 images of each of its two scored sets."""
    from cfs_explore.pipeline import explore
    from cfs_explore.pipeline.diagnose import run_stages
    from cfs_explore.pipeline.progress import Progress
    from cfs_explore.pipeline.stages import Study

    few = {"train": 24, "images": 12, "budget": 11.0}
    spec = tiny_spec(60, 40, name="rivals", diagnostics="map", detectors=few)
    run = explore(spec, tmp_path_factory.mktemp("rivals") / "rivals", device="cpu")
    return run_stages(Study(run, Progress(), backbone=tiny), ["detectors"])


def _smooth(rng: np.random.Generator, n: int, shift: int = 0, side: int = 8) -> np.ndarray:
    """uint8 (n, side, side): random ramps with a little noise, brightened by ``shift``."""
    y, x = np.mgrid[:side, :side] / side
    slope = rng.normal(size=(2, n, 1, 1)) * 60
    values = 110 + shift + slope[0] * x + slope[1] * y + rng.normal(size=(n, side, side)) * 12
    return np.clip(values, 0, 255).astype(np.uint8)


def _as_png(home: Path, pixels: np.ndarray, kind: str) -> Path:
    import shutil

    from PIL import Image

    (home / "set").mkdir()
    for i, array in enumerate(pixels):
        Image.fromarray(array).save(home / "set" / f"{i:04d}.png")
    return Path(shutil.make_archive(str(home / "set"), "zip", home / "set")) if kind == "zip" else home / "set"


@pytest.fixture(scope="module")
def places(write_images, tmp_path_factory):
    """ID and OOD images in folders that the tests may take away."""
    home = tmp_path_factory.mktemp("places")
    return {
        name: shutil.copytree(write_images(n, "folder", seed=n), home / name) for name, n in (("id", 20), ("ood", 7))
    }


#: Rooms whose tests open pages, draw figures or make runs: seconds each. Of these, a daily round takes some.
_LONG_ROOMS = ("pages", "figures", "pipeline", "charts/test_print", "diagnostics/test_falsifier")
_DAILY = ("test_pages_map", "test_pages_alike", "test_pages_where", "test_choices", "test_run_invariance")


def pytest_collection_modifyitems(items):
    """Mark as slow what a daily round leaves out; all tests run without a choice of marks."""
    for item in items:
        place = item.path.relative_to(Path(__file__).parent).as_posix()
        if place.startswith(_LONG_ROOMS) and item.path.stem not in _DAILY:
            item.add_marker("slow")
