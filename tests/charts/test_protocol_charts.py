"""The protocol page's levels, alignment and conditioning, through the figures' traces."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cfs_explore.charts import FigureDataError, export_bytes, has_browser, template, to_publication
from cfs_explore.charts.alignment_curves import alignment_curves_chart
from cfs_explore.charts.conditioning_lines import PUBLISHED, conditioning_lines_chart
from cfs_explore.charts.level_pictures import enlarged, level_pictures_chart
from cfs_explore.charts.marks import CLICK_LAYER
from cfs_explore.charts.sensitivity_dots import sensitivity_dots_chart, variant_label
from cfs_explore.charts.theme import ROLE_COLOURS

LAMS = (9.2, 7.0, 5.0, 1.0)
MINUS = "\u2212"


def png(side: int, seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def pictures(levels: int = 4, side: int = 16) -> pd.DataFrame:
    lams = {-1: np.nan} | dict(enumerate(np.linspace(9, -5, levels)))
    rows = [(row, level, lam, png(side, level + 1)) for row in ("letters", "digits 1") for level, lam in lams.items()]
    return pd.DataFrame(rows, columns=["row", "level", "lam", "png"]).sort_values("level", kind="stable")


def curve(shift: float = 0.0) -> pd.DataFrame:
    lam = np.arange(9.0, -8.5, -0.5)
    value = 1 / (1 + np.exp(lam - 2 - shift))
    return pd.DataFrame({"lam": lam, "score_norm": value, "score_norm_se": 0.01, "n": 64})


@pytest.fixture
def sensitive() -> pd.DataFrame:
    rows = pd.DataFrame({"variant": ["lam - 0.5", "logsnr", "uniform_t"], "baseline": "logsnr"})
    rows = rows.assign(ood="letters", cells=232, best_tap="up_blocks.2.resnets.0", best_requested=3.0)
    rows = rows.assign(baseline_tap="up_blocks.2.resnets.0", baseline_requested=1.0, moved_levels=[-1, 0, -3])
    numbers = {"spearman": [0.95, 1.0, 0.8], "cost_of_moving": [0.01, 0.0, 0.15], "cfs_minus_dec": [-0.02, -0.03, 0.0]}
    for name, values in numbers.items():
        value = np.array(values)
        rows = rows.assign(**{name: value, f"{name}_lo": value - 0.02, f"{name}_hi": value + 0.03})
    cfs = np.array([0.84, 0.85, 0.86])
    rows = rows.assign(cfs_auroc=cfs, cfs_lo=cfs - 0.03, cfs_hi=cfs + 0.03, dec_auroc=cfs + 0.01, moved_depth=0.0)
    return rows.assign(cfs_place=0.9, baseline_place=0.88, n_id=250, n_ood=250)


@pytest.fixture
def conditioning() -> pd.DataFrame:
    """10 cells of each region; a cell loses 0.01 x its number x the offset; "published" as much as 3."""
    rows = []
    for variant, offset in (("matched", 0.0), ("lam - 2", -2.0), ("lam + 2", 2.0), (PUBLISHED, np.nan)):
        for region in ("input", "encoder", "decoder"):
            for k in range(10):
                loss = 0.01 * k * (3 if variant == PUBLISHED else offset)
                rows.append((variant, offset, k, LAMS[k % 4], f"{region} tap", region, 0.8 - loss, loss))
    frame = pd.DataFrame(rows, columns=["variant", "offset", "level", "lam", "tap", "region", "auroc", "loss"])
    return frame.assign(loss_lo=frame["loss"] - 0.05, loss_hi=frame["loss"] + 0.05)


def test_pictures_stand_in_rows_clean_to_noisy(theme):
    fig = level_pictures_chart(pictures(), theme)
    assert fig.layout.template == template(theme)
    images, layer = fig.layout.images, fig.data[0]
    assert len(images) == len(layer.x) == 10
    assert fig.layout.xaxis.ticktext == ("clean", "λ 9.0", "λ 4.3", f"λ {MINUS}0.3", f"λ {MINUS}5.0")
    assert {(image.x, image.y) for image in images} == set(zip(layer.x, layer.y, strict=True))
    words = dict(zip(zip(layer.x, layer.y, strict=True), layer.hovertext, strict=True))
    top, bottom = sorted(set(layer.y))  # y runs downwards
    assert words[0, top] == "<b>letters</b><br>clean" and words[1, bottom] == "<b>digits 1</b><br>λ 9.00"
    assert [note.text for note in fig.layout.annotations] == ["letters", "digits 1"]


def test_small_pictures_are_enlarged_without_blur():
    fig = level_pictures_chart(pictures(side=16))
    source = fig.layout.images[0].source
    assert source.startswith("data:image/png;base64,")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))
    assert shown.shape == (160, 160)
    np.testing.assert_array_equal(shown[::10, ::10], np.asarray(Image.open(io.BytesIO(png(16)))))
    assert len(np.unique(shown)) <= 256 and (shown[:10, :10] == shown[0, 0]).all()
    assert enlarged(png(128)) == png(128)


def test_many_levels_get_every_second_label_and_rows_give_the_height():
    many = level_pictures_chart(pictures(13))
    labels = many.layout.xaxis.ticktext
    assert len(labels) == 14 and all(labels[::2]) and not any(labels[1::2])
    one = pictures().query("row == 'letters'")
    assert level_pictures_chart(one).layout.height < level_pictures_chart(pictures()).layout.height
    with pytest.raises(FigureDataError, match="several pictures"):
        level_pictures_chart(pd.concat([one, one]))


def test_pictures_in_print_have_the_height_of_their_rows():
    printed = to_publication(level_pictures_chart(pictures(8), "dark"), "84mm")
    wide = to_publication(level_pictures_chart(pictures(8), "dark"), "174mm")
    assert printed.layout.height < 0.6 * wide.layout.height
    assert not [trace for trace in printed.data if trace.meta == CLICK_LAYER] and len(printed.layout.images) == 18


def test_curves_have_bands_and_the_page_s_exploration_first(theme):
    fig = alignment_curves_chart({"mine": curve(), "reference": curve(1.0)}, "score_norm", theme=theme)
    assert fig.layout.template == template(theme)
    lines = [trace for trace in fig.data if trace.name]
    assert [line.name for line in lines] == ["mine", "reference"]
    assert len({line.line.dash for line in lines}) == len({line.line.color for line in lines}) == 2
    band = next(trace for trace in fig.data if trace.fill == "toself")
    assert max(band.y) == pytest.approx(curve()["score_norm"].max() + 1.96 * 0.01, abs=1e-4)
    high, low = fig.layout.xaxis.range
    assert high > 9 and low < -8 and "0: no noise predicted" in fig.layout.yaxis.title.text


def test_aligned_levels_join_the_two_curves():
    requests = pd.DataFrame({"requested": [5.0, 1.0], "lam": [4.0, 0.0], "reachable": [True, False]}, index=[7, 3])
    fig = alignment_curves_chart({"mine": curve(), "reference": curve(1.0)}, "score_norm", requests)
    marks = {trace.name: trace for trace in fig.data if trace.mode == "markers"}
    assert marks["Requested"].marker.symbol == "circle-open" and marks["Aligned"].marker.symbol == "circle"
    assert list(marks["Requested"].x) == [5.0, 1.0]
    assert list(marks["Aligned"].x) == [4.0] and list(marks["Out of reach"].x) == [0.0]
    # The reference is one unit of log-SNR further, so that these levels are aligned exactly.
    assert marks["Aligned"].y[0] == pytest.approx(marks["Requested"].y[0])
    joined = next(trace for trace in fig.data if trace.line.width == 1)
    assert list(joined.x) == [5.0, 4.0, None, 1.0, 0.0, None]


def test_curves_refuse_what_they_cannot_draw():
    with pytest.raises(FigureDataError, match="'kind'"):
        alignment_curves_chart({"mine": curve()}, "loudness")
    with pytest.raises(FigureDataError, match="1 to 3"):
        alignment_curves_chart({}, "score_norm")
    with pytest.raises(FigureDataError, match="perceptual"):
        alignment_curves_chart({"mine": curve()}, "perceptual")
    requests = pd.DataFrame({"requested": [5.0], "lam": [4.0], "reachable": [True]})
    with pytest.raises(FigureDataError, match="reference's curve"):
        alignment_curves_chart({"mine": curve()}, "score_norm", requests)


def test_variants_have_human_names():
    names = ["logsnr", "uniform_t", "score_norm", "perceptual", "lam - 0.5", "lam + 0.5", "odd"]
    assert [variant_label(name) for name in names] == [
        "log-SNR", "uniform time", "score magnitude", "visible change", f"λ {MINUS} 0.5", "λ + 0.5", "odd",
    ]  # fmt: skip


def test_sensitivity_has_three_panels_with_the_baseline_first(sensitive, theme):
    fig = sensitivity_dots_chart(sensitive, theme)
    assert fig.layout.template == template(theme)
    labels = [note.text for note in fig.layout.annotations if note.text.startswith("<b>")]
    assert labels == ["<b>log-SNR</b> (own)", f"<b>λ {MINUS} 0.5</b>", "<b>uniform time</b>"]
    for panel, values in {"x": [1, 0.95, 0.8], "x2": [0, 0.01, 0.15], "x3": [0.85, 0.84, 0.86]}.items():
        dots = [trace for trace in fig.data if (trace.xaxis or "x") == panel and len(trace.x) == 1]
        assert [(dot.x[0], dot.y[0]) for dot in dots] == list(zip(values, range(3), strict=True))
        assert all(dot.error_x.array[0] > 0 for dot in dots)
    decoder = fig.data[-1]
    assert decoder.xaxis == "x3" and decoder.marker.symbol == "diamond-open" and list(decoder.y) == [0, 1, 2]
    rules = {(shape.xref, shape.x0) for shape in fig.layout.shapes if shape.x0 == shape.x1}
    assert rules == {("x", 1.0), ("x2", 0.0), ("x3", 0.85)}


def test_sensitivity_says_where_a_number_is_missing(sensitive):
    none = sensitive.assign(cfs_auroc=np.nan, cfs_lo=np.nan, cfs_hi=np.nan, dec_auroc=np.nan)
    none.loc[2, ["spearman", "spearman_lo", "spearman_hi"]] = np.nan
    fig = sensitivity_dots_chart(none)
    missing = [(note.xref, note.y) for note in fig.layout.annotations if note.text == "n/a"]
    assert missing == [("x domain", 2), ("x3 domain", 0), ("x3 domain", 1), ("x3 domain", 2)]
    assert {trace.xaxis or "x" for trace in fig.data} == {"x", "x2"}
    with pytest.raises(FigureDataError, match="twice"):
        sensitivity_dots_chart(pd.concat([sensitive, sensitive]))


def test_conditioning_is_nothing_at_the_truth_and_has_percentile_bands(conditioning, theme):
    fig = conditioning_lines_chart(conditioning, theme)
    assert fig.layout.template == template(theme)
    lines = {trace.name: trace for trace in fig.data if trace.mode == "lines+markers"}
    assert set(lines) == {"Encoder", "Decoder", "Others"}
    assert lines["Decoder"].line.color == ROLE_COLOURS["decoder"]
    assert list(lines["Encoder"].x) == [-2, 0, 2] and list(lines["Encoder"].y) == pytest.approx([-0.09, 0, 0.09])
    bands = [trace for trace in fig.data if trace.fill == "toself"]
    assert [max(band.y) for band in bands] == pytest.approx([0.02 * 8.1] * 2)
    assert "median loss 0.090" in lines["Encoder"].hovertext[2]
    assert "excludes 0 in 70 % of 10 cells" in lines["Encoder"].hovertext[2]  # losses above 0.05: cells 3 to 9
    assert [shape.y0 for shape in fig.layout.shapes if shape.y0 == shape.y1] == [0]


def test_the_published_conditioning_has_a_column_of_its_own(conditioning):
    fig = conditioning_lines_chart(conditioning)
    points = [trace for trace in fig.data if trace.mode == "markers"]
    assert len(points) == 3 and all(point.x[0] > 2.5 for point in points)
    assert all(point.y[0] == pytest.approx(0.135) for point in points)
    assert fig.layout.xaxis.ticktext == (f"{MINUS}2", "0", "+2", "published")
    without = conditioning_lines_chart(conditioning[~conditioning["variant"].isin([PUBLISHED, "matched"])])
    assert without.layout.xaxis.ticktext == (f"{MINUS}2", "0", "+2")
    assert not [trace for trace in without.data if trace.mode == "markers"]


@pytest.mark.skipif(not has_browser(), reason="needs Chrome or Chromium")
def test_every_figure_goes_to_print(sensitive, conditioning):
    figures = (
        level_pictures_chart(pictures(), "dark"),
        alignment_curves_chart({"mine": curve()}, "score_norm", theme="dark"),
        sensitivity_dots_chart(sensitive, "dark"),
        conditioning_lines_chart(conditioning, "dark"),
    )
    for figure in figures:
        assert export_bytes(figure, "svg", width="84mm").startswith(b"<svg")


def test_every_figure_prints_alike_from_both_themes(sensitive, conditioning):
    three = {"mine": curve(), "reference": curve(1.0), "third": curve(2.0)}
    requests = pd.DataFrame({"requested": [5.0], "lam": [4.0], "reachable": [True]})
    for make in (
        lambda theme: level_pictures_chart(pictures(), theme),
        lambda theme: alignment_curves_chart(three, "score_norm", requests, theme),
        lambda theme: sensitivity_dots_chart(sensitive, theme),
        lambda theme: conditioning_lines_chart(conditioning, theme),
    ):
        light, dark = (to_publication(make(theme), "84mm") for theme in ("light", "dark"))
        assert light.to_dict() == dark.to_dict()
