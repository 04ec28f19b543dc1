"""The probe's figures hold what it has seen beside the stored ID scores, and are what the page shows."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from page_steps import open_page, texts

from cfs_explore.figures import probe
from cfs_explore.probe.seen import TapView

LEVEL, TAP = 3, 10
ROLES = {"A": "id", "B": "ood"}


@pytest.fixture(scope="module")
def id_scores(digits):
    return digits.scores("id_test")[:, :, LEVEL, TAP].ravel()


def seen_by(tap, score=(0.0, 0.0), z=None):
    """What a tap made of two images."""
    z = np.zeros((2, 2 * tap.channels)) if z is None else z
    where = np.zeros((2, 2, 2, 3), np.float32)
    where[0, 0, 1, 2], where[1, 1, 0, 0] = 9, 3.5
    return TapView(tap, np.ones(z.shape), z, np.array(score, np.float32), np.zeros((2, tap.channels, 1, 1)), where)


def test_bins_hold_every_id_score(digits, id_scores):
    bins, log = probe.id_bins(digits, LEVEL, TAP)
    assert log and bins["id"].sum() == pytest.approx(1)
    edges = [*bins["left"], bins["right"].iloc[-1]]
    counts = np.histogram(np.clip(id_scores, edges[0], edges[-1]), edges)[0]
    np.testing.assert_allclose(bins["id"], counts / len(id_scores), atol=1e-9)
    with_zero = SimpleNamespace(scores=lambda role, level: np.array([0.0, 1.0, 2.0]).reshape(3, 1, 1, 1))
    assert not probe.id_bins(with_zero, 0, 0)[1]


def test_scores_stand_on_the_histogram(digits):
    tap, level = digits.taps[TAP], digits.levels[LEVEL]
    bins, _ = probe.id_bins(digits, LEVEL, TAP)
    figure = probe.scores(digits, seen_by(tap, (0.9, 23.46)), LEVEL, ROLES, "light")
    histogram, *lines = figure.chart.data
    assert [line.x[0] for line in lines] == pytest.approx([0.9, 23.46]) and list(histogram.y[1:-2]) == bins[
        "id"
    ].tolist()
    assert "421 ID-test images × 5 draws" in figure.caption and f"λ = {level.lam:.2f}" in figure.caption
    assert figure.alt.startswith("Slot scores A 0.900, B 23.5 on the histogram of 421")
    assert figure.rows["image"].tolist() == ["A", "B"] and figure.rows["score"].tolist() == pytest.approx([0.9, 23.46])
    assert figure.stem == f"digits-probe-{tap.name}-score"


def test_z_scores_name_the_largest(digits):
    tap, z = replace(digits.taps[TAP], channels=3), np.linspace(-5, 4, 12).reshape(2, 6)
    figure = probe.z_scores(digits, seen_by(tap, z=z), LEVEL, ROLES, "light")
    assert "the largest is −5.0, image A, channel 0" in figure.alt
    drawn = {(trace.name, trace.yaxis): trace.y[1::3] for trace in figure.chart.data}
    np.testing.assert_allclose(drawn["B", "y2"], z[1, 3:], rtol=1e-6)
    assert f"{digits.entry('id_train').samples:,} ID-train snapshots" in figure.caption
    assert figure.stem == f"digits-probe-{tap.name}-z"


def test_the_page_shows_these_figures_at_a_measured_level(digits):
    level, draw = 4, 2
    tap = [each.name for each in digits.taps].index("up_blocks.1.resnets.2")
    app = open_page(
        "probe", run="digits", ood="letters", probe_a="11", probe_b="99", probe_lam="1", probe_draw=str(draw),
        probe_decoder="up_blocks.1.resnets.2",
    )  # fmt: skip
    app.session_state["probe_charts"] = True
    app.run()
    scores = [digits.scores("id_test")[11, draw, level, tap], digits.scores("ood", "letters")[99, draw, level, tap]]
    figure = probe.scores(digits, seen_by(digits.taps[tap], scores), level, ROLES, "light")
    charts = {chart.proto.id.rsplit("-", 1)[-1]: chart.proto for chart in app.get("plotly_chart")}
    shown = charts["probe_decoder_score"]
    assert shown.alt == figure.alt and figure.caption in texts(app)
    assert json.loads(shown.config)["toImageButtonOptions"]["filename"] == figure.stem
    assert json.loads(shown.spec)["data"][0] == figure.sent["data"][0]
    assert "ID-train snapshots" in texts(app) and charts["probe_decoder_z"].alt.startswith("z-scores of")
