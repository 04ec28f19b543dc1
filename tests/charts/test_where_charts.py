"""A score map over its picture: one scale in figure and PNG, signs told apart without colour, lines at their values."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cfs_explore.charts import to_grey, to_publication
from cfs_explore.charts import where_overlay as overlay
from cfs_explore.charts.where_map import position_channels_chart, where_map_chart

PIXELS = np.random.default_rng(0).integers(0, 255, (1, 16, 16), dtype=np.uint8)
GREY_PIXELS = np.full((3, 16, 16), 128, np.uint8)


def halves(left: float, right: float) -> np.ndarray:
    """(8, 8), two values beside each other."""
    return np.repeat(np.array([[left, right]]), 4, axis=1).repeat(8, axis=0).astype(np.float32)


def opened(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)


def parse(colour: str) -> np.ndarray:
    return np.array([float(part) for part in colour.removeprefix("rgba(").removesuffix(")").split(",")])


def test_the_figure_holds_the_map_and_the_picture():
    maps = np.random.default_rng(1).normal(0, 5, (2, 4, 8)).astype(np.float32)
    pixels = np.zeros((1, 8, 16), np.uint8)
    for part, values in zip(("score", "deviation"), maps, strict=True):
        fig = where_map_chart(pixels, maps, part)
        heat, points = fig.data[0], fig.data[-1]
        np.testing.assert_array_equal(np.array(heat.z), values)
        assert (heat.zsmooth, heat.hoverinfo) == ("best", "skip") and list(points.customdata) == list(range(32))
        assert f"<b>row 2, column 4</b><br>adds {maps[0, 1, 3]:.2f}".replace("-", "−") in points.hovertext[11]
        (picture,) = fig.layout.images
        assert (picture.sizex, picture.sizey, picture.x, picture.y) == (8, 4, -0.5, -0.5)
        assert fig.layout.yaxis.scaleratio == 1 and fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1]


def test_a_position_is_as_wide_and_high_as_what_it_covers():
    fig = where_map_chart(np.zeros((1, 8, 16), np.uint8), np.zeros((2, 8, 8)))
    assert fig.layout.yaxis.scaleratio == 0.5


def test_a_fine_map_has_no_points_to_click():
    fig = where_map_chart(PIXELS, np.zeros((2, 80, 80)))
    assert [trace.type for trace in fig.data] == ["heatmap"] + 4 * ["contour"]


def test_colours_are_clear_in_the_middle_and_two_sided():
    scale = overlay.scale("score", 0.5)
    shares, colours = zip(*scale, strict=True)
    opacities = [colour[3] for colour in colours]
    assert shares[20] == 0.5 and opacities[20] == 0 and opacities[0] == opacities[-1] == 0.5
    assert np.all(np.diff(opacities[20:]) > 0) and np.allclose(opacities, opacities[::-1])
    (red, _, blue, _), (red_id, _, blue_id, _) = colours[-1], colours[0]
    assert blue > red and red_id > blue_id  # blue for OOD, brown for ID, as on the maps of cells
    one_sided = overlay.scale("deviation", 1.0)
    assert one_sided[0][1][3] == 0 and all(colour[2] >= colour[0] for _, colour in one_sided[1:])
    assert all(colour[3] == 0 for _, colour in overlay.scale("score", 0.0))


@pytest.mark.parametrize(
    ("part", "largest", "end"), [("score", 0.3, 2), ("score", 2.1, 5), ("score", 70, 100), ("deviation", 1.4, 3)]
)
def test_the_scale_ends_at_a_round_number_for_all_maps(part, largest, end):
    assert overlay.reach([np.zeros((4, 4)), np.full((4, 4), largest)], part) == end
    assert part == "deviation" or overlay.reach([np.full((4, 4), -largest)], part) == end


def test_one_extreme_position_does_not_leave_all_others_clear():
    many = np.ones((20, 20))
    many[3, 3] = 1000.0
    assert overlay.reach([many]) == 2


def test_lines_tell_the_signs_apart_without_colour():
    """Solid above, dotted below, at the same distance; of the deviation, dotted at 1."""
    assert overlay.line_values("score", 20) == (5, -5) and overlay.line_values("deviation", 5) == (2, 1)
    fig = where_map_chart(PIXELS, np.stack([halves(-9, 9)] * 2))
    lines = {(line.name, line.line.dash): (line.contours.start, line.contours.end) for line in fig.data[1:5]}
    assert lines == {("OOD-like", "solid"): (2.5, 2.5), ("ID-like", "dot"): (-2.5, -2.5)}
    assert all(np.array(line.z).shape == (10, 10) and line.x[0] == -0.5 for line in fig.data[1:5])


def test_in_grey_the_signs_differ_in_lightness_and_stay_transparent():
    fig = where_map_chart(PIXELS, np.stack([halves(-9, 9)] * 2), strength=0.8)
    for grey in (to_grey(fig), to_publication(fig, "84mm", grey=True)):
        scale = grey.layout.coloraxis.colorscale
        low, high = (parse(scale[end][1]) for end in (0, -1))
        assert set(low[:3]) == {low[0]} and low[0] - high[0] > 100
        assert low[3] == high[3] == 0.8 and parse(scale[20][1])[3] == 0
        assert sum(trace.type == "heatmap" for trace in grey.data) == 1  # no shapes: it is smooth


def test_the_png_has_the_figures_colours():
    """Far from lines and from the seam between the halves, picture and colour are mixed as the scale says."""
    values = halves(-9, 9)
    drawn = opened(overlay.overlay_png(GREY_PIXELS, values, "score", 10, 0.8))
    assert drawn.shape == (160, 160, 3)
    scale = where_map_chart(GREY_PIXELS, np.stack([values] * 2), strength=0.8).layout.coloraxis
    assert (scale.cmin, scale.cmax) == (-10, 10)
    stops = np.array([parse(colour) for _, colour in scale.colorscale])
    for value, column in ((-9, 20), (9, 140)):
        *colour, opacity = (np.interp((value + 10) / 20, np.linspace(0, 1, 41), channel) for channel in stops.T)
        expected = 128 + opacity * (np.array(colour) - 128)
        np.testing.assert_allclose(drawn[80, column], expected, atol=1.5)
    assert np.allclose(opened(overlay.overlay_png(GREY_PIXELS, np.zeros((8, 8)), "score", 10)), 128)


def test_the_pngs_lines_are_solid_and_dotted():
    drawn = opened(overlay.overlay_png(GREY_PIXELS, halves(-9, 9), "score", 10))
    dark = (drawn == 17).all(axis=2)  # the ink
    columns = np.flatnonzero(dark.any(axis=0))
    left, right = columns[columns < 80], columns[columns >= 80]
    assert all(dark[:, column].all() for column in right) and len(right) == 2
    assert all(0.3 < dark[:, column].mean() < 0.7 for column in left) and len(left) == 2


def test_a_pictures_pixels_stay_squares_and_colour_pictures_stay_coloured():
    pixels = np.zeros((3, 2, 2), np.uint8)
    pixels[0, 0, 0], pixels[1, 1, 1] = 200, 90
    drawn = opened(overlay.overlay_png(pixels, np.zeros((2, 2)), "score", 2))
    assert (drawn[:80, :80] == (200, 0, 0)).all() and (drawn[80:, 80:] == (0, 90, 0)).all()


@pytest.mark.parametrize("part", ["score", "deviation"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_channels_are_bars_in_the_tables_order(part, theme):
    rows = pd.DataFrame({"channel": [7, 2], "mean": [1.0, -0.5], "std": [0.5, 0.1], "score": [1.5, -0.4]})
    fig = position_channels_chart(rows.assign(deviation=[2.0, 1.0]), part, theme)
    drawn = [list(bar.x) for bar in fig.data]
    assert drawn == ([[1.0, -0.5], [0.5, 0.1]] if part == "score" else [[2.0, 1.0]])
    assert list(fig.layout.yaxis.ticktext) == ["7", "2"] and "<b>channel 7</b>" in fig.data[0].hovertext[0]
    assert part == "deviation" or (fig.data[1].marker.pattern.shape and not fig.data[0].marker.pattern.shape)
