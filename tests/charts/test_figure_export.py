import asyncio
import gc
import logging
import re
import threading
import time

import numpy as np
import plotly.graph_objects as go
import pytest
from choreographer.browsers.chromium import Chromium

from cfs_explore.charts import (
    COLUMN_WIDTHS,
    FigureExportError,
    auroc_map_chart,
    browser,
    detector_dots_chart,
    export_bytes,
    roc_chart,
    small_multiples_chart,
    to_publication,
)
from cfs_explore.charts.browser import RENDERER, Renderer
from cfs_explore.charts.export import to_pixels
from cfs_explore.charts.marks import CLICK_LAYER
from cfs_explore.charts.theme import PALETTES
from cfs_explore.errors import CFSError

needs_browser = pytest.mark.skipif(Chromium.find_browser(skip_local=False) is None, reason="needs Chrome or Chromium")


def test_lengths():
    assert to_pixels("84mm") == pytest.approx(84 / 25.4 * 96)
    assert to_pixels("3.25 in") == to_pixels("ICML column (3.25 in)") == pytest.approx(312)
    assert to_pixels(500) == 500
    assert all(to_pixels(name) > 300 for name in COLUMN_WIDTHS)
    with pytest.raises(FigureExportError, match="wide"):
        to_pixels("wide")


def test_publication_is_light_fixed_and_without_click_layer(frame, theme):
    fig = auroc_map_chart(frame, theme=theme, selected=[40, 60])
    before = fig.to_json()
    printed = to_publication(fig, "84mm")
    assert fig.to_json() == before  # a copy
    assert printed.layout.width == pytest.approx(317.48, abs=0.01)
    assert printed.layout.paper_bgcolor == "#FFFFFF"
    assert not [trace for trace in printed.data if trace.meta == CLICK_LAYER]
    assert not [trace for trace in printed.data if trace.type == "heatmap"]
    text = printed.to_json().upper()
    dark = PALETTES["dark"]
    assert not any(colour.upper() in text for colour in (dark.ink, dark.muted, dark.grid, dark.page))


def test_any_figure_is_printed():
    """Also one with arrays, which plotly packs, a note beside its last point, and no margins of its own."""
    fig = go.Figure(go.Scatter(x=np.arange(3.0), y=np.arange(3)))
    fig.add_annotation(x=2, y=2, text="the last point of this line", xanchor="left", showarrow=False)
    printed = to_publication(fig, "84mm")
    assert printed.layout.annotations[0].xanchor == "right" and list(printed.data[0].x) == [0, 1, 2]
    grid = to_publication(go.Figure(go.Contour(z=np.arange(6.0).reshape(2, 3))), "84mm")
    assert [list(row) for row in grid.data[0].z] == [[0, 1, 2], [3, 4, 5]]


def test_both_themes_print_the_same(detectors):
    light, dark = (to_publication(detector_dots_chart(detectors, theme)) for theme in ("light", "dark"))
    assert light.to_dict() == dark.to_dict()


@pytest.mark.parametrize("width", ["82.55mm", "84mm", "139.7mm", "174mm"])
def test_type_is_between_6_and_8_points_in_every_column(frame, width):
    layout = to_publication(auroc_map_chart(frame, selected=[1, 2]), width, font_pt=8).layout
    sizes = [layout.xaxis.tickfont.size, layout.yaxis.tickfont.size, layout.template.layout.font.size]
    sizes += [a.font.size for a in layout.annotations if a.font.size]
    assert all(8 - 1e-9 <= size <= 32 / 3 + 1e-9 for size in sizes)  # 6 pt = 8 px, 8 pt = 10.67 px


def test_vector_cells_keep_the_colours(frame):
    printed = to_publication(auroc_map_chart(frame), "174mm")
    assert len([s for s in printed.layout.shapes if s.fillcolor.startswith("rgb(")]) == 8 * 29


def test_narrow_strip_wraps(make_map):
    frames = {str(k): make_map(k) for k in range(4)}
    fig = small_multiples_chart(frames)
    assert fig.layout.xaxis2.domain[0] < 0.3
    narrow = to_publication(fig, "84mm")
    assert narrow.layout.xaxis2.domain[1] == pytest.approx(1)
    assert narrow.layout.height > to_publication(fig, "174mm").layout.height


@needs_browser
@pytest.mark.parametrize("width_mm", [84, 174])
def test_svg_has_the_asked_width_and_no_bitmap(frame, width_mm):
    svg = export_bytes(auroc_map_chart(frame, theme="dark"), "svg", width=f"{width_mm}mm").decode()
    assert float(re.search(r'<svg[^>]* width="([\d.]+)"', svg)[1]) == pytest.approx(width_mm / 25.4 * 96, abs=0.6)
    assert "<image" not in svg
    assert "down0.res1" in svg


@needs_browser
def test_pdf_and_png(curves):
    fig = to_publication(roc_chart(curves), "84mm")
    assert export_bytes(fig, "pdf").startswith(b"%PDF")
    png = export_bytes(fig, "png", scale=2)
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == pytest.approx(2 * 317.48, abs=2)


@needs_browser
def test_the_browser_is_kept_between_images(detectors):
    fig = detector_dots_chart(detectors)
    export_bytes(fig, "svg")
    first = RENDERER._kaleido
    export_bytes(fig, "svg")
    assert RENDERER._kaleido is first


@needs_browser
def test_a_browser_that_died_is_replaced(detectors):
    fig = detector_dots_chart(detectors)
    export_bytes(fig, "svg")
    RENDERER._kaleido.subprocess.kill()
    time.sleep(1.5)
    try:
        export_bytes(fig, "svg")
    except FigureExportError as error:
        assert "Try once more" in str(error)  # noqa: PT017 (either outcome is right, depending on the moment)
    assert export_bytes(fig, "svg").startswith(b"<svg")


def test_without_a_browser_the_error_says_how_to_get_one(monkeypatch, frame):
    RENDERER.close()
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setattr(Chromium, "find_browser", classmethod(lambda cls, **kwargs: None))
    with pytest.raises(FigureExportError, match=r"kaleido_get_chrome.*SVG") as error:
        export_bytes(auroc_map_chart(frame), "png")
    assert isinstance(error.value, CFSError)


def test_unknown_format_is_refused(frame):
    with pytest.raises(FigureExportError, match="eps"):
        export_bytes(auroc_map_chart(frame), "eps")


class _Leaving:
    """A browser whose library reads half a message while it closes, and reports it."""

    def __init__(self, fails):
        self.fails, self.killed, self.subprocess = fails, False, self

    def kill(self):
        self.killed = True
        raise ProcessLookupError

    async def close(self):
        library = logging.getLogger("choreographer.channels.pipe")

        async def read():
            raise RuntimeError("half a message in a task")

        tasks = [asyncio.ensure_future(read())]
        await asyncio.sleep(0.01)
        tasks.clear()  # nobody asks for its error
        gc.collect()
        try:
            raise ValueError("half a message")
        except ValueError:
            library.exception("JSONError decoding message. Ignoring")
        if self.fails:
            raise asyncio.CancelledError


@pytest.mark.parametrize("fails", [False, True])
def test_the_browser_closes_quietly(fails, capfd, caplog):
    renderer, leaving = Renderer(), _Leaving(fails)
    renderer._loop = loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    loop.call_soon_threadsafe(loop.set_exception_handler, browser._unless_closing)
    try:
        renderer._kaleido = leaving
        renderer.close()
        logging.getLogger("choreographer.channels.pipe").error("a moment later")
        assert not caplog.records and capfd.readouterr().err == "" and leaving.killed == fails
        browser._report(True)  # as the next browser starts
        logging.getLogger("choreographer.channels.pipe").error("the next browser's")
        assert [record.message for record in caplog.records] == ["the next browser's"]
    finally:
        browser._report(True)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
