import numpy as np
import plotly.graph_objects as go
import pytest

from cfs_explore.charts.colour_scale import (
    NEUTRAL,
    colour_scale,
    diverging_colour,
    hex_to_oklab,
    oklab_to_hex,
)
from cfs_explore.charts.theme import PALETTES, ROLE_COLOURS, palette, template
from cfs_explore.wording import format_estimate, format_value


def as_seen_with(colour: str, matrix: list[list[float]]) -> np.ndarray:
    """OKLab of a colour under a colour-vision deficiency (Machado et al. 2009, full severity, linear RGB)."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = (np.array(matrix) @ linear).clip(0, 1)
    back = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
    return hex_to_oklab("#" + "".join(f"{round(255 * c):02X}" for c in back))


DEFICIENCIES = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def test_text_is_readable_and_roles_are_visible_on_both_pages(contrast):
    for colours in PALETTES.values():
        assert contrast(colours.ink, colours.page) > 7
        assert contrast(colours.muted, colours.page) > 4.5
        for role, colour in ROLE_COLOURS.items():
            assert contrast(colour, colours.page) >= 3, role


def test_oklab_round_trip():
    for colour in ("#000000", "#FFFFFF", "#0072B2", "#6E2F0B"):
        assert oklab_to_hex(hex_to_oklab(colour)) == colour


def test_scale_is_uniform_and_darkens_along_both_arms():
    ts = np.linspace(-1, 1, 41)
    lab = np.array([hex_to_oklab(diverging_colour(t)) for t in ts])
    steps = np.linalg.norm(np.diff(lab, axis=0), axis=1)
    assert steps.max() / steps.min() < 1.25  # one 8-bit step of rounding either way
    lightness = lab[:, 0]
    assert (np.diff(lightness[:21]) > 0).all()
    assert (np.diff(lightness[20:]) < 0).all()


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_both_sides_of_chance_stay_distinct_for_colour_blind_readers(deficiency):
    matrix = DEFICIENCIES[deficiency]
    for t in (0.25, 0.5, 1.0):
        apart = as_seen_with(diverging_colour(t), matrix) - as_seen_with(diverging_colour(-t), matrix)
        assert np.linalg.norm(apart) > 0.06


def test_neutral_sits_at_the_chance_value():
    for neutral in (0.5, 0.2, 0.95):
        scale = dict(map(tuple, colour_scale(neutral)))
        assert scale[neutral] == NEUTRAL
        assert min(scale) == 0
        assert max(scale) == 1


def test_equal_distance_from_chance_is_equal_strength():
    scale = dict(map(tuple, colour_scale(0.2)))
    assert scale[1.0] == diverging_colour(1)
    assert scale[0.0] == diverging_colour(-0.25)


def test_reversed_scale_gives_good_the_same_hue():
    assert dict(map(tuple, colour_scale(0.95, higher_is_better=False)))[0.0] == diverging_colour(1)


def test_scale_refuses_a_neutral_outside_the_range():
    with pytest.raises(ValueError, match="neutral"):
        colour_scale(1.0)


def test_templates_are_transparent_and_carry_their_page_ink(theme):
    layout = template(theme, font_px=10).layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert layout.font.color == palette(theme).ink
    assert layout.font.size == 10


def test_unknown_theme_is_refused():
    with pytest.raises(ValueError, match="light"):
        palette("sepia")


def test_numbers_look_alike():
    assert format_estimate(0.8731, 0.8612, 0.884) == "0.873 [0.861, 0.884]"
    assert format_estimate(0.8731) == "0.873"
    assert format_estimate(0.8731, np.nan, np.nan) == "0.873"
    assert format_value(-2.0, 1) == "\u22122.0"
    assert format_value(float("nan")) == "n/a"


def test_default_template_of_plotly_is_never_used(frame):
    import plotly.io as pio

    from cfs_explore.charts import auroc_map_chart

    before = pio.templates.default
    pio.templates.default = "ggplot2"
    try:
        assert auroc_map_chart(frame).layout.template == template("light")
        assert isinstance(auroc_map_chart(frame), go.Figure)
    finally:
        pio.templates.default = before
