"""The probe page on the bundle and on small runs: its numbers, what a link restores, and why there is no backbone."""

import json
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from page_steps import open_page, texts
from PIL import Image

from cfs_explore.bundles import MARK
from cfs_explore.headlines.probe import Scored, format_score, ordinal, probe_headline
from cfs_explore.locations import BUNDLES
from cfs_explore.pipeline import explore
from cfs_explore.probe.seen import share_below
from cfs_explore.store import open_run
from cfs_explore.ui import data

DECODER = "up_blocks.1.resnets.2"


@pytest.fixture(scope="module")
def digits():
    return open_run(BUNDLES / "digits")


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
def only_tiny(tiny_run, monkeypatch, tmp_path):
    """No other run, and nothing of it is kept from another test."""
    st.cache_resource.clear()
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tiny_run.path.parent))
    monkeypatch.setattr(data, "BUNDLES", tmp_path)
    return tiny_run


def pictures(app) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def test_a_link_restores_the_view_and_the_headline_says_the_stored_scores(digits):
    link = {"probe_a": "11", "probe_b": "99", "probe_lam": "1", "probe_draw": "2", "probe_decoder": DECODER}
    app = open_page("probe", run="digits", ood="letters", **link)
    tap = [t.name for t in digits.taps].index(DECODER)
    a = digits.scores("id_test")[11, 2, 4, tap]
    b = digits.scores("ood", "letters")[99, 2, 4, tap]
    against = digits.scores("id_test")[:, :, 4, tap].ravel()
    parts = [Scored("A", a, share_below(a, against)), Scored("B", b, share_below(b, against))]
    assert probe_headline("decoder tap up1.res2", 1.0, None, parts) in texts(app)
    assert "a measured level, draw 2: scores of the set's images are those that the run has stored" in texts(app)
    rows = digits.images("ood", "letters", columns=("name",))
    assert rows["name"].iloc[99] in pictures(app)


def test_between_levels_the_nearest_statistics_are_named():
    app = open_page("probe", run="digits", probe_lam="4.25")
    assert "At **λ = 4.25**, against the ID statistics of λ = 5.0," in texts(app)
    assert "nearest measured level, λ = 4.99" in texts(app)


def test_slider_draw_and_taps_move_the_numbers_and_the_address():
    app = open_page("probe", run="digits", ood="noisy")
    said = [texts(app)]
    app.select_slider(key="probe_lam").set_value(-1.0).run()
    said.append(texts(app))
    app.button[[each.label for each in app.button].index("Redraw")].click().run()
    said.append(texts(app))
    app.selectbox(key="probe_decoder").select("up_blocks.0.resnets.0").run()
    said.append(texts(app))
    assert not app.exception and len(set(said)) == 4
    values = {key: value[0] if isinstance(value, list) else value for key, value in app.query_params.items()}
    assert (values["probe_lam"], values["probe_draw"]) == ("-1", "1")
    assert values["probe_decoder"] == "up_blocks.0.resnets.0" and "up0.res0" in said[-1]


def test_every_picture_has_a_text():
    html = pictures(open_page("probe", run="digits"))
    assert html.count("<img") == html.count('alt="') == 2 * 3 + 2 * 2 * 8
    assert "B: with noise, λ = 4.99" in html and "image-rendering: pixelated" in html


def test_another_set_starts_at_its_first_image():
    app = open_page("probe", run="digits", ood="letters", probe_b="99")
    app.selectbox(key="ood").select("noisy").run()
    assert not app.exception and app.session_state["probe_b"] == 0


def test_an_address_of_another_set_keeps_its_image():
    app = open_page("probe", run="digits", ood="letters", probe_b="99")
    app.query_params["ood"], app.query_params["probe_b"] = "noisy", "7"
    app.run()
    assert (app.session_state["ood"], app.session_state["probe_b"]) == ("noisy", 7)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"probe_lam": "5.1", "probe_a": "-3", "probe_b": "9999"},
        {"probe_lam": "x", "probe_draw": "1e9", "ood": "nobody"},
    ],
)
def test_nonsense_in_the_address_falls_back(nonsense, digits):
    app = open_page("probe", run="digits", **nonsense)
    assert app.session_state["probe_lam"] == 5.0 and app.session_state["probe_draw"] == 0
    assert app.session_state["ood"] == digits.ood_names[0]
    assert app.session_state["probe_b"] in range(digits.entry("ood", digits.ood_names[0]).count)


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
    assert not app.select_slider


def test_a_backbone_that_is_gone_says_where_it_was(only_tiny, tmp_path):
    spec = only_tiny.path / "spec.yaml"
    kept = spec.read_text()
    try:
        spec.write_text(kept.replace(only_tiny.manifest.spec["backbone"]["path"], str(tmp_path / "gone")))
        app = open_page("probe", run="tiny")
    finally:
        spec.write_text(kept)
    assert "cannot be shown images here" in texts(app) and "gone" in texts(app)


@pytest.mark.parametrize("good", [True, False])
def test_an_upload_takes_the_place_of_b_or_says_what_is_wrong(good, tmp_path):
    content = tmp_path / "<b>mine.png"
    Image.fromarray(np.full((40, 20, 3), 200, np.uint8)).save(content)
    data_bytes = content.read_bytes() if good else b"no picture"
    app = open_page("probe", run="digits", ood="letters")
    app.file_uploader(key="probe_upload").upload("<b>mine.png", data_bytes, "image/png").run()
    assert not app.exception
    html = pictures(app)
    assert "<b>mine" not in html
    if good:
        assert "your image" in html and "&lt;b&gt;mine.png" in html and "letters" not in html
    else:
        assert "not an image" in texts(app) and "letters" in html


@pytest.mark.parametrize(
    ("below", "words"),
    [
        (1.0, "above every ID image"),
        (0.995, "above 99 % of ID"),
        (0.615, "62nd percentile of ID"),
        (0.005, "below 99 %"),
    ],
)
def test_headline_words_for_where_a_score_stands(below, words):
    assert words in probe_headline("decoder tap t", 5.0, None, [Scored("B", 4.1, below)])


def test_ordinals_and_scores():
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 62, 73)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "62nd", "73rd",
    ]  # fmt: skip
    assert [format_score(s) for s in (0.9349, 4.117, 23.46, 1234.5)] == ["0.935", "4.12", "23.5", "1234"]
