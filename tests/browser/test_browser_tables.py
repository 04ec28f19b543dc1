"""No table of a page offers Streamlit's own export, whose cells a spreadsheet may take for formulas."""

import pytest
from browser_steps import tab_stops

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser

#: Page and query -> the button, by selector, that opens the table, None where it is on the page.
TABLES = {
    "explorations": None,
    "map?run=digits&ood=letters": ".st-key-map_table button",
    "images?run=digits&ood=letters&images_picked=1514": "button:has-text('Table') >> nth=-1",
    "protocol?run=digits&ood=letters&protocol_view=levels": None,
    "protocol?run=digits&ood=letters&protocol_view=cost": None,
    "triage?run=digits&ood=digits+7-9": None,
}
TOOLBAR = "[data-testid=stElementToolbarButton]"
EXPORT = "Download as CSV"
#: Names of the buttons in tables' toolbars that can be seen; the focus reaches no others.
_SEEN = """(all) => all.filter((each) => each.getClientRects().length).map((each) => each.ariaLabel ?? '')"""


def buttons(page) -> list[str]:
    return page.locator(f"{TOOLBAR} button").evaluate_all(_SEEN)


@pytest.mark.parametrize("touch", [False, True])
@pytest.mark.parametrize("place", TABLES)
def test_the_built_in_export_cannot_be_reached(visitor, address, place, touch):
    page = visitor(has_touch=touch)
    page.goto(f"{address}/{place}")
    app_browser.settle(page)
    if TABLES[place]:
        page.locator(TABLES[place]).first.click()
    table = page.locator("[data-testid=stDataFrame]").first
    table.wait_for()
    table.tap() if touch else table.hover()
    page.locator(f"{TOOLBAR} button[aria-label^=Search]").first.wait_for()
    assert not any(EXPORT in name for name in buttons(page))
    stops = [name for name, _ in tab_stops(page)] if not TABLES[place] else []
    assert not any(EXPORT in name for name in stops)
    table.hover()
    page.get_by_role("button", name="Fullscreen").first.click()
    page.get_by_role("button", name="Close fullscreen").first.wait_for()
    assert not any(EXPORT in name for name in buttons(page))
    for _ in range(10):
        page.keyboard.press("Tab")
        assert EXPORT not in (page.evaluate("document.activeElement.ariaLabel") or "")
