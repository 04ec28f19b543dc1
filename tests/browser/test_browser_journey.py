"""What a visitor does on the map, in a real headless browser."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from browser_steps import cell_name, download, query, wait_for_query

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import auroc, compose
from cfs_explore.figures.choices import default_cells
from cfs_explore.store.cell_names import cell_names

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser


def test_the_first_request_of_a_server_may_be_for_a_page_of_its_own(page, digits):
    with app_browser.running_app() as fresh:
        page.goto(f"{fresh}/map?run=digits&ood=letters&cell=54")
        app_browser.settle(page)
        assert page.locator("h1").inner_text() == "Where does the signal live?"
        assert page.get_by_role("heading", name=cell_name(digits, 54)).count() == 1
        assert page.get_by_role("link", name="New exploration", exact=True).count() == 1
        page.goto("about:blank")


def test_from_start_to_the_map(page, address):
    page.goto(address)
    app_browser.settle(page)
    page.get_by_role("button", name="Open the map").first.click()
    page.get_by_role("heading", name="Where does the signal live?").wait_for()
    app_browser.settle(page)
    assert page.locator(".st-key-map .js-plotly-plot").count() == 1


def test_click_a_cell_then_compose(page, address, digits):
    first, second, third = 4 * 29 + 25, 2 * 29 + 7, 12
    page.goto(f"{address}/map?run=digits&ood=letters&cells={first}&cell=0")
    app_browser.settle(page)
    page.mouse.click(*app_browser.cell_position(page, "map", first))
    names = cell_names(digits)
    wait_for_query(page, cell=names[first])
    page.get_by_role("heading", name=cell_name(digits, first)).wait_for()
    app_browser.settle(page)

    page.get_by_role("radio", name="composes a detector").click()
    wait_for_query(page, click="compose")
    app_browser.settle(page)
    clicks = ((second, (first, second)), (0, (first, second, 0)), (third, (first, second, 0, third)))
    for index, composed in (*clicks, (0, (first, second, third))):
        page.mouse.click(*app_browser.cell_position(page, "map", index))
        wait_for_query(page, cells=",".join(names[each] for each in composed), cell=names[index])
        app_browser.settle(page)
    pairs = [Cell(*divmod(index, 29)) for index in (first, second, third)]
    expected = auroc(compose(digits.scores("id_test"), pairs), compose(digits.scores("ood", "letters"), pairs))
    page.get_by_text(re.compile(rf"{expected.value:.3f} \[{expected.lo:.3f}, {expected.hi:.3f}\]")).first.wait_for()
    chips = page.locator(".st-key-cells").inner_text()
    assert cell_name(digits, first) in chips
    assert cell_name(digits, second) in chips

    page.reload()
    app_browser.settle(page)
    assert query(page)["cells"] == ",".join(names[each] for each in (first, second, third))
    assert page.get_by_role("heading", name=cell_name(digits, 0)).count() == 1


def test_add_a_cell_by_its_button(page, address, digits):
    page.goto(f"{address}/map?run=digits&ood=letters&cells=10&cell=20")
    app_browser.settle(page)
    page.get_by_role("button", name="Add to detector").click()
    wait_for_query(page, cells=f"{cell_names(digits)[10]},{cell_names(digits)[20]}")


def test_hover_tells_the_numbers(page, address, digits):
    page.goto(f"{address}/map?run=digits&ood=letters")
    app_browser.settle(page)
    index = 2 * 29 + 10
    page.mouse.move(*app_browser.cell_position(page, "map", index))
    text = page.locator(".st-key-map .hoverlayer").text_content()
    row = digits.auroc_map("letters").iloc[index]
    for wanted in (f"{row.auroc:.3f}", f"{row.auroc_lo:.3f}", str(row.n_id), str(row.n_ood), row.tap, "4.99", "5"):
        assert wanted in text


def test_a_small_map_opens_its_set(page, address, digits):
    page.goto(f"{address}/map?run=digits&ood=letters")
    app_browser.settle(page)
    graph = page.locator(".st-key-strip .js-plotly-plot")
    graph.scroll_into_view_if_needed()
    position = digits.ood_names.index("noisy")
    box = graph.evaluate(
        """(graph, k) => {
          const trace = graph.data.filter((t) => t.type === 'heatmap')[k], layout = graph._fullLayout;
          const x = layout[trace.xaxis.replace('x', 'xaxis')], y = layout[trace.yaxis.replace('y', 'yaxis')];
          const at = graph.getBoundingClientRect();
          return [at.left + x._offset + x._length / 2, at.top + y._offset + y._length / 2];
        }""",
        position,
    )
    page.mouse.click(*box)
    wait_for_query(page, ood="noisy")
    best = int(digits.table("best_cell").set_index("ood").loc["noisy", "cell_index"])
    page.get_by_role("heading", name=cell_name(digits, best), exact=True).wait_for()
    assert "cell" not in query(page)


def test_a_preset_is_composed_by_one_click_and_the_roc_curve_is_behind_its_tab(page, address, digits):
    page.goto(f"{address}/map?run=digits&ood=letters")
    app_browser.settle(page)
    assert page.locator(".st-key-cells [data-testid=stMultiSelectTag]").count() == 0
    page.get_by_role("button", name="CFS(1x2)").click()
    pair = default_cells(digits)
    wait_for_query(page, cells=",".join(cell_names(digits)[index] for index in pair))
    app_browser.settle(page)
    page.get_by_text("Composed: CFS(1x2)").first.wait_for()
    assert all(cell_name(digits, index) in page.locator(".st-key-cells").inner_text() for index in pair)
    page.get_by_role("tab", name="ROC curve").click()
    page.wait_for_function(
        "document.querySelector('.st-key-cell_roc .scatterlayer path.js-line')?.getBoundingClientRect().width > 150"
    )


def test_while_a_file_is_made_its_button_says_so_and_the_page_goes_on(page, address):
    page.goto(f"{address}/map?run=digits&ood=letters")
    app_browser.settle(page)
    page.locator(".st-key-map_files button").first.click()
    button = page.get_by_role("button", name="PDF")
    with page.expect_download(timeout=60_000):
        button.click()
        page.locator("[data-testid=stDownloadButton] button:disabled").wait_for()
        said = page.evaluate(
            """() => getComputedStyle(
              document.querySelector('[data-testid=stDownloadButton] button:disabled'), '::after').content"""
        )
        assert said == '"is being made …"'
        page.keyboard.press("Escape")
        page.get_by_text("FPR95").first.click()
        wait_for_query(page, metric="fpr95")


def test_take_the_numbers_and_the_figure_away(page, address, digits):
    page.goto(f"{address}/map?run=digits&ood=letters")
    app_browser.settle(page)
    table = pd.read_csv(io.BytesIO(download(page, "map", "table", "CSV")))
    np.testing.assert_allclose(table["auroc"], digits.auroc_map("letters")["auroc"])
    assert b"<svg" in download(page, "map", "files", "SVG")[:500]
    assert download(page, "map", "files", "PDF").startswith(b"%PDF")
    page.get_by_role("button", name="Data").click()
    with page.expect_download(timeout=60_000) as waiting:
        page.get_by_role("button", name="Scores of every image (Parquet)").click()
    scores = pd.read_parquet(waiting.value.path())
    assert len(scores) == sum(s.count for s in digits.manifest.sets if s.role != "id_train")
    assert sum("@" in column for column in scores.columns) == 29 * 8
