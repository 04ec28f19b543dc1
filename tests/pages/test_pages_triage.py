"""The triage page: what it flags against a loop over the stored scores, its table, its address, what may be missing."""

import html
import io
import json
import re
import shutil
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest
from page_steps import open_page, texts
from PIL import Image
from scipy.stats import binomtest, false_discovery_control

from cfs_explore.explorations.pictures import as_seen
from cfs_explore.figures.detector import justified
from cfs_explore.locations import BUNDLES
from cfs_explore.pipeline import explore
from cfs_explore.store import open_run
from cfs_explore.store.cell_names import cell_names
from cfs_explore.ui import data, gallery
from cfs_explore.wording import format_estimate

COLUMNS = ["image_id", "name", "label", "score", "percentile", "p_value", "flagged", "detector", "threshold", "n_id"]


@pytest.fixture(scope="module")
def small(tiny_spec, write_images, tmp_path_factory):
    """A run without presets, whose OOD images are not at hand."""
    source = shutil.copytree(write_images(7, "folder", seed=2), tmp_path_factory.mktemp("there") / "set")
    few = {"taps": ["mid_block.resnets.0", "conv_act"], "keep": "none", "levels": [5.0, 1.0], "draws": 1}
    ood = [{"name": "street numbers", "source": str(source), "thumbnails": False}]
    spec = tiny_spec(24, 1, name="small", ood=ood, diagnostics=[], **few)
    run = explore(spec, tmp_path_factory.mktemp("triage") / "small", device="cpu")
    path = run.path / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["spec"]["ood"][0]["source"] = {"torchvision": "SVHN", "split": "test"}
    path.write_text(json.dumps(manifest))
    return open_run(run.path)


def scores_of(run, cells: list[int], role: str, name: str | None = None) -> np.ndarray:
    """Mean over draws and cells, straight from the stored scores."""
    values = run.scores(role, name).astype(float)
    return np.mean([values[:, :, cell // len(run.taps), cell % len(run.taps)] for cell in cells], axis=(0, 2))


def flagged_ids(run, ood: str, cells: list[int], rate: float) -> set[str]:
    """Ids of the images with a conformal p-value within the rate, counted one by one."""
    id_scores, ids = scores_of(run, cells, "id_test"), run.images("ood", ood)["image_id"]
    p = [(1 + sum(t >= s for t in id_scores)) / (len(id_scores) + 1) for s in scores_of(run, cells, "ood", ood)]
    return {image_id for image_id, value in zip(ids, p, strict=True) if value <= rate}


def shown_ids(app) -> list[str]:
    """Ids of the gallery's pictures, from their links."""
    bodies = "".join(each.proto.body for each in app.get("html") if "<figure" in each.proto.body)
    links = [html.unescape(link) for link in re.findall('<a href="([^"]*)"', bodies)]
    return [parse_qs(link.split("?")[1])["image"][0] for link in links]


def table_of(app) -> pd.DataFrame:
    return next(frame.value for frame in app.dataframe if "p_value" in frame.value)


def preset(run, name: str) -> list[int]:
    table = run.table("detectors")
    return [int(i) for i in table[table["name"] == name]["cell_indices"].iloc[0]]


@pytest.mark.parametrize("detector", ["CFS(1x2)", "CFS-dec(1x1)"])
def test_moving_the_threshold_flags_the_images_with_a_p_value_within_the_rate(digits, detector):
    app = open_page("triage", run="digits", ood="flipped", detector=detector)
    for rate in (5.0, 1.0, 12.0):
        app.select_slider(key="triage_rate").set_value(rate).run()
        assert not app.exception
        expected = flagged_ids(digits, "flipped", preset(digits, detector), rate / 100)
        table = table_of(app)
        assert set(table[table["flagged"]]["image_id"]) == expected
        assert f"Flagged images ({len(expected)})" in texts(app)
        assert f"**{len(expected)} of 250** images of **flipped**" in texts(app)
        assert set(shown_ids(app)) <= expected and len(shown_ids(app)) == min(30, len(expected))


def test_the_gallery_has_every_flagged_image_once_by_falling_score(digits):
    app = open_page("triage", run="digits", ood="letters", detector="CFS(1x2)")
    seen = shown_ids(app)
    while (page := app.number_input(key="triage_page")).value < page.max:
        page.set_value(page.value + 1).run()
        seen += shown_ids(app)
    table = table_of(app)
    assert seen == table[table["flagged"]]["image_id"].tolist()
    assert set(seen) == flagged_ids(digits, "letters", preset(digits, "CFS(1x2)"), 0.05)
    assert table["score"].is_monotonic_decreasing


def test_another_rule_starts_at_the_first_page():
    app = open_page("triage", run="digits", ood="letters", triage_page="3")
    assert app.session_state["triage_page"] == 3
    app.select_slider(key="triage_rate").set_value(20.0).run()
    assert app.session_state["triage_page"] == 1


def test_the_table_has_every_image_with_its_numbers(digits):
    app = open_page("triage", run="digits", ood="noisy", triage_rate="1", detector="CFS(1x2)")
    table, cells = table_of(app), preset(digits, "CFS(1x2)")
    assert table.columns.tolist() == COLUMNS and len(table) == 250
    id_scores, scores = scores_of(digits, cells, "id_test"), scores_of(digits, cells, "ood", "noisy")
    facts = digits.images("ood", "noisy").set_index("image_id").assign(score=scores)
    for row in table.iloc[::25].itertuples():
        assert row.score == pytest.approx(facts.loc[row.image_id, "score"])
        assert row.name == facts.loc[row.image_id, "name"]
        assert row.p_value == pytest.approx((1 + (id_scores >= row.score).sum()) / 422)
        assert row.percentile == pytest.approx(100 * (id_scores < row.score).mean())
        assert row.flagged == (row.score > row.threshold)
    assert set(table["detector"]) == {"CFS(1x2)"} and set(table["n_id"]) == {421}
    assert table["threshold"].iloc[0] == np.sort(id_scores)[-4]


def test_the_realised_rate_has_its_interval(digits):
    text = texts(open_page("triage", run="digits", ood="letters", triage_rate="5", detector="CFS(1x2)"))
    interval = binomtest(20, 421).proportion_ci(0.95, method="exact")
    assert (
        f"**20 of 421** ID-test images above it: 4.8 % [{100 * interval.low:.1f} %, {100 * interval.high:.1f} %]"
        in text
    )
    assert "**12.4 [5, 22]** false alarms expected among 250 images" in text


def test_false_discovery_rate(digits):
    app = open_page("triage", run="digits", ood="letters", triage_rate="10", detector="CFS(1x2)")
    app.radio(key="triage_by").set_value("discovery").run()
    assert not app.exception and app.query_params["triage_by"] in ("discovery", ["discovery"])
    assert app.session_state["triage_rate"] == 10
    table = table_of(app)
    adjusted = false_discovery_control(table["p_value"], method="bh")
    assert table["flagged"].tolist() == (adjusted <= 0.1).tolist()
    assert "false alarms expected" not in texts(app) and "false discovery rate" in texts(app)


def test_a_rate_below_the_smallest_p_value_says_so_and_flags_nothing():
    app = open_page("triage", run="digits", ood="blurred", triage_rate="0.1")
    text = texts(app)
    assert "can flag **no image**" in text and "1/422 = 0.24 %" in text and "at least 999 ID-test images" in text
    assert "No image of this set is flagged." in text and not table_of(app)["flagged"].any()


def test_the_address_restores_the_view(digits):
    query = {"ood": "rotated", "detector": "composed", "cells": "30.31.99", "triage_rate": "8"}
    app = open_page("triage", run="digits", **query)
    table = table_of(app)
    assert set(table[table["flagged"]]["image_id"]) == flagged_ids(digits, "rotated", [30, 31, 99], 0.08)
    assert app.session_state["cells"] == [30, 31, 99]
    assert table["detector"].iloc[0].startswith("mean of down0") and table["detector"].iloc[0].count(" + ") == 2
    single = open_page("triage", run="digits", ood="rotated", detector="cell", cell="141", triage_by="discovery")
    assert single.selectbox(key="detector_level").value == 141 // 29
    assert single.selectbox(key="detector_tap").value == 141 % 29
    assert single.session_state["triage_by"] == "discovery"
    assert "You chose this detector" in texts(single) and "You chose this detector" not in texts(
        open_page("triage", detector="CFS(1x2)")
    )


def test_a_single_cell_follows_its_controls_and_the_address_follows(digits):
    app = open_page("triage", run="digits", ood="letters", detector="cell", cell="0")
    app.selectbox(key="detector_level").select(3).run()
    app.selectbox(key="detector_tap").select(10).run()
    assert not app.exception and app.query_params["cell"] in (cell_names(digits)[97], [cell_names(digits)[97]])
    table = table_of(app)
    assert set(table[table["flagged"]]["image_id"]) == flagged_ids(digits, "letters", [97], 0.05)


def test_without_cells_the_page_asks_for_them():
    app = open_page("triage", run="digits", detector="composed", cells="none")
    assert "Choose at least one cell" in texts(app)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"triage_rate": "13"},
        {"triage_rate": "x"},
        {"detector": "oracle"},
        {"cells": "9999", "detector": "composed"},
        {"cell": "-1", "detector": "cell"},
        {"triage_by": "vote"},
        {"triage_page": "99"},
        {"triage_page": "x"},
    ],
)
def test_nonsense_in_the_address_falls_back(nonsense):
    app = open_page("triage", run="digits", ood="letters", **nonsense)
    assert app.session_state["triage_rate"] == 5 and app.session_state["triage_page"] == 1
    assert app.session_state["triage_by"] == "alarm" and len(table_of(app)) == 250


def test_a_run_without_presets_or_pictures(small, only_runs, monkeypatch, tmp_path):
    only_runs(small.path.parent)
    monkeypatch.setenv("CFS_EXPLORE_DATA", str(tmp_path))
    data.images.clear()
    app = open_page("triage", run="small", triage_rate="20")
    first = app.selectbox(key="detector").options[0]
    assert app.selectbox(key="detector").options[1:] == ["Composed cells", "A single cell"]
    assert first.startswith("Best: ") and "there is no published pair" in texts(app)
    (best,) = small.table("best_cell")["cell_index"]
    table = table_of(app)
    assert len(table) == 7 and set(table[table["flagged"]]["image_id"]) == flagged_ids(
        small, "street numbers", [int(best)], 0.2
    )
    assert "The images of street numbers are not part of this exploration." in texts(app)
    assert shown_ids(app) == []


@pytest.mark.parametrize(("ood", "kind"), [("letters", "cell"), ("inverted", "pair")])
def test_it_opens_on_the_best_detector_that_the_run_can_justify(digits, ood, kind):
    app = open_page("triage", run="digits", ood=ood)
    found = justified(digits, ood)
    assert found.kind == kind and "detector" not in app.query_params
    assert app.selectbox(key="detector").value == "best" and f"**{found.name}** flags" in texts(app)
    table = table_of(app)
    assert set(table[table["flagged"]]["image_id"]) == flagged_ids(digits, ood, list(found.cells), 0.05)
    assert f"AUROC {format_estimate(*(found.cell if kind == 'cell' else found.pair))}" in texts(app)
    assert ("This cell was chosen by its AUROC on these very images" in texts(app)) == (kind == "cell")
    app.selectbox(key="detector").set_value("CFS-dec(1x1)").run()
    assert "Opened with" not in texts(app) and "**CFS-dec(1x1)** flags" in texts(app)


def test_the_pictures_are_what_the_network_saw():
    """A wide colour photograph for a grey backbone of 16 x 16: cut, shrunk and grey; both on hover."""

    run = open_run(BUNDLES / "digits")
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 40, 3), dtype=np.uint8)).save(buffer, "PNG")
    shows = as_seen(run, run.entry("ood", "letters"))
    seen = Image.open(io.BytesIO(shows(buffer.getvalue())))
    assert seen.mode == "L" and seen.size == (16, 16)
    own = run.images("ood", "letters", columns=("thumbnail",))["thumbnail"].iloc[0]
    assert shows(own) == own and shows(b"") == b""
    shown = gallery._image(buffer.getvalue(), "a photograph", shows)
    assert shown.count("<img") == 2 and shown.count('alt="a photograph"') == 1 and 'alt=""' in shown
    assert gallery._image(own, "a letter", shows).count("<img") == 1
