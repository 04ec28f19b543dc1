"""The page Training on a small run: what it says, its slider and its address; and on runs that cannot have it."""

import json
import shutil

import pytest
from page_steps import open_page, texts

from cfs_explore.figures.catalogue import KINDS
from cfs_explore.figures.choices import choose
from cfs_explore.pipeline import diagnose, explore
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.wording import format_estimate

CHARTS = {
    "training-map": "training_map",
    "training-to-come": "training_to_come",
    "training-auroc": "training_auroc",
    "training-excess": "training_excess",
}


@pytest.fixture(scope="module")
def grown_runs(tiny_spec, write_images, kept_training, tmp_path_factory):
    """A folder with one run "tiny": a set of 12 images and one of a single image; and one with the map alone."""
    home = tmp_path_factory.mktemp("training-page")
    spec = tiny_spec(40, 12, name="tiny", diagnostics="map", backbone=str(kept_training))
    spec["ood"].append({"name": "one", "source": str(write_images(1, seed=3))})
    explore(spec, home / "bare" / "tiny", device="cpu")
    shutil.copytree(home / "bare", home / "whole")
    diagnose(home / "whole" / "tiny", ["training"], device="cpu")
    return home


@pytest.fixture
def show(grown_runs, only_runs):
    def open_it(name="whole", **query):
        only_runs(grown_runs / name)
        return open_page("training", run="tiny", **query)

    return open_it


def assert_shows(app, run, ood, step):
    choices = choose(run, ood=ood, options={"training_step": str(step)})
    charts = {each.proto.id.rpartition("-")[2]: each.proto for each in app.get("plotly_chart")}
    assert set(charts) == set(CHARTS.values())
    for kind, key in CHARTS.items():
        figure = KINDS[kind].make(run, choices, "light")
        assert json.loads(charts[key].spec) == figure.sent and charts[key].alt == figure.alt


def test_it_opens_with_the_first_weights_and_says_what_training_adds(grown_runs, show):
    app, run = show(ood="bright"), open_run(grown_runs / "whole" / "tiny")
    assert app.title[0].value == "How does the map come into being?"
    first, last = (run.table("training_steps").query("ood == 'bright' and step == @step").iloc[0] for step in (0, 5))
    for row in (first, last):
        assert format_estimate(row["best"], row["best_lo"], row["best_hi"]) in app.markdown[0].value
    assert "**bright**" in app.markdown[0].value and "after 5 steps" in app.markdown[0].value
    slider = app.select_slider(key="training_step")
    assert list(slider.options) == ["0", "1", "2", "4", "5"] and app.session_state["training_step"] == 0
    assert_shows(app, run, "bright", 0)


def test_the_slider_moves_the_maps_and_stands_in_the_address(grown_runs, show):
    app, run = show(ood="bright", training_step="2"), open_run(grown_runs / "whole" / "tiny")
    assert_shows(app, run, "bright", 2)
    app.select_slider(key="training_step").set_value(5).run()
    assert not app.exception and app.query_params["training_step"] in ("5", ["5"])
    assert_shows(app, run, "bright", 5)
    assert "after 5 steps of training, the run's own" in texts(app)


@pytest.mark.usefixtures("routed")
@pytest.mark.parametrize("step", ["3", "-1", "x", "1e9", "2.5"])
def test_a_step_that_was_not_kept_becomes_the_first(step, show):
    app = show(ood="bright", training_step=step)
    assert app.session_state["training_step"] == 0 and "tiny has no step of its training" in texts(app)


def test_a_set_of_one_image_says_that_it_is_too_few(show):
    app = show(ood="one")
    assert "Too few images of **one**" in app.markdown[0].value and len(app.get("plotly_chart")) == 4


def test_without_the_stage_the_page_says_what_it_answers_and_costs(grown_runs, show):
    text, run = texts(show("bare")), open_run(grown_runs / "bare" / "tiny")
    forwards = DIAGNOSTICS["training"].forwards(run.counts)
    assert forwards == 4 * sum(entry.count for entry in run.manifest.sets) * 2
    assert "made without the stage Training." in text and f"It takes {forwards:,} forwards" in text


def test_a_run_whose_training_kept_nothing_says_how_to_keep_it():
    app = open_page("training", run="digits")
    text = texts(app)
    assert "`milestones: true`" in text and "without the stage" not in text and not app.get("plotly_chart")
    assert not [each for each in app.button if each.label.startswith("Compute")]


def test_weights_that_do_not_fit_are_named(grown_runs, only_runs, tmp_path, kept_training, save_unet):
    way = shutil.copytree(kept_training, tmp_path / "net") / "milestones"
    shutil.rmtree(way / "000002")
    shutil.copytree(save_unet({"_class_name": "DDPMScheduler"}, block_out_channels=(8, 24)), way / "000002")
    path = shutil.copytree(grown_runs / "bare" / "tiny", tmp_path / "runs" / "tiny")
    spec = (path / "spec.yaml").read_text().replace(str(kept_training), str(tmp_path / "net"))
    (path / "spec.yaml").write_text(spec)
    diagnose(path, ["training"], device="cpu")
    only_runs(path.parent)
    text = texts(open_page("training", run="tiny"))
    assert "Training could not be computed: backbone.milestones: " in text
    assert "000002 holds another architecture or noise schedule" in text
