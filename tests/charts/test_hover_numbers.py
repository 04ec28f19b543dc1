"""Numbers in hover texts: written in Python, with a true minus, and never by plotly's own formats."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cfs_explore import charts
from cfs_explore.charts import gain_curve_chart, pair_scatter_chart
from cfs_explore.charts.log_axis import log_ticks
from cfs_explore.charts.marks import hovers
from cfs_explore.charts.z_bars import z_bars_chart

SOURCES = sorted(Path(charts.__file__).parent.glob("*.py"))
#: What plotly fills in, in source: a variable but not the text made beforehand; braces are doubled in an f-string.
FILLED_IN = re.compile(r"%\{+(?!hovertext\})")


def test_no_chart_lets_plotly_write_a_number():
    """Its number formats have an ASCII minus."""
    found = [f"{path.name}: {line.strip()}" for path in SOURCES for line in path.read_text("utf-8").splitlines()]
    assert not [line for line in found if FILLED_IN.search(line)]


@pytest.mark.parametrize("template", ['"%{x:.1f}"', 'f"%{{y:.3f}}"', '"%{customdata[0]:.2f}"', '"%{hovertext:d}"'])
def test_that_search_finds_what_it_is_for(template):
    assert FILLED_IN.search(template) and not FILLED_IN.search(hovers([])["hovertemplate"])


def z_bars():
    z = pd.DataFrame([("A", 0, pooling, -0.25, -2.5) for pooling in ("mean", "std")])
    return z_bars_chart(z.set_axis(["image", "channel", "pooling", "value", "z"], axis=1), {"A": "id"})


def lab_scatter():
    images = pd.DataFrame({"kind": ["id", "ood"], "encoder": -1.5, "decoder": -0.25})
    cloud = np.zeros(2), np.eye(2)
    return pair_scatter_chart(images, {"id": cloud, "ood": cloud}, {})


def gains():
    rows = pd.DataFrame({"level": [0, 1], "lam": [1.0, -3.0]})
    columns = {f"gain_{side}{end}": -0.5 for side in "de" for end in ("", "_lo", "_hi")}
    return gain_curve_chart(rows.assign(**columns), {"decoder": "decoder", "encoder": "encoder"})


@pytest.mark.parametrize(
    ("chart", "says"),
    [
        (z_bars, "<b>A, channel 0</b><br>channel means: \u22120.250<br>z = \u22122.50"),
        (lab_scatter, "<b>ID</b><br>encoder \u22121.50<br>decoder \u22120.25"),
        (gains, "λ \u22123.0: decoder<br>G = \u22120.500 [\u22120.500, \u22120.500]"),
    ],
)
def test_negative_numbers_have_a_true_minus(chart, says):
    fig = chart()
    texts = [text for trace in fig.data for text in trace.hovertext or ()]
    assert says in texts and not [text for text in texts if re.search(r"-\d", text)]
    assert all(trace.hovertemplate == "%{hovertext}<extra></extra>" for trace in fig.data if trace.hovertext)


def test_ticks_of_small_numbers_have_one_too():
    assert log_ticks(-6, -4, (1, 2)) == {
        "tickvals": pytest.approx([1e-6, 2e-6, 1e-5, 2e-5, 1e-4, 2e-4]),
        "ticktext": ["1e\u221206", "2e\u221206", "1e\u221205", "2e\u221205", "0.0001", "0.0002"],
    }
