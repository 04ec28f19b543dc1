"""The probe in a real headless browser: the slider is moved by hand, and pictures, scores and address follow."""

import re

import pytest
from browser_steps import query, wait_for_query

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser

from cfs_explore.headlines.probe import format_score

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(app_browser.find_browser() is None, reason="no Chrome or Chromium is installed"),
]
LINK = "probe?run=digits&ood=letters&probe_a=11&probe_b=99"


def headline(page) -> str:
    return page.locator("[data-testid=stMain] [data-testid=stMarkdownContainer] p").first.inner_text()


def sources(page) -> dict[str, list[str]]:
    """Every picture by what it is: the image, with noise and the guess, and the maps."""
    parts = {"x0": ".cfs-seen:not(.cfs-two) img", "noisy": ".cfs-two img", "maps": ".cfs-maps img"}
    return {name: [img.get_attribute("src") for img in page.locator(part).all()] for name, part in parts.items()}


def open_probe(page, address: str, link: str = LINK) -> None:
    page.goto(f"{address}/{link}")
    app_browser.settle(page)
    page.locator(".cfs-maps").nth(1).wait_for(timeout=60_000)
    app_browser.settle(page)


def test_a_key_on_the_slider_moves_pictures_scores_and_address(page, address, digits):
    open_probe(page, address)
    said, seen = headline(page), sources(page)
    tap = [t.name for t in digits.taps].index(digits.manifest.presets["sparse_ed"][1])
    assert f"B {format_score(digits.scores('ood', 'letters')[99, 0, 2, tap])} (" in said
    assert [len(each) for each in seen.values()] == [2, 4, 32]
    page.get_by_role("slider").first.focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    wait_for_query(page, probe_lam="4")
    app_browser.settle(page)
    moved = sources(page)
    assert moved["x0"] == seen["x0"]
    assert not set(moved["noisy"]) & set(seen["noisy"]) and not set(moved["maps"]) & set(seen["maps"])
    assert re.search(r"λ = 4\.0, against the ID statistics of λ = [35]\.0", headline(page))
    page.get_by_role("button", name="Redraw").click()
    wait_for_query(page, probe_draw="1")
    app_browser.settle(page)
    again = sources(page)
    assert again["x0"] == seen["x0"] and not set(again["noisy"]) & set(moved["noisy"])
    link, said = page.url, headline(page)
    page.goto("about:blank")
    page.goto(link)
    page.locator(".cfs-maps").nth(1).wait_for(timeout=60_000)
    app_browser.settle(page)
    assert headline(page) == said and query(page)["probe_draw"] == "1" and sources(page) == again


def test_the_table_behind_a_figure_is_filled_when_it_is_opened(page, address):
    open_probe(page, address)
    assert page.get_by_role("button", name="CSV").count() == 0
    page.locator(".st-key-probe_decoder_z_table button").first.click()
    with page.expect_download(timeout=60_000) as waiting:
        page.get_by_role("button", name="CSV", exact=True).click()
    lines = waiting.value.path().read_text().splitlines()
    assert lines[0] == "image,channel,pooling,value,z" and len(lines) == 1 + 2 * 2 * 64


def test_narrow_and_dark(visitor, address):
    page = visitor(width=420, color_scheme="dark")
    open_probe(page, address)
    assert page.locator("[data-testid=stException], [data-testid=stAlert]").count() == 0
    assert page.locator("[data-testid=stPlotlyChart]").count() == 4
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
