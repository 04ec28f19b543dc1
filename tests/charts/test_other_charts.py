import pytest

from cfs_explore.charts import (
    FigureDataError,
    detector_dots_chart,
    roc_chart,
    score_histogram_chart,
    small_multiples_chart,
    template,
)
from cfs_explore.charts.marks import CLICK_LAYER
from cfs_explore.charts.theme import ROLE_COLOURS


@pytest.fixture
def frames(make_map):
    return {name: make_map(seed) for seed, name in enumerate(["Letters", "SVHN", "Textures", "CelebA", "Noise"])}


def test_strip_titles_each_panel_with_its_set_and_best(frames, theme):
    fig = small_multiples_chart(frames, theme=theme, best={"SVHN": "best 0.912"}, selected="SVHN")
    assert fig.layout.template == template(theme)
    texts = [a.text for a in fig.layout.annotations]
    assert texts[:4] == ["<b>Letters</b>", "", "<b>SVHN</b>", "best 0.912"]
    assert sum(trace.type == "heatmap" for trace in fig.data) == 5
    assert (fig.layout.coloraxis.cmin, fig.layout.coloraxis.cmax) == (0, 1)


def test_strip_reports_the_panel_that_was_clicked(frames):
    points = [trace for trace in small_multiples_chart(frames).data if trace.meta == CLICK_LAYER]
    assert [point.customdata[0] for point in points] == [0, 1, 2, 3, 4]
    assert all(type(point.customdata[0]) is int for point in points)


def test_strip_balances_its_rows(frames):
    layout = small_multiples_chart(frames, columns=4).layout
    assert layout.xaxis3.domain[1] == pytest.approx(1)  # three above, two below
    assert layout.xaxis4.domain[0] == 0
    assert layout.yaxis4.domain[1] < layout.yaxis.domain[0]


def test_empty_strip_says_what_to_do():
    with pytest.raises(FigureDataError, match="Add one"):
        small_multiples_chart({})


def test_roc_uses_role_colours_and_direct_legend(curves, theme):
    fig = roc_chart(curves, theme)
    assert fig.layout.template == template(theme)
    assert fig.data[0].name == "Encoder 0.741 [0.722, 0.760]"
    assert fig.data[0].line.color == ROLE_COLOURS["encoder"]
    assert fig.data[1].line.color == ROLE_COLOURS["decoder"]
    assert fig.data[2].line.color not in ROLE_COLOURS.values()
    assert len({trace.line.dash for trace in fig.data}) == 3


def test_roc_of_a_single_curve_needs_no_series(curves):
    single = curves.query("series == 'Encoder'")[["fpr", "tpr"]]
    assert len(roc_chart(single).data) == 1
    with pytest.raises(FigureDataError, match="tpr"):
        roc_chart(single[["fpr"]])


def test_histogram_keeps_the_class_colours_and_the_bins(bins, theme):
    fig = score_histogram_chart(bins, theme, threshold=1.3)
    assert fig.layout.template == template(theme)
    in_, ood = fig.data
    assert (in_.line.color, ood.line.color) == (ROLE_COLOURS["id"], ROLE_COLOURS["ood"])
    assert in_.y[0] == in_.y[-1] == 0
    assert list(in_.y[1:-2]) == list(bins["id"])
    assert in_.x[-1] == bins["right"].iloc[-1]
    assert "1.30" in fig.layout.annotations[0].text


def test_detectors_have_interval_and_direct_label(detectors, theme):
    fig = detector_dots_chart(detectors, theme)
    assert fig.layout.template == template(theme)
    assert fig.layout.annotations[0].text == "<b>CFS(1x2)</b> 0.873 [0.861, 0.884] · #F 1 (0.62)"
    assert fig.layout.annotations[4].text.endswith("· #F 1")
    assert fig.data[0].error_x.array[0] == pytest.approx(0.011)
    assert fig.data[0].error_x.arrayminus[0] == pytest.approx(0.012)
    assert fig.layout.xaxis.range[0] <= 0.838
    assert len({(trace.marker.symbol, trace.marker.color) for trace in fig.data}) == 4
    with pytest.raises(FigureDataError, match="secret"):
        detector_dots_chart(detectors.assign(kind="secret"))
