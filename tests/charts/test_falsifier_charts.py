"""The falsifier page's charts, through their traces."""

import itertools

import numpy as np
import pandas as pd
import pytest

from cfs_explore.charts import FigureDataError
from cfs_explore.charts.lead_dots import lead_dots_chart, sign
from cfs_explore.charts.rival_front import KINDS, front, rival_front_chart


@pytest.fixture
def rows() -> pd.DataFrame:
    """Six detectors on both networks; one costs nothing, one was not measured."""
    given = [
        ("CFS(1x2)", "cfs", 1, 0.8),
        ("k-NN head", "head", 1, 0.82),
        ("Size", "rival", 0, 0.6),
        ("Slow", "rival", 300, 0.9),
        ("Poor", "rival", 20, 0.7),
        ("Not there", "rival", 5, np.nan),
    ]
    table = pd.DataFrame(given, columns=["title", "kind", "cost", "auroc"])
    table = table.assign(forwards=table["cost"], jvps=[0, 0, 0, 2, 0, 0], ms=1.5, n_id=100, n_ood=80)
    table = table.assign(lo=table["auroc"] - 0.05, hi=table["auroc"] + 0.04)
    return pd.concat(
        [table.assign(network="trained"), table.assign(network="untrained", auroc=table["auroc"] - 0.1)],
        ignore_index=True,
    )


@pytest.fixture
def leads() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("Behind", -0.1, -0.2, -0.05, False, "supported"),
            ("Ahead", 0.1, 0.05, 0.15, False, "falsified"),
            ("Unclear", 0.0, -0.04, 0.04, False, "open"),
            ("Near 1", 0.001, -0.02, 0.02, True, "open"),
        ],
        columns=["title", "lead", "lead_lo", "lead_hi", "saturated", "says"],
    ).assign(ahead_of="CFS(1x2)", trajectory=True)


def marks(fig) -> dict:
    return {each.name: each for each in fig.data}


def test_every_measured_detector_has_a_mark(rows):
    found = marks(rival_front_chart(rows, budget=10))
    expected = {
        "CFS": [(1, 0.8)],
        "Other heads on snapshots": [(1, 0.82)],
        "Rivals": [(0.5, 0.6), (300, 0.9), (20, 0.7)],
    }
    for name, points in expected.items():
        assert list(zip(found[name].x, found[name].y, strict=True)) == points
    trace = found["Rivals"]
    assert np.add(trace.y, trace.error_y.array) == pytest.approx([0.64, 0.94, 0.74])
    assert np.subtract(trace.y, trace.error_y.arrayminus) == pytest.approx([0.55, 0.85, 0.65])
    untrained = found["Untrained copy"]
    assert len(untrained.x) == 5 and untrained.error_y.array is None
    assert set(found) == {"Untrained copy", "Best for the budget"} | {style[0] for style in KINDS.values()}


def test_hovers_say_what_a_detector_costs(rows):
    text = str(marks(rival_front_chart(rows, budget=10))["Rivals"].to_plotly_json())
    assert "300 forwards + 2 products" in text and "1.5 ms per image" in text and "n = 100 ID, 80 OOD" in text


def test_the_front_is_what_no_cheaper_detector_beats(rows):
    trained = rows[(rows["network"] == "trained") & rows["auroc"].notna()]
    slow = [
        row["title"]
        for row in trained.to_dict("records")
        if not ((trained["cost"] <= row["cost"]) & (trained["auroc"] > row["auroc"])).any()
    ]
    assert sorted(front(trained)["title"]) == sorted(slow) == ["Size", "Slow", "k-NN head"]
    line = marks(rival_front_chart(rows, budget=10))["Best for the budget"]
    assert list(line.y) == pytest.approx([0.6, 0.82, 0.9, 0.9]) and list(line.x[:3]) == [0.5, 1, 300]


def test_the_budget_is_a_dotted_line_where_it_is_within_the_axis(rows):
    lines = [
        [shape.x0 for shape in rival_front_chart(rows, budget=b).layout.shapes if shape.line.dash == "dot"]
        for b in (10, 5000)
    ]
    assert lines == [[10], []]


def test_names_stand_beside_the_front_and_the_best_rival(rows):
    names = {each.text for each in rival_front_chart(rows, budget=10).layout.annotations}
    assert names == {"k-NN head", "Size", "Slow"}


def test_leads_are_sorted_and_signed(leads):
    fig = lead_dots_chart(leads, 0.01)
    assert [each.name for each in fig.data] == ["Ahead", "Near 1", "Unclear", "Behind"]
    assert [each.x[0] for each in fig.data] == [0.1, 0.001, 0.0, -0.1]
    assert [each.marker.symbol for each in fig.data] == ["x", "diamond-open", "circle-open", "circle"]
    dot = fig.data[0]
    assert (dot.error_x.array[0], dot.error_x.arrayminus[0]) == pytest.approx((0.05, 0.05))
    lines = [shape for shape in fig.layout.shapes if shape.line.dash == "dot"]
    assert [shape.x0 for shape in lines] == [0.01] * 4  # a piece per row, so that it crosses no row's text
    assert all(above.y1 < below.y0 - 0.3 for above, below in itertools.pairwise(lines))
    texts = [each.text for each in fig.layout.annotations]
    assert [text.split("</b> ")[1].split()[0] for text in texts] == ["✗", "–", "○", "✓"]
    low, high = fig.layout.xaxis.range
    assert low < -0.2 and high > 0.15


@pytest.mark.parametrize(
    ("says", "saturated", "expected"),
    [
        ("supported", False, "✓ supports"),
        ("open", False, "○ open"),
        ("falsified", False, "✗ against"),
        ("open", True, "– no evidence"),
    ],
)
def test_signs(says, saturated, expected):
    row = {"says": says, "saturated": saturated}
    assert sign(row | {"trajectory": True}) == expected
    assert sign(row | {"trajectory": False}) == f"({expected[0]})"


def test_tables_that_lack_something_are_refused(rows, leads):
    with pytest.raises(FigureDataError, match="cost"):
        rival_front_chart(rows.drop(columns="cost"), 10)
    with pytest.raises(FigureDataError, match="'kind'"):
        rival_front_chart(rows.assign(kind="other"), 10)
    with pytest.raises(FigureDataError, match="lead_lo"):
        lead_dots_chart(leads.drop(columns="lead_lo"), 0.01)
    with pytest.raises(FigureDataError, match="'says'"):
        lead_dots_chart(leads.assign(says="perhaps"), 0.01)
