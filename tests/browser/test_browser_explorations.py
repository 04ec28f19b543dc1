"""The page of explorations in a real headless browser: click, tick, download, import, rename, delete; and strangers."""

import json
import re
import zipfile

import pytest
from browser_steps import query

from cfs_explore.explorations import bundles
from cfs_explore.locations import BUNDLES
from cfs_explore.store import find_runs

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser

#: Height of a row and of the head of the table, and where its tick box and its first column are.
ROW, TICK, NAME = 35, 18, 120


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    path = tmp_path_factory.mktemp("zips") / "narrow.zip"
    bundles.export(BUNDLES / "digits-narrow", path)
    return path


@pytest.fixture
def strangers(monkeypatch):
    """Address of a server that strangers use."""
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "1")
    with app_browser.running_app() as url:
        yield url


def open_list(page, address: str, **search: str) -> None:
    page.goto(f"{address}/explorations")
    app_browser.settle(page)
    if search:
        find(page, search["words"])


def find(page, words: str) -> None:
    """Search: the list has fewer rows then."""
    page.get_by_role("textbox", name="Search").fill(words)
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    app_browser.settle(page)


def click_row(page, position: int, x: int = NAME) -> None:
    """Click a row of the table."""
    page.locator("[data-testid=stDataFrame]").first.click(position={"x": x, "y": ROW * (position + 1.5)})
    page.wait_for_timeout(300)
    app_browser.settle(page)


def menu(page, name: str) -> None:
    """Open one of the menus of the panel."""
    page.locator(f"[class*='st-key-{name}_'] [data-testid=stPopoverButton]").click()


def bring(page, path) -> None:
    """Import a zip."""
    page.get_by_text("Import an exploration").click()
    page.set_input_files("input[type=file]", path)


def shown_id(page) -> str:
    """The id in the panel."""
    return re.search(r"id: (\S+)", page.locator(".st-key-explorations_panel").inner_text())[1]


def test_a_click_opens_a_map(page, address):
    open_list(page, address, words="narrow")
    click_row(page, 0)
    page.get_by_role("button", name="Open map").click()
    page.get_by_role("heading", name="Where does the signal live?").wait_for()
    assert query(page)["run"] == "digits-narrow"


def test_two_ticks_compare(page, address):
    open_list(page, address, words="photo patches")
    for position in (0, 1):
        click_row(page, position, TICK)
    page.get_by_role("heading", name="2 explorations").wait_for()
    page.get_by_role("button", name="Compare side by side").click()
    page.get_by_role("heading", name=re.compile("minus")).wait_for(timeout=60_000)
    assert {query(page)["run"], query(page)["protocol_against"]} == {"digits", "digits-narrow"}
    assert query(page)["protocol_view"] == "compare"


def test_download_import_rename_and_delete(page, address, tmp_path):
    open_list(page, address, words="narrow")
    click_row(page, 0)
    menu(page, "download")
    with page.expect_download(timeout=60_000) as waiting:
        page.get_by_role("button", name=re.compile("Everything")).click()
    path = tmp_path / "taken.zip"
    waiting.value.save_as(path)
    assert zipfile.is_zipfile(path) and waiting.value.suggested_filename == "digits-narrow.zip"
    page.keyboard.press("Escape")

    bring(page, path)
    page.get_by_text(re.compile("id: digits-narrow-network-")).wait_for(timeout=60_000)
    app_browser.settle(page)
    run = shown_id(page)
    menu(page, "rename")
    page.get_by_label("New name").fill("Taken over")
    page.get_by_role("button", name="Rename").last.click()
    page.get_by_role("heading", name="Taken over").wait_for()
    page.goto(f"{address}/map?run={run}")
    page.get_by_role("heading", name="Where does the signal live?").wait_for()

    open_list(page, address, words="taken over")
    click_row(page, 0)
    menu(page, "delete")
    page.get_by_text("This cannot be undone").wait_for()
    page.get_by_role("button", name="Delete for good").click()
    page.get_by_text("No exploration has all of these words").wait_for()


def test_a_zip_of_something_else_is_refused(page, address, pictures):
    open_list(page, address)
    bring(page, pictures)
    page.get_by_text("circles.zip was not imported").wait_for()
    page.get_by_text("is not a file of an exploration").wait_for()


def test_hostile_texts_do_nothing(page, address, packed, tmp_path):
    """A description and a backbone's name with HTML; the page asks no other host (see ``visitor``)."""
    hostile = "<img src=http://example.org/x onerror=alert(1)> ![x](http://example.org/x.png) <b>bold</b>"
    path = tmp_path / "hostile.zip"
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(path, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            if info.filename == "manifest.json":
                content = json.loads(data)
                content["description"] = content["backbone"]["name"] = hostile
                content["warnings"] = [hostile]
                content["sets"][1]["description"] = hostile
                data = json.dumps(content).encode()
            target.writestr(info.filename, data)
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    open_list(page, address)
    bring(page, path)
    page.get_by_role("heading", name="Digits (narrow network)").wait_for(timeout=60_000)
    run = shown_id(page)
    page.get_by_text("<b>bold</b>").filter(visible=True).first.wait_for()  # not in the grid
    for place in ("explorations", "", "map", "protocol"):
        page.goto(f"{address}/{place}?run={run}")
        app_browser.settle(page)
        assert (
            page.locator("[data-testid=stMain] img[src*=example], [data-testid=stSidebar] img[src*=example]").count()
            == 0
        )
    assert dialogs == []


def test_strangers_see_their_own(strangers, visitor, packed):
    first, second = visitor(), visitor(420)
    open_list(first, strangers)
    bring(first, packed)
    first.get_by_role("heading", name="Digits (narrow network)").wait_for(timeout=60_000)
    first.get_by_text("only you see yours").wait_for()
    app_browser.settle(first)
    run, kept = shown_id(first), first.url
    bundled = len(find_runs(BUNDLES))
    assert run in query(first)["mine"].split(".")
    first.get_by_text("its backbone and images are not on this server").wait_for()

    open_list(second, strangers)
    second.get_by_text(f"{bundled} explorations").wait_for()
    second.goto(kept)
    second.get_by_text(f"{bundled + 1} explorations").wait_for()
    second.goto(f"{strangers}/map?run=../{run}")
    app_browser.settle(second)
    assert query(second)["run"] == "digits"
