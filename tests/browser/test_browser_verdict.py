"""The verdict page in a real headless browser: a click on a cell, its page, and the way there without the sidebar."""

import pytest
from browser_steps import query, wait_for_query

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser

from cfs_explore.headlines.verdict import WORDS
from cfs_explore.ui.page_frame import WAYS


def test_a_click_on_a_cell_shows_its_numbers_and_leads_to_its_page(page, address, digits):
    page.goto(f"{address}/verdict?run=digits&ood=letters")
    app_browser.settle(page, 240)
    claim, ood = list(WORDS).index("trained"), digits.ood_names.index("noisy")
    page.mouse.click(*app_browser.cell_position(page, "verdict", claim * len(digits.ood_names) + ood))
    wait_for_query(page, verdict_claim="trained", ood="noisy")
    app_browser.settle(page)
    assert page.get_by_text(WORDS["trained"].sentence).is_visible()
    page.get_by_role("link", name="See the untrained copies").click()
    page.get_by_role("heading", name="Is it the backbone?").wait_for()
    app_browser.settle(page)
    assert query(page)["ood"] == "noisy" and query(page)["run"] == "digits"


def test_the_way_on_keeps_what_was_chosen_just_before(page, address):
    page.goto(f"{address}/separation?run=digits&ood=letters&cell=up1.res1@5")
    app_browser.settle(page)
    page.get_by_role("combobox", name="OOD set").first.click()
    page.get_by_role("option", name="blurred", exact=True).click()
    wait_for_query(page, ood="blurred")
    app_browser.settle(page)
    way = WAYS["separation"]
    page.locator(".st-key-way_on").get_by_role("link", name=f"{way.question} {way.place}").click()
    page.get_by_role("heading", name="Do encoder and decoder know different things?").wait_for()
    app_browser.settle(page)
    assert query(page)["ood"] == "blurred" and query(page)["run"] == "digits"
