"""A figure as a page sends it: what it leaves out, and that plotly.js would draw the same."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from cfs_explore.charts.sent import sent
from cfs_explore.charts.theme import new_chart, palette, template


def chart(theme: str = "light") -> go.Figure:
    """Two panels with a note each, one font of their own, and a typed array."""
    figure = new_chart(theme, meta={"kind": "two"}, hovermode="closest", coloraxis={"cmin": 0})
    figure.add_scatter(x=np.array([0.1, 1 / 3, np.nan]), y=[1, 2, 3], customdata=[7, 8, 9], meta="click-layer")
    figure.add_heatmap(z=np.arange(6.0).reshape(2, 3) / 3, xaxis="x2", yaxis="y2", coloraxis="coloraxis")
    figure.add_annotation(text="own", font={"size": 20})
    figure.add_annotation(text="usual")
    return figure.update_layout(xaxis={"title": {"text": "λ"}}, yaxis2={"domain": [0, 0.5]})


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_the_template_says_is_written_where_it_applies(theme):
    layout, usual = sent(chart(theme))["layout"], template(theme).layout
    assert "template" not in layout and "meta" not in layout and layout["datarevision"] == 0
    for axis in ("xaxis", "yaxis", "xaxis2", "yaxis2"):
        assert layout[axis]["tickfont"] == usual.xaxis.tickfont.to_plotly_json()
        assert layout[axis]["title"]["font"]["color"] == palette(theme).muted
    assert layout["xaxis"]["title"]["text"] == "λ" and layout["yaxis2"]["domain"] == [0, 0.5]
    own, other = (note["font"] for note in layout["annotations"])
    assert own == {"size": 20, "color": palette(theme).ink}
    assert other == usual.annotationdefaults.font.to_plotly_json()
    assert not any(note["showarrow"] for note in layout["annotations"])
    assert layout["coloraxis"]["cmin"] == 0 and layout["coloraxis"]["colorbar"]["outlinewidth"] == 0
    assert layout["hovermode"] == "closest" and layout["font"]["family"] == usual.font.family


def test_arrays_are_plain_lists_of_the_same_numbers():
    points, cells = sent(chart())["data"]
    assert points["x"] == [0.1, 0.3333333, None] and points["customdata"] == [7, 8, 9]
    np.testing.assert_allclose(cells["z"], np.arange(6.0).reshape(2, 3) / 3, rtol=1e-6)
    assert "bdata" not in json.dumps([points, cells])


def test_the_figure_itself_keeps_its_template():
    figure = chart()
    before = figure.to_json()
    sent(figure)
    assert figure.to_json() == before and figure.layout.template == template("light")


def test_a_chart_without_traces_has_its_axes():
    layout = sent(new_chart("light"))["layout"]
    assert layout["xaxis"]["showgrid"] is False and "annotations" not in layout and "coloraxis" not in layout
