"""The stability page on small runs: with all tables, with one draw and two taps, without its stage."""

import shutil

import pytest
from page_steps import open_page, texts

from cfs_explore.pipeline import diagnose, explore
from cfs_explore.store import open_run
from cfs_explore.wording import format_estimate


@pytest.fixture(scope="module")
def runs(tiny_spec, write_images, tmp_path_factory):
    """Folders of one run each: "whole", "bare" (its copy without the stage) and "few" (one draw, no preset)."""
    home = tmp_path_factory.mktemp("explorations")
    spec = tiny_spec(30, 8, name="tiny", levels=[5.0, 2.0, -1.0], diagnostics=[])
    spec["ood"].append({"name": "one_image", "source": str(write_images(1, seed=3))})
    explore(spec, home / "bare" / "tiny", device="cpu")
    shutil.copytree(home / "bare", home / "whole")
    few = {"draws": 1, "taps": ["mid_block.resnets.0", "conv_act"], "keep": "none", "levels": [5.0]}
    explore(spec | few, home / "few" / "tiny", device="cpu")
    for name in ("whole", "few"):
        diagnose(home / name / "tiny", ["stability", "sharing"], device="cpu")
    return home


@pytest.fixture
def show(runs, only_runs):
    """Open the page on one of the runs, which is the only exploration."""

    def open_it(name, **query):
        only_runs(runs / name)
        return open_page("stability", run="tiny", **query)

    return open_it


def charts(app):
    return len(app.get("plotly_chart"))


def test_page_shows_the_chosen_taps_numbers(runs, show):
    app = show("whole", ood="bright")
    tap = app.session_state["stability_tap"]
    run = open_run(runs / "whole" / "tiny")
    assert tap == run.manifest.presets["sparse_ed"][1]
    rows = run.table("stability").query("role == 'id_test' and level == 0")
    row = rows[rows["tap"] == tap].iloc[0]
    estimate = format_estimate(row["icc_features"], row["icc_features_lo"], row["icc_features_hi"])
    assert estimate in texts(app)
    assert charts(app) == 7


def test_controls_and_address(show):
    app = show("whole", ood="bright", stability_tap="conv_act", stability_measure="spearman")
    assert (app.session_state["stability_tap"], app.session_state["stability_measure"]) == ("conv_act", "spearman")
    assert "Mean Spearman correlation between draws" in texts(app)
    app.selectbox(key="stability_tap").select("conv_in").run()
    assert not app.exception
    assert "conv_in (input)" in texts(app)
    assert app.query_params["stability_tap"] in ("conv_in", ["conv_in"])
    app.button_group(key="stability_part").set_value("own").run()
    assert not app.exception
    assert app.query_params["stability_part"] in ("own", ["own"])
    app.button_group(key="stability_sharing").set_value("cka").run()
    assert not app.exception and "Linear CKA" in texts(app)
    assert app.query_params["stability_sharing"] in ("cka", ["cka"])


@pytest.mark.parametrize("nonsense", [{"stability_tap": "nowhere"}, {"stability_measure": "x"}, {"ood": "none"}])
def test_nonsense_falls_back(nonsense, show):
    app = show("whole", **nonsense)
    assert app.session_state["stability_measure"] == "icc_features"
    assert app.session_state["ood"] in ("bright", "one_image")


def test_a_click_chooses_the_tap_it_reports(runs, monkeypatch):
    from cfs_explore.ui import stability_causes

    run, state = open_run(runs / "whole" / "tiny"), {"figure": {"selection": {"points": [{"customdata": 3}]}}}
    monkeypatch.setattr(stability_causes.st, "session_state", state)
    stability_causes.pick("figure", run)
    assert state["stability_tap"] == run.taps[3].name
    state["figure"]["selection"]["points"] = [{}]
    stability_causes.pick("figure", run)
    assert state["stability_tap"] == run.taps[3].name


def test_one_ood_image_is_no_obstacle(show):
    app = show("whole", ood="one_image")
    assert "1 OOD" in texts(app)
    assert charts(app) == 7


def test_one_draw_says_what_to_run_and_shows_the_stages_own_measurement(runs, show):
    app = show("few", ood="bright")
    said = texts(app)
    assert "draws: 5" in said
    assert open_run(runs / "few" / "tiny").manifest.presets == {}
    law = open_run(runs / "few" / "tiny").table("local_law")
    row = law[(law["tap"] == "conv_act") & ((law["lam"] - 5).abs() < 0.3)].iloc[0]
    assert format_estimate(row["icc"], row["icc_lo"], row["icc_hi"]) in said
    assert "5 noise draws" in said
    assert "Sharing could not be computed: What levels share needs two levels" in said
    assert charts(app) == 4


def test_without_the_stage_the_page_says_how_to_run_it(show):
    app = show("bare", ood="bright")
    assert any(each.label.startswith("Compute it (about ") for each in app.button)
    assert "has not been computed" in texts(app)
    assert "without the stage Sharing" in texts(app)
    assert charts(app) == 1
