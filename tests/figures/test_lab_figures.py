"""The lab's figures hold what its formulas say of the default settings."""

import math
from dataclasses import replace

import numpy as np
import pytest

from cfs_explore.diagnostics import SimulatedPair, SimulatedTap, sample_pair, sample_tap
from cfs_explore.figures.lab import KINDS

TAP = SimulatedTap(channels=64, correlation=0.1, shift=0.5)
PAIR = SimulatedPair(shift_e=1.2, shift_d=1.2, correlation=0.3)


def phi(x):
    return (1 + math.erf(x / math.sqrt(2))) / 2


def auroc_of(id_scores, ood_scores):
    """Share of the pairs in which the OOD image scores higher."""
    return (ood_scores[:, None] > id_scores).mean()


@pytest.fixture(scope="module")
def figures(digits, choices):
    return {name: kind.make(digits, choices, "light") for name, kind in KINDS.items()}


@pytest.fixture(scope="module")
def tap_scores():
    return sample_tap(TAP, 1_000, 0).scores


@pytest.fixture(scope="module")
def pair_scores():
    return sample_pair(PAIR, 1_000, 0)


def test_every_figure_is_whole_and_of_no_run(figures, bare, choices):
    for name, figure in figures.items():
        assert len(figure.rows) and figure.alt and figure.stem.startswith("lab-") and " " not in figure.stem
        assert KINDS[name].make(bare, choices, "light").figure.to_json() == figure.chart.to_json()
    assert len({figure.stem for figure in figures.values()}) == len(figures)


def test_histograms_of_the_simulated_scores(figures, tap_scores):
    figure = figures["lab-scores"]
    edges = [*figure.rows["left"], figure.rows["right"].iloc[-1]]
    for column, values in zip(("id", "ood"), tap_scores, strict=True):
        counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
        np.testing.assert_allclose(figure.rows[column], counts / 1_000, atol=1e-9)
    lines = {shape.name: shape.x0 for shape in figure.chart.layout.shapes}
    assert lines == pytest.approx({"mean id": tap_scores[0].mean(), "mean ood": tap_scores[1].mean()})
    assert "n = 1,000 ID, 1,000 OOD; seed 0; vertical: means" in figure.caption


def test_bound_prediction_and_measurement(figures, tap_scores):
    rows = figures["lab-auroc"].rows.set_index("name")["auroc"]
    matrix = np.full((64, 64), 0.1) + 0.9 * np.eye(64)
    var_id = 2 * (matrix**2).sum() / 64**2
    var_ood = var_id + 4 * 0.5**2 * matrix.sum() / 64**2
    delta = 0.25  # the shift's square
    assert rows["At least (12)"] == pytest.approx(delta**2 / (delta**2 + var_id + var_ood))
    assert rows["Predicted (13)"] == pytest.approx(phi(delta / math.sqrt(var_id + var_ood)))
    assert rows["Measured"] == pytest.approx(auroc_of(*tap_scores))
    drawn = {trace.name: trace.x[0] for trace in figures["lab-auroc"].chart.data}
    assert drawn["Measured, measured"] == rows["Measured"] and len(drawn) == 3


def test_shifted_features_alone_have_a_row_of_their_own(digits, choices):
    set_to = replace(choices, options={"d": "8", "shift": "2", "share": "0.2", "seed": "3"})
    rows = KINDS["lab-auroc"].make(digits, set_to, "light").rows
    sample = sample_tap(SimulatedTap(channels=8, correlation=0.1, shift=2.0, share=0.2), 1_000, 3)
    alone = [(part[:2] ** 2).mean(axis=0) for part in (sample.id, sample.ood)]
    assert rows["name"].iloc[-1] == "Measured, shifted features alone"
    assert rows["auroc"].iloc[-1] == pytest.approx(auroc_of(*alone))


def test_the_curve_runs_along_the_mean_shift(figures, tap_scores):
    figure = figures["lab-curve"]
    measured = next(trace for trace in figure.chart.data if trace.name == "Measured")
    assert list(measured.x) == pytest.approx(np.arange(31) / 10)
    assert measured.y[5] == pytest.approx(auroc_of(*tap_scores))
    assert figure.stem == "lab-auroc-shift"
    assert "current setting (0.5 SD)" in figure.caption and "n = 1,000 ID" in figure.caption
    assert figure.caption.endswith(
        "Features d 64, Correlation ρ 0.1, Features shifted 100 %, Variance, OOD / ID × 1, Correlated are all pairs."
    )


def test_the_scatter_has_the_first_images_of_each_kind(figures, pair_scores):
    rows = figures["lab-two-scores"].rows
    for kind, values in zip(("id", "ood"), pair_scores, strict=True):
        own = rows.loc[rows["kind"] == kind, ["encoder", "decoder"]].to_numpy()
        np.testing.assert_array_equal(own, values[:300])
    assert list(figures["lab-two-scores"].chart.data[0].x) == pair_scores[0][:300, 0].tolist()


def test_combinations_exact_and_measured(figures, pair_scores):
    rows = figures["lab-combinations"].rows.set_index(["series", "kind"])["auroc"]
    for name, weights in (("encoder", (1, 0)), ("decoder", (0, 1)), ("average", (0.5, 0.5))):
        assert rows[name, "measured"] == pytest.approx(auroc_of(*(each @ weights for each in pair_scores)))
    assert rows["encoder", "exact"] == pytest.approx(phi(1.2 / math.sqrt(2)))
    assert rows["average", "exact"] == pytest.approx(phi(1.2 / math.sqrt(1.3)))
    assert "n = 1,000 ID, 1,000 OOD; seed 0" in figures["lab-combinations"].caption


def test_the_curve_of_two_taps_runs_along_their_correlation(figures):
    figure = figures["lab-two-curve"]
    average = next(trace for trace in figure.chart.data if trace.name == "Plain average")
    correlations = np.arange(-9, 10) / 10
    assert list(average.x) == pytest.approx(correlations)
    assert list(average.y) == pytest.approx([phi(1.2 / math.sqrt(1 + r)) for r in correlations])
    assert figure.stem == "lab-combinations-correlation"
