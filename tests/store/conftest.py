"""A tiny real run, measured once, its zip, and an import that must be refused."""

import zipfile

import pytest

from cfs_explore import bundles
from cfs_explore.errors import CFSError


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
    path = tmp_path_factory.mktemp("zips") / "tiny.zip"
    bundles.export(tiny_run, path)
    return path


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty folder of runs."""
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def members(tiny_zip) -> dict[str, bytes]:
    with zipfile.ZipFile(tiny_zip) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


@pytest.fixture
def refused(runs, tmp_path):
    """Import members (a dict, or pairs with ZipInfo or name); gives the message of the refusal."""

    def check(found, trusted: bool = True) -> str:
        path = tmp_path / "sent.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in found.items() if isinstance(found, dict) else found:
                archive.writestr(name, data)
        with pytest.raises(CFSError) as caught:
            bundles.import_zip(path, trusted=trusted)
        assert not runs.exists() or list(runs.iterdir()) == []
        assert sorted(p.name for p in tmp_path.iterdir()) in (["sent.zip"], ["runs", "sent.zip"])
        return str(caught.value)

    return check
