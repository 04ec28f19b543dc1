"""The prediction page on small runs: the tables' numbers, its views, and what may be missing."""

import numpy as np
import pytest
from page_steps import open_page, texts

from cfs_explore.images.decode import decode
from cfs_explore.pipeline import explore
from cfs_explore.studies.prediction import PROXIES
from cfs_explore.wording import format_estimate, format_value


@pytest.fixture(scope="module")
def runs(tiny_spec, write_images, tmp_path_factory):
    """A run with both stages (one set a single image), one without presets and draws, and one without stages."""
    folder = tmp_path_factory.mktemp("prediction")
    spec = tiny_spec(24, 9, diagnostics=["prediction", "ablation"])
    spec["ood"][0]["made_by"] = ["colour"]
    single = {"name": "single", "source": str(write_images(1, "npz", seed=3, shift=60)), "made_by": list(PROXIES)}
    spec["ood"].append(single)
    middle = {"taps": ["mid_block.resnets.0", "conv_act"], "keep": "none", "draws": 1, "levels": [5.0]}
    changes = {
        "all": {},
        "middle": middle,
        "bare": middle | {"diagnostics": []},
        "only": middle | {"diagnostics": ["ablation"]},
    }
    return {name: explore(spec | more | {"name": name}, folder / name, device="cpu") for name, more in changes.items()}


@pytest.fixture(autouse=True)
def _listed(runs, only_runs):
    only_runs(runs["all"].path.parent)


def tables_of(app) -> list:
    return [frame.value for frame in app.dataframe]


def test_the_sentence_has_the_tables_numbers(runs):
    app, run = open_page("prediction", run="all", ood="bright"), runs["all"]
    row = run.table("prediction").query("ood == 'bright'").iloc[0]
    assert format_estimate(row["spearman"], row["spearman_lo"], row["spearman_hi"]) in texts(app)
    losses = run.table("regret").query("ood == 'bright'").set_index("policy")
    assert format_value(losses.loc["fixed", "regret"]) in texts(app)
    assert "without colour, the way this set was made" in texts(app)


@pytest.mark.parametrize("view", ["sets", "proxies", "ablation"])
def test_the_address_restores_view_and_cell(runs, view):
    run = runs["all"]
    index = len(run.taps) + 2
    app = open_page("prediction", run="all", ood="bright", cell=str(index), prediction_view=view)
    assert app.session_state["prediction_view"] == view and app.session_state["cell"] == index
    row = run.table("prediction").query("ood == 'bright'").iloc[index]
    assert f"Measured AUROC **{format_estimate(row['auroc'], row['lo'], row['hi'])}**" in texts(app)
    assert f"Predicted **{format_value(row['predicted'])}**" in texts(app)


def test_views_show_their_tables(runs):
    run, app = runs["all"], open_page("prediction", run="all", ood="bright")
    regrets = next(table for table in tables_of(app) if "mean of the sets" in set(table.get("ood", [])))
    assert len(regrets) == 3 * 6
    app.segmented_control(key="prediction_view").set_value("proxies").run()
    assert not app.exception
    proxies = next(table for table in tables_of(app) if "var_proxy" in table)
    assert list(proxies["proxy"]) == list(PROXIES)
    app.segmented_control(key="prediction_view").set_value("ablation").run()
    assert not app.exception
    ablation = next(table for table in tables_of(app) if "n_taps" in table)
    assert len(ablation) == 3 * 2 * 5 and f"{run.counts.train} ID-train images" in texts(app)
    assert app.query_params["prediction_view"] in ("ablation", ["ablation"])


def test_another_set_changes_the_sentence(runs):
    app = open_page("prediction", run="all", ood="bright")
    before = texts(app)
    app.selectbox(key="ood").select("single").run()
    assert not app.exception and texts(app) != before
    assert "cannot rank the cells for **single**" in texts(app)
    assert "Every kind of proxy is left out for this set" in texts(app)


@pytest.mark.parametrize("nonsense", [{"prediction_view": "x"}, {"cell": "-3"}, {"cell": "9999"}, {"ood": "none"}])
def test_nonsense_in_the_address_falls_back(nonsense):
    app = open_page("prediction", run="all", **nonsense)
    assert app.session_state["prediction_view"] == "sets"


@pytest.mark.parametrize("view", ["sets", "proxies", "ablation"])
@pytest.mark.parametrize("ood", ["bright", "single"])
def test_without_published_taps_and_draws(runs, view, ood):
    app = open_page("prediction", run="middle", ood=ood, prediction_view=view)
    losses = runs["middle"].table("regret").query("ood == @ood").set_index("policy")
    assert "two noise draws" in losses.loc["icc", "note"] and np.isnan(losses.loc["fixed", "regret"])
    assert "fixed choice" not in texts(app)
    if view == "ablation":
        assert "no spread over draws" in texts(app) and "only all taps together" in texts(app)


def test_without_the_stages_the_page_says_how_to_run_them(runs):
    shown = texts(open_page("prediction", run="bare"))
    assert "without the stage Prediction" in shown and "without the stage Ablation" in shown


def test_the_ablation_is_there_without_the_prediction(runs):
    app = open_page("prediction", run="only")
    assert "without the stage Prediction" in texts(app)
    assert any("n_taps" in table for table in tables_of(app))


def test_pictures_of_proxies_are_pictures(runs):
    import base64
    import re

    from cfs_explore.ui.prediction_details import _pictures

    html = _pictures(runs["all"])
    pictures = [decode(base64.b64decode(code), "").pixels for code in re.findall(r"base64,([^\"]+)", html)]
    assert len(pictures) == 4 * (1 + len(PROXIES))
    assert {picture.shape for picture in pictures} == {(8, 8, 1)}
    original, *proxies = pictures[:8]
    assert all((original != proxy).any() for proxy in proxies)


def test_the_set_stays_on_the_way_to_the_map():
    """The selector there has the same key and another help text: Streamlit takes it for a new widget."""
    app = open_page("prediction", run="all", ood="single")
    app.query_params.clear()  # as a link to a page does
    app.switch_page("pages/map.py").run()
    assert not app.exception and app.selectbox(key="ood").value == "single"
