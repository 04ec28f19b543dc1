"""A headless Chrome or Chromium, started once per process and reused for every image.

kaleido's own synchronous server waits for ever when the browser cannot start, and pairs answers with the
wrong caller when two threads ask at once; this keeps one kaleido in one event loop behind a lock, with a time
limit.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import threading
from collections.abc import Coroutine
from typing import Any

from cfs_explore.charts.errors import FigureExportError

#: Seconds for one image, browser start included.
TIME_LIMIT = 60.0

NO_BROWSER = (
    "PNG, PDF and SVG files are drawn by Chrome or Chromium, and none was found on this computer. Install "
    "one (Debian, Ubuntu: apt install chromium; any system: run 'kaleido_get_chrome'), or set BROWSER_PATH "
    "to the program. Without it, the camera button above each figure saves an SVG from your own browser."
)

_LIBRARY = logging.getLogger("choreographer")
#: kaleido prints with margins of 0.1 in on a page of the figure's size: the browser would shrink the figure to the
#: width that is left and cut it at the bottom.
_WHOLE_PAGE = "<style>@page { margin: 0 } #kaleido-image { display: block }</style>"


def has_browser() -> bool:
    """Whether a Chrome or Chromium is installed, as kaleido looks for one; none is started."""
    from choreographer.browsers.chromium import Chromium

    return bool(os.environ.get("BROWSER_PATH") or Chromium.find_browser(skip_local=False))


class Renderer:
    """Turns figure dictionaries into image bytes; safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kaleido: Any = None

    def render(self, figure: dict, options: dict) -> bytes:
        """Image of ``figure``; ``options`` are kaleido's format, width, height, scale."""
        with self._lock:
            try:
                if self._kaleido is None:
                    self._start()
                return self._wait(self._kaleido.calc_fig(figure, opts=options), TIME_LIMIT)
            except FigureExportError:
                raise
            except Exception as error:
                # A browser that failed once is not trusted again: the next image starts a fresh one.
                self._stop()
                raise FigureExportError(
                    f"The browser could not draw the figure ({type(error).__name__}: {error}). Try once "
                    f"more; if it fails again, save an SVG with the camera button above the figure."
                ) from error

    def close(self) -> None:
        """End the browser; the next image starts another."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        import kaleido
        from kaleido.errors import ChromeNotFoundError

        _report(True)
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._loop.set_exception_handler(_unless_closing)
            threading.Thread(target=self._loop.run_forever, name="figure-export", daemon=True).start()
        try:
            # No MathJax: kaleido would fetch it from the network, and the figures have no formulas.
            page = kaleido.PageGenerator(mathjax=False)
            page.header += _WHOLE_PAGE
            browser = self._wait(_build(kaleido.Kaleido, page), TIME_LIMIT)
        except ChromeNotFoundError as error:
            raise FigureExportError(NO_BROWSER) from error
        self._kaleido = browser
        self._wait(browser.open(), TIME_LIMIT)

    def _stop(self) -> None:
        browser, self._kaleido = self._kaleido, None
        if browser is None:
            return
        _report(False)
        try:
            self._wait(browser.close(), 10.0)
        except (Exception, asyncio.CancelledError):  # noqa: BLE001  (it is thrown away; what remains is ended below)
            process = getattr(browser, "subprocess", None)
            if process is not None:
                with contextlib.suppress(OSError):
                    process.kill()

    def _wait(self, coroutine: Coroutine, seconds: float) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(seconds)


def _report(wanted: bool) -> None:
    """Whether the browser's library reports errors: not from the closing on.

    It reads its own farewell as a message of the browser, at times behind half of one, and reports what it cannot read,
    also a moment after it has closed.
    """
    _LIBRARY.setLevel(logging.NOTSET if wanted else logging.CRITICAL + 1)


def _unless_closing(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Errors of tasks that nobody waits for, such as the one that reads from a browser."""
    if _LIBRARY.level <= logging.CRITICAL:
        loop.default_exception_handler(context)


async def _build(make: Any, page: Any) -> Any:
    return make(page_generator=page, timeout=TIME_LIMIT)


RENDERER = Renderer()
atexit.register(RENDERER.close)
