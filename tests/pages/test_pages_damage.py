"""A damaged file of the chosen exploration: every page tells it in its place, and the app goes on."""

import shutil

import pytest
import streamlit as st
from page_steps import open_page, texts

from cfs_explore.locations import BUNDLES

#: File -> pages that show something of it. A page that needs none of it is as it was.
DAMAGE = {
    "tables/auroc_map.parquet": ["map"],
    "tables/best_cell.parquet": ["map"],
    "tables/detectors.parquet": ["map", "triage"],
    "tables/separation.parquet": ["separation"],
    "tables/stability.parquet": ["stability"],
    "tables/controls.parquet": ["controls"],
    "scores.zarr/c/0/0/0/0": ["map", "image", "triage"],
    "images.parquet": ["image", "images"],
    "snapshots.zarr/down_blocks.1.resnets.1/c/0/0": ["separation", "images"],
}


@pytest.fixture
def damaged(tmp_path, monkeypatch):
    """A copy of the bundle of digits that the app shows first; gives its folder."""
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    shutil.copytree(BUNDLES / "digits", tmp_path / "runs" / "copy")
    st.cache_resource.clear()
    yield tmp_path / "runs" / "copy"
    st.cache_resource.clear()


@pytest.mark.parametrize("name", DAMAGE)
def test_it_is_reported_and_the_app_goes_on(name, damaged):
    path = damaged / name
    path.write_bytes(path.read_bytes()[:-3])
    reported = []
    for page in DAMAGE[name]:
        app = open_page(page, run="copy")  # which fails on an exception
        reported.append(f"{name} of" in texts(app) and "is damaged" in texts(app))
    assert any(reported), DAMAGE[name]
    assert "is damaged" not in texts(open_page("new", run="copy"))


def test_a_damaged_manifest_and_a_folder_that_goes(damaged):
    (damaged / "manifest.json").write_text("{")
    app = open_page("map", run="copy")
    assert "manifest.json does not describe a run" in texts(app)
    shutil.move(damaged.parent, damaged.parent.with_name("moved"))
    app.run()
    assert not app.exception
