"""The page of explorations: what it lists and for whom, search, rename, delete, compare; and names that are hostile."""

import json
import os
import re
import time

import pytest
from page_steps import button, open_page, texts
from streamlit.testing.v1 import AppTest

from cfs_explore import jobs
from cfs_explore.explorations import bundles
from cfs_explore.locations import BUNDLES
from cfs_explore.spec import RunSpec
from cfs_explore.store import find_runs, open_run, write_json
from cfs_explore.store.cell_names import cell_names
from cfs_explore.ui import explorations_chosen, explorations_rows

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert(1)</script> [link](http://example.org) ![i](http://example.org/i.png) \x07\x1b[31m\n# x"


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The smaller bundle as a zip."""
    path = tmp_path_factory.mktemp("zips") / "narrow.zip"
    bundles.export(BUNDLES / "digits-narrow", path)
    return path


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty folder of runs."""
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    explorations_rows._size_of.clear()
    return tmp_path


@pytest.fixture
def mine(runs, packed):
    """A finished run called Mine."""
    run = bundles.import_zip(packed, trusted=True)
    bundles.rename(run, "Mine")
    return run


@pytest.fixture
def public(monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "1")


def unfinished(name: str, **status) -> str:
    """A run without a map in some state; gives its id."""
    run = jobs.create(RunSpec.parse(BUNDLES / "digits" / "spec.yaml").model_copy(update={"name": name}))
    if status:
        write_json(run / "status.json", {"started": time.time(), **status})
    return run.name


def bundled_names() -> set[str]:
    return {open_run(path).name for path in find_runs(BUNDLES)}


def listed(app: AppTest):
    """The table of the page, by name."""
    return app.dataframe[0].value.set_index("Name")


def query(app: AppTest, key: str) -> str:
    """A value of the address."""
    found = app.query_params[key]
    return found if isinstance(found, str) else found[0]


def choose(*ids: str, **address: str) -> AppTest:
    """The page with these explorations chosen."""
    app = AppTest.from_file(str(BUNDLES.parent / "app.py"), default_timeout=60)
    app.session_state["explorations_chosen"] = list(ids)
    for key, value in address.items():
        app.query_params[key] = value
    app.run()
    app.switch_page("pages/explorations.py").run()
    assert not app.exception
    return app


def test_every_state_is_shown(mine):
    unfinished("Alive", state="running", stage="measuring", done=45, total=100, pid=os.getpid())
    unfinished("Next", state="waiting", place=2, pid=os.getpid())
    unfinished("Broke", state="failed", error="The disk is full.")
    unfinished("Stopped", state="cancelled")
    unfinished("New")
    table = listed(open_page("explorations"))
    assert dict(table["State"]) == {
        "Alive": "Running: measuring 45 %",
        "Next": "Waiting, place 2",
        "Broke": "Failed",
        "Stopped": "Cancelled",
        "New": "Not started",
        "Mine": "Imported",
        **dict.fromkeys(bundled_names(), "Bundled"),
    }
    run = open_run(mine)
    assert table.loc["Mine", "Images"] == sum(entry.count for entry in run.manifest.sets)
    assert table.loc["Mine", "OOD sets"] == ", ".join(run.ood_names)
    assert table.loc["Mine", "Backbone"] == run.manifest.backbone.name
    assert table.loc["Mine", "Disk (MB)"] == pytest.approx(jobs.disk_used(mine) / 1e6)


def test_search_looks_at_names_backbones_and_sets(mine):
    app = open_page("explorations")
    found = {}
    for words in ("mine", "narrow", "MINE blurred", "photo patches", "nothing like it"):
        app.text_input[0].input(words).run()
        assert not app.exception
        found[words] = set(listed(app).index) if app.dataframe else set()
    assert found["mine"] == {"Mine"} == found["MINE blurred"]
    assert found["narrow"] == {"Mine", "Digits (narrow network)"}
    assert "Digits" in found["photo patches"] and not found["nothing like it"]
    assert "No exploration has all of these words" in texts(app)


def test_rename_writes_both_files(mine):
    app = choose(mine.name)
    assert button(app, "Open map")
    next(field for field in app.text_input if field.label == "New name").input("Renamed (2)").run()
    button(app, "Rename").click().run()
    assert not app.exception
    assert "Renamed (2)" in listed(app).index
    assert open_run(mine).name == RunSpec.parse(mine / "spec.yaml").name == "Renamed (2)"
    next(field for field in app.text_input if field.label == "New name").input("<b>no</b>").run()
    button(app, "Rename").click().run()
    assert "cannot be a name" in texts(app)
    assert open_run(mine).name == "Renamed (2)"


def test_delete_says_what_is_lost_and_deletes(mine):
    (mine / "uploads").mkdir()
    app = choose(mine.name)
    asked = texts(app)
    assert (
        "thumbnails of 2,514 images" in asked and "images that were uploaded" in asked and "cannot be undone" in asked
    )
    button(app, "Delete for good").click().run()
    assert not app.exception
    assert not mine.exists() and "Mine" not in listed(app).index


def test_what_is_worked_on_can_be_watched_not_deleted(mine):
    name = unfinished("Alive", state="running", stage="measuring", done=1, total=2, pid=os.getpid())
    app = choose(name)
    assert button(app, "Watch or cancel")
    button(app, "Delete for good").click().run()  # as a forged message of a browser would
    assert "Cancel it first" in texts(app)
    assert (mine.parent / name).is_dir()
    assert button(choose(unfinished("Stopped", state="cancelled")), "Resume")


def test_bundles_can_be_opened_and_taken_away_only():
    app = choose("digits")
    labels = {each.label for each in app.button}
    assert "Open map" in labels and not labels & {"Delete for good", "Rename", "Resume"}
    assert len(app.get("download_button")) == 2


def test_an_unreadable_run_can_be_deleted_only(runs):
    (runs / "broken").mkdir()
    (runs / "broken" / "manifest.json").write_text('{"name": 3}')
    app = choose("broken")
    assert listed(app).loc["broken", "State"] == "Unreadable"
    assert "does not describe a run" in texts(app)
    button(app, "Delete for good").click().run()
    assert not (runs / "broken").exists()


def test_comparing(mine, no_timers):
    app = choose(mine.name, "digits")
    button(app, "Compare side by side").click().run()
    assert not app.exception
    assert app.title[0].value == "What makes backbones comparable?"
    assert app.session_state["protocol_view"] == "compare"
    assert query(app, "run") in (mine.name, "digits")  # the other one: see the browser's test
    app = choose(mine.name, unfinished("New"))
    assert button(app, "Compare side by side").disabled and "Only finished ones" in texts(app)


def test_nothing_there(runs, monkeypatch):
    from cfs_explore.ui import data

    monkeypatch.setattr(data, "BUNDLES", runs / "none")
    assert "There is no exploration yet" in texts(open_page("explorations"))


def test_a_strangers_server_shows_bundles_and_what_the_address_names(mine, public):
    other = unfinished("Somebody elses")
    bundled = bundled_names()
    assert {"Digits", "Digits (narrow network)"} <= bundled
    assert set(listed(open_page("explorations")).index) == bundled
    assert set(listed(open_page("explorations", run=mine.name)).index) == {*bundled, "Mine"}
    assert set(listed(open_page("explorations", job=other)).index) == {*bundled, "Somebody elses"}
    app = open_page("explorations", mine=f"{mine.name}.{other}.nowhere")
    assert set(listed(app).index) == {*bundled, "Mine", "Somebody elses"}
    assert "bookmark" in texts(app)
    assert set(query(app, "mine").split(".")) == {mine.name, other}


def test_the_other_pages_keep_to_it_too(mine, public):
    start = open_page()
    assert "Mine" not in [heading.value for heading in start.subheader]
    assert mine.name not in start.selectbox(key="run").options
    opened = open_page("map", run=mine.name)
    assert opened.session_state["cells_of"] == cell_names(open_run(mine))


@pytest.mark.parametrize(
    "name", ["..", ".", "../mine", "a/../b", "%2e%2e", ".hidden", "link", "/etc", "", "x" * 500, "é"]
)
def test_an_address_cannot_name_anything_else(name, mine, public, tmp_path):
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "spec.yaml").write_text("name: x")
    (tmp_path / "link").symlink_to(mine)
    app = open_page("explorations", run=name, job=name, mine=name)
    assert set(listed(app)["State"]) == {"Bundled"}


def test_hostile_texts_are_shown_as_they_are(mine):
    manifest = json.loads((mine / "manifest.json").read_text())
    manifest["name"] = manifest["description"] = manifest["backbone"]["name"] = HOSTILE
    manifest["sets"][1]["description"] = HOSTILE
    write_json(mine / "manifest.json", manifest)
    app = choose(mine.name, run=mine.name)
    shown = next(name for name in listed(app).index if "script" in name)
    assert shown.isprintable()
    for kind in ("markdown", "caption", "header", "subheader", "title"):
        for element in app.get(kind):
            assert not re.search(r"(?<!\\)(<script|\]\(|!\[)", element.value)
    assert "\\<script\\>" in next(each.value for each in app.header if "script" in each.value)


def test_a_download_is_the_exploration(mine, tmp_path):
    """What the button packs when it is clicked can be imported."""
    path = tmp_path / "again.zip"
    path.write_bytes(explorations_chosen._pack(mine, True))
    again = open_run(bundles.import_zip(path, trusted=False))
    assert again.name == "Mine" and again.ood_names == open_run(mine).ood_names


def test_too_large_for_a_browser(mine, monkeypatch):
    monkeypatch.setattr(explorations_chosen, "MAX_DOWNLOAD_BYTES", 1_000)
    app = choose(mine.name)
    assert [each.label for each in app.get("download_button")] == ["Spec (YAML)"]
    assert any(f"cfs-explore export {mine.name}" in code.value for code in app.code)


def test_the_room_is_shown(mine, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_MAX_DISK_GB", "3")
    assert "of 3 GB" in texts(open_page("explorations"))
