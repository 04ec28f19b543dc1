import numpy as np
import pytest

from cfs_explore.charts import FigureDataError, auroc_map_chart, short_tap_name, template
from cfs_explore.charts.colour_scale import NEUTRAL
from cfs_explore.charts.map_grid import lam_labels, map_grid
from cfs_explore.charts.map_marks import frame_open_cell
from cfs_explore.charts.marks import CLICK_LAYER
from cfs_explore.charts.tap_names import tap_ticks, taps_px

T = 29


def heat(fig):
    return next(trace for trace in fig.data if trace.type == "heatmap")


def clicks(fig):
    return next(trace for trace in fig.data if trace.meta == CLICK_LAYER)


def test_taps_run_in_execution_order_and_levels_from_clean_to_noisy(frame, theme):
    fig = auroc_map_chart(frame.sample(frac=1, random_state=0), theme=theme)
    assert fig.layout.template == template(theme)
    assert fig.layout.xaxis.ticktext[0] == "conv_in"
    assert fig.layout.xaxis.ticktext[1] == "down0.res0"
    assert fig.layout.xaxis.ticktext[-1] == "conv_act"
    assert list(fig.layout.xaxis.tickvals) == sorted(fig.layout.xaxis.tickvals)
    assert fig.layout.yaxis.ticktext[0] == "9.2"
    assert fig.layout.yaxis.ticktext[-1] == "\u22123.0"
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1]  # row 0 on top


def test_values_stand_where_their_tap_and_level_stand(frame):
    fig = auroc_map_chart(frame)
    trace = heat(fig)
    for level, tap in ((0, 0), (3, 17), (7, 28)):
        value = frame.query("level == @level and tap_index == @tap")["auroc"].item()
        centre = fig.layout.xaxis.tickvals[tap]
        column = next(j for j in range(len(trace.x) - 1) if trace.x[j] < centre < trace.x[j + 1])
        assert trace.z[level][column] == pytest.approx(value)


def test_regions_are_apart_and_named(frame):
    fig = auroc_map_chart(frame)
    assert [a.text for a in fig.layout.annotations] == ["In", "Encoder", "Mid", "Decoder", "Out"]
    empty = [j for j in range(len(heat(fig).z[0])) if all(row[j] is None for row in heat(fig).z)]
    assert len(empty) == 4


@pytest.mark.parametrize(
    ("metric", "neutral"), [("auroc", 0.5), ("aupr", 400 / 900), ("aupr_id", 500 / 900), ("fpr95", 0.95)]
)
def test_colours_span_0_to_1_and_are_neutral_at_chance(frame, metric, neutral):
    axis = auroc_map_chart(frame, metric=metric).layout.coloraxis
    assert (axis.cmin, axis.cmax) == (0, 1)
    assert list(axis.colorbar.tickvals) == [0, 0.25, 0.5, 0.75, 1]
    assert dict(map(tuple, axis.colorscale))[neutral] == NEUTRAL


def test_click_layer_is_invisible_and_carries_integer_cells(frame, theme):
    fig = auroc_map_chart(frame, theme=theme)
    layer = clicks(fig)
    assert heat(fig).hoverinfo == "skip"
    assert layer.marker.opacity == layer.selected.marker.opacity == layer.unselected.marker.opacity == 0
    assert all(type(cell) is int for cell in layer.customdata)
    assert list(layer.customdata) == list(range(8 * T))
    assert (layer.x[T + 3], layer.y[T + 3]) == (fig.layout.xaxis.tickvals[3], 1)
    assert divmod(layer.customdata[3 * T + 17], T) == (3, 17)


def test_cell_index_follows_the_level_not_the_row(frame):
    upside_down = frame.assign(level=7 - frame["level"])
    assert clicks(auroc_map_chart(upside_down)).customdata[0] == 7 * T


def test_a_drag_does_not_take_the_clicks_away(frame):
    layout = auroc_map_chart(frame).layout
    assert layout.dragmode == "pan"  # Streamlit: "select" would make clicks plain events
    assert layout.clickmode == "event+select"
    assert layout.xaxis.fixedrange
    assert layout.yaxis.fixedrange


def test_hover_tells_value_interval_counts_levels_and_tap(frame):
    layer = clicks(auroc_map_chart(frame))
    assert layer.hovertemplate == "%{hovertext}<extra></extra>"
    row = frame.query("level == 1 and tap_index == 4").iloc[0]
    text = layer.hovertext[T + 4]
    for part in (f"AUROC {row.auroc:.3f} [{row.auroc_lo:.3f}, {row.auroc_hi:.3f}]", row.tap, row.region):
        assert part in text
    for part in (
        "500 ID",
        "400 OOD",
        "λ 7.50 (requested 8.00)",
        "depth 17 %",
        "16 × 16",
        "5 noise draws",
        "0.0020",
    ):
        assert part in text


def test_a_cell_that_was_not_measured_stays_empty_and_says_so(frame):
    fig = auroc_map_chart(frame.drop(index=[5]))
    assert heat(fig).z[0][5 + 1] is None  # one gap column before it
    assert "not measured" in clicks(fig).hovertext[5]
    assert len(clicks(fig).customdata) == 8 * T


def test_one_selected_cell_is_outlined_several_are_numbered(frame):
    one = auroc_map_chart(frame, selected=[T + 2])
    assert sum(shape.name == f"selected {T + 2}" for shape in one.layout.shapes) == 2
    assert not [a for a in one.layout.annotations if a.name]
    several = auroc_map_chart(frame, selected=(3 * T, 5))
    assert [a.text for a in several.layout.annotations if a.name] == ["<b>1</b>", "<b>2</b>"]
    with pytest.raises(FigureDataError, match="9999"):
        auroc_map_chart(frame, selected=[9999])


def test_compact_has_no_labels_and_no_bar(frame, theme):
    fig = auroc_map_chart(frame, theme=theme, compact=True)
    assert not fig.layout.coloraxis.showscale
    assert not fig.layout.annotations
    assert fig.layout.xaxis.visible is False


def test_errors_name_what_is_missing(frame):
    with pytest.raises(FigureDataError, match="'lam'"):
        auroc_map_chart(frame.drop(columns="lam"))
    with pytest.raises(FigureDataError, match="one OOD set"):
        auroc_map_chart(frame.loc[np.repeat(frame.index, 2)])
    with pytest.raises(FigureDataError, match="no rows"):
        auroc_map_chart(frame.head(0))
    with pytest.raises(FigureDataError, match="fpr95"):
        auroc_map_chart(frame, metric="accuracy")


def test_one_level_and_one_tap_are_a_map_too(frame):
    fig = auroc_map_chart(frame.head(1))
    assert heat(fig).z[0][0] == pytest.approx(frame["auroc"][0])


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("conv_in", "conv_in"),
        ("down_blocks.0.resnets.1", "down0.res1"),
        ("down_blocks.1.attentions.0", "down1.attn0"),
        ("down_blocks.0.downsamplers.0", "down0.downsample"),
        ("mid_block.attentions.0", "mid.attn"),
        ("mid_block.resnets.1", "mid.res1"),
        ("up_blocks.2.upsamplers.0", "up2.upsample"),
        ("up_blocks.2", "up2"),
        ("up_blocks.2.norm", "up_blocks.2.norm"),
        ("model.enc.32x32_block0", "model.enc.32x32_block0"),
    ],
)
def test_short_tap_names(name, short):
    assert short_tap_name(name) == short


def test_level_labels_tell_neighbours_apart():
    assert lam_labels([5.0, 2.0]) == ["5.0", "2.0"]
    assert lam_labels([5.04, 5.01]) == ["5.04", "5.01"]


def test_grid_span_counts_the_gaps(frame):
    assert map_grid(frame, "auroc").span == T + 4 * 0.5


def test_the_best_cell_has_a_star_published_cells_a_dot_and_the_open_one_a_frame(frame):
    fig = auroc_map_chart(frame, best=T + 2, published=(3 * T, 5))
    frame_open_cell(fig, 7)
    star, dots = (next(trace for trace in fig.data if trace.meta == meta) for meta in ("best cell", "published pair"))
    layer = clicks(fig)
    assert layer is fig.data[-1]
    at = {index: (x, y) for index, x, y in zip(layer.customdata, layer.x, layer.y, strict=True)}
    assert (star.x[0], star.y[0]) == at[T + 2]
    assert [(x, round(y)) for x, y in zip(dots.x, dots.y, strict=True)] == [at[3 * T], at[5]]
    assert {star.hoverinfo, dots.hoverinfo} == {"skip"} and dots.marker.size < star.marker.size
    (box,) = (shape for shape in fig.layout.shapes if shape.name == "open cell")
    assert ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) == at[7]


def test_a_composed_best_cell_shows_its_number_beside_its_star(frame):
    notes = {note.name: note for note in auroc_map_chart(frame, selected=(4, 9), best=9).layout.annotations}
    assert notes["selected 9"].xshift > 0 and notes["selected 4"].xshift is None


def test_marks_of_cells_that_a_map_lacks_are_left_out(frame):
    fig = auroc_map_chart(frame, best=9999, published=(9999,))
    frame_open_cell(fig, 9999)
    assert not [trace for trace in fig.data if trace.meta in ("best cell", "published pair")]
    assert not [shape for shape in fig.layout.shapes if shape.name == "open cell"]


def test_labels_of_taps_stay_apart(make_map):
    """A map says below which width its labels would touch; of many taps, every n-th is named."""
    few = auroc_map_chart(make_map())
    margin = few.layout.margin
    centres = few.layout.xaxis.tickvals
    assert len(centres) == T
    assert (few.layout.meta["least_px"] - margin.l - margin.r) / (centres[-1] - centres[0] + 1) == pytest.approx(
        13, 0.01
    )
    ticks = tap_ticks([str(k) for k in range(80)], range(80))
    assert ticks["ticktext"][:3] == ["0", "3", "6"] and ticks["tickvals"][:3] == [0, 3, 6]
    assert taps_px(range(80), {"l": 0, "r": 0}) == round(80 * 13 / 3)
