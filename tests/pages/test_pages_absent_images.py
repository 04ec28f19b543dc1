"""Pages of a run without thumbnails: they say where the images are to be had, and show them once they are there."""

import json
import shutil

import pandas as pd
import pytest
from page_steps import forget_digests, open_page, texts

from cfs_explore.locations import BUNDLES
from cfs_explore.pipeline import explore
from cfs_explore.ui import data


@pytest.fixture(scope="module")
def pictures(write_images, tmp_path_factory):
    """The OOD images in a place that can be taken away."""
    return shutil.copytree(write_images(6, "folder", seed=2), tmp_path_factory.mktemp("there") / "set")


@pytest.fixture(scope="module")
def measured(tiny_folder, write_images, pictures, tmp_path_factory):
    spec = {
        "name": "closed",
        "backbone": str(tiny_folder),
        "id": {"train": {"name": "ramps", "source": str(write_images(24, seed=1)), "thumbnails": False}},
        "ood": [{"name": "street numbers", "source": str(pictures), "thumbnails": False}],
        "levels": [5.0, 1.0],
        "draws": 1,
        "diagnostics": ["complementarity", "levels", "prediction"],
    }
    return explore(spec, tmp_path_factory.mktemp("runs") / "closed", device="cpu")


@pytest.fixture
def closed(measured, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(measured.path.parent))
    data.images.clear()
    return measured


def source_is(run, source) -> None:
    """Let the run say that its OOD images come from there."""
    path = run.path / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["spec"]["ood"][0]["source"] = source
    path.write_text(json.dumps(manifest))


def gallery(app) -> str:
    return "".join(each.proto.body for each in app.get("html") if "<figure" in each.proto.body)


def test_one_set_has_pictures_and_another_has_not(closed, monkeypatch, tmp_path):
    """The levels' pictures of ID-train are there, those of the sets on show are not."""
    shutil.copytree(closed.path, tmp_path / "mixed")
    table = pd.read_parquet(BUNDLES / "digits" / "tables" / "level_pictures.parquet")
    table = table[(table["dataset"] == "letters") & (table["level"] < 2)].assign(role="id_train", dataset="ramps")
    table.to_parquet(tmp_path / "mixed" / "tables" / "level_pictures.parquet", index=False)
    forget_digests(tmp_path / "mixed")
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    app = open_page("protocol", run="mixed", protocol_view="levels")
    assert "The images of these sets are not part of this exploration" in texts(app)


@pytest.mark.parametrize("query", [{}, {"comp_view": "images"}, {"protocol_view": "levels"}])
@pytest.mark.parametrize("page", ["map", "triage", "image", "complementarity", "prediction", "protocol"])
def test_no_page_fails(closed, page, query):
    open_page(page, run="closed", **query)


def test_what_is_public_is_offered_and_places_are_kept(closed, monkeypatch, tmp_path):
    monkeypatch.setenv("CFS_EXPLORE_DATA", str(tmp_path))
    source_is(closed, {"torchvision": "SVHN", "split": "test"})
    app = open_page("map", run="closed")
    assert "The images of street numbers are not part of this exploration." in texts(app)
    assert "This gets street numbers (torchvision's SVHN) once" in texts(app)
    assert [code.value for code in app.code] == ["cfs-explore fetch closed"]
    assert gallery(app).count("data:image/png") == 6  # those of ID are there


def test_they_are_shown_where_they_are(closed, pictures):
    source_is(closed, str(pictures))
    app = open_page("map", run="closed")
    assert "The images of street numbers" not in texts(app) and "The images of ramps" not in texts(app)
    assert gallery(app).count("data:image/png") == 18 and 'cfs-absent"' not in gallery(app)


def test_strangers_do_not_make_the_server_look(closed, pictures, monkeypatch):
    """An exploration that a stranger imported names no places of this server."""
    source_is(closed, str(pictures))
    (closed.path / "imported.json").write_text('{"places": false}')
    try:
        assert "data:image/png" not in gallery(open_page("map", run="closed"))
    finally:
        (closed.path / "imported.json").unlink()
