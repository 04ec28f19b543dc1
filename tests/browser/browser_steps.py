"""What the browser tests do again and again: read and wait for the address, name a cell, take a file."""

import re
from urllib.parse import parse_qs, urlparse

from cfs_explore.figures import short_tap_name
from cfs_explore.figures.theme import format_value

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
        timeout=20_000,
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
