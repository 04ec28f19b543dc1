"""Figures for a greyscale printer: no hue is left, and what differed by colour differs by lightness."""

import re

import numpy as np
import plotly.graph_objects as go
import pytest

from cfs_explore.charts import auroc_map_chart, to_grey, to_publication
from cfs_explore.charts.colour_scale import hex_to_oklab
from cfs_explore.charts.grey import ROLE_GREYS, grey_of, shade
from cfs_explore.charts.theme import CATEGORY_COLOURS, ROLE_COLOURS

COLOUR = re.compile(r"#[0-9A-Fa-f]{6}|rgba?\([^)]*\)")


def hues(fig: go.Figure) -> list[str]:
    """Every colour of a figure that is not a grey."""

    def channels(colour):
        if colour.startswith("#"):
            return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        return [float(part) for part in re.findall(r"[\d.]+", colour)[:3]]

    return [colour for colour in COLOUR.findall(fig.to_json()) if len(set(channels(colour))) > 1]


def lightness(colour: str) -> float:
    return hex_to_oklab(colour)[0]


def test_nothing_keeps_a_hue(make_map):
    fig = auroc_map_chart(make_map(3), "auroc", [2], "dark")
    assert hues(to_publication(fig, "84mm"))
    assert hues(to_publication(fig, "84mm", grey=True)) == []
    assert hues(to_grey(fig).update_layout(template=None)) == []


def test_id_and_ood_and_encoder_and_decoder_differ_in_lightness():
    for first, second in (("id", "ood"), ("encoder", "decoder"), ("ood", "control"), ("decoder", "control")):
        assert abs(lightness(ROLE_GREYS[first]) - lightness(ROLE_GREYS[second])) > 0.14
    for role, colour in ROLE_COLOURS.items():
        assert grey_of(colour) == grey_of(colour.lower()) == ROLE_GREYS[role]
    assert len({grey_of(colour) for colour in CATEGORY_COLOURS}) == 2


def test_equal_distances_from_chance_stay_distinct(make_map):
    """0.2 and 0.8 are equally light in the coloured scale."""
    scale = to_grey(auroc_map_chart(make_map(3))).layout.coloraxis.colorscale
    values = [lightness(colour) for _, colour in scale]
    assert np.all(np.diff(values) < 0)
    positions = [position for position, _ in scale]
    assert np.allclose(
        np.interp([0.25, 0.75], positions, values), [lightness(shade(p)) for p in (0.25, 0.75)], atol=0.01
    )


def test_transparency_and_names_of_colours_stay():
    assert grey_of("rgba(138,143,152,0.3)") == "rgba(166,166,166,0.3)"
    assert grey_of("rgba(0,0,0,0)") == "rgba(0,0,0,0)"
    assert grey_of("up1.res2") == "up1.res2"
    red, twice = grey_of("#FF0000"), grey_of(grey_of("#FF0000"))
    assert red == twice and lightness(red) == pytest.approx(hex_to_oklab("#FF0000")[0], abs=0.01)


def test_a_text_that_names_a_colour_is_left_alone():
    fig = go.Figure(go.Scatter(x=[0], y=[0], mode="text", text=["#123456"]))
    assert to_grey(fig).data[0].text == ("#123456",)
