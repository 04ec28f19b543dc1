"""Every page runs on the bundle, follows its controls, and restores what a URL says; nonsense falls back."""

import shutil

import pytest
from form_steps import choose_backbone
from page_steps import open_page, texts

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import auroc, compose
from cfs_explore.locations import BUNDLES
from cfs_explore.spec import BackboneSpec
from cfs_explore.store.cell_names import cell_names
from cfs_explore.ui.backbone_facts import inspecting
from cfs_explore.wording import format_estimate


def test_start_lists_the_bundle():
    app = open_page()
    assert app.title[0].value == "CFS Explore"
    assert "Digits" in [heading.value for heading in app.subheader]
    assert any(button.label == "Open the map" for button in app.button)


def test_a_bundle_says_what_it_is_made_of():
    app = open_page()
    label = "Settings, data, training, limits, licence"
    cards = [" ".join(text.value for text in part.markdown) for part in app.expander if part.label == label]
    assert len(cards) == len(list(BUNDLES.glob("*/manifest.json")))
    assert all(f"**{heading}.**" in card for card in cards for heading in ("Data", "Training", "Limits", "Licence"))


def test_a_card_of_somebody_else_is_not_shown(runs):
    shutil.copytree(BUNDLES / "digits-narrow", runs / "theirs")
    (runs / "theirs" / "card.md").write_text("![](https://example.org/pixel.png)")
    assert "example.org" not in " ".join(texts(open_page()))


def test_map_says_where_the_signal_lives(digits):
    app = open_page("map", run="digits", ood="letters")
    best = digits.table("best_cell").set_index("ood").loc["letters"]
    assert format_estimate(best["honest"], best["honest_lo"], best["honest_hi"]) in app.markdown[0].value


@pytest.mark.parametrize("metric", ["auroc", "aupr", "fpr95"])
def test_url_restores_the_view(digits, metric):
    app = open_page("map", run="digits", ood="blurred", metric=metric, cell="30", cells="30.31.99")
    state = app.session_state
    assert (state["ood"], state["metric"], state["cell"], state["cells"]) == ("blurred", metric, 30, [30, 31, 99])
    row = digits.auroc_map("blurred").iloc[30]
    assert format_estimate(row.auroc, row.auroc_lo, row.auroc_hi) in texts(app)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"run": "../../etc"},
        {"ood": "no such set"},
        {"metric": "accuracy"},
        {"cell": "9999"},
        {"cell": "x"},
        {"cells": "1.2.zz"},
        {"cells": "-4"},
        {"cells": "5.5"},
    ],
)
def test_nonsense_in_the_url_falls_back(nonsense, digits):
    app = open_page("map", **{"run": "digits", **nonsense})
    assert app.session_state["cells_of"] == cell_names(digits)
    assert app.session_state["ood"] in digits.ood_names
    assert app.session_state["cell"] in range(29 * 8)
    assert len(set(app.session_state["cells"])) == len(app.session_state["cells"])


def test_composed_detector_is_the_mean_of_its_cells(digits):
    cells = [50, 137, 200]
    app = open_page("map", run="digits", ood="letters", cells=".".join(map(str, cells)))
    pairs = [Cell(*divmod(index, 29)) for index in cells]
    expected = auroc(compose(digits.scores("id_test"), pairs), compose(digits.scores("ood", "letters"), pairs))
    tables = [frame.value for frame in app.dataframe]
    detectors = next(table for table in tables if "kind" in table)
    composed = detectors[detectors["kind"] == "composed"].iloc[0]
    assert composed["auroc"] == pytest.approx(expected.value)
    assert composed["lo"] == pytest.approx(expected.lo)
    assert set(detectors["kind"]) == {"composed", "preset", "honest", "naive", "rival"}


def test_another_set_changes_the_map(digits):
    app = open_page("map", run="digits", ood="letters")
    app.selectbox(key="ood").select("noisy").run()
    assert not app.exception
    assert app.query_params["ood"] in ("noisy", ["noisy"])
    best = digits.table("best_cell").set_index("ood").loc["noisy"]
    assert format_estimate(best["honest"], best["honest_lo"], best["honest_hi"]) in app.markdown[0].value


@pytest.mark.parametrize("found", [True, False])
def test_without_a_browser_the_map_says_how_to_get_figures(found, monkeypatch):
    from cfs_explore.ui import figure

    monkeypatch.setattr(figure, "_can_draw", lambda: found)
    app = open_page("map", run="digits")
    assert ("PDF" in [each.label for each in app.get("download_button")]) == found
    assert ("apt install chromium" in texts(app)) == (not found)


def test_nothing_to_show(tmp_path, only_runs):
    only_runs(tmp_path / "runs")
    assert any("none yet" in info.value for info in open_page().info)
    assert any("no exploration" in info.value for info in open_page("map").info)


def test_an_unreadable_run_does_not_break_the_rest(tmp_path, monkeypatch):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text('{"format": 1, "name": 3}')
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    app = open_page()
    assert any("manifest.json" in error.value.replace("\\", "") for error in app.error)
    assert "Digits" in [heading.value for heading in app.subheader]
    assert any("manifest.json" in error.value.replace("\\", "") for error in open_page("map", run="broken").error)


def test_new_page_asks_for_what_is_missing():
    app = open_page("new")
    assert next(button for button in app.button if button.label == "Start").disabled
    assert "Add at least one set of pictures" in texts(app)


def test_a_path_that_is_not_a_backbone(tmp_path):
    app = open_page("new")
    choose_backbone(app, "")
    app.text_input(key="new_backbone_path").input(str(tmp_path)).run()
    inspecting(BackboneSpec(path=str(tmp_path))).wait()
    app.run()
    assert not app.exception
    assert any("is not a backbone of a known family" in error.value.replace("\\", "") for error in app.error)


def test_a_server_path_without_images(tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "0")
    app = open_page("new")
    app.selectbox(key="new_ood_kind").select("path").run()
    app.text_area(key="new_ood_paths").input(str(tmp_path / "nowhere"))
    app.button(key="new_ood_add").click().run()
    assert not app.exception
    assert any("nowhere" in error.value.replace("\\", "") for error in app.error)
    assert next(button for button in app.button if button.label == "Start").disabled
