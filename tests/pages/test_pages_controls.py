"""The controls page on a small run: what it says, its controls and its address; and the warning on every page."""

import importlib
import json

import numpy as np
import pandas as pd
import pytest
from page_steps import open_page, texts
from PIL import Image

from cfs_explore.diagnostics import CONSEQUENCE
from cfs_explore.images import open_source
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.studies import controls as declared
from cfs_explore.wording import format_estimate


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny, tiny_folder, write_images):
    """A folder with one run "small" that has its controls: a set of 12 images and one of a single image."""
    from cfs_explore.pipeline import explore
    from cfs_explore.pipeline.diagnose import run_stages
    from cfs_explore.pipeline.progress import Progress
    from cfs_explore.pipeline.stages import Study

    folder = tmp_path_factory.mktemp("controls-page")
    bright = tmp_path_factory.mktemp("bright")
    with open_source(str(write_images(12, "npz", seed=2, shift=60))) as source:
        for i in range(12):
            Image.fromarray(source.read(i).pixels[:, :, 0]).save(bright / f"{i}.jpg", quality=100)
    spec = {
        "name": "small",
        "backbone": str(tiny_folder),
        "id": {"train": {"name": "ramps", "source": str(write_images(36, "zip", seed=1))}},
        "ood": [
            {"name": "bright", "source": str(bright)},
            {"name": "one", "source": str(write_images(1, "zip", seed=3))},
        ],
        "levels": [5.0, -1.0],
        "taps": [tap.name for tap in tiny.taps() if tap.region != "input"],
        "diagnostics": [],
        "draws": 2,
    }
    patch = pytest.MonkeyPatch()
    module = importlib.import_module("cfs_explore.pipeline.explore")
    patch.setattr(module, "load_backbone", lambda *_, **__: tiny)
    patch.setattr(declared, "UNTRAINED_SEEDS", (1, 2))
    run_stages(Study(explore(spec, folder / "small", device="cpu"), Progress(), backbone=tiny), ["controls"])
    patch.undo()
    return folder


@pytest.fixture
def small(runs, only_runs):
    """The run, the only one there is."""
    only_runs(runs)
    return open_run(runs / "small")


def best(run, draws=1):
    return run.table("best_excess").query("ood == 'bright' and draws == @draws").set_index("control")


def test_headline_is_the_tables(small):
    app = open_page("controls", run="small", ood="bright")
    row = best(small).loc["untrained"]
    assert app.title[0].value == "Is it the backbone?"
    head = app.markdown[0].value
    assert "untrained copies" in head and f"{abs(row['excess']):.3f}" in head


def test_comparison_lists_every_control(small):
    app = open_page("controls", run="small", ood="bright")
    table = next(frame.value for frame in app.dataframe if "excess_lo" in frame.value and "name" in frame.value)
    names = list(table["name"])
    assert names[:2] == ["Best cell, trained", "Best cell, trained, 2 draws"]
    assert "Best cell, untrained" in names and "All image statistics" in names
    assert "CFS(1x2), trained, 2 draws" in names
    missing = table[table["name"] == "Input tap (depth 0)"].iloc[0]
    assert np.isnan(missing["auroc"]) and missing["note"] == "not measured in this run"
    assert table["auroc"].iloc[0] == pytest.approx(best(small)["trained"].iloc[0])
    honest = small.table("best_cell").set_index("ood").loc["bright"]
    assert table["auroc"].iloc[1] == pytest.approx(honest["honest"])  # the map's page says the same
    row, control = best(small).loc["untrained"], table.set_index("name").loc["Best cell, untrained"]
    assert (control["auroc"], control["excess"]) == pytest.approx((row["auroc"], row["excess"]))


def test_controls_change_the_map_and_the_address(small):
    app = open_page("controls", run="small", ood="bright")

    def shown():
        return next(frame.value for frame in app.dataframe if "seed_sd" in frame.value)

    excess = small.table("excess").query("ood == 'bright'")
    pd.testing.assert_series_equal(
        shown()["excess"], excess.query("control == 'untrained' and draws == 1")["excess"], check_index=False
    )
    app.segmented_control(key="controls_against").set_value("re-encoded").run()
    assert "one noise draw on both sides" in texts(app)
    app.radio(key="controls_draws").set_value("map").run()
    assert not app.exception
    pd.testing.assert_series_equal(
        shown()["excess"], excess.query("control == 're-encoded' and draws == 2")["excess"], check_index=False
    )
    assert "mean of 2 noise draws, control: one" in texts(app)
    query = {key: np.atleast_1d(app.query_params[key])[0] for key in ("controls_against", "controls_draws")}
    assert query == {"controls_against": "re-encoded", "controls_draws": "map"}


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ("statistics", "Colourfulness is left out: constant over all images."),
        ("reencoding", "Re-encoding changes AUROC by"),
        ("seeds", "AUROC of 2 untrained copies"),
    ],
)
def test_each_view_below(small, view, said):
    app = open_page("controls", run="small", ood="bright", controls_view=view, controls_level="1")
    assert said in texts(app)
    if view == "statistics":
        table = small.table("image_statistics").query("ood == 'bright' and statistic != 'all'")
        row = table.sort_values("auroc").dropna(subset=["auroc"]).iloc[-1]
        assert format_estimate(row.auroc, row.lo, row.hi) in texts(app)
        assert "codec (all JPEG; ID: all PNG)" in texts(app)
    if view == "seeds":
        assert app.session_state["controls_level"] == 1 and "λ = \u22121.0" in texts(app)


@pytest.mark.parametrize("view", ["statistics", "reencoding", "seeds"])
def test_a_set_of_one_image(small, view):
    app = open_page("controls", run="small", ood="one", controls_view=view)
    assert "Too few images of **one**" in app.markdown[0].value


def test_nonsense_in_the_address_falls_back(small):
    app = open_page("controls", run="small", controls_against="x", controls_view="y", controls_level="99")
    state = app.session_state
    assert (state["controls_against"], state["controls_view"]) == ("untrained", "statistics")


def test_without_the_stage_the_page_says_what_to_run(small, tmp_path, monkeypatch):
    import shutil

    shutil.copytree(small.path, tmp_path / "bare")
    manifest = json.loads((tmp_path / "bare" / "manifest.json").read_text()) | {"stages": {}, "files": {}}
    (tmp_path / "bare" / "manifest.json").write_text(json.dumps(manifest))
    for name in DIAGNOSTICS["controls"].table_names:
        (tmp_path / "bare" / "tables" / f"{name}.parquet").unlink()
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    app = open_page("controls", run="bare")
    assert "made without the stage Controls" in texts(app) and not app.get("plotly_chart")
    assert any(each.label.startswith("Compute it (about ") for each in app.button)
    (tmp_path / "bare" / "imported.json").write_text('{"places": false}')
    app = open_page("controls", run="bare")
    assert "compute it where it was made" in texts(app) and not app.button


@pytest.mark.parametrize("page", ["map", "controls"])
def test_differences_of_storage_are_reported_on_every_page(small, page):
    app = open_page(page, run="small", ood="bright")
    (warning,) = [each.value.replace("\\", "") for each in app.warning]
    assert warning == f"bright differs from the ID set in codec (all JPEG; ID: all PNG): {CONSEQUENCE}"


def test_several_sets_share_one_line(small, tmp_path, monkeypatch):
    import shutil

    shutil.copytree(small.path, tmp_path / "two")
    path = tmp_path / "two" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["warnings"].append(f"one differs from the ID set in codec (x): {CONSEQUENCE}")
    path.write_text(json.dumps(manifest))
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    (warning,) = [each.value.replace("\\", "") for each in open_page("map", run="two").warning]
    assert warning.startswith("bright, one differ from the ID set in codec, native size or colour")


def test_no_difference_no_alarm():
    assert len(open_page("map", run="digits").warning) == 0
