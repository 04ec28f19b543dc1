"""The view in a real headless browser: back, other pages, the keyboard, descriptions, narrow windows, colours."""

import pytest
from browser_steps import cell_name, query, wait_for_query

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser

from cfs_explore.store.cell_names import cell_names


def go_back(page) -> None:
    page.go_back()
    page.wait_for_timeout(300)
    app_browser.settle(page)


def test_back_undoes_a_choice_and_leaves_the_page(page, address, digits):
    page.goto(address)
    app_browser.settle(page)
    page.get_by_role("link", name="Map", exact=True).click()
    page.get_by_role("heading", name="Where does the signal live?").wait_for()
    app_browser.settle(page)
    for index in (33, 120):
        page.mouse.click(*app_browser.cell_position(page, "map", index))
        wait_for_query(page, cell=cell_names(digits)[index])
        app_browser.settle(page)
    go_back(page)
    assert query(page)["cell"] == cell_names(digits)[33]
    assert page.get_by_role("heading", name=cell_name(digits, 33)).count() == 1
    go_back(page)
    assert "cell" not in query(page)
    go_back(page)
    assert page.locator("h1").inner_text() == "CFS Explore"


def test_back_and_forward_follow_controls_that_a_hostile_address_left_at_their_defaults(page, address):
    page.goto(f"{address}/controls?run=digits&ood=letters&controls_against=evil&controls_view=seeds&controls_level=99")
    app_browser.settle(page)
    chosen = page.get_by_role("radio", checked=True)
    assert {"Untrained copies", "Seeds"} <= set(chosen.all_inner_texts())
    for label, expected in (("Re-encoded images", {"controls_against": "re-encoded"}), ("Re-encoding", None)):
        page.get_by_role("radio", name=label, exact=True).click()
        wait_for_query(page, **(expected or {"controls_view": "reencoding"}))
        app_browser.settle(page)
    go_back(page)
    assert query(page)["controls_view"] == "seeds" and "Seeds" in chosen.all_inner_texts()
    go_back(page)
    assert "Untrained copies" in chosen.all_inner_texts()
    page.go_forward()
    page.wait_for_timeout(300)
    app_browser.settle(page)
    assert query(page)["controls_against"] == "re-encoded" and "Re-encoded images" in chosen.all_inner_texts()


def test_another_page_does_not_lose_the_view(page, address, digits):
    page.goto(f"{address}/map?ood=letters&metric=fpr95&cells=7.8&cell=99")
    app_browser.settle(page)
    page.get_by_role("link", name="Start", exact=True).click()
    page.get_by_role("heading", name="CFS Explore").wait_for()
    page.get_by_role("link", name="Map", exact=True).click()
    page.get_by_role("heading", name="Where does the signal live?").wait_for()
    app_browser.settle(page)
    names = cell_names(digits)  # a link of an older version held numbers
    wanted = {"ood": "letters", "metric": "fpr95", "cells": f"{names[7]},{names[8]}", "cell": names[99]}
    assert {key: query(page).get(key) for key in wanted} == wanted
    assert page.get_by_role("heading", name=cell_name(digits, 99)).count() == 1


def test_the_keyboard_reaches_every_control(page, address):
    page.goto(f"{address}/map?run=digits&ood=letters&cell=5")
    app_browser.settle(page)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.ariaLabel || document.activeElement.innerText.trim()"))
    for control in ("Exploration", "OOD set", "AUROC", "opens a cell", "Data", "Add to detector"):
        assert any(control in name for name in reached), control
    assert any("Cells whose slot scores are averaged" in name for name in reached)


def test_figures_and_pictures_say_what_they_show(page, address):
    page.goto(f"{address}/map?run=digits&ood=letters")
    app_browser.settle(page)
    charts = page.locator("[data-testid=stPlotlyChart]")
    assert charts.count() == 5
    assert all(charts.nth(i).get_attribute("aria-label") for i in range(5))
    pictures = page.locator(".cfs-gallery img")
    assert pictures.count() == 18
    assert all(pictures.nth(i).get_attribute("alt") for i in range(18))
    assert page.evaluate(
        "() => [...document.querySelectorAll('.cfs-gallery img')].every((image) => image.naturalWidth > 0)"
    )


@pytest.mark.parametrize("width", [420, 1000])
def test_a_narrow_window_stacks_the_cell_and_cuts_nothing(visitor, address, width):
    page = visitor(width)
    page.goto(f"{address}/map?run=digits&ood=letters&cells=64.80.100.120.30.31")
    app_browser.settle(page)
    map_box, panel_box = (page.locator(f".st-key-{key}").bounding_box() for key in ("map", "cell_panel"))
    assert panel_box["y"] > map_box["y"] + map_box["height"]
    assert panel_box["width"] == pytest.approx(map_box["width"], abs=2)
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(
        """() => {
          const field = document.querySelector('.st-key-cells').getBoundingClientRect();
          const chips = [...document.querySelectorAll('.st-key-cells .react-aria-ComboBox [data-tag]')];
          return chips.length === 6 && chips.every((chip) => {
            const box = chip.getBoundingClientRect();
            return box.left >= field.left && box.right <= field.right && box.bottom <= field.bottom;
          });
        }"""
    )


def test_colours_follow_the_visitor(visitor, address):
    backgrounds = []
    for scheme in ("light", "dark"):
        page = visitor(color_scheme=scheme)
        page.goto(f"{address}/map?run=digits&ood=letters")
        app_browser.settle(page)
        ink = page.locator(".st-key-map .js-plotly-plot").evaluate("(graph) => graph._fullLayout.font.color")
        page_colour = page.locator("[data-testid=stApp]").evaluate("(app) => getComputedStyle(app).backgroundColor")
        backgrounds.append((page_colour, ink.upper()))
    assert backgrounds == [("rgb(255, 255, 255)", "#1D232E"), ("rgb(16, 20, 27)", "#E9ECF1")]


#: Left, top, right, bottom of the frame over a map, and of the middle of a cell, from the chart's upper left corner.
FRAME = """([key, index]) => {
  const chart = document.querySelector(`.st-key-${key} .js-plotly-plot`);
  const look = getComputedStyle(chart, '::after'), layout = chart._fullLayout, cells = chart._fullData.at(-1);
  const [left, top, width, height] = ['left', 'top', 'width', 'height'].map((side) => parseFloat(look[side]));
  const at = cells.customdata.indexOf(index);
  return {frame: [left, top, left + width, top + height], middle: [
    layout._size.l + layout.xaxis.d2p(cells.x[at]), layout._size.t + layout.yaxis.d2p(cells.y[at])]};
}"""


@pytest.mark.parametrize("width", [420, 1400])
def test_the_frame_lies_over_the_open_cell_and_a_click_moves_it_without_another_map(visitor, address, digits, width):
    page = visitor(width)
    page.goto(f"{address}/map?run=digits&ood=letters&cell={cell_names(digits)[40]}")
    app_browser.settle(page)
    page.evaluate("document.querySelector('.st-key-map .js-plotly-plot').same = true")
    for index in (40, 127):
        if index != 40:
            page.mouse.click(*app_browser.cell_position(page, "map", index))
            wait_for_query(page, cell=cell_names(digits)[index])
            app_browser.settle(page)
        found = page.evaluate(FRAME, ["map", index])
        left, top, right, bottom = found["frame"]
        assert found["middle"] == pytest.approx([(left + right) / 2, (top + bottom) / 2], abs=1)
        assert right - left > 8 and bottom - top == pytest.approx(30, abs=1)
    assert page.evaluate("document.querySelector('.st-key-map .js-plotly-plot').same") is True
