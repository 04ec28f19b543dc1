"""The map page: headline, mark and open panel name the same cell; what it opens with, and what a choice changes."""

import json
import re

import numpy as np
import pytest
from page_steps import button, open_page, texts

from cfs_explore.charts import short_tap_name
from cfs_explore.contracts import SATURATED
from cfs_explore.figures.choices import default_cells
from cfs_explore.figures.detector import cell_label, preset_cells
from cfs_explore.figures.map import opening
from cfs_explore.locations import BUNDLES
from cfs_explore.store import find_runs, open_run
from cfs_explore.store.cell_names import cell_names
from cfs_explore.wording import format_estimate, format_value

RUNS = [path.name for path in find_runs(BUNDLES)]


@pytest.fixture(scope="module")
def digits():
    return open_run(BUNDLES / "digits")


def chart(app, key):
    """A chart of the page, as the browser gets it."""
    charts = app.get("plotly_chart")
    return json.loads(next(each.proto.spec for each in charts if each.proto.id.endswith(f"-{key}")))


def cell_at(figure, x, y):
    """The cell index of the map's click layer at a place of the figure."""
    layer = figure["data"][-1]
    places = zip(layer["x"], layer["y"], layer["customdata"], strict=True)
    return next(index for left, top, index in places if (left, top) == (x, y))


def marked(app):
    """The cells with the star and with the frame of the open cell."""
    figure = chart(app, "map")
    star = next(trace for trace in figure["data"] if trace.get("meta") == "best cell")
    assert not [shape for shape in figure["layout"]["shapes"] if shape.get("name") == "open cell"]  # it lies over it
    return cell_at(figure, star["x"][0], star["y"][0]), framed_cell(app, figure)


def framed_cell(app, figure):
    """The cell under the middle of the frame that lies over the map."""
    (style,) = [each.proto.body for each in app.get("html") if ".st-key-map .js-plotly-plot::after" in each.proto.body]
    shares = re.findall(r"\(?([\d.]+) \* \(100% -", style)  # left, width, top, height, of what the margins leave
    left, width, top, height = map(float, shares)
    across, down = figure["layout"]["xaxis"]["range"], figure["layout"]["yaxis"]["range"]
    x = across[0] + (left + width / 2) * (across[1] - across[0])
    y = down[1] + (top + height / 2) * (down[0] - down[1])
    layer = figure["data"][-1]
    places = zip(layer["x"], layer["y"], layer["customdata"], strict=True)
    return min(places, key=lambda place: abs(place[0] - x) + abs(place[1] - y))[2]


def assert_one_cell(app, run):
    """Headline, star, frame and panel are of the best cell of the set that is shown; the address names none."""
    ood, said, headline = app.session_state["ood"], texts(app), app.markdown[0].value
    row = run.table("best_cell").set_index("ood").loc[ood]
    index = int(row["cell_index"])
    level, tap = divmod(index, len(run.taps))
    assert f"**{ood}**" in headline
    assert f"**{run.taps[tap].region}** ({short_tap_name(run.taps[tap].name)})" in headline
    assert f"**λ = {format_value(run.levels[level].lam, 1)}**" in headline
    assert marked(app) == (index, index)
    assert app.header[0].value == cell_label(run, index)
    honest = format_estimate(row["honest"], row["honest_lo"], row["honest_hi"])
    assert honest in headline and f"★ The best cell for **{ood}**" in said
    clear = row["honest_lo"] > 0.5
    assert ("no single cell clearly tells" in headline) == (not clear)
    assert ("which does not clearly tell OOD from ID" in said) == (not clear)
    assert "cell" not in app.query_params


@pytest.mark.parametrize(("name", "ood"), [(name, ood) for name in RUNS for ood in open_run(BUNDLES / name).ood_names])
def test_headline_mark_and_open_panel_name_the_same_cell(name, ood):
    app = open_page("map", run=name, ood=ood)
    assert app.session_state["ood"] == ood
    assert_one_cell(app, open_run(BUNDLES / name))


def test_they_still_do_when_another_set_is_chosen(digits):
    app = open_page("map", run="digits")
    assert_one_cell(app, digits)
    for ood in digits.ood_names[:4]:
        app.selectbox(key="ood").select(ood).run()
        assert app.session_state["ood"] == ood
        assert_one_cell(app, digits)


@pytest.mark.parametrize("name", RUNS)
def test_the_set_with_the_widest_spread_comes_first(name):
    run = open_run(BUNDLES / name)
    spread = {}
    for row in run.table("best_cell").to_dict("records"):
        if row["honest"] <= SATURATED:
            spread[row["ood"]] = row["honest"] - np.median(run.auroc_map(row["ood"])["auroc"])
    app = open_page("map", run=name)
    assert app.session_state["ood"] == max(spread, key=spread.get) == opening(run).ood
    assert "ood" not in app.query_params
    assert open_page("map", run=name, ood=run.ood_names[0]).session_state["ood"] == run.ood_names[0]


def test_other_pages_keep_to_the_address_and_the_session(digits):
    assert open_page("separation", run="digits").session_state["ood"] == digits.ood_names[0]
    app = open_page("map", run="digits")
    seen = app.session_state["ood"], app.session_state["cell"]
    app.switch_page("pages/separation.py").run()
    assert (app.session_state["ood"], app.session_state["cell"]) == seen


def test_a_cell_that_was_chosen_stays_when_the_set_changes(digits):
    app = open_page("map", run="digits", ood="letters", cell=cell_names(digits)[33])
    app.selectbox(key="ood").select("flipped").run()
    assert app.session_state["cell"] == 33 and app.header[0].value == cell_label(digits, 33)
    star, frame = marked(app)
    assert frame == 33 and star == int(digits.table("best_cell").set_index("ood").loc["flipped", "cell_index"])
    assert "★" not in texts(app)


def test_what_another_page_opened_with_gives_way_and_what_was_chosen_there_stays(digits):
    best = digits.table("best_cell").set_index("ood")["cell_index"]
    app = open_page("separation", run="digits", ood="letters")
    assert app.session_state["cell"] == default_cells(digits)[-1] != best["letters"]
    app.switch_page("pages/map.py").run()
    assert app.session_state["cell"] == best["letters"]
    app.selectbox(key="open_cell").select(33).run()
    app.switch_page("pages/separation.py").run()
    app.switch_page("pages/map.py").run()
    assert app.session_state["cell"] == 33


def test_the_composer_takes_measured_detectors(digits):
    app = open_page("map", run="digits", ood="letters", map_detectors="Diffusion NLL,nonsense")
    assert app.session_state["map_detectors"] == ["nll"]
    names = [row["name"] for row in chart(app, "detectors")["data"]]
    assert "Diffusion NLL, n = 64 + 64" in names and "Best rival" not in str(names)
    app.multiselect(key="map_detectors").set_value(["nll", "eigenscore"]).run()
    assert app.query_params["map_detectors"] in ("Diffusion NLL,EigenScore", ["Diffusion NLL,EigenScore"])
    assert "EigenScore, n = 64 + 64" in [row["name"] for row in chart(app, "detectors")["data"]]


def test_the_composer_starts_empty_and_a_preset_is_one_click_away(digits):
    app = open_page("map", run="digits", ood="letters")
    assert app.session_state["cells"] == [] and "cells" not in app.query_params
    rows = chart(app, "detectors")["data"]
    assert [row["name"] for row in rows] == [
        "CFS(1x2)",
        "CFS-dec(1x1)",
        "Best cell, honest",
        "Best cell, naive",
        "Best rival: MSMA (original), n = 64 + 64",
    ]
    assert not [shape for shape in chart(app, "map")["layout"]["shapes"] if "selected" in shape.get("name", "")]
    cells = preset_cells(digits)["CFS(1x2)"]
    button(app, "CFS(1x2)").click().run()
    assert app.session_state["cells"] == cells
    named = ",".join(cell_names(digits)[index] for index in cells)
    assert app.query_params["cells"] in (named, [named])
    assert chart(app, "detectors")["data"][0]["name"] == "Composed: CFS(1x2)"
    button(app, "Best cell").click().run()
    assert app.session_state["cells"] == [int(digits.table("best_cell").set_index("ood").loc["letters", "cell_index"])]
    button(app, "In the detector")


def test_the_published_pair_is_marked_less_than_the_best_cell(digits):
    app = open_page("map", run="digits", ood="letters")
    figure = chart(app, "map")
    dots = next(trace for trace in figure["data"] if trace.get("meta") == "published pair")
    star = next(trace for trace in figure["data"] if trace.get("meta") == "best cell")
    cells = [cell_at(figure, x, round(y)) for x, y in zip(dots["x"], dots["y"], strict=True)]
    assert cells == preset_cells(digits)["CFS(1x2)"]
    assert dots["marker"]["size"] < star["marker"]["size"] / 2
    assert re.search(r"Star: best cell by AUROC; dots: the published CFS\(1x2\); frame: open cell\.", texts(app))


def test_a_composed_detector_of_other_pages_is_still_the_published_pair(digits):
    app = open_page("triage", run="digits", ood="letters", detector="composed")
    assert app.session_state["cells"] == default_cells(digits)
    app.switch_page("pages/map.py").run()
    assert app.session_state["cells"] == []


def test_the_map_stands_before_the_sets_and_the_sets_before_the_composer():
    app = open_page("map", run="digits")
    keys = [each.proto.id.rsplit("-", 1)[-1] for each in app.get("plotly_chart")]
    assert [key for key in keys if key in ("map", "strip", "detectors")] == ["map", "strip", "detectors"]
