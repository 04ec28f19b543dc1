"""The figures of the page Training hold the tables' numbers and say of what; they are no part of other runs."""

import numpy as np
import pytest
from figure_steps import assert_follows_theme, assert_whole, make, trace
from grown_run import STEPS, grown

from cfs_explore.charts.errors import FigureDataError
from cfs_explore.charts.training_lines import step_places, training_lines_chart
from cfs_explore.errors import RunError
from cfs_explore.figures.catalogue import make_figures
from cfs_explore.figures.choices import choose
from cfs_explore.figures.training import KINDS, STEP, copies_of
from cfs_explore.wording import format_estimate, format_value

OOD = "letters"


@pytest.fixture(scope="module")
def run(digits):
    return grown(digits)


def chosen(run, step=None):
    return choose(run, ood=OOD, options={} if step is None else {"training_step": str(step)})


def rows(run, name, **of):
    table = run.table(name)
    for column, value in ({"ood": OOD} | of).items():
        table = table[table[column] == value]
    return table


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [None, 8, 1024])
def test_every_figure_is_whole_and_says_of_what(kind, step, run):
    figure = make(kind, run, chosen(run, step))
    assert_whole(figure, "digits-letters-training")
    assert_follows_theme(kind, run, chosen(run, step))
    assert "OOD: letters; n = 421 ID, 250 OOD" in figure.caption and "one noise draw" in figure.caption


def test_the_map_is_that_of_the_step_and_its_star_the_highest_cell(run, digits):
    figure, cells = make("training-map", run, chosen(run, 8)), rows(run, "training_map", step=8)
    shown = np.array([[v for v in row if v is not None] for row in figure.chart.data[0].z], dtype=float)
    assert shown == pytest.approx(cells["auroc"].to_numpy().reshape(len(digits.levels), len(digits.taps)))
    layer = figure.chart.data[-1]
    best = cells.loc[cells["auroc"].idxmax()]
    index = layer.customdata.index(digits.cell_number(best["level"], best["tap_index"]))
    star = next(each for each in figure.chart.data if each.meta == "best cell")
    assert (star.x[0], star.y[0]) == (layer.x[index], layer.y[index])
    assert format_estimate(best["auroc"], best["lo"], best["hi"]) in layer.hovertext[index]
    assert "after 8 steps of training" in figure.caption and format_value(best["auroc"]) in figure.caption


def test_without_a_step_it_is_the_first_weights_and_the_last_is_the_runs_own(run):
    assert "after 0 steps of training, the first weights" in make("training-map", run, chosen(run)).caption
    last = make("training-map", run, chosen(run, 1024))
    assert "after 1,024 steps of training, the run's own" in last.caption
    assert (make("training-to-come", run, chosen(run, 1024)).rows["to_come"] == 0).all()


def test_what_is_still_to_come_is_the_last_minus_the_step(run):
    figure = make("training-to-come", run, chosen(run, 2))
    expected = rows(run, "training_map", step=1024)["auroc"].to_numpy() - rows(run, "training_map", step=2)["auroc"]
    assert figure.rows["to_come"].to_numpy() == pytest.approx(expected.to_numpy())
    row = figure.rows.iloc[5]
    assert format_estimate(row["to_come"], row["lo"], row["hi"]) in figure.chart.data[-1].hovertext[5]
    assert "after 1,024 steps, minus that after 2 steps" in figure.caption and "Benjamini-Hochberg" in figure.caption


def test_the_lines_are_the_tables_with_0_at_the_left(run):
    figure, steps = make("training-auroc", run, chosen(run, 4)), rows(run, "training_steps").sort_values("step")
    for name, column in (("Best cell, honest", "best"), ("CFS(1x2)", "pair"), ("Mean of all cells", "mean")):
        line = trace(figure, name)
        assert list(line.y) == pytest.approx(steps[column].tolist())
        assert list(line.error_y.array) == pytest.approx((steps[f"{column}_hi"] - steps[column]).tolist())
    best = trace(figure, "Best cell, honest")
    assert list(best.x) == [0, 1, 2, 3, 4, 5, 11] and list(figure.rows["step"]) == list(STEPS)
    axis = figure.chart.layout.xaxis
    assert dict(zip(axis.ticktext, axis.tickvals, strict=True))["1,024"] == 11
    line = next(each for each in figure.chart.layout.shapes if each.name == "chosen step")
    assert line.x0 == line.x1 == 3


def test_the_excess_is_the_tables_and_stands_beside_that_over_untrained_copies(run, digits):
    figure, steps = make("training-excess", run, chosen(run)), rows(run, "training_steps").sort_values("step")
    assert list(trace(figure, "Mean of all cells over step 0").y) == pytest.approx(steps["excess"].tolist())
    assert list(trace(figure, "Best cell over that of step 0").y) == pytest.approx(steps["best_excess"].tolist())
    copies = digits.table("controls").query("ood == @OOD and control == 'untrained'")
    expected = steps["mean"] - copies["auroc"].mean()
    assert list(trace(figure, "Mean of all cells over untrained copies").y) == pytest.approx(expected.tolist())
    assert figure.rows["over_untrained"].tolist() == pytest.approx(expected.tolist())
    found = copies_of(run, OOD)
    assert found["copies"] == 5 and found["sd"] == pytest.approx(copies.groupby("seed")["auroc"].mean().std())
    assert f"n = 5, mean over all cells, the same images, SD {format_value(found['sd'])}" in figure.caption


def test_untrained_copies_on_other_images_are_left_out(run):
    other = grown(run)
    table = other.table("training_steps").assign(n_ood=7)
    other.table = lambda name: table if name == "training_steps" else run.table(name)
    assert copies_of(other, OOD) == {}
    figure = make("training-excess", other, chosen(other))
    assert "untrained" not in figure.caption and len(figure.chart.data) == 2


def test_a_pair_that_the_backbone_does_not_have_is_no_line(run):
    other = grown(run)
    table = other.table("training_steps").assign(pair=np.nan, pair_lo=np.nan, pair_hi=np.nan)
    other.table = lambda name: table if name == "training_steps" else run.table(name)
    assert "CFS(1x2)" not in {each.name for each in make("training-auroc", other, chosen(other)).chart.data}


def test_a_step_that_was_not_kept_is_answered_with_those_that_were(run):
    with pytest.raises(RunError, match=r"'training_step' must be one of 0, 1, 2, 4, 8, 16, 1024 for Digits\. Got '3'"):
        make("training-map", run, chosen(run, 3))
    assert STEP.read("16", run) == 16 and STEP.labels(run)[1024] == "1,024"


def test_a_run_without_kept_weights_has_none_of_these_figures(digits):
    figures, missing = make_figures(digits)
    assert not [name for name in [*figures, *missing] if name.startswith("training-")]
    _, missing = make_figures(digits, ["training"])
    assert set(missing) == set(KINDS)
    _, missing_too = make_figures(digits, ["training-map", "training-excess", "training-auroc", "training-to-come"])
    assert missing_too == missing
    assert "cannot have the stage Training" in missing["training-map"] and "milestones: true" in missing["training-map"]


def test_places_are_doublings_from_the_first_step(run):
    assert step_places([0, 1, 2, 8]) == {0: 0, 1: 1, 2: 2, 8: 4}
    assert step_places([0, 1000, 4000]) == {0: 0, 1000: 1, 4000: 3} and step_places([0]) == {0: 0}
    doubled = run.table("training_steps").assign(series="best", value=0.5, lo=0.4, hi=0.6, hover="", step=1)
    with pytest.raises(FigureDataError, match="each step once"):
        training_lines_chart(doubled, {"best": "Best"}, "AUROC", 0.5, 0)
