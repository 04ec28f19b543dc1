"""The probe's plates hold what it has seen beside the stored ID scores, and are what the page shows."""

import json

import numpy as np
import pandas as pd
import pytest
from page_steps import open_page, texts

from cfs_explore.plates import probe

LEVEL, TAP = 3, 10


@pytest.fixture(scope="module")
def id_scores(digits):
    return digits.scores("id_test")[:, :, LEVEL, TAP].ravel()


@pytest.fixture(scope="module")
def images():
    return pd.DataFrame({"image": ["A", "B"], "role": ["id", "ood"], "score": [0.9, 23.46]})


def test_bins_hold_every_id_score(id_scores):
    bins, log = probe.id_bins(id_scores)
    assert log and bins["id"].sum() == pytest.approx(1)
    edges = [*bins["left"], bins["right"].iloc[-1]]
    counts = np.histogram(np.clip(id_scores, edges[0], edges[-1]), edges)[0]
    np.testing.assert_allclose(bins["id"], counts / len(id_scores), atol=1e-9)
    assert not probe.id_bins(np.array([0.0, 1.0, 2.0]))[1]


def test_scores_stand_on_the_histogram(digits, id_scores, images):
    tap, level = digits.taps[TAP], digits.levels[LEVEL]
    bins, log = probe.id_bins(id_scores)
    plate = probe.scores(digits, tap, images, bins, log, level)
    histogram, *lines = plate.figure.data
    assert [line.x[0] for line in lines] == [0.9, 23.46] and list(histogram.y[1:-2]) == bins["id"].tolist()
    assert "421 ID test images × 5 draws" in plate.caption and f"λ = {level.lam:.2f}" in plate.caption
    assert plate.alt.startswith("Slot scores A 0.900, B 23.5 on the histogram of 421")
    assert plate.rows.to_dict("list") == {"image": ["A", "B"], "score": [0.9, 23.46]}
    assert plate.stem == f"digits-probe-{tap.name}-score"


def test_z_scores_name_the_largest(digits):
    tap, level = digits.taps[TAP], digits.levels[LEVEL]
    rows = [(image, channel, pooling) for image in "AB" for pooling in ("mean", "std") for channel in range(3)]
    table = pd.DataFrame(rows, columns=["image", "channel", "pooling"]).assign(value=1.0, z=np.linspace(-5, 4, 12))
    plate = probe.z_scores(digits, tap, table, {"A": "id", "B": "ood"}, level)
    assert "the largest is -5.0, image A, channel 0" in plate.alt
    drawn = {(trace.name, trace.yaxis): trace.y[1::3] for trace in plate.figure.data}
    np.testing.assert_allclose(drawn["B", "y2"], table["z"].iloc[-3:], rtol=1e-6)
    assert f"{digits.entry('id_train').samples:,} ID-train snapshots" in plate.caption
    assert plate.stem == f"digits-probe-{tap.name}-z"


def test_the_page_shows_these_plates_at_a_measured_level(digits):
    level, draw = 4, 2
    tap = [each.name for each in digits.taps].index("up_blocks.1.resnets.2")
    app = open_page(
        "probe", run="digits", ood="letters", probe_a="11", probe_b="99", probe_lam="1", probe_draw=str(draw),
        probe_decoder="up_blocks.1.resnets.2",
    )  # fmt: skip
    app.session_state["probe_charts"] = True
    app.run()
    scores = [digits.scores("id_test")[11, draw, level, tap], digits.scores("ood", "letters")[99, draw, level, tap]]
    images = pd.DataFrame({"image": ["A", "B"], "role": ["id", "ood"], "score": scores})
    bins, log = probe.id_bins(digits.scores("id_test")[:, :, level, tap].ravel())
    plate = probe.scores(digits, digits.taps[tap], images, bins, log, digits.levels[level])
    charts = {chart.proto.id.rsplit("-", 1)[-1]: chart.proto for chart in app.get("plotly_chart")}
    shown = charts["probe_decoder_score"]
    assert shown.alt == plate.alt and plate.caption in texts(app)
    assert json.loads(shown.config)["toImageButtonOptions"]["filename"] == plate.stem
    assert json.loads(shown.spec)["data"][0] == json.loads(plate.figure.to_json())["data"][0]
    assert "ID-train snapshots" in texts(app) and charts["probe_decoder_z"].alt.startswith("z-scores of")
