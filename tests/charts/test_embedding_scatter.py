"""The scatter of images, through its traces."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.charts import (
    Colouring,
    FigureDataError,
    embedding_scatter_chart,
    export_bytes,
    has_browser,
    to_publication,
)
from cfs_explore.charts.embedding_scatter import ID_SYMBOL, OTHER_LABELS
from cfs_explore.charts.theme import ROLE_COLOURS, palette

SET, LABEL, SCORE = Colouring("dataset"), Colouring("label"), Colouring("score", "score, CFS(1x2)")


@pytest.fixture
def points() -> pd.DataFrame:
    """30 ID images and two OOD sets of 20; one set has the ID set's name, and rows do not begin at 0."""
    rng = np.random.default_rng(0)
    n = 70
    return pd.DataFrame(
        {
            "row": 1000 + np.arange(n),
            "role": ["id_test"] * 30 + ["ood"] * 40,
            "dataset": ["digits"] * 30 + ["letters"] * 20 + ["digits"] * 20,
            "image_id": [f"{i:016x}" for i in range(n)],
            "name": [f"<b>{i}</b>.png" for i in range(n)],
            "label": ["a", "b"] * 35,
            "score": rng.gamma(2, size=n),
            "x": rng.normal(size=n).astype(np.float32),
            "y": rng.normal(size=n).astype(np.float32),
        }
    )


def images_of(fig) -> dict[int, tuple]:
    """Row -> x, y, hover text, of every point that stands for an image."""
    found = {}
    for trace in fig.data:
        if trace.customdata is not None:
            for row, *rest in zip(trace.customdata, trace.x, trace.y, trace.hovertext, strict=True):
                assert row not in found
                found[row] = tuple(rest)
    return found


@pytest.mark.parametrize("colouring", [SET, LABEL, SCORE])
def test_every_image_stands_once_at_its_place_and_says_its_own_name(points, colouring, theme):
    fig = embedding_scatter_chart(points.sample(frac=1, random_state=1), colouring, theme=theme)
    found = images_of(fig)
    assert sorted(found) == list(points["row"])
    for row in points.to_dict("records"):
        x, y, hover = found[row["row"]]
        assert (x, y) == pytest.approx((row["x"], row["y"]), abs=1e-4)
        place = f"{row['dataset']} ({'ID' if row['role'] == 'id_test' else 'OOD'})"
        assert (
            f"{row['name'].replace('<', '&lt;').replace('>', '&gt;')}</b><br>{place}<br>label {row['label']}" in hover
        )
        assert f"score {row['score']:.4g}" in hover
    assert all(trace.type == "scattergl" for trace in fig.data)
    assert fig.layout.yaxis.scaleanchor == "x" and fig.layout.yaxis.scaleratio == 1


def test_sets_differ_in_colour_and_in_symbol_and_keep_their_roles(points):
    fig = embedding_scatter_chart(points, SET)
    marks = {trace.name: (trace.marker.color, trace.marker.symbol) for trace in fig.data}
    assert marks["digits (ID)"] == (ROLE_COLOURS["id"], ID_SYMBOL)
    assert marks["letters (OOD)"][0] == ROLE_COLOURS["ood"]
    assert len({colour for colour, _ in marks.values()}) == len({symbol for _, symbol in marks.values()}) == 3


def test_labels_have_their_own_mark_filled_for_id_and_open_for_ood(points):
    fig = embedding_scatter_chart(points, LABEL)
    by_label = {}
    for trace in fig.data:
        rows = points[points["row"].isin(trace.customdata)]
        assert set(rows["label"]) == {trace.name} and rows["role"].nunique() == 1
        assert trace.marker.symbol.endswith("-open") == (rows["role"].iloc[0] == "ood")
        by_label.setdefault(trace.name, set()).add((trace.marker.color, trace.marker.symbol.removesuffix("-open")))
    assert [len(marks) for marks in by_label.values()] == [1, 1] and by_label["a"] != by_label["b"]
    assert sum(trace.showlegend for trace in fig.data) == 2


def test_rare_labels_share_a_mark_and_none_is_named(points):
    many = points.assign(label=["often"] * 30 + [f"rare {i}" for i in range(39)] + [""])
    names = {trace.name for trace in embedding_scatter_chart(many, LABEL).data}
    assert {"often", OTHER_LABELS} <= names and len(names) == 13
    assert "no label" in {trace.name for trace in embedding_scatter_chart(many.assign(label=""), LABEL).data}


def test_numbers_colour_their_own_points_and_outliers_do_not_stretch_the_scale(points):
    points = points.assign(score=np.where(points["row"] == 1005, 1e6, points["score"]))
    points.loc[points["row"] == 1040, "score"] = np.nan
    fig = embedding_scatter_chart(points, SCORE)
    colours = {}
    for trace in fig.data:
        if trace.customdata is not None and not isinstance(trace.marker.color, str):
            colours |= dict(zip(trace.customdata, trace.marker.color, strict=True))
    known = points[points["score"].notna()]
    assert colours == dict(zip(known["row"], known["score"], strict=True))
    assert fig.layout.coloraxis.cmax < 100
    assert fig.layout.coloraxis.colorbar.title.text == "score, CFS(1x2)"
    (grey,) = [t for t in fig.data if t.customdata is not None and isinstance(t.marker.color, str)]
    assert list(grey.customdata) == [1040] and "score n/a" in grey.hovertext[0]
    legend = [trace for trace in fig.data if trace.meta == "legend"]
    assert len({trace.marker.symbol for trace in legend}) == 3


def test_only_the_selected_are_drawn_as_selected(points):
    assert all(trace.selectedpoints is None for trace in embedding_scatter_chart(points, SET).data)
    chosen = {1003, 1031, 1069}
    fig = embedding_scatter_chart(points, SET, selected=chosen)
    assert {trace.customdata[i] for trace in fig.data for i in trace.selectedpoints} == chosen
    assert all(trace.unselected.marker.opacity < trace.selected.marker.opacity for trace in fig.data)


def test_the_picked_image_has_a_frame(points, theme):
    fig = embedding_scatter_chart(points, SET, picked=1033, selected=[1000], theme=theme)
    (frame,) = fig.layout.annotations
    row = points[points["row"] == 1033].iloc[0]
    assert (frame.x, frame.y) == pytest.approx((row["x"], row["y"]), abs=1e-4)
    assert frame.name == "picked image" and frame.bordercolor == palette(theme).ink
    assert not embedding_scatter_chart(points, SET, picked=5).layout.annotations


def test_axes_that_mean_nothing_have_no_numbers(points):
    fig = embedding_scatter_chart(points, SET)
    assert fig.layout.xaxis.showticklabels is fig.layout.yaxis.showticklabels is False
    fig = embedding_scatter_chart(points, SET, ("PC 1", "PC 2"))
    assert fig.layout.xaxis.showticklabels and fig.layout.yaxis.title.text == "PC 2"


def test_tables_that_do_not_fit_are_refused(points):
    with pytest.raises(FigureDataError, match="score"):
        embedding_scatter_chart(points.drop(columns="score"), SET)
    with pytest.raises(FigureDataError, match="sharpness"):
        embedding_scatter_chart(points, Colouring("sharpness", "sharpness"))
    with pytest.raises(FigureDataError, match="must be unique"):
        embedding_scatter_chart(pd.concat([points, points]), SET)


def test_print_holds_no_bitmap(points):
    fig = to_publication(embedding_scatter_chart(points, SCORE, picked=1033, theme="dark"))
    assert {trace.type for trace in fig.data} == {"scatter"}
    if has_browser():
        assert b"<image" not in export_bytes(embedding_scatter_chart(points, SET), "svg", width="84mm")
