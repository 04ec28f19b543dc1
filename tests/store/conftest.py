"""A tiny real run, measured once, and its zip."""

import pytest


@pytest.fixture(scope="session")
def tiny_run(tiny_folder, write_images, tmp_path_factory):
    """Path of a finished run: two taps, two levels, two draws, two OOD sets, kept snapshots."""
    from cfs_explore.pipeline import explore

    spec = {
        "name": "tiny run",
        "backbone": str(tiny_folder),
        "id": {"train": {"name": "ramps", "source": str(write_images(24, "npz", seed=1))}},
        "ood": [
            {"name": "bright", "source": str(write_images(7, "npz", seed=2, shift=60))},
            {"name": "letters", "source": {"builtin": "letters", "n": 5, "side": 8}},
        ],
        "levels": [5.0, -1.0],
        "taps": "sparse_ed",
        "keep": "sparse_ed",
        "draws": 2,
        "diagnostics": [],
    }
    return explore(spec, tmp_path_factory.mktemp("tiny") / "run", device="cpu").path


@pytest.fixture(scope="session")
def tiny_zip(tiny_run, tmp_path_factory):
    """The run as ``export`` packs it."""
    from cfs_explore import bundles

    path = tmp_path_factory.mktemp("zips") / "tiny.zip"
    bundles.export(tiny_run, path)
    return path
