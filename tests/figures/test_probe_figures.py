"""The probe's figures hold what it has seen beside the stored ID scores, and are what the page shows."""

import base64
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from page_steps import open_page, texts

from cfs_explore.charts import where_overlay as overlay
from cfs_explore.figures import probe
from cfs_explore.figures.needs import NotMeasuredError
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


def looked(digits, draw=3):
    """A forward of two flat images, as far as a figure of a tap asks for it."""
    images = [SimpleNamespace(pixels=np.full((1, 16, 24), grey, np.uint8)) for grey in (40, 200)]
    return SimpleNamespace(images=images, level=digits.levels[LEVEL], position=LEVEL, draw=draw)


def test_where_has_a_picture_per_image_and_map_and_says_every_position(digits):
    tap = digits.taps[TAP]
    figure = probe.where(digits, seen_by(tap), looked(digits), ROLES, "dark")
    (points,) = figure.chart.data
    assert len(points.x) == 2 * 2 * 6 and len(figure.chart.layout.images) == 2 * 2 + 2
    said = dict(zip(points.hovertext, zip(points.x, points.y, strict=True), strict=True))
    score, deviation = (
        said["<b>A, row 2, column 3</b><br>adds to the score: 9.00"],
        said["<b>B, row 1, column 1</b><br>deviation from id-train: 3.50"],
    )
    assert 0 < score[0] < 0.5 < deviation[0] < 1 and score[1] < deviation[1]
    notes = [note.text for note in figure.chart.layout.annotations]
    assert {"A, mean 1.500", "B, mean 0.583", "−10", "10"} <= set(notes)  # 9 / 6; one scale for both images
    assert figure.rows.columns.tolist() == ["image", "row", "column", "score", "deviation"] and len(figure.rows) == 12
    assert figure.rows.loc[figure.rows["score"].idxmax()].tolist() == ["A", 2, 3, 9, 0]
    assert f"at λ = {digits.levels[LEVEL].lam:.2f}, noise draw 3, 2 × 3 positions" in figure.caption
    assert "adds more than 2.5" in figure.caption and f"{digits.entry('id_train').samples:,}" in figure.caption
    assert figure.alt.startswith(
        "A adds most to the score in row 2, column 3, 9.00 and deviates most in row 1, column 1"
    )
    assert figure.stem == f"digits-probe-{tap.name}-where"


def test_its_pictures_are_those_with_the_maps_over_them(digits):
    view, seen = seen_by(digits.taps[TAP]), looked(digits)
    drawn = [image.source for image in probe.where(digits, view, seen, ROLES, "light").chart.layout.images]
    png = overlay.overlay_png(seen.images[0].pixels, view.where[0, 0], "score", 10.0)
    assert f"data:image/png;base64,{base64.b64encode(png).decode()}" in drawn and len(set(drawn)) == len(drawn)


def test_a_single_position_is_nothing_to_localise(digits):
    view = replace(seen_by(digits.taps[TAP]), where=np.ones((2, 2, 1, 1), np.float32))
    with pytest.raises(NotMeasuredError, match="one position, the whole image: there is nothing to localise"):
        probe.where(digits, view, looked(digits), ROLES, "light")


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
