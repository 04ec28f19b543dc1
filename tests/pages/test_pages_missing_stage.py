"""A diagnostic that a run lacks: its place says what it answers and costs, and one click starts it and comes back."""

import json
import shutil
import time

import pytest
from page_steps import button, open_page, texts

from cfs_explore import jobs
from cfs_explore.jobs.estimate import format_seconds
from cfs_explore.pipeline import explore
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.ui import data

#: Page of the app, its address -> the stages that it misses, in the order of the page.
PAGES = [
    ("complementarity", {"comp_view": "pairs"}, ["complementarity"]),
    ("separation", {}, ["separation"]),
    ("stability", {}, ["stability", "sharing"]),
    ("prediction", {}, ["prediction", "ablation"]),
    ("where", {}, ["where"]),
    ("controls", {}, ["controls"]),
    ("falsifier", {}, ["detectors"]),
    ("protocol", {"protocol_view": "levels"}, ["levels"]),
    ("protocol", {"protocol_view": "alignment"}, ["alignment"]),
    ("protocol", {"protocol_view": "conditioning"}, ["conditioning"]),
    ("protocol", {"protocol_view": "cost"}, ["levels"]),
]
#: Those that a run can have whose backbone's training kept no weights.
POSSIBLE = [name for name in DIAGNOSTICS if name != "training"]


@pytest.fixture(scope="module")
def only_map(tiny_spec, tmp_path_factory):
    """A finished map without any diagnostic."""
    spec = tiny_spec(60, 40, name="only the map", diagnostics="map", batch_size=20)
    return explore(spec, tmp_path_factory.mktemp("map") / "mine", device="cpu")


@pytest.fixture
def run(only_map, tmp_path, monkeypatch):
    """A visitor's copy of it; what the app starts is written down instead."""
    path = shutil.copytree(only_map.path, tmp_path / "runs" / "mine")
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(path.parent))
    monkeypatch.setattr(data, "BUNDLES", tmp_path)
    monkeypatch.setattr(jobs, "start", lambda run, stages=None: (run / "asked").write_text(",".join(stages or ["?"])))
    return open_run(path)


def change(run, **fields) -> None:
    path = run.path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def about(run, names, speed) -> str:
    return f"about {format_seconds(sum(DIAGNOSTICS[name].forwards(run.counts) for name in names) * speed)}"


@pytest.mark.parametrize(("page", "query", "stages"), PAGES)
def test_its_place_says_what_it_answers_and_what_it_costs(run, page, query, stages):
    change(run, seconds_per_forward=0.5)
    run = open_run(run.path)
    app = open_page(page, run="mine", **query)
    said = texts(app)
    for name in stages:
        stage, forwards = DIAGNOSTICS[name], DIAGNOSTICS[name].forwards(run.counts)
        assert said.count(f"made without the stage {stage.title}.") == 1
        assert stage.question[1:] in said
        cost = f"{forwards:,} forwards, {about(run, [name], 0.5)}" if forwards else "no forwards, a few seconds"
        assert f"It takes {cost}." in said
    labels = [each.label for each in app.button if each.label.startswith("Compute")]
    ways = [
        f"Compute it ({about(run, [n], 0.5) if DIAGNOSTICS[n].forwards(run.counts) else 'a few seconds'})"
        for n in stages
    ]
    ways.insert(1, f"Compute everything that is missing ({about(run, DIAGNOSTICS, 0.5)})")
    assert labels == ways


@pytest.mark.parametrize(("label", "asked"), [("Compute it", ["controls"]), ("Compute everything", POSSIBLE)])
def test_one_click_starts_it_and_the_jobs_address_knows_the_way_back(run, label, asked):
    app = open_page("controls", run="mine")
    next(each for each in app.button if each.label.startswith(label)).click().run()
    assert not app.exception
    assert (run.path / "asked").read_text().split(",") == asked
    assert [app.query_params[key] for key in ("job", "back")] in (["mine", "controls"], [["mine"], ["controls"]])


@pytest.mark.parametrize(
    ("back", "title"),
    [
        ({"back": "controls"}, "Is it the backbone?"),
        ({}, "Where does the signal live?"),
        ({"back": "../secret"}, "Where does the signal live?"),
    ],
)
def test_a_finished_job_leads_back_to_the_page_that_asked(run, no_timers, back, title):
    status = {"state": "finished", "started": time.time(), "stages": "controls"}
    (run.path / "status.json").write_text(json.dumps(status))
    app = open_page("new", job="mine", **back)
    assert app.title[0].value == title


def test_the_time_is_that_of_the_map_or_of_a_few_forwards_on_this_server(run):
    speed = run.manifest.seconds_per_forward
    assert 0 < speed < 1
    assert about(run, ["controls"], speed) in texts(open_page("controls", run="mine"))
    change(run, seconds_per_forward=None)
    assert about(run, ["controls"], 0.01) in texts(open_page("controls", run="mine"))


def test_of_a_bundle_the_commands_are_shown(run, monkeypatch, tmp_path):
    """A visitor cannot change it."""
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(data, "BUNDLES", run.path.parent)
    app = open_page("controls", run="mine")
    commands = [each.value for each in app.code]
    assert commands == ["cfs-explore diagnose mine --stages controls", "cfs-explore diagnose mine --stages all"]
    assert not [each for each in app.button if each.label.startswith("Compute")]


@pytest.mark.parametrize(
    ("stages", "text"), [("controls", "Controls is being computed."), ("levels", "can be computed when the work")]
)
def test_while_a_worker_is_at_it_the_page_leads_to_it(run, monkeypatch, stages, text):
    monkeypatch.setattr(jobs, "is_alive", lambda status: status is not None)
    status = {"state": "running", "started": time.time(), "stages": stages}
    (run.path / "status.json").write_text(json.dumps(status))
    app = open_page("controls", run="mine")
    assert text in texts(app) and not [each for each in app.button if each.label.startswith("Compute")]


def test_one_that_could_not_be_computed_says_why_and_can_be_tried_again(run):
    change(run, stages={"controls": {"state": "skipped", "why": "Put the files <there>."}})
    app = open_page("controls", run="mine")
    assert "Controls could not be computed: Put the files <there>." in texts(app)
    button(app, f"Try again ({about(run, ['controls'], run.manifest.seconds_per_forward)})").click().run()
    assert (run.path / "asked").read_text() == "controls"


def test_a_page_with_all_its_stages_says_nothing_of_it(only_map):
    app = open_page("controls", run="digits")
    assert "without the stage" not in texts(app)


def spec_says(run, **sources) -> None:
    """Let manifest and spec say that the sets come from elsewhere."""
    spec = json.loads((run.path / "manifest.json").read_text())["spec"]
    spec["id"]["train"]["source"] = sources.get("train", spec["id"]["train"]["source"])
    spec["ood"][0]["source"] = sources.get("ood", spec["ood"][0]["source"])
    change(run, spec=spec)


def computing(app) -> list[str]:
    return [each.label.partition(" (")[0] for each in app.button if each.label.startswith(("Compute", "Try"))]


def test_without_the_images_no_click_is_offered_and_the_page_says_so(run, tmp_path):
    spec_says(run, ood=str(tmp_path / "gone.npz"))
    app = open_page("controls", run="mine")
    assert "The images of bright are not on this machine any more." in texts(app)
    assert computing(app) == ["Compute what can be computed here"]
    button = next(each for each in app.button if each.label.startswith("Compute"))
    button.click().run()
    assert (run.path / "asked").read_text() == "complementarity,separation,sealed,stability,sharing,prediction"
    change(run, stages={"controls": {"state": "skipped", "why": "Nothing there."}})
    app = open_page("controls", run="mine")
    assert "are not on this machine any more" in texts(app) and computing(app) == []


def test_what_is_fetched_first_is_said_before_the_click(run, monkeypatch, tmp_path):
    monkeypatch.setenv("CFS_EXPLORE_DATA", str(tmp_path / "no data"))
    spec_says(run, ood={"torchvision": "SVHN", "split": "test"})
    app = open_page("controls", run="mine")
    assert "Not on this machine: the images of bright from torchvision's SVHN. They are fetched first" in texts(app)
    assert "`cfs-explore fetch mine`" in texts(app) and len(computing(app)) == 2
    monkeypatch.setattr("cfs_explore.safe_io.fetching.may_fetch", lambda name: False)
    data.absent.clear()
    app = open_page("controls", run="mine")
    assert "`cfs-explore fetch mine`" in texts(app) and computing(app) == ["Compute what can be computed here"]
