"""The separation page on small runs: the tables' numbers, its controls, and what may be missing."""

from dataclasses import replace

import numpy as np
import pytest
from page_steps import open_page, texts

from cfs_explore.figures.choices import choose
from cfs_explore.figures.separation import channel_table
from cfs_explore.pipeline import explore
from cfs_explore.store.cell_names import cell_names
from cfs_explore.wording import format_estimate, format_value


@pytest.fixture(scope="module")
def runs(tiny_spec, write_images, tmp_path_factory):
    """A folder with a run of two OOD sets (one a single image), one without presets, and one without the stage."""
    folder = tmp_path_factory.mktemp("separation")
    spec = tiny_spec(30, 11, diagnostics=["separation"])
    spec["ood"].append({"name": "single", "source": str(write_images(1, "npz", seed=3, shift=60))})
    middle = {"taps": ["mid_block.resnets.0", "conv_act"], "keep": "none"}
    changes = {"all": {}, "middle": middle, "bare": middle | {"diagnostics": []}}
    return {name: explore(spec | more | {"name": name}, folder / name, device="cpu") for name, more in changes.items()}


@pytest.fixture(autouse=True)
def _listed(runs, only_runs):
    only_runs(runs["all"].path.parent)


def cell_of(run, ood, index):
    table = run.table("separation")
    return table[table["ood"] == ood].iloc[index]


def buttons(app) -> list[str]:
    return [each.label for each in app.button]


@pytest.mark.parametrize("view", ["cells", "channels", "heads"])
def test_every_view_says_the_numbers_of_the_cell_of_the_address(runs, view):
    run = runs["all"]
    index = len(run.taps) + 2
    app = open_page("separation", run="all", ood="bright", cell=str(index), separation_view=view)
    row, text = cell_of(run, "bright", index), texts(app)
    assert app.session_state["cell"] == index and app.session_state["separation_view"] == view
    assert app.selectbox(key="separation_tap").value == 2
    assert format_estimate(row.delta, row.delta_lo, row.delta_hi) in text
    assert f"AUROC {format_estimate(row.auroc, row.lo, row.hi)}" in text
    assert f"{format_value(row.predicted)} predicted" in text
    assert f"of {row.d} features" in text


def test_default_is_the_maps_default_cell(runs):
    run = runs["all"]
    app = open_page("separation", run="all")
    decoder = run.manifest.presets["sparse_ed"][1]
    names = [tap.name for tap in run.taps]
    assert app.session_state["cell"] == run.manifest.kept["level"] * len(names) + names.index(decoder)


def test_controls_choose_the_cell_and_the_address_follows(runs):
    run = runs["all"]
    app = open_page("separation", run="all", ood="bright")
    app.selectbox(key="separation_level").select(1).run()
    app.selectbox(key="separation_tap").select(3).run()
    assert not app.exception
    index = len(run.taps) + 3
    assert app.query_params["cell"] in (cell_names(run)[index], [cell_names(run)[index]])
    row = cell_of(run, "bright", index)
    assert format_estimate(row.auroc, row.lo, row.hi) in texts(app)


def test_channel_table_sums_to_delta_and_tells_poolings_apart(runs):
    run = runs["all"]
    for level, tap in ((0, run.taps[1]), (1, run.taps[-1])):
        cell = level * len(run.taps) + run.taps.index(tap)
        table = channel_table(run, replace(choose(run, ood="bright"), cell=cell))
        row = cell_of(run, "bright", cell)
        assert len(table) == 2 * tap.channels == row.d
        assert (table["pooling"].value_counts() == tap.channels).all()
        assert table["contribution"].sum() == pytest.approx(row.delta, rel=1e-9)
        assert table["mean_shift"].sum() == pytest.approx(row.mean_shift, rel=1e-9)
    means = run.moments("ood", "bright").mean[1] - run.moments("id_test").mean[1]
    moved = np.abs(means[-2 * tap.channels : -tap.channels]).argmax()
    assert table[table["pooling"] == "mean"].iloc[moved]["channel"] == moved


@pytest.mark.parametrize("view", ["channels", "heads"])
def test_cells_without_snapshots_say_what_to_run_and_lead_to_those_that_have_them(runs, view):
    app = open_page("separation", run="all", ood="bright", cell="0", separation_view=view)
    assert "keep" in texts(app) and "were not kept" in texts(app)
    opener = next(each for each in app.button if each.label.startswith("Open "))
    opener.click().run()
    assert not app.exception and "were not kept" not in texts(app)
    run = runs["all"]
    level, tap = divmod(app.session_state["cell"], len(run.taps))
    assert (level, run.taps[tap].name) == (run.manifest.kept["level"], run.manifest.kept["taps"][0])


@pytest.mark.parametrize("view", ["cells", "channels"])
def test_one_image_is_reported_in_place(runs, view):
    app = open_page("separation", run="all", ood="single", separation_view=view)
    text = texts(app)
    assert "With fewer than two images in a set" in text and "at least two images in each set" in text
    if view == "channels":
        assert "at least four images" in text


@pytest.mark.parametrize("view", ["channels", "heads"])
def test_a_run_without_encoder_taps_or_kept_snapshots(runs, view):
    assert runs["middle"].manifest.presets == {}
    app = open_page("separation", run="middle", separation_view=view)
    assert app.session_state["cell"] == 0 and "Over 4 cells" in texts(app)
    assert not [label for label in buttons(app) if label.startswith("Open ")]


def test_a_run_without_the_stage_says_how_to_get_it(runs):
    app = open_page("separation", run="bare")
    assert "without the stage Separation" in texts(app)
    assert "Compute it (a few seconds)" in buttons(app)


@pytest.mark.parametrize("nonsense", [{"cell": "999", "ood": "nobody"}, {"cell": "x", "separation_view": "pie"}])
def test_nonsense_in_the_address_falls_back(nonsense, runs):
    app = open_page("separation", run="all", **nonsense)
    assert app.session_state["ood"] == "bright" and app.session_state["separation_view"] == "cells"
    assert app.session_state["cell"] in range(2 * len(runs["all"].taps))
