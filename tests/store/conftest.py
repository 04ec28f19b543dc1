"""A tiny real run, measured once, its zip, and an import that must be refused."""

import json
import zipfile

import pytest

from cfs_explore.errors import CFSError
from cfs_explore.explorations import bundles


@pytest.fixture(scope="session")
def tiny_run(tiny_spec, tmp_path_factory):
    """Path of a finished run: two taps, two levels, two draws, two OOD sets, kept snapshots."""
    from cfs_explore.pipeline import explore

    spec = tiny_spec(24, 7, name="tiny run", taps="sparse_ed", keep="sparse_ed", diagnostics=[])
    spec["ood"].append({"name": "letters", "source": {"builtin": "letters", "n": 5, "side": 8}})
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
def members(without_digests) -> dict[str, bytes]:
    return dict(without_digests)


@pytest.fixture(scope="session")
def without_digests(tiny_zip) -> dict[str, bytes]:
    """Files of the zip, whose manifest lists no digests: whoever changes a file can change them, too."""
    with zipfile.ZipFile(tiny_zip) as archive:
        found = {info.filename: archive.read(info) for info in archive.infolist()}
    manifest = json.loads(found["manifest.json"])
    assert manifest["files"]
    return found | {"manifest.json": json.dumps(manifest | {"files": {}}).encode()}


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
