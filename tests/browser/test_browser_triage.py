"""Triage in a real headless browser: the keyboard moves the threshold, the pictures follow, a click opens an image."""

import io
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest
from browser_steps import query, wait_for_query

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser

from cfs_explore.store.cell_names import cell_names


def flagged_by_hand(run, ood: str, rate: float) -> list[str]:
    """Ids of the images that CFS(1x2) gives a conformal p-value within the rate, the highest score first."""
    table = run.table("detectors")
    cells = [divmod(int(i), len(run.taps)) for i in table[table["name"] == "CFS(1x2)"]["cell_indices"].iloc[0]]
    id_scores, scores = (
        np.mean([run.scores(*which).astype(float)[:, :, k, t].mean(axis=1) for k, t in cells], axis=0)
        for which in (("id_test",), ("ood", ood))
    )
    p = np.array([(1 + sum(other >= s for other in id_scores)) / (len(id_scores) + 1) for s in scores])
    ids = run.images("ood", ood)["image_id"].to_numpy()
    return [ids[i] for i in np.argsort(-scores, kind="stable") if p[i] <= rate]


def shown(page) -> list[str]:
    """Ids of the pictures of the gallery."""
    links = page.locator(".st-key-triage_flagged a").evaluate_all("(all) => all.map((a) => a.href)")
    return [parse_qs(urlparse(link).query)["image"][0] for link in links]


def wait_for_heading(page, count: int) -> None:
    page.get_by_role("heading", name=f"Flagged images ({count})", exact=True).wait_for()
    app_browser.settle(page)


def test_the_keyboard_moves_the_threshold_and_the_pictures_follow(page, address, digits):
    page.goto(f"{address}/triage?run=digits&ood=digits+7-9&detector=CFS(1x2)")
    app_browser.settle(page)
    slider = page.get_by_role("slider", name="False-alarm rate")
    slider.focus()
    for key, rate in (("ArrowLeft", "4"), ("ArrowLeft", "3"), ("ArrowRight", "4")):
        page.keyboard.press(key)
        wait_for_query(page, triage_rate=rate)
        expected = flagged_by_hand(digits, "digits 7-9", float(rate) / 100)
        wait_for_heading(page, len(expected))
        assert 0 < len(expected) <= 30 and shown(page) == expected
    page.keyboard.press("Home")
    wait_for_query(page, triage_rate="0.1")
    page.get_by_text("the smallest p-value is 1/422").wait_for()
    app_browser.settle(page)
    assert shown(page) == []


def test_files_hold_the_whole_table(page, address, digits):
    page.goto(f"{address}/triage?run=digits&ood=letters&triage_rate=2&detector=CFS(1x2)")
    app_browser.settle(page)
    files = {}
    for name in ("CSV", "Parquet"):
        with page.expect_download(timeout=60_000) as waiting:
            page.get_by_role("button", name=name, exact=True).click()
        files[name] = waiting.value.path().read_bytes()
    csv, parquet = pd.read_csv(io.BytesIO(files["CSV"])), pd.read_parquet(io.BytesIO(files["Parquet"]))
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False)
    assert csv.columns.tolist() == (
        ["image_id", "name", "label", "score", "percentile", "p_value", "flagged", "detector", "threshold", "n_id"]
    )
    assert csv[csv["flagged"]]["image_id"].tolist() == flagged_by_hand(digits, "letters", 0.02)
    assert len(csv) == 250 and set(csv["n_id"]) == {421}


def test_a_click_opens_the_image_and_the_keys_walk_on(page, address, digits):
    page.goto(f"{address}/triage?run=digits&ood=letters")
    app_browser.settle(page)
    chosen = shown(page)[2]
    page.locator(".st-key-triage_flagged a").nth(2).click()
    page.get_by_role("heading", name="What is unusual about this image?").wait_for()
    app_browser.settle(page)
    rows = digits.images("ood", "letters")
    place = int((rows["image_id"] == chosen).argmax())
    assert query(page)["image"] == chosen and page.get_by_text(rows["name"][place]).count()
    page.mouse.click(*app_browser.cell_position(page, "map_of_image", 50))
    wait_for_query(page, cell=cell_names(digits)[50])
    app_browser.settle(page)
    page.get_by_role("button", name="Next").press("Enter")
    wait_for_query(page, image=rows["image_id"][place + 1])
    app_browser.settle(page)
    page.go_back()
    wait_for_query(page, image=chosen, cell=cell_names(digits)[50])
    app_browser.settle(page)
    page.get_by_role("link", name="Triage of this set").click()
    page.get_by_role("heading", name="Which images stand out?").wait_for()
    app_browser.settle(page)
    assert query(page)["ood"] == "letters" and shown(page)[2] == chosen


@pytest.mark.parametrize("name", ["triage", "image"])
def test_narrow_and_dark(visitor, address, name):
    page = visitor(width=420, color_scheme="dark")
    page.goto(f"{address}/{name}?run=digits&ood=letters")
    app_browser.settle(page)
    assert page.locator("[data-testid=stException], [data-testid=stAlert]").count() == 0
    charts = page.locator("[data-testid=stPlotlyChart]")
    assert charts.count() and all(charts.nth(i).get_attribute("aria-label") for i in range(charts.count()))
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
