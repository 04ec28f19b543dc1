"""A run being made, on its page: each of its states, its place in the queue, its log, and its deletion."""

import json
import os
import shutil
import time
from dataclasses import asdict

import pytest
from page_steps import button, open_page, texts

from cfs_explore import jobs
from cfs_explore.errors import RunError
from cfs_explore.locations import BUNDLES
from cfs_explore.spec import RunSpec
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.ui import job_view


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "0")
    monkeypatch.setattr(jobs, "start", lambda run: (run / "started").touch())
    ood = [{"name": "letters", "source": {"builtin": "letters"}}]
    return jobs.create(RunSpec.parse({"name": "mine", "backbone": "b", "id": {"run": "digits"}, "ood": ood}))


def write_status(run, state, **facts):
    status = jobs.Status(state, **{"pid": os.getpid(), "started": time.time(), **facts})
    (run / "status.json").write_text(json.dumps(asdict(status)))


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        (1, "this one is the next to start"),
        (2, "Place 2 in the queue: the run at work and 1 other come"),
        (4, "and 3 others come"),
    ],
)
def test_the_place_in_the_queue(run, place, shown):
    write_status(run, "waiting", place=place)
    assert shown in texts(open_page("new", job=run.name))


def test_a_failed_run_says_how_far_it_came(run):
    write_status(run, "failed", error="no", stage="measuring", done=4, total=1900, unit="forwards")
    assert "It stopped while measuring: 4 of 1,900 forwards." in texts(open_page("new", job=run.name))


def test_an_error_names_the_visitors_file_and_not_its_place_on_the_server(run):
    place = run / "uploads" / "f81e" / "fake.jpg"
    write_status(run, "failed", error=f"{place}: no image of 1 can be read; the first: {place}: not an image.")
    page = open_page("new", job=run.name)
    assert page.error[0].value.replace("\\", "") == (
        "fake.jpg: no image of 1 can be read; the first: fake.jpg: not an image."
    )


def test_the_log_is_shown_as_text(run):
    (run / "log.txt").write_text("warming up\n<img src=x onerror=alert(1)> **loud**\n")
    write_status(run, "cancelled")
    page = open_page("new", job=run.name)
    assert not page.code  # it is read while it is open
    page.session_state["job_log"] = True
    (code,) = page.run().code
    assert code.value == "warming up\n<img src=x onerror=alert(1)> **loud**"


def test_a_damaged_status_leaves_a_run_that_can_go_on(run, monkeypatch):
    (run / "status.json").write_text('{"state": "runn')
    started = []
    monkeypatch.setattr(jobs, "start", started.append)
    app = open_page("new", job=run.name)
    assert "Delete for good" in [each.label for each in app.button]
    button(app, "Go on").click().run()
    assert started == [run]


def test_deleting_asks_twice_and_leaves_nothing(run, tmp_path):
    write_status(run, "failed", error="no")
    app = open_page("new", job=run.name)
    button(app, "Delete for good").click().run()
    assert not app.exception and not run.exists()
    assert "job" not in app.query_params


def test_a_run_at_work_offers_no_deletion(run):
    write_status(run, "running", stage="measuring", done=1, total=2, unit="forwards")
    assert "Delete for good" not in [each.label for each in open_page("new", job=run.name).button]


def test_a_run_that_was_deleted_in_another_tab_is_not_offered(run):
    write_status(run, "cancelled")
    page = open_page("new", job=run.name)
    shutil.rmtree(run)
    page.run()
    assert "There is no such run on this server (any more)." in texts(page)
    assert "Go on" not in [each.label for each in page.button]


@pytest.mark.parametrize(
    ("state", "label", "asks"),
    [("running", "Cancel", "cancel"), ("running", "Stop here and keep this map", "keep"), ("failed", "Go on", "start")],
)
def test_what_cannot_be_done_is_said(run, monkeypatch, state, label, asks):
    """As where another app on the same folder deletes the run at that moment."""

    def refuse(run):
        raise RunError("It was deleted meanwhile.")

    monkeypatch.setattr(job_view.growing_view, "has_map", lambda run: True)
    monkeypatch.setattr(jobs, asks, refuse)
    write_status(run, state, stage="measuring", done=4, total=1900, unit="forwards")
    page = open_page("new", job=run.name)
    button(page, label).click().run()
    assert not page.exception and any("It was deleted meanwhile" in each.value for each in page.error)


def test_the_wish_to_keep_is_said_until_it_is_done(run, monkeypatch):
    monkeypatch.setattr(job_view.growing_view, "has_map", lambda run: True)
    write_status(run, "running", stage="measuring", done=4, total=1900, unit="forwards")
    assert button(open_page("new", job=run.name), "Stop here and keep this map")
    (run / "keep").touch()
    page = open_page("new", job=run.name)
    assert "Stops as soon as the images under way are measured" in texts(page)
    assert "Stop here and keep this map" not in [each.label for each in page.button]


def test_a_press_is_not_lost_where_the_map_has_grown_meanwhile(run, monkeypatch):
    write_status(run, "running", stage="measuring", done=4, total=1900, unit="forwards")
    cancelled, maps = [], iter(range(99))
    monkeypatch.setattr(jobs, "cancel", lambda run: cancelled.append(run.name) or write_status(run, "cancelled"))
    monkeypatch.setattr(job_view, "growing_map", lambda run: run / str(min(next(maps), 3)))
    monkeypatch.setattr(job_view.growing_view, "show_growing_map", lambda run: None)
    page = open_page("new", job=run.name)
    button(page, "Cancel").click().run()
    assert cancelled == [run.name]


def test_a_running_job_shows_rate_and_time_left(run):
    write_status(
        run, "running", stage="measuring", detail="letters", done=1500, total=6000, unit="forwards", rate=250, eta=18
    )
    app = open_page("new", job=run.name)
    assert app.title[0].value == "mine"
    assert "1,500 of 6,000 forwards · 250 forwards/s · about 18 s left" in texts(app)
    assert button(app, "Cancel")


def ask_for(run, *stages):
    spec = RunSpec.parse(run / "spec.yaml").model_copy(update={"diagnostics": list(stages)})
    (run / "spec.yaml").write_text(spec.to_yaml())


def finish_map(run):
    for name in ("manifest.json", "images.parquet", "tables", "scores.zarr", "moments.zarr", "snapshots.zarr"):
        (run / name).symlink_to(BUNDLES / "digits" / name)


def test_a_finished_map_does_not_wait_for_stages_that_take_moments(run, no_timers):
    ask_for(run, "complementarity", "separation")
    write_status(run, "running", stage="tabulating", total=1)
    assert open_page("new", job=run.name).title[0].value == "mine"
    finish_map(run)
    write_status(run, "running", stage="complementarity")
    assert open_page("new", job=run.name).title[0].value == "Where does the signal live?"
    # Diagnostics that were asked for by themselves lead to their own page, and only when they are done.
    write_status(run, "running", stage="complementarity", stages="complementarity")
    assert open_page("new", job=run.name).title[0].value == "mine"


def test_diagnostics_that_run_are_named_and_the_map_can_be_opened(run, no_timers):
    write_status(run, "running", stage="saving", total=1)
    assert "Open the map now" not in [each.label for each in open_page("new", job=run.name).button]
    ask_for(run, "controls")
    finish_map(run)
    write_status(run, "running", stage="controls", done=500, total=6000, unit="forwards", rate=250, eta=22)
    app = open_page("new", job=run.name)
    assert "500 of 6,000 forwards" in texts(app)
    assert app.get("progress")[0].proto.text == "Diagnostics: Controls"
    assert "only the diagnostics are still being computed" in texts(app)
    button(app, "Open the map now").click().run()
    assert not app.exception
    assert app.title[0].value == "Where does the signal live?"
    assert app.query_params["run"] in (run.name, [run.name])  # which the browser hands to the page


def test_every_stage_has_a_name_on_the_page():
    assert {stage.title.lower() for stage in DIAGNOSTICS.values()} < set(job_view._STAGES)


def test_a_job_that_stopped_in_its_diagnostics_offers_the_map(run):
    (run / "manifest.json").symlink_to(BUNDLES / "digits" / "manifest.json")
    write_status(run, "failed", stage="controls", error="out of memory")
    app = open_page("new", job=run.name)
    assert button(app, "Open the map now") and button(app, "Go on")


def test_a_waiting_job_says_so(run):
    write_status(run, "waiting")
    assert "Another run is using the device" in texts(open_page("new", job=run.name))


def test_a_failed_job_says_why_and_can_go_on(run):
    write_status(run, "failed", error="disk full while writing to /runs: free some space there.")
    app = open_page("new", job=run.name)
    assert "disk full while writing to /runs: free some space there." in texts(app)
    button(app, "Go on").click().run()
    assert (run / "started").exists()


def test_a_worker_that_died_reads_as_failed(run):
    write_status(run, "running", stage="measuring", pid=2**22 + 1)
    app = open_page("new", job=run.name)
    assert "The worker stopped without a message" in texts(app)
    assert button(app, "Go on")


def test_a_cancelled_job_leads_back_to_the_form(run):
    write_status(run, "cancelled")
    app = open_page("new", job=run.name)
    assert "Cancelled. What was measured is kept." in texts(app)
    button(app, "Back to the form").click().run()
    assert "job" not in app.query_params
    assert button(app, "Start").disabled


def place(block, label: str, path=()) -> tuple | None:
    """Where the button of this label stands among a page's blocks: the keys that lead to its row."""
    for key, child in block.children.items():
        if getattr(child, "label", None) == label and child.type == "button":
            return path
        found = place(child, label, (*path, key)) if hasattr(child, "children") else None
        if found is not None:
            return found
    return None


@pytest.mark.parametrize("stage", ["measuring", "starting"])
def test_the_buttons_of_a_stopped_run_take_the_place_of_those_before(run, stage):
    """What stood elsewhere would stay, greyed, beside the new row until all of that is drawn."""
    rows = set()
    for state, label in [("running", "Cancel"), ("waiting", "Cancel"), ("cancelled", "Go on"), ("failed", "Go on")]:
        write_status(run, state, stage=stage, done=3, total=9, unit="forwards", pid=os.getpid(), error="Ended.")
        rows.add(place(open_page("new", job=run.name).main, label))
    assert len(rows) == 1 and None not in rows


def test_what_cannot_be_started_says_why(run, monkeypatch):
    def refuse(run):
        raise RunError("The disk is full: free some space.")

    monkeypatch.setattr(jobs, "start", refuse)
    write_status(run, "cancelled")
    page = open_page("new", job=run.name)
    button(page, "Go on").click().run()
    assert [error.value.replace("\\", "") for error in page.error] == ["The disk is full: free some space."]
    assert not page.exception
