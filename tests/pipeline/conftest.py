"""Whole runs on the tiny backbone: a spec to vary, one finished run to look at, and ways to compare two runs."""

import importlib

import numpy as np
import pandas as pd
import pytest

from cfs_explore.pipeline import explore
from cfs_explore.store import SetWork, open_run

TABLES = ("auroc_map", "detectors", "best_cell", "heads", "skipped")


@pytest.fixture(scope="session")
def spec(tiny_folder, write_images) -> dict:
    """ID images in a zip, split by seed; OOD from npz, folder and a built-in set; all taps, two levels and draws."""
    return {
        "name": "tiny run",
        "backbone": str(tiny_folder),
        "id": {"train": {"name": "ramps", "source": str(write_images(36, "zip", seed=1))}},
        "ood": [
            {"name": "bright", "source": str(write_images(11, "npz", seed=2, shift=60))},
            {"name": "folder", "source": str(write_images(5, "folder", seed=3))},
            {"name": "letters", "source": {"builtin": "letters", "n": 9, "side": 8}},
        ],
        "levels": [5.0, -1.0],
        "diagnostics": [],
        "draws": 2,
        "seed": 7,
    }


@pytest.fixture(scope="session")
def quick_spec(spec) -> dict:
    """The same with one OOD set, one draw and two taps, for tests that run it many times."""
    few = {"taps": ["conv_in", "up_blocks.0.resnets.1"], "keep": "none", "draws": 1, "levels": [5.0]}
    return spec | few | {"ood": spec["ood"][:1]}


@pytest.fixture(scope="session", autouse=True)
def _one_loaded_backbone(tiny, tiny_folder):
    """In-process runs of the tiny folder share one loaded network."""
    module = importlib.import_module("cfs_explore.pipeline.explore")  # the package's attribute is the function
    original = module.load_backbone

    def load(path, *arguments, **options):
        return tiny if str(path) == str(tiny_folder) else original(path, *arguments, **options)

    patch = pytest.MonkeyPatch()
    patch.setattr(module, "load_backbone", load)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def finished(spec, tmp_path_factory):
    """A finished run of ``spec``; read only."""
    return explore(spec, tmp_path_factory.mktemp("finished") / "run", device="cpu")


@pytest.fixture(scope="session")
def quick_run(quick_spec, tmp_path_factory):
    """A finished run of ``quick_spec``; read only."""
    return explore(quick_spec, tmp_path_factory.mktemp("quick") / "run", device="cpu")


@pytest.fixture
def forwards(tiny):
    """Sizes of the batches that went through the tiny network."""
    sizes = []
    handle = tiny.module.register_forward_pre_hook(lambda m, inputs: sizes.append(len(inputs[0])))
    yield sizes
    handle.remove()


@pytest.fixture
def every_forward():
    """Sizes of the batches that went through any network, untrained copies included."""
    import torch

    from cfs_explore.backbones.nets.plain_unet import PlainUNet

    sizes = []

    def count(module, inputs):
        if isinstance(module, PlainUNet):
            sizes.append(len(inputs[0]))

    handle = torch.nn.modules.module.register_module_forward_pre_hook(count)
    yield sizes
    handle.remove()


@pytest.fixture(scope="session")
def assert_same_tables():
    """Two runs have equal tables, images, scores and moments: exactly, or within a tolerance."""

    def check(left, right, rtol: float = 0.0):
        left, right = open_run(left.path), open_run(right.path)
        for name in TABLES:
            exact = rtol == 0
            pd.testing.assert_frame_equal(left.table(name), right.table(name), check_exact=exact, rtol=rtol or 1e-9)
        pd.testing.assert_frame_equal(
            pd.read_parquet(left.path / "images.parquet"), pd.read_parquet(right.path / "images.parquet")
        )
        for entry in left.manifest.sets:
            pair = [run.moments(entry.role, entry.name).to_arrays() for run in (left, right)]
            for key in ("count", "mean", "m2", "m2_within"):
                np.testing.assert_allclose(pair[0][key], pair[1][key], rtol=rtol, atol=rtol)
            if entry.score_start >= 0:
                scores = [run.scores(entry.role, entry.name) for run in (left, right)]
                np.testing.assert_allclose(*scores, rtol=rtol)
        entries = [[each.model_copy(update={"opened": None}) for each in run.manifest.sets] for run in (left, right)]
        assert entries[0] == entries[1]  # but for when their images were opened
        assert left.manifest.presets == right.manifest.presets

    return check


@pytest.fixture
def shards_done():
    """Work folder -> finished shards."""
    return lambda run: {p.name: SetWork(p).shards_done() for p in sorted((run / "work").glob("*"))}
