"""What the browser tests do again and again: read and wait for the address, name a cell, take a file."""

import re
from urllib.parse import parse_qs, urlparse

from cfs_explore.charts import short_tap_name
from cfs_explore.wording import format_value

#: Streamlit looks for its server under the address of a page first.
STREAMLIT_PROBES = re.compile(r"/\w+/_stcore/(health|host-config)$")


def is_local(url: str) -> bool:
    """Whether a request stays on this computer."""
    return urlparse(url).scheme in ("data", "blob", "about") or urlparse(url).hostname in ("localhost", "127.0.0.1")


def watch(page, strangers: list[str], failures: list[str]) -> None:
    """Note requests to other hosts, and errors of scripts and in the console."""

    def on_console(message) -> None:
        if message.type == "error" and not STREAMLIT_PROBES.search(message.location.get("url", "")):
            failures.append(message.text)

    page.on("request", lambda request: None if is_local(request.url) else strangers.append(request.url))
    page.on("websocket", lambda socket: None if is_local(socket.url) else strangers.append(socket.url))
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", on_console)


def query(page) -> dict[str, str]:
    """The address's query."""
    return {key: values[0] for key, values in parse_qs(urlparse(page.url).query).items()}


def wait_for_query(page, **values: str) -> None:
    """Until the address says this."""
    page.wait_for_function(
        "(want) => Object.entries(want).every(([k, v]) => new URLSearchParams(location.search).get(k) === v)",
        arg=values,
    )


def cell_name(run, index: int) -> str:
    """A cell as the page writes it."""
    level, tap = divmod(index, len(run.taps))
    return f"{short_tap_name(run.taps[tap].name)} @ λ {format_value(run.levels[level].lam, 1)}"


def download(page, figure: str, menu: str, button: str) -> bytes:
    """A file from the menu ("table" or "files") under a figure."""
    page.locator(f".st-key-{figure}_{menu} button").first.click()
    with page.expect_download(timeout=60_000) as waiting:
        page.get_by_role("button", name=button, exact=True).click()
    content = waiting.value.path().read_bytes()
    page.keyboard.press("Escape")
    return content


#: Gives (words, contrast with what is behind them) of all text in figures; text on coloured cells has tests of its own.
_CONTRAST_IN_FIGURES = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const style = (element) => getComputedStyle(element);
  const ground = style(document.querySelector('[data-testid=stApp]')).backgroundColor;
  const contrast = (text) => {
    const box = text.closest('.annotation')?.querySelector('.bg');
    const behind = numbers(box && Number(style(box).fillOpacity) > 0.5 ? style(box).fill : ground);
    let share = (numbers(style(text).fill)[3] ?? 1) * Number(style(text).fillOpacity);
    for (let each = text; !each.matches('.js-plotly-plot'); each = each.parentElement) share *= style(each).opacity;
    const seen = numbers(style(text).fill).slice(0, 3).map((v, i) => v * share + behind[i] * (1 - share));
    const [dark, light] = [luminance(seen), luminance(behind)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const onCell = (text) => {
    const note = text.closest('.annotation')?.dataset.index;
    const notes = text.closest('.js-plotly-plot')._fullLayout.annotations ?? [];
    return note !== undefined && notes[note]?.name === 'cell text';
  };
  return [...document.querySelectorAll('.js-plotly-plot text')]
    .filter((text) => text.textContent.trim() && style(text).visibility !== 'hidden' && !onCell(text))
    .map((text) => [text.textContent.trim(), contrast(text)]);
}"""

#: Gives the name of what has the focus and its place (left, top, right, bottom); null outside the page's body.
_FOCUSED = """() => {
  const focused = document.activeElement, box = focused.getBoundingClientRect();
  if (!focused.closest('[data-testid=stMainBlockContainer]')) return null;
  const name = focused.ariaLabel || focused.innerText?.trim() || focused.closest('[aria-label]')?.ariaLabel || '';
  return [name, [box.left, box.top, box.right, box.bottom]];
}"""


def contrast_in_figures(page) -> list[tuple[str, float]]:
    """All text in figures, and how it stands out from the page or the box that it is written on."""
    return [(words, ratio) for words, ratio in page.evaluate(_CONTRAST_IN_FIGURES)]


def tab_stops(page, most: int = 150) -> list[tuple[str, list[float]]]:
    """What the Tab key reaches in the page's body, in order: name, and left, top, right, bottom."""
    stops = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(_FOCUSED)
        if stop is not None:
            stops.append(stop)
        elif stops:
            break
    return stops
