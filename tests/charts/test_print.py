"""Every figure as a journal prints it: nothing cut, nothing on top of another, no tiny type, room for the data."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from bundles import bundle
from choreographer.browsers.chromium import Chromium
from conditioned_run import with_conditions
from grown_run import grown
from judged_run import judged
from pdf_page import PrintedPage, Text, read_page
from severe_run import severe

from cfs_explore.charts import auroc_map_chart, detector_dots_chart, export_bytes, to_publication
from cfs_explore.charts.colour_scale import hex_to_oklab
from cfs_explore.charts.print_text import lines_of, printed_px, wrapped
from cfs_explore.contracts import Tap
from cfs_explore.figures import catalogue
from cfs_explore.figures.choices import choose

needs_browser = pytest.mark.skipif(Chromium.find_browser(skip_local=False) is None, reason="needs Chrome or Chromium")


@pytest.fixture(scope="module")
def digits():
    return bundle("digits")


def data_share(fig) -> float:
    """Part of the page that the panels cover."""
    layout, margin = fig.layout, fig.layout.margin
    width, height = layout.width - margin.l - margin.r, layout.height - margin.t - margin.b
    panels = {(trace.xaxis or "x", trace.yaxis or "y") for trace in fig.data} or {("x", "y")}

    def share(reference: str) -> float:
        low, high = layout[f"{reference[0]}axis{reference[1:]}"].domain or (0, 1)
        return high - low

    area = sum(share(x) * share(y) for x, y in panels) * width * height
    if layout.yaxis.scaleanchor and layout.yaxis.constrain == "domain":
        across = abs(layout.xaxis.range[1] - layout.xaxis.range[0]) / abs(layout.yaxis.range[1] - layout.yaxis.range[0])
        area = min(width, height * across) * min(height, width / across)
    return area / (layout.width * layout.height)


@needs_browser
@pytest.mark.parametrize("name", list(catalogue.KINDS))
def test_every_figure_can_be_printed(name, digits):
    options = {"against": "digits-narrow"} if name in ("compare-difference", "compare-transfer") else {}
    of = {"prediction-sealed": judged, "map-severity": severe}  # it was sealed late, and has no severities
    of |= dict.fromkeys(catalogue.PAGES["training"], grown)  # nor kept weights
    of["protocol-labels"] = lambda each: with_conditions(each, "label 3", "label 0")  # nor classes
    run = of.get(name, lambda each: each)(digits)
    figures, missing = catalogue.make_figures(run, [name], choose(digits, options=options))
    assert missing == {}
    for mm in (84, 174):
        printable(figures[name].chart, mm)
    assert to_publication(figures[name].chart, "84mm", grey=True).layout.width > 0


def printable(chart, mm: float) -> None:
    fig = to_publication(chart, f"{mm}mm")
    page = read_page(export_bytes(fig, "pdf"))
    assert page.width == pytest.approx(mm / 25.4 * 72, abs=0.3)
    assert page.height == pytest.approx(fig.layout.height * 0.75, abs=0.7)
    assert page.texts
    assert page.cut() == []
    assert page.collisions() == []
    assert [(text.text, text.points) for text in page.texts if text.points < 5.95] == []
    assert page.loose_fonts == set()
    assert data_share(fig) >= 0.5


def many_taps(n: int) -> list[Tap]:
    regions = ["encoder"] * (n // 2) + ["decoder"] * (n - n // 2)
    return [Tap(f"down_blocks.{k}.resnets.0", region, k / n, 8, 4) for k, region in enumerate(regions)]


def tall_map(n: int) -> pd.DataFrame:
    """A map of ``n`` taps and 8 levels."""
    rows = [
        {"level": level, "tap": tap.name, "tap_index": k, "region": tap.region, "depth": tap.depth, "resolution": 8}
        | {"lam": 9.0 - 2 * level, "requested": 9.0 - 2 * level, "n_id": 50, "n_ood": 50, "auroc": k / n}
        for level in range(8)
        for k, tap in enumerate(many_taps(n))
    ]
    return pd.DataFrame(rows)


@needs_browser
@pytest.mark.parametrize("mm", [84, 120])
def test_of_many_taps_every_nth_is_named(mm):
    chart = auroc_map_chart(tall_map(90))
    printable(chart, mm)
    ticks = to_publication(chart, f"{mm}mm").layout.xaxis.ticktext
    assert ticks[0] == "down0.res0"
    assert 10 < len(ticks) <= 45


@needs_browser
@pytest.mark.parametrize("chart", ["map", "rows", "legend", "panels"])
def test_the_layout_is_what_the_browser_draws(chart, frame, detectors, digits):
    """Legend and colour bar push no margin, so that the panels are as large as the layout says."""
    figures = {"legend": "prediction-ranking", "panels": "separation-channels"}
    if chart in figures:
        drawn = catalogue.make_figures(digits, [figures[chart]])[0][figures[chart]].chart
    else:
        drawn = auroc_map_chart(frame) if chart == "map" else detector_dots_chart(detectors)
    for width in ("84mm", "174mm"):
        fig = to_publication(drawn, width)
        svg = export_bytes(fig, "svg").decode()
        clips = re.findall(r'class="plotclip"><rect width="([\d.]+)" height="([\d.]+)"', svg)
        area = sum(float(across) * float(down) for across, down in clips)
        assert area / (fig.layout.width * fig.layout.height) == pytest.approx(data_share(fig), abs=0.01)


@needs_browser
def test_in_grey_0_and_1_differ_in_lightness(frame):
    fig = to_publication(auroc_map_chart(frame), "84mm", grey=True)
    low, high = (hex_to_oklab(fig.layout.coloraxis.colorscale[end][1])[0] for end in (0, -1))
    assert abs(low - high) > 0.5
    fills = read_page(export_bytes(fig, "pdf")).fills
    assert all(len(set(fill)) <= 1 for fill in fills)
    shades = [fill[0] for fill in fills if fill]
    assert max(shades) - min(shades) > 0.5


def test_what_the_page_check_finds():
    """Texts on one another, cut, or of different lines."""
    one, other = Text("a", (0, 0, 10, 8), 8), Text("b", (9, 4, 20, 12), 8)
    page = PrintedPage(15, 20, [one, other], set(), set())
    assert page.collisions() == [("a", "b")]
    assert page.cut() == ["b"]


def test_a_label_is_broken_where_its_parts_meet():
    text = "<b>Best cell</b> 0.849 [0.817, 0.875] · #F 5 (4.21)"
    assert wrapped(text, 10, 1000) == text
    assert lines_of(wrapped(text, 10, 180)) == ["<b>Best cell</b> 0.849 [0.817, 0.875]", "#F 5 (4.21)"]
    assert lines_of(wrapped(text, 10, 100)) == ["<b>Best cell</b> 0.849", "[0.817, 0.875]", "#F 5 (4.21)"]
    assert all(printed_px(line, 10) <= 50 for line in lines_of(wrapped("[0.817, 0.875] and 0.608 ± 0.003", 10, 50)))


def test_widths_are_arials():
    assert printed_px("0.873", 10) == pytest.approx(25.02, abs=0.1)
    assert printed_px("AUROC", 10) == pytest.approx(36.11, abs=0.1)
    assert printed_px("ab<br>abcd", 10) == printed_px("abcd", 10)
