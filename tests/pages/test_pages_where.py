"""The page Where on a small run: what it says, its controls and its address."""

import shutil

import pytest
from page_steps import open_page, texts

from cfs_explore.pipeline import diagnose, explore
from cfs_explore.store import open_run
from cfs_explore.wording import format_estimate


@pytest.fixture(scope="module")
def runs(tiny_spec, write_images, tmp_path_factory):
    """A folder with one run "tiny": a set of 12 images and one of a single image; and one with the map alone."""
    home = tmp_path_factory.mktemp("where-page")
    spec = tiny_spec(40, 12, name="tiny", diagnostics="map")
    spec["ood"].append({"name": "one", "source": str(write_images(1, seed=3))})
    explore(spec, home / "bare" / "tiny", device="cpu")
    shutil.copytree(home / "bare", home / "whole")
    diagnose(home / "whole" / "tiny", ["where"], device="cpu")
    return home


@pytest.fixture
def show(runs, only_runs):
    def open_it(name="whole", **query):
        only_runs(runs / name)
        return open_page("where", run="tiny", **query)

    return open_it


def test_the_headline_is_the_tables(runs, show):
    app = show(ood="bright")
    best = open_run(runs / "whole" / "tiny").table("localisation_best").query("ood == 'bright' and part == 'score'")
    row = best.iloc[0]
    assert app.title[0].value == "Where in the image?"
    head = app.markdown[0].value
    assert format_estimate(row["trained"], row["trained_lo"], row["trained_hi"]) in head and "**bright**" in head
    assert len(app.get("plotly_chart")) == 3
    assert "3 pixels wide" in texts(app) and "first noise draw" in texts(app)


def test_controls_and_address(show):
    app = show(ood="bright", where_map_of="deviation", where_measure="aupro")
    assert (app.session_state["where_map_of"], app.session_state["where_measure"]) == ("deviation", "aupro")
    assert "AUPRO of the local deviation" in texts(app)
    app.button_group(key="where_measure").set_value("auroc").run()
    assert not app.exception and "Pixel AUROC of the local deviation of every cell" in texts(app)
    assert app.query_params["where_map_of"] in ("deviation", ["deviation"])
    app.button_group(key="where_map_of").set_value("score").run()
    assert not app.exception and "Pixel AUROC of the score of every cell" in texts(app)


@pytest.mark.parametrize("nonsense", [{"where_map_of": "x"}, {"where_measure": "auc"}, {"ood": "none"}])
def test_nonsense_falls_back(nonsense, show):
    app = show(**nonsense)
    assert (app.session_state["where_map_of"], app.session_state["where_measure"]) == ("score", "auroc")


def test_a_set_of_one_image_says_that_it_is_too_few(show):
    app = show(ood="one")
    assert "Too few images of **one**" in app.markdown[0].value and len(app.get("plotly_chart")) == 3


def test_without_the_stage_the_page_says_what_it_answers(show):
    app = show("bare")
    assert "made without the stage Where." in texts(app) and not app.get("plotly_chart")
