"""The diagnostic pages in a real headless browser: what they say of the bundle, and how they follow a choice."""

import pytest
from browser_steps import query, wait_for_query

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(app_browser.find_browser() is None, reason="no Chrome or Chromium is installed"),
]

PAGES = ("complementarity", "separation", "stability", "prediction", "controls")


def headline(page) -> str:
    return page.locator("[data-testid=stMain] [data-testid=stMarkdownContainer] p").first.inner_text()


def check_whole(page) -> None:
    """No error, every figure described, nothing wider than the window."""
    assert page.locator("[data-testid=stException], [data-testid=stAlert]").count() == 0
    charts = page.locator("[data-testid=stPlotlyChart]")
    assert charts.count() >= 2
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_speaks_of_the_chosen_set(page, address, digits, name):
    page.goto(f"{address}/{name}?run=digits&ood=letters")
    app_browser.settle(page)
    check_whole(page)
    first = headline(page)
    assert "[" in first and any(c.isdigit() for c in first)  # a number with its interval
    page.get_by_role("combobox", name="OOD set").click()
    page.get_by_role("option", name="noisy").click()
    wait_for_query(page, ood="noisy")
    app_browser.settle(page)
    assert headline(page) != first
    page.go_back()
    page.wait_for_timeout(300)
    app_browser.settle(page)
    assert query(page)["ood"] == "letters" and headline(page) == first


@pytest.mark.parametrize("name", [*PAGES, "lab"])
def test_narrow_and_dark(visitor, address, name):
    page = visitor(width=420, color_scheme="dark")
    page.goto(f"{address}/{name}?run=digits")
    app_browser.settle(page)
    check_whole(page)


def test_the_lab_moves_with_its_sliders(page, address):
    page.goto(f"{address}/lab")
    app_browser.settle(page)
    before = headline(page), page.url
    slider = page.get_by_role("slider").nth(2)
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    app_browser.settle(page)
    assert page.url != before[1]
    link = page.url
    text = headline(page)
    page.goto("about:blank")
    page.goto(link)
    app_browser.settle(page)
    assert headline(page) == text
