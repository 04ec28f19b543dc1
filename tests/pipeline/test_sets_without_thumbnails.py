"""Sets of which a run keeps no picture: none is in it, and pages find them by their pixels where the source is."""

import copy
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore.cli import main
from cfs_explore.errors import RunError, SourceError
from cfs_explore.explorations import bundles
from cfs_explore.explorations.pictures import fetch, find_pictures, how_to_get
from cfs_explore.images import open_source, thumbnail
from cfs_explore.pipeline import explore
from cfs_explore.store import open_run


@pytest.fixture(scope="module")
def run(tiny_folder, places, tmp_path_factory):
    spec = {
        "name": "No pictures",
        "backbone": str(tiny_folder),
        "id": {"train": {"name": "ramps", "source": str(places["id"]), "thumbnails": False}},
        "ood": [
            {"name": "closed", "source": str(places["ood"]), "thumbnails": False, "limit": 5},
            {"name": "open", "source": {"builtin": "letters", "n": 4, "side": 8}},
        ],
        "levels": [5.0],
        "taps": "sparse_ed",
        "diagnostics": ["levels"],
    }
    return explore(spec, tmp_path_factory.mktemp("closed") / "run", device="cpu")


def test_no_picture_of_them_is_anywhere_in_the_run(run, places):
    rows = {role: run.images(role, columns=("thumbnail",)) for role in ("id_train", "id_test")}
    rows |= {name: run.images("ood", name, columns=("thumbnail",)) for name in run.ood_names}
    assert {name: set(frame["thumbnail"].map(len) > 0) for name, frame in rows.items()} == {
        "id_train": {False}, "id_test": {False}, "closed": {False}, "open": {True}
    }  # fmt: skip
    assert set(run.table("level_pictures")["dataset"]) == {"open"}
    assert not [path for path in run.path.rglob("*") if path.suffix in (".png", ".npy", ".npz", ".jpg")]
    with open_source(str(places["ood"])) as source:
        pictures = [thumbnail(source.read(i).pixels) for i in range(len(source))]
    held = b"".join(path.read_bytes() for path in run.path.rglob("*") if path.is_file())
    assert not any(picture in held for picture in pictures)


def test_they_are_found_by_their_pixels_wherever_the_source_lies(run, places, tmp_path):
    entry = run.entry("ood", "closed")
    found = find_pictures(run, entry)
    assert list(found) and set(found) == set(run.images("ood", "closed")["image_id"])
    with open_source(str(places["ood"])) as source:
        records = {record.image_id: record for record in map(source.read, range(len(source)))}
    assert all(thumbnail(records[image_id].pixels) == png for image_id, png in found.items())

    moved = open_run(shutil.copytree(run.path, tmp_path / "run"))
    with open_source(str(places["ood"])) as source:
        pixels = np.stack([source.read(i).pixels[:, :, 0] for i in range(len(source))])
    np.save(tmp_path / "array.npy", pixels[::-1])
    moved.manifest.spec["ood"][0]["source"] = str(tmp_path / "array.npy")  # another order and format
    assert find_pictures(moved, entry) == found
    moved.manifest.spec["ood"][0]["source"] = str(tmp_path / "nowhere")
    assert find_pictures(moved, entry) is None


def test_where_they_come_from_is_shown_and_fetched_once(run, monkeypatch):
    changed = copy.copy(run)
    changed.manifest = run.manifest.model_copy(update={"spec": copy.deepcopy(run.manifest.spec)})
    changed.manifest.spec["ood"][0]["source"] = {"torchvision": "SVHN", "split": "test"}
    changed.manifest.spec["id"]["train"]["source"] = {"hub": "owner/name", "split": "train"}
    assert how_to_get(changed, run.entry("ood", "closed")) == "torchvision's SVHN"
    assert how_to_get(changed, run.id_test) == "owner/name on the Hugging Face hub"
    assert how_to_get(changed, run.entry("ood", "open")) == ""
    asked, lines = [], []
    monkeypatch.setattr("cfs_explore.images.open_source", lambda source, **cut: asked.append(source) or _Opened())
    assert fetch(changed, lines.append) == []
    assert asked == [{"hub": "owner/name", "split": "train"}, {"torchvision": "SVHN", "split": "test"}]
    assert lines == ["ramps (id-train): 3 images there", "ramps (id-test): 3 images there",
                     "closed (ood): 3 images there"]  # fmt: skip
    asked.clear()
    changed.manifest.spec["ood"][0]["source"] = {"altered": "noisy", "of": {"torchvision": "SVHN", "split": "test"}}
    assert how_to_get(changed, run.entry("ood", "closed")) == "torchvision's SVHN"
    find_pictures(changed, run.entry("ood", "closed"))
    assert asked.pop()["of"]["download"] is False
    changed.manifest.spec["ood"][0]["source"] = {"torchvision": "SVHN", "split": "test"}
    find_pictures(changed, run.entry("ood", "closed"))
    assert asked[0]["download"] is False  # a page fetches nothing


def test_what_could_not_be_fetched_is_named_in_the_end(run, monkeypatch, capsys):
    changed = copy.copy(run)
    changed.manifest = run.manifest.model_copy(update={"spec": copy.deepcopy(run.manifest.spec)})
    changed.manifest.spec["ood"][0]["source"] = {"hub": "owner/name", "split": "train"}

    def unreachable(_source):
        raise SourceError("the hub is out of reach")

    monkeypatch.setattr("cfs_explore.images.open_source", unreachable)
    monkeypatch.setattr("cfs_explore.store.open_run", lambda path: changed)
    with pytest.raises(SystemExit) as stopped:
        main(["fetch", str(run.path)])
    said = capsys.readouterr()
    assert stopped.value.code == 2 and said.out == "closed (ood): the hub is out of reach\n"
    assert said.err.startswith("cfs-explore: Not fetched: closed; the lines above say why. The same command tries")


class _Opened(list):
    def __init__(self):
        super().__init__([1, 2, 3])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def readable(self):
        raise RunError("not asked for here")


def test_such_a_run_travels_and_false_claims_are_refused(run, tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    bundles.export(run.path, tmp_path / "a.zip")
    again = open_run(bundles.import_zip(tmp_path / "a.zip", trusted=False))
    assert not again.entry("ood", "closed").thumbnails
    bad = shutil.copytree(run.path, tmp_path / "bad")
    frame = pd.read_parquet(bad / "images.parquet")
    frame["thumbnail"] = frame["thumbnail"].where(frame["thumbnail"].map(len) > 0, frame["thumbnail"].iloc[-1])
    frame.to_parquet(bad / "images.parquet")
    manifest = json.loads((bad / "manifest.json").read_text())
    (bad / "manifest.json").write_text(json.dumps(manifest | {"files": {}}))  # no digests that would tell
    bundles.export(bad, tmp_path / "b.zip")
    with pytest.raises(RunError, match="has thumbnails, which manifest"):
        bundles.import_zip(tmp_path / "b.zip", trusted=False)
