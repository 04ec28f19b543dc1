"""The form of a new exploration: what it asks for, what it writes."""

import pytest
import streamlit as st
from form_steps import choose_id, keyed, picture, set_draws, upload
from page_steps import button, open_page, texts

from cfs_explore import jobs
from cfs_explore.explorations.absent import Absent
from cfs_explore.jobs.estimate import format_seconds
from cfs_explore.locations import BUNDLES
from cfs_explore.spec import RunSpec
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS, STANDARD
from cfs_explore.ui import background, data, new_backbone, new_diagnostics, new_estimate
from cfs_explore.wording import listed

LETTERS = 400


def choose_letters(app):
    return button(app, "Add").click().run()  # letters come first


def add_paths(app, *paths):
    app.selectbox(key="new_ood_kind").select("path").run()
    app.text_area(key="new_ood_paths").input("\n".join(map(str, paths)))
    return button(app, "Add").click().run()


def test_a_sample_set_gives_an_estimate_and_can_start(runs):
    app = choose_letters(open_page("new"))
    assert not app.exception
    assert f"{LETTERS} images × 8 levels × 1 draw = {LETTERS * 8:,} forwards" in texts(app)
    assert not button(app, "Start").disabled
    set_draws(app, 2).run()
    assert f"2 draws = {LETTERS * 16:,} forwards" in texts(app)


@pytest.mark.parametrize(("seconds", "draws"), [(0.003, 5), (0.004, 1), (None, 1)])
def test_one_draw_where_all_take_over_a_minute(runs, monkeypatch, seconds, draws):
    """400 letters, 8 levels and 5 draws are 16,000 forwards; what is not known yet counts as slow."""
    facts = None if seconds is None else {"seconds_per_forward": seconds, "device": "cpu"}
    monkeypatch.setattr(new_backbone, "facts_by_now", lambda spec: facts)
    monkeypatch.setattr(background, "watch", lambda task, text: st.info(text))
    monkeypatch.setattr(new_estimate, "inspecting", lambda spec: None)
    app = choose_letters(open_page("new"))
    assert f"× {draws} draw" in texts(app)
    assert ("One noise draw, since 5 take about 64 s" in texts(app)) == (seconds == 0.004)
    assert ("Measuring the speed of this machine" in texts(app)) == (seconds is None)
    assert not button(app, "Start").disabled
    set_draws(app, 3).run()
    assert "× 3 draws" in texts(app) and "One noise draw" not in texts(app)
    monkeypatch.setattr(new_backbone, "facts_by_now", lambda spec: {"seconds_per_forward": 1e-4, "device": "cpu"})
    app.run()
    assert "× 3 draws" in texts(app)  # a choice stays


def test_start_writes_what_was_chosen(runs):
    app = choose_letters(open_page("new"))
    set_draws(app, 2)
    app.radio(key="new_taps").set_value("sparse_ed")
    app.multiselect(key="new_levels_digits").set_value([5.0, -1.0])
    assert app.selectbox(key="new_workers").options[:2] == ["Automatic", "1"]
    app.selectbox(key="new_workers").set_value(1)
    app.number_input(key="new_seed").set_value(7).run()
    button(app, "Start").click().run()
    assert not app.exception
    (started,) = runs.glob("*/started")
    assert started.read_text() == "1"
    assert app.query_params["job"] in (started.parent.name, [started.parent.name])
    spec = RunSpec.parse(started.parent / "spec.yaml")
    assert (spec.name, spec.lams, spec.draws, spec.taps, spec.seed) == ("letters", [5.0, -1.0], 2, "sparse_ed", 7)
    assert [(s.name, s.source) for s in spec.ood] == [("letters", {"builtin": "letters"})]
    assert spec.id.run.endswith("digits")


def test_a_set_may_be_put_into_a_group(runs):
    app = choose_letters(open_page("new"))
    (group,) = keyed(app.selectbox, "set_group_new_ood")
    assert group.options == ["none", "near", "far", "covariate"] and group.value == ""
    group.set_value("far").run()
    button(app, "Start").click().run()
    (started,) = runs.glob("*/started")
    assert RunSpec.parse(started.parent / "spec.yaml").ood[0].set_group == "far"


def test_a_run_that_cannot_fit_is_refused_before_the_uploads_are_moved(runs, monkeypatch):
    """There is room, but not for what the estimate says."""
    app = upload(open_page("new"), {f"{seed}.png": picture(seed) for seed in range(3)})
    monkeypatch.setenv("CFS_EXPLORE_MAX_DISK_GB", "0.0005")
    before = sorted(path for path in runs.rglob("*") if path.is_file())
    jobs.check_room()
    button(app, "Start").click().run()
    assert sum("this one needs about" in each.value for each in app.error) == 2  # at the estimate, and at Start
    assert sorted(path for path in runs.rglob("*") if path.is_file()) == before
    monkeypatch.delenv("CFS_EXPLORE_MAX_DISK_GB")
    button(app, "Start").click().run()
    (started,) = runs.glob("*/started")
    assert started.read_text() == "auto"


def test_an_administrator_bounds_the_processes(runs, monkeypatch):
    monkeypatch.setattr(jobs, "cores", lambda: 8)
    monkeypatch.setenv("CFS_EXPLORE_MAX_WORKERS", "3")
    assert choose_letters(open_page("new")).selectbox(key="new_workers").options == ["Automatic", "1", "2", "3"]
    monkeypatch.setitem(new_backbone.facts_by_now(None), "gpus", 2)
    assert choose_letters(open_page("new")).selectbox(key="new_workers").options == ["Automatic", "1", "2"]


def captions(app) -> list[str]:
    return [caption.replace("\\", "") for caption in app.radio(key="new_diagnostics").proto.captions]


def test_three_choices_state_their_cost_and_are_in_the_estimate(runs):
    app = choose_letters(open_page("new"))
    counts = open_run(BUNDLES / "digits").counts._replace(ood=(LETTERS,), draws=1, budget=None)
    forwards = sum(stage.forwards(counts) for stage in DIAGNOSTICS.values())
    choice = app.radio(key="new_diagnostics")
    assert (choice.options, choice.value) == (["Map", "Standard", "Everything"], "standard")
    own = f"{LETTERS * 8:,} forwards, about {format_seconds(LETTERS * 8 * 0.01)}"
    assert captions(app)[0] == f"The map and nothing else: {own}."
    assert (
        captions(app)[1]
        == f"Also {listed([DIAGNOSTICS[name].title.lower() for name in STANDARD])}: a few seconds more."
    )
    assert f": {forwards:,} forwards more, about {format_seconds(forwards * 0.01)}. Falsifier " in captions(app)[2]
    assert "for the diagnostics" not in texts(app)
    assert f"About **{format_seconds(LETTERS * 8 * 0.01)}**" in texts(app)
    choice.set_value("all").run()
    assert f"and {forwards:,} for the diagnostics" in texts(app)
    assert f"About **{format_seconds((LETTERS * 8 + forwards) * 0.01)}**" in texts(app)


def test_a_backbone_whose_training_kept_weights_can_have_the_stage_of_them(runs, monkeypatch):
    monkeypatch.setattr(new_diagnostics, "count_milestones", lambda path, given: 3)
    app = choose_letters(open_page("new"))
    counts = open_run(BUNDLES / "digits").counts._replace(ood=(LETTERS,), draws=1, budget=None, milestones=3)
    forwards = sum(stage.forwards(counts) for stage in DIAGNOSTICS.values())
    assert f": {forwards:,} forwards more" in captions(app)[2]
    assert "With training, which this backbone allows." in captions(app)[2]
    monkeypatch.setattr(new_diagnostics, "count_milestones", lambda path, given: 0)
    assert "training" not in captions(choose_letters(open_page("new")))[2]


def test_stages_without_images_on_this_machine_are_left_out_of_the_time(runs, monkeypatch):
    """The ID images of the exploration whose statistics are used are not here."""
    gone = [Absent(role, name, True, "torchvision's CIFAR10", False) for role, name in [("id_test", "digits <0-6>")]]
    monkeypatch.setattr(data, "absent", lambda run: gone)
    app = choose_letters(open_page("new"))
    counts = open_run(BUNDLES / "digits").counts._replace(ood=(LETTERS,), draws=1, budget=None)
    forwards = DIAGNOSTICS["prediction"].forwards(counts)  # the only one that needs ID-train alone
    assert (
        f": {forwards:,} forwards more, about {format_seconds(forwards * 0.01)}. Without where, stability, "
        in captions(app)[2]
    )
    assert captions(app)[2].endswith("conditioning and falsifier: the images of digits <0-6> are not on this machine.")
    app.radio(key="new_diagnostics").set_value("all").run()
    assert f"and {forwards:,} for the diagnostics" in texts(app)


def test_a_choice_of_diagnostics_outlives_costs_that_change(runs):
    app = choose_letters(open_page("new"))
    app.radio(key="new_diagnostics").set_value("all").run()
    before = captions(app)
    set_draws(app, 2)
    levels = app.multiselect(key="new_levels_digits")
    assert "−1" in levels.options and not any("-" in each for each in levels.options)
    levels.set_value([5.0, -1.0]).run()
    assert captions(app) != before
    assert app.radio(key="new_diagnostics").value == "all"
    app.multiselect(key="new_levels_digits").set_value([]).run()
    assert captions(app)[2].endswith(" and falsifier.")  # nothing to reckon with
    app.multiselect(key="new_levels_digits").set_value([5.0]).run()
    button(app, "Start").click().run()
    (started,) = runs.glob("*/started")
    assert RunSpec.parse(started.parent / "spec.yaml").stages == list(DIAGNOSTICS)


@pytest.mark.parametrize("chosen", [None, "map", "all"])
def test_the_spec_says_the_choice_in_its_own_word(runs, chosen):
    """What the form starts by default is what a spec without the field says."""
    app = choose_letters(open_page("new"))
    if chosen is not None:
        app.radio(key="new_diagnostics").set_value(chosen).run()
    button(app, "Start").click().run()
    (started,) = runs.glob("*/started")
    written = RunSpec.parse(started.parent / "spec.yaml").diagnostics
    assert written == (chosen or RunSpec.model_fields["diagnostics"].default)


def test_own_id_images_from_the_server(runs, write_images):
    app = choose_letters(open_page("new"))
    choose_id(app)
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
    assert "Fewer than 20 pictures: the intervals will be wide." in texts(app)
    assert not button(app, "Start").disabled


def test_an_unknown_run_is_said_and_the_form_shown(runs):
    app = open_page("new", job="gone")
    assert "no such run" in texts(app)
    assert "job" not in app.query_params
    assert button(app, "Start").disabled
