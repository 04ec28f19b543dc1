"""A run being made, on its page: its place in the queue, its log, and its deletion."""

import json
import time
from dataclasses import asdict

import pytest
from page_steps import button, open_page, texts

from cfs_explore import jobs
from cfs_explore.spec import RunSpec


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "0")
    ood = [{"name": "letters", "source": {"builtin": "letters"}}]
    return jobs.create(RunSpec.parse({"name": "mine", "backbone": "b", "id": {"run": "digits"}, "ood": ood}))


def write_status(run, state, **facts):
    status = jobs.Status(state, started=time.time(), **facts)
    (run / "status.json").write_text(json.dumps(asdict(status)))


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (1, "this one is the next to start"),
        (2, "Place 2 in the queue: the run at work and 1 other come"),
        (4, "and 3 others come"),
    ],
)
def test_the_place_in_the_queue(run, place, told):
    write_status(run, "waiting", place=place)
    assert told in texts(open_page("new", job=run.name))


def test_a_failed_run_says_how_far_it_came(run):
    write_status(run, "failed", error="no", stage="measuring", done=4, total=1900, unit="forwards")
    assert "It stopped while measuring: 4 of 1,900 forwards." in texts(open_page("new", job=run.name))


def test_the_log_is_shown_as_text(run):
    (run / "log.txt").write_text("warming up\n<img src=x onerror=alert(1)> **loud**\n")
    write_status(run, "cancelled")
    (code,) = open_page("new", job=run.name).code
    assert code.value == "warming up\n<img src=x onerror=alert(1)> **loud**"


def test_deleting_asks_twice_and_leaves_nothing(run, tmp_path):
    write_status(run, "failed", error="no")
    app = open_page("new", job=run.name)
    button(app, "Delete for good").click().run()
    assert not app.exception and not run.exists()
    assert "job" not in app.query_params


def test_a_run_at_work_offers_no_deletion(run):
    write_status(run, "running", stage="measuring", done=1, total=2, unit="forwards")
    assert "Delete for good" not in [each.label for each in open_page("new", job=run.name).button]
