"""The complementarity page's figures hold the tables' numbers and say of what."""

import re
from dataclasses import replace

import numpy as np
import pytest
from changed_run import with_columns
from figure_steps import assert_whole, make

from cfs_explore.charts import short_tap_name
from cfs_explore.figures.choices import choose
from cfs_explore.figures.complementarity import KINDS
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.store import open_run

FROM_TABLES = ("complementarity-pairs", "complementarity-sets")


@pytest.fixture(scope="module")
def stage(digits):
    """The published pair's rows on letters at every level, by scale and level."""
    table = digits.table("complementarity")
    table = table[(table["ood"] == "letters") & (table["preset"] == "sparse_ed")]
    return table.set_index(["scale", "level"]).sort_index()


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_whole_and_says_of_what(kind, digits, letters):
    figure = make(kind, digits, letters)
    assert_whole(figure)
    assert "level2" in figure.stem
    assert re.search(r"n = 421 ID\b.*\b250 OOD", figure.caption)
    if kind != "complementarity-sets":
        assert "letters" in figure.caption and "-letters-down1.res1-up1.res2-" in figure.stem


@pytest.mark.parametrize("kind", FROM_TABLES)
def test_a_run_without_the_stage_says_what_to_run(kind, bare):
    with pytest.raises(NotMeasuredError, match=r"without the stage Complement.*--stages complementarity"):
        make(kind, bare, choose(bare))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in FROM_TABLES])
def test_the_pair_is_compared_without_the_stage(kind, bare):
    assert len(make(kind, bare, choose(bare)).rows)


def test_scores_are_the_mean_over_draws_with_the_stages_thresholds(digits, letters, stage):
    figure = make("complementarity-scores", digits, letters)
    drawn = {trace.name: trace for trace in figure.chart.data}
    for name, which in (("ID", ("id_test",)), ("OOD", ("ood", "letters"))):
        means = digits.scores(*which)[:, :, letters.level].mean(axis=1, dtype=np.float64)
        np.testing.assert_allclose(drawn[name].x, means[:, letters.pair[0]], rtol=1e-12)
        np.testing.assert_allclose(drawn[name].y, means[:, letters.pair[1]], rtol=1e-12)
        assert (figure.rows["class"] == name).sum() == len(means)
    row = stage.loc["ln s", letters.level]
    assert drawn["95 % of ID: encoder"].x[0] == pytest.approx(row["threshold_e"], rel=1e-6)
    assert drawn["95 % of ID: decoder"].y[0] == pytest.approx(row["threshold_d"], rel=1e-6)
    assert f"{row['caught_both']} are caught by both, {row['caught_encoder']} by down1.res1 alone" in figure.alt
    linear = make("complementarity-scores", digits, replace(letters, scale="s")).figure
    assert figure.chart.layout.xaxis.type == "log" and linear.layout.xaxis.type != "log"


@pytest.mark.parametrize("scale", ["s", "ln s"])
def test_levels_have_the_stages_gains(scale, digits, letters, stage):
    figure = make("complementarity-levels", digits, replace(letters, scale=scale))
    drawn = {trace.name: trace for trace in figure.chart.data if trace.name}
    rows = stage.loc[scale]
    np.testing.assert_allclose(drawn["up1.res2 given down1.res1"].y, rows["gain_d"], rtol=1e-6)
    np.testing.assert_allclose(drawn["down1.res1 given up1.res2"].y, rows["gain_e"], rtol=1e-6)
    np.testing.assert_allclose(drawn["up1.res2 given down1.res1"].x, [level.lam for level in digits.levels])
    assert f"Gain in D² (6) on {scale};" in figure.caption


def test_pairs_show_every_gain_on_both_sides_of_the_diagonal(digits, letters):
    figure = make("complementarity-pairs", digits, letters)
    table = digits.table("pair_gain")
    table = table[(table["ood"] == "letters") & (table["level"] == letters.level)]
    heat = [value for row in figure.chart.data[0].z for value in row if value is not None]
    assert sorted(heat) == sorted([*table["gain"], *table["gain"]])
    place = {tap.name: position for position, tap in enumerate(digits.taps)}
    hover = dict(zip(figure.chart.data[1].customdata, figure.chart.data[1].hovertext, strict=True))
    best = table.sort_values("gain").iloc[-1]
    text = hover[place[best["tap_b"]] * 29 + place[best["tap_a"]]]
    assert f"gain {best['gain']:.4f}" in text and short_tap_name(best["tap_a"]) in text
    assert figure.rows.iloc[0]["gain"] == best["gain"] and f"{len(table)} pairs" in figure.caption
    outlined = [shape for shape in figure.chart.layout.shapes if shape.name == "selected pair"]
    layer = figure.chart.data[1]
    k = layer.customdata.index(letters.pair[0] * 29 + letters.pair[1])
    assert (outlined[0].x0 + 0.5, outlined[0].y0 + 0.5) == (layer.x[k], layer.y[k])


def test_sets_show_what_the_published_average_gains(digits, letters):
    figure = make("complementarity-sets", digits, letters)
    table = digits.table("complementarity")
    rows = table[(table["preset"] == "sparse_ed") & (table["scale"] == "s") & (table["level"] == letters.level)]
    assert {trace.name: trace.x[0] for trace in figure.chart.data} == dict(
        zip(rows["ood"], rows["auroc_gain"], strict=True)
    )
    assert figure.rows["ood"].tolist() == digits.ood_names
    assert "down1.res1 (encoder) and up1.res2 (decoder)" in figure.caption and "λ 5.0" in figure.caption


def test_a_tap_is_not_compared_with_itself(digits, letters):
    for kind in ("complementarity-scores", "complementarity-levels", "complementarity-pairs"):
        with pytest.raises(NotMeasuredError, match="two different taps"):
            make(kind, digits, replace(letters, pair=(3, 3)))


def test_a_run_without_a_pair_says_so(bare):
    run = open_run(bare.path)
    run.manifest.presets.clear()
    with pytest.raises(NotMeasuredError, match="no published pair"):
        make("complementarity-sets", run, choose(run))
    run.taps = run.taps[:1]
    with pytest.raises(NotMeasuredError, match="a single tap"):
        make("complementarity-scores", run, replace(choose(bare), pair=(0, 0)))


def test_a_table_without_the_chosen_level_says_so(digits, letters):
    with pytest.raises(NotMeasuredError, match="not measured at this level"):
        make("complementarity-sets", with_columns(digits, "complementarity", level=0), letters)
