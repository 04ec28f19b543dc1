"""The form of a new exploration: what it asks for, what it writes; and the page of a run in each of its states."""

import json
import os
import time
from dataclasses import replace

import pytest
from page_steps import button, open_page, texts

from cfs_explore import jobs
from cfs_explore.estimate import format_seconds
from cfs_explore.locations import BUNDLES
from cfs_explore.spec import RunSpec
from cfs_explore.stages import STAGES
from cfs_explore.store import open_run
from cfs_explore.ui import new_backbone

LETTERS = 400


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty folder for runs; no worker is started, and no backbone is timed."""
    facts = {"seconds_per_forward": 0.01, "device": "cpu"}
    monkeypatch.setattr(new_backbone, "inspect_backbone", lambda spec: facts)
    monkeypatch.setattr(jobs, "start", lambda run: (run / "started").touch())
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "0")
    return tmp_path


@pytest.fixture
def run(runs):
    """A run directory with its spec, to give a status to."""
    image_set = {"name": "letters", "source": {"builtin": "letters"}}
    spec = {"name": "My letters", "backbone": {"path": "nowhere"}, "id": {"run": "digits"}, "ood": [image_set]}
    return jobs.create(RunSpec.parse(spec))


def choose_letters(app):
    return button(app, "Add").click().run()  # letters come first


def add_paths(app, *paths):
    app.selectbox(key="new_ood_kind").select("path").run()
    app.text_area(key="new_ood_paths").input("\n".join(map(str, paths)))
    return button(app, "Add").click().run()


def write_status(run, state: str, **facts) -> None:
    status = {"state": state, "pid": os.getpid(), "started": time.time(), **facts}
    (run / "status.json").write_text(json.dumps(status))


def test_a_sample_set_gives_an_estimate_and_can_start(runs):
    app = choose_letters(open_page("new"))
    assert not app.exception
    assert f"{LETTERS} images × 8 levels × 5 draws = {LETTERS * 40:,} forwards" in texts(app)
    assert not button(app, "Start").disabled
    app.slider(key="new_draws").set_value(2).run()
    assert f"= {LETTERS * 16:,} forwards" in texts(app)


def test_start_writes_what_was_chosen(runs):
    app = choose_letters(open_page("new"))
    app.slider(key="new_draws").set_value(1)
    app.radio(key="new_taps").set_value("sparse_ed")
    app.multiselect(key="new_levels_digits").set_value([5.0, -1.0])
    app.number_input(key="new_seed").set_value(7).run()
    button(app, "Start").click().run()
    assert not app.exception
    (started,) = runs.glob("*/started")
    assert app.query_params["job"] in (started.parent.name, [started.parent.name])
    spec = RunSpec.parse(started.parent / "spec.yaml")
    assert (spec.name, spec.lams, spec.draws, spec.taps, spec.seed) == ("letters", [5.0, -1.0], 1, "sparse_ed", 7)
    assert [(s.name, s.source) for s in spec.ood] == [("letters", {"builtin": "letters"})]
    assert spec.id.run.endswith("digits")


def test_diagnostics_state_their_cost_and_are_in_the_estimate(runs):
    app = choose_letters(open_page("new"))
    counts = replace(open_run(BUNDLES / "digits").counts, ood=(LETTERS,))
    forwards = {name: stage.forwards(counts) for name, stage in STAGES.items()}
    box = app.multiselect(key="new_diagnostics")
    assert box.value == list(STAGES)
    assert box.options[0] == "Complementarity, no forwards"
    seconds = format_seconds(forwards["controls"] * 0.01)
    assert f"Controls, +{forwards['controls']:,} forwards, about {seconds}" in box.options
    assert f"and {sum(forwards.values()):,} for the diagnostics" in texts(app)
    assert f"About **{format_seconds((LETTERS * 40 + sum(forwards.values())) * 0.01)}**" in texts(app)
    box.set_value(["separation", "stability"]).run()
    assert f"and {forwards['stability']:,} for the diagnostics" in texts(app)
    app.multiselect(key="new_diagnostics").set_value(["separation"]).run()
    assert "for the diagnostics" not in texts(app)


def test_a_choice_of_diagnostics_outlives_labels_that_change(runs):
    app = choose_letters(open_page("new"))
    app.multiselect(key="new_diagnostics").set_value(["controls", "complementarity"]).run()
    labels = app.multiselect(key="new_diagnostics").options
    app.slider(key="new_draws").set_value(2)
    app.multiselect(key="new_levels_digits").set_value([5.0, -1.0]).run()
    assert app.multiselect(key="new_diagnostics").options != labels
    assert app.multiselect(key="new_diagnostics").value == ["complementarity", "controls"]
    app.multiselect(key="new_levels_digits").set_value([]).run()
    assert app.multiselect(key="new_diagnostics").options[4] == "Controls"  # nothing to reckon with
    app.multiselect(key="new_levels_digits").set_value([5.0]).run()
    button(app, "Start").click().run()
    (started,) = runs.glob("*/started")
    spec = RunSpec.parse(started.parent / "spec.yaml")
    assert spec.diagnostics == spec.stages == ["complementarity", "controls"]


@pytest.mark.parametrize(("chosen", "written"), [(None, "all"), ([], [])])
def test_all_diagnostics_or_none(runs, chosen, written):
    app = choose_letters(open_page("new"))
    if chosen is not None:
        app.multiselect(key="new_diagnostics").set_value(chosen).run()
    button(app, "Start").click().run()
    (started,) = runs.glob("*/started")
    assert RunSpec.parse(started.parent / "spec.yaml").diagnostics == written


def test_own_id_images_from_the_server(runs, write_images):
    app = choose_letters(open_page("new"))
    app.radio(key="new_id").set_value("").run()
    assert "Add in-distribution images" in texts(app)
    assert button(app, "Start").disabled
    path = write_images(40, "zip", side=16)
    app.selectbox(key="new_id_kind").select("path").run()
    app.text_area(key="new_id_paths").input(str(path))
    app.button(key="new_id_add").click().run()
    assert f"{LETTERS + 40} images" in texts(app)
    button(app, "Start").click().run()
    (started,) = runs.glob("*/started")
    assert RunSpec.parse(started.parent / "spec.yaml").id.train.source == str(path)


def test_no_level_and_no_tap_are_asked_for(runs):
    app = choose_letters(open_page("new"))
    app.multiselect(key="new_levels_digits").set_value([])
    app.radio(key="new_taps").set_value("manual").run()
    said = texts(app)
    assert "Choose at least one noise level" in said and "Choose at least one tap" in said
    assert button(app, "Start").disabled


def test_few_images_are_warned_of(runs, write_images):
    app = add_paths(open_page("new"), write_images(3, "zip", side=16))
    assert "fewer than 20: wide intervals" in texts(app)
    assert not button(app, "Start").disabled


def test_an_unknown_run_is_said_and_the_form_shown(runs):
    app = open_page("new", job="gone")
    assert "no such run" in texts(app)
    assert "job" not in app.query_params
    assert button(app, "Start").disabled


def test_a_running_job_shows_rate_and_time_left(run):
    write_status(
        run, "running", stage="measuring", detail="letters", done=1500, total=6000, unit="forwards", rate=250, eta=18
    )
    app = open_page("new", job=run.name)
    assert app.title[0].value == "My letters"
    assert "1,500 of 6,000 forwards · 250 forwards/s · about 18 s left" in texts(app)
    assert button(app, "Cancel")


def test_diagnostics_that_run_are_named_and_the_map_can_be_opened(run, no_timers):
    write_status(run, "running", stage="saving", total=1)
    assert "Open the map now" not in [each.label for each in open_page("new", job=run.name).button]
    source = BUNDLES / "digits"
    for name in ("manifest.json", "images.parquet", "tables", "scores.zarr", "moments.zarr", "snapshots.zarr"):
        (run / name).symlink_to(source / name)
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
    from cfs_explore.ui.job_view import _STAGES

    assert {stage.title.lower() for stage in STAGES.values()} < set(_STAGES)


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
