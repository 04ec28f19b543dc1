"""The controls page's figures hold the tables' numbers and say of what."""

import numpy as np
import pandas as pd
import pytest
from changed_run import changed
from figure_steps import assert_whole, make

from cfs_explore.figures.choices import choose
from cfs_explore.figures.controls import KINDS
from cfs_explore.figures.needs import NotMeasuredError

ALL_DRAWS = {"draws": "map"}


@pytest.fixture(scope="module")
def letters(digits):
    """Choices beside the defaults: another OOD set, another level."""
    return choose(digits, ood="letters", lam=1)


@pytest.fixture(scope="module")
def excess(digits):
    return digits.table("excess").query("ood == 'letters'")


def cells_of(heatmap):
    """Values of a map's heatmap as (level, tap), without the gaps between regions."""
    return np.array([[value for value in row if value is not None] for row in heatmap.z], dtype=float)


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_whole_and_says_of_what(kind, digits, letters):
    figure = make(kind, digits, letters)
    assert_whole(figure, "digits-letters-")
    assert "n = 421 ID, 250 OOD" in figure.caption
    assert ("OOD: letters" in figure.caption) == (kind != "controls-comparison")


def test_excess_map_is_over_the_mean_of_the_untrained_copies(digits, letters, excess):
    figure = make("controls-excess", digits, letters)
    copies = digits.table("controls").query("ood == 'letters' and control == 'untrained'")
    rows = excess.query("control == 'untrained' and draws == 1").sort_values(["level", "tap_index"])
    mean = copies.groupby(["level", "tap_index"])["auroc"].mean().to_numpy()
    shape = len(digits.levels), len(digits.taps)
    assert cells_of(figure.chart.data[0]) == pytest.approx((rows["trained"].to_numpy() - mean).reshape(shape))
    assert "mean of 5 untrained copies" in figure.caption and "one noise draw on both sides" in figure.caption


def test_excess_map_over_re_encoded_images_with_all_draws(digits, excess):
    cells = excess.query("control == 're-encoded' and draws == 5").sort_values(["level", "tap_index"])
    choices = choose(digits, ood="letters", options={"control": "re-encoded"} | ALL_DRAWS)
    figure = make("controls-excess", digits, choices)
    trained, control = (cells[name].to_numpy() for name in ("trained", "control_auroc"))
    assert cells_of(figure.chart.data[0]).ravel() == pytest.approx(trained - control)
    assert "itself on re-encoded images" in figure.caption
    assert "mean of 5 noise draws, control: one" in figure.caption
    assert figure.stem == "digits-letters-excess-re-encoded"


def test_comparison_is_the_tables_best_cells_and_the_published_pair(digits, letters):
    figure = make("controls-comparison", digits, letters)
    shown = {each.name: each.x[0] for each in figure.chart.data}
    best = digits.table("best_excess").query("ood == 'letters' and draws == 1").set_index("control")
    pair = digits.table("detectors").query("ood == 'letters' and name == 'CFS(1x2)'")["auroc"].item()
    honest = digits.table("best_cell").set_index("ood").loc["letters", "honest"]
    assert shown == pytest.approx(
        {
            "Best cell, trained": best["trained"].iloc[0],
            "Best cell, trained, 5 draws": honest,
            "CFS(1x2), trained, 5 draws": pair,
            "Best cell, untrained": best.loc["untrained", "auroc"],
            "Best cell, re-encoded images": best.loc["re-encoded", "auroc"],
            "All image statistics": best.loc["statistics", "auroc"],
            "Best single image statistic": best.loc["best statistic", "auroc"],
            "Input tap (depth 0)": best.loc["input tap", "auroc"],
        },
        abs=1e-6,
    )
    rows = figure.rows.set_index("name")["excess"]
    untrained = best.loc["untrained"]
    assert rows["Best cell, untrained"] == pytest.approx(untrained["trained"] - untrained["auroc"])


def test_comparison_with_all_draws_puts_that_row_first(digits):
    other = changed(digits, "detectors", lambda _: pd.DataFrame())
    figure = make("controls-comparison", other, choose(digits, ood="letters", options=ALL_DRAWS))
    assert [each.name for each in figure.chart.data][:2] == ["Best cell, trained, 5 draws", "Best cell, trained"]
    assert "published pair" not in figure.caption


def test_statistics_are_the_tables_highest_first(digits, letters):
    figure = make("controls-statistics", digits, letters)
    table = digits.table("image_statistics").query("ood == 'letters'")
    values = [each.x[0] for each in figure.chart.data]
    assert values == pytest.approx(sorted(table["auroc"].dropna(), reverse=True))
    sharpness = table.set_index("statistic").loc["sharpness", "auroc"]
    assert {each.name: each.x[0] for each in figure.chart.data}["Sharpness"] == pytest.approx(sharpness)
    assert len(figure.rows) == len(table) > len(values)  # a statistic that does not vary is in the rows alone


def test_statistics_that_do_not_vary_say_so(digits, letters):
    other = changed(digits, "image_statistics", lambda table: table.assign(auroc=np.nan))
    with pytest.raises(NotMeasuredError, match="No image statistic differs"):
        make("controls-statistics", other, letters)


def test_reencoding_has_every_cell_before_and_after(digits, letters):
    figure = make("controls-reencoding", digits, letters)
    after = digits.table("controls").query("ood == 'letters' and control == 're-encoded'")
    shown = [y for each in figure.chart.data[1:] for y in each.y]
    assert sorted(shown) == pytest.approx(sorted(after["auroc"]))
    loss = figure.rows["trained"] - figure.rows["control_auroc"]
    assert figure.alt.endswith(f"median loss {loss.median():.3f}.")


def test_seeds_are_of_the_chosen_level(digits, letters):
    figure = make("controls-seeds", digits, letters)
    copies = digits.table("controls").query("ood == 'letters' and control == 'untrained'")
    shown = {each.name: each.y for each in figure.chart.data}
    level = next(k for k, each in enumerate(digits.levels) if abs(each.lam - 1) < 0.1)
    for seed in (0, 1, 2):
        rows = copies[(copies["level"] == level) & (copies["seed"] == seed)].sort_values("tap_index")
        assert shown[f"Untrained, seed {seed}"] == pytest.approx(rows["auroc"].tolist())
    trained = digits.auroc_map("letters").query("level == @level").sort_values("tap_index")
    assert shown["Trained"] == pytest.approx(trained["auroc"].tolist())
    assert "λ = 1.0" in figure.caption and "AUROC of 5 untrained copies" in figure.caption


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_the_stage_says_what_to_run(kind, bare):
    with pytest.raises(NotMeasuredError, match=r"without the stage Controls\. `cfs-explore diagnose .*controls`"):
        make(kind, bare, choose(bare))
