"""Every page in both themes, checked with axe-core in a real headless browser, and what axe cannot see in figures."""

from itertools import pairwise

import pytest

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
pytest.importorskip("axe_playwright_python.base", reason="needs the Python package that carries axe-core")
import app_browser
from axe_playwright_python.base import AXE_SCRIPT
from browser_steps import contrast_in_figures, tab_stops

from cfs_explore.charts.theme import PALETTES
from cfs_explore.locations import PROJECT

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
#: Of text (WCAG 1.4.3).
LEAST_CONTRAST = 4.5
#: The whole of every page fits: axe judges no colour of what is scrolled out of sight.
WINDOW = {"width": 1440, "height": 5000}
PAGES = sorted(path.stem for path in (PROJECT / "pages").glob("*.py"))


def open_page(browser, address: str, name: str):
    """A page on the bundled exploration in the light theme, drawn to its end."""
    page = browser.new_page(viewport=WINDOW, color_scheme="light")
    page.goto(f"{address}/{'' if name == 'start' else name}?run=digits&ood=letters&cell=80")
    app_browser.settle(page, 240)
    page.evaluate("() => document.fonts.ready")
    return page


def switch_to(page, theme: str) -> None:
    """The visitor's system changes its theme while the page is open: page and figures follow."""
    page.emulate_media(color_scheme=theme)
    page.wait_for_function(
        """([ink, ground]) => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor === ground
          && [...document.querySelectorAll('.js-plotly-plot')].every(
            (graph) => graph._fullLayout.font.color.toUpperCase() === ink)""",
        arg=[PALETTES[theme].ink, "rgb({}, {}, {})".format(*bytes.fromhex(PALETTES[theme].page[1:]))],
        timeout=120_000,
    )
    app_browser.settle(page, 240)


def serious_findings(page) -> list[str]:
    """What shuts people out: rule, element, and how to mend it."""
    page.evaluate(AXE_SCRIPT)
    options = {"runOnly": RULES, "resultTypes": ["violations"]}
    found = page.evaluate("(options) => axe.run(document, options)", options)["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]} - {node['failureSummary']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


@pytest.fixture(scope="module", params=PAGES)
def opened(request, browser, address):
    """Each page, opened once for all tests of it."""
    page = open_page(browser, address, request.param)
    yield page
    page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_text_in_figures_stands_out(opened, theme):
    switch_to(opened, theme)
    assert opened.locator("[data-testid=stException]").count() == 0
    assert serious_findings(opened) == []
    assert [text for text, ratio in contrast_in_figures(opened) if ratio < LEAST_CONTRAST] == []


def test_every_figure_has_a_description_and_a_table(opened):
    charts, popovers = (opened.locator(f"[data-testid={kind}]") for kind in ("stPlotlyChart", "stPopover"))
    assert all(len(chart.get_attribute("aria-label") or "") > 30 for chart in charts.all())
    assert popovers.filter(has_text="Table").count() >= charts.count()


def test_what_is_wrong_is_found_wherever_it_is(browser, address):
    page = open_page(browser, address, "map")
    page.evaluate(
        """() => document.querySelector('[data-testid=stMainBlockContainer]').insertAdjacentHTML('beforeend',
          `<div id="wrong"><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" width="9" height="9"><button></button>
           <p style="color: #B0B0B0; background: #FFFFFF">Hard to read</p></div>`)"""
    )
    rules = [finding.split(":")[0] for finding in serious_findings(page)]
    assert sorted(rules) == ["button-name", "color-contrast", "image-alt"]
    page.evaluate("() => document.getElementById('wrong').remove()")
    page.locator(".st-key-map text").first.evaluate("(text) => { text.style.fill = '#C0C0C0'; }")
    assert sum(ratio < LEAST_CONTRAST for _, ratio in contrast_in_figures(page)) == 1
    assert serious_findings(page) == []
    page.close()


@pytest.mark.parametrize("name", ["start", "map", "separation"])
def test_the_tab_key_goes_through_a_page_as_it_is_read(browser, address, name):
    page = open_page(browser, address, name)
    stops = tab_stops(page)
    assert len(stops) >= 5 and all(words for words, _ in stops)
    for (before, (left, top, _, _)), (after, (next_left, _, _, next_bottom)) in pairwise(stops):
        back = next_bottom <= top and next_left <= left  # up, and not into the next column
        assert not back, (before, after)
    page.close()


@pytest.mark.parametrize(("name", "inside"), [("Table", "CSV"), ("Figure", "SVG")])
def test_a_popover_opens_serves_and_closes_by_the_keyboard(browser, address, name, inside):
    page = open_page(browser, address, "separation")
    opener, wanted = page.get_by_role("button", name=name).first, page.get_by_role("button", name=inside, exact=True)
    opener.press("Enter")
    page.get_by_role("dialog", name=name).and_(page.locator(":focus")).wait_for(timeout=60_000)
    wanted.wait_for(timeout=60_000)
    assert serious_findings(page) == []
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.closest('[role=dialog]') !== null")
        if wanted.evaluate("(button) => button === document.activeElement"):
            break
    page.keyboard.press("Escape")
    wanted.wait_for(state="hidden")
    assert opener.evaluate("(button) => button === document.activeElement")
    page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_form_with_pictures_shuts_nobody_out(browser, address, pictures, theme):
    page = open_page(browser, address, "new")
    page.set_input_files("input[type=file]", pictures)
    page.locator(".cfs-strip img").first.wait_for(timeout=60_000)
    page.get_by_text("Name, number, details").click()
    page.locator(".cfs-sheet img").first.wait_for(timeout=60_000)
    page.get_by_text("More", exact=True).click()
    app_browser.settle(page, 240)
    switch_to(page, theme)
    assert serious_findings(page) == []
    page.close()
