"""The diagnostic pages in a real headless browser: what they say of the bundle, and how they follow a choice."""

import pytest
from browser_steps import query, wait_for_query

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser

PAGES = ("complementarity", "separation", "where", "stability", "prediction", "controls")


def headline(page) -> str:
    """The page's first texts; Prediction begins with its seal, which is about no set."""
    return "\n".join(page.locator("[data-testid=stMain] [data-testid=stMarkdownContainer] p").all_inner_texts()[:8])


def check_whole(page, least: int = 2) -> None:
    """No error, every figure described, nothing wider than the window."""
    assert page.locator("[data-testid=stException], [data-testid=stAlert]").count() == 0
    charts = page.locator("[data-testid=stPlotlyChart]")
    assert charts.count() >= least
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


@pytest.mark.parametrize("view", ["levels", "alignment", "conditioning", "cost", "compare"])
def test_a_view_of_the_protocol_follows_the_set(page, address, digits, view):
    page.goto(f"{address}/protocol?run=digits&ood=letters&protocol_view={view}")
    app_browser.settle(page)
    check_whole(page, least=1)
    first = headline(page)
    assert any(c.isdigit() for c in first)
    page.get_by_role("combobox", name="OOD set").click()
    page.get_by_role("option", name="digits 7-9").click()
    wait_for_query(page, ood="digits 7-9")
    app_browser.settle(page)
    assert (headline(page) == first) == (view == "levels")  # levels are the same for every set
    page.go_back()
    page.wait_for_timeout(300)
    app_browser.settle(page)
    assert query(page)["ood"] == "letters" and headline(page) == first


@pytest.mark.parametrize("view", ["levels", "alignment", "conditioning", "cost", "compare"])
def test_views_of_the_protocol_narrow_and_dark(visitor, address, view):
    page = visitor(width=420, color_scheme="dark")
    page.goto(f"{address}/protocol?run=digits-narrow&protocol_view={view}")
    app_browser.settle(page)
    check_whole(page, least=1)


def test_another_exploration_joins_and_leaves(page, address):
    page.goto(f"{address}/protocol?run=digits-narrow&ood=letters&protocol_view=compare")
    app_browser.settle(page)
    charts = page.locator("[data-testid=stPlotlyChart]")
    assert charts.count() == 3  # the default: the first exploration of another backbone
    page.get_by_role("button", name="Clear all").click()
    wait_for_query(page, protocol_against="")
    app_browser.settle(page)
    assert charts.count() == 0
    assert page.get_by_text("Choose another exploration above").count() == 1


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
