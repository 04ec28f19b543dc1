"""The probe page without what it would like to have: encoder taps, images, a backbone; and while the backbone loads."""

import json
import threading
from pathlib import Path

import pytest
import streamlit as st
from film_steps import films
from page_steps import open_page, texts

from cfs_explore.errors import BackboneError
from cfs_explore.explorations.bundles import MARK
from cfs_explore.pipeline import explore
from cfs_explore.ui import probe_data

pytestmark = pytest.mark.usefixtures("short_films")


@pytest.fixture(scope="module")
def tiny_run(tiny_folder, write_images, tmp_path_factory):
    """A run whose taps have no encoder, on images larger than a thumbnail; one set has a single image."""
    spec = {
        "name": "tiny",
        "backbone": str(tiny_folder),
        "id": {"train": {"name": "ramps", "source": str(write_images(12, "folder", seed=1, side=72))}},
        "ood": [{"name": "single", "source": str(write_images(1, "folder", seed=3, side=72))}],
        "levels": [5.0, -1.0],
        "taps": ["mid_block.resnets.0", "conv_act"],
        "keep": "none",
        "diagnostics": [],
    }
    return explore(spec, tmp_path_factory.mktemp("probe-page") / "tiny", device="cpu")


@pytest.fixture
def only_tiny(tiny_run, only_runs):
    """No other run, and nothing of it is kept from another test."""
    st.cache_resource.clear()
    only_runs(tiny_run.path.parent)
    return tiny_run


def test_a_run_without_encoder_taps_and_a_set_of_one_image(only_tiny):
    app = open_page("probe", run="tiny")
    for key in ("probe_encoder", "probe_decoder"):
        assert "conv_act (output)" in app.selectbox(key=key).options
    assert "mid.res0 (middle)" in app.selectbox(key="probe_encoder").options
    assert "scores A" in texts(app) and "and B" in texts(app)


def test_an_image_that_is_gone_is_named_and_the_other_is_still_shown(only_tiny):
    source = Path(only_tiny.manifest.spec["ood"][0]["source"])
    hidden = source.rename(f"{source}-hidden")
    try:
        app = open_page("probe", run="tiny")
    finally:
        hidden.rename(source)
    assert "is not here in its full size" in texts(app)
    assert "scores A" in texts(app) and "and B" not in texts(app)


def test_an_imported_run_without_places_says_why(only_tiny):
    mark = only_tiny.path / MARK
    mark.write_text(json.dumps({"imported": "2026", "places": False}))
    try:
        app = open_page("probe", run="tiny")
    finally:
        mark.unlink()
    assert "was imported, and its backbone is not on this server" in texts(app)
    assert not films(app)


def test_a_backbone_that_is_gone_says_where_it_was(only_tiny, tmp_path):
    spec = only_tiny.path / "spec.yaml"
    kept = spec.read_text()
    try:
        spec.write_text(kept.replace(only_tiny.manifest.spec["backbone"]["path"], str(tmp_path / "gone")))
        app = open_page("probe", run="tiny")
    finally:
        spec.write_text(kept)
    assert "cannot run here" in texts(app) and "gone" in texts(app)


def test_the_backbone_loads_beside_the_visitors_thread(only_tiny, monkeypatch):
    """Who asks for it goes on, learns of a failure when the result is wanted, and may ask again."""
    from cfs_explore.probe.network import Probe

    go, threads = threading.Event(), []

    def slow(run, *, fetch):
        threads.append(threading.current_thread())
        assert go.wait(30)
        if len(threads) == 1:
            raise BackboneError("not today")
        return f"the probe of {run.name}"

    monkeypatch.setattr(Probe, "open", slow)
    probe_data.begin(only_tiny)
    probe_data.begin(only_tiny)  # another visitor
    loading = probe_data._loading(only_tiny, probe_data.access.fetches())
    assert not loading.done()
    go.set()
    with pytest.raises(BackboneError, match="not today"):
        probe_data.load(only_tiny)
    assert len(threads) == 1 and threads[0] is not threading.current_thread()
    assert probe_data.load(only_tiny) == "the probe of tiny"
    st.cache_resource.clear()
