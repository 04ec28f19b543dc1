"""Which backbone the form proposes for which pictures, beside which open exploration; and what the visitor chose."""

import io
import threading

import numpy as np
import pytest
from form_steps import choose_backbone, choose_id, labelled, set_draws, started_spec, upload
from page_steps import button, open_page, texts
from PIL import Image

from cfs_explore.locations import BUNDLES
from cfs_explore.ui import background, new_backbone, new_view, survey

pytestmark = pytest.mark.usefixtures("runs")


def place(bundle: str) -> str:
    return str(BUNDLES / bundle / "backbone") + ("/uvit.safetensors" if bundle == "cifar10-uvit" else "")


def pictures(*shape, n=22) -> dict[str, bytes]:
    files = {}
    for i in range(n):
        buffer = io.BytesIO()
        Image.fromarray(np.random.default_rng(i).integers(0, 256, shape, np.uint8)).save(buffer, "PNG")
        files[f"{i}.png"] = buffer.getvalue()
    return files


def form(opened: str):
    """The form beside an open exploration, which stays open though no sidebar is drawn here."""
    app = open_page("new", run=opened)
    app.session_state["run"] = opened
    return app


def backbone(app) -> str:
    return labelled(app.selectbox, "Backbone").value


def compared_with(app) -> str:
    return labelled(app.selectbox, "Compared with").value


BUNDLED = ["digits", "digits-narrow", "cifar10-ddpm", "cifar10-edm", "cifar10-uvit"]


@pytest.mark.parametrize("opened", BUNDLED)
def test_before_any_picture_the_open_exploration_decides(opened):
    app = form(opened)
    assert (backbone(app), compared_with(app)) == (place(opened), opened)
    assert "**Proposed**, since it is the backbone of the open exploration." in texts(app)


@pytest.mark.parametrize("opened", BUNDLED)
@pytest.mark.parametrize(
    ("shape", "colours"), [((32, 32, 3), "cifar10"), ((60, 90, 3), "cifar10"), ((20, 20), "digits")]
)
def test_colour_decides_and_the_open_one_among_equals(opened, shape, colours):
    app = upload(form(opened), pictures(*shape))
    expected = opened if opened.startswith(colours) else {"cifar10": "cifar10-ddpm", "digits": "digits"}[colours]
    assert (backbone(app), compared_with(app)) == (place(expected), expected)
    assert f"its input is in {'grey' if len(shape) == 2 else 'colour'} like your pictures" in texts(app)


def test_grey_pictures_stored_as_colour_are_grey():
    grey = pictures(20, 20)
    for name, data in grey.items():
        buffer = io.BytesIO()
        Image.open(io.BytesIO(data)).convert("RGB").save(buffer, "JPEG", quality=80)
        grey[name] = buffer.getvalue()
    assert backbone(upload(form("cifar10-edm"), grey)) == place("digits")


def test_a_choice_is_never_overridden_and_can_be_taken_back():
    app = choose_backbone(upload(form("digits"), pictures(60, 90, 3)), place("digits-narrow"))
    said = "Your pictures: colour to grey, 90x60 cut and scaled to 16x16."
    assert said in texts(app) and "Proposed" not in texts(app)
    app = upload(app, pictures(32, 32, 3))
    assert backbone(app) == place("digits-narrow")
    app.session_state["run"] = "cifar10-uvit"
    app.run()
    assert backbone(app) == place("digits-narrow")
    app.switch_page("pages/start.py").run()
    app.switch_page("pages/new.py").run()
    assert backbone(app) == place("digits-narrow")
    app.session_state["run"] = "cifar10-uvit"
    app = upload(app, pictures(32, 32, 3))
    taken_back = app.button(key="new_backbone_proposed")
    assert taken_back.label.replace("\\", "") == "Take the proposed one: cifar10-uvit, 32×32 colour"
    app.session_state["run"] = "cifar10-uvit"
    taken_back.click().run()
    assert backbone(app) == place("cifar10-uvit") and "**Proposed**" in texts(app)
    assert not [each for each in app.button if each.key == "new_backbone_proposed"]


def test_own_id_images_stay_chosen_with_another_backbone(runs):
    app = choose_id(upload(form("digits"), pictures(20, 20)))
    assert "Add in-distribution images (step 2)." in texts(app)
    app = upload(app, pictures(32, 32, 3))
    assert backbone(app) == place("cifar10-ddpm") and compared_with(app) == ""
    app = choose_id(app, "cifar10-ddpm")
    spec = started_spec(app, runs)
    assert spec.id.run.endswith("cifar10-ddpm") and spec.backbone.path == place("cifar10-ddpm")


def test_resizing_is_said_as_it_will_be_done():
    app = upload(form("cifar10-ddpm"), pictures(60, 90, 3))
    assert "90x60 cut and scaled to 32x32." in texts(app)
    app.selectbox(key="new_resize").select("pad").run()
    assert "90x60 scaled, with black bars, to 32x32." in texts(app)


# What is shown, and what is started


def test_a_look_that_ends_while_the_page_is_made_is_for_the_next_run(runs, monkeypatch):
    """What becomes known between the proposal and the strip of pictures: the page never shows both as one."""
    go, looked, chosen = threading.Event(), survey.survey, new_view.choose_id

    def slow(*arguments, **options):
        go.wait(60)
        return looked(*arguments, **options)

    def meanwhile(*arguments):
        go.set()
        background.wait(list(background._tasks()._kept.values()), 60)
        return chosen(*arguments)

    monkeypatch.setattr(survey, "survey", slow)
    app = form("digits")
    monkeypatch.setattr(background, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(new_view, "choose_id", meanwhile)
    app = upload(app, pictures(30, 31, 3))
    shown = backbone(app)
    assert not button(app, "Start").disabled and shown == place("cifar10-ddpm")
    spec = started_spec(app, runs)
    assert spec.backbone.path == shown and spec.id.run.endswith("cifar10-ddpm")


def test_nothing_starts_and_nothing_changes_while_pictures_are_looked_at(monkeypatch):
    go, looked = threading.Event(), survey.survey

    def slow(*arguments, **options):
        go.wait(60)
        return looked(*arguments, **options)

    app = upload(form("digits"), pictures(34, 35, 3))
    monkeypatch.setattr(survey, "survey", slow)
    monkeypatch.setattr(background, "PATIENCE_SECONDS", 0.0)
    try:
        app = upload(app, pictures(21, 22))
        assert backbone(app) == place("cifar10-ddpm") and button(app, "Start").disabled
        assert "still being looked at, and it follows them" in texts(app) and "**Proposed**" not in texts(app)
    finally:
        go.set()
    background.wait(list(background._tasks()._kept.values()), 60)
    app.run()
    assert backbone(app) == place("digits") and not button(app, "Start").disabled
    assert "The proposal has changed: before, it was cifar10-ddpm, 32×32 colour." in texts(app)


def test_start_takes_the_proposals_that_are_shown_whatever_is_better_by_now(runs, monkeypatch):
    monkeypatch.setattr(new_backbone, "facts_by_now", lambda spec: {"seconds_per_forward": 1.0, "device": "cpu"})
    app = upload(form("digits"), pictures(33, 32, 3))
    draws = labelled(app.slider, "Noise draws per image").value
    shown = backbone(app), compared_with(app)
    assert (draws, shown) == (1, (place("cifar10-ddpm"), "cifar10-ddpm"))
    monkeypatch.setattr(new_backbone, "facts_by_now", lambda spec: {"seconds_per_forward": 1e-6, "device": "cpu"})
    monkeypatch.setattr(new_backbone, "rank_inputs", lambda inputs, *_: [place("digits"), *inputs])
    spec = started_spec(app, runs)
    assert (spec.draws, spec.backbone.path) == (1, place("cifar10-ddpm")) and spec.id.run.endswith("cifar10-ddpm")


def test_a_choice_that_is_sent_together_with_start_is_taken(runs):
    app = upload(form("digits"), pictures(20, 21))
    set_draws(app, 3)
    labelled(app.selectbox, "Backbone").select(place("digits-narrow"))
    spec = started_spec(app, runs)
    assert (spec.draws, spec.backbone.path) == (3, place("digits-narrow"))


def test_a_start_that_fails_holds_nothing(monkeypatch, runs):
    app = upload(form("digits"), pictures(33, 34, 3))
    monkeypatch.setenv("CFS_EXPLORE_MAX_DISK_GB", "0.000001")
    button(app, "Start").click().run()
    assert not list(runs.glob("*/started")) and backbone(app) == place("cifar10-ddpm")
    monkeypatch.delenv("CFS_EXPLORE_MAX_DISK_GB")
    app = upload(app, pictures(20, 23))
    assert backbone(app) == place("digits") and not list(runs.glob("*/started"))


def test_a_proposal_that_changes_says_so():
    app = form("digits")
    assert "The proposal has changed" not in texts(app)
    app = upload(app, pictures(36, 32, 3))
    assert "The proposal has changed: before, it was digits, 16×16 grey." in texts(app)


def test_what_cannot_be_read_is_not_counted(runs):
    files = pictures(32, 37, 3, n=13) | {"cut.png": pictures(32, 37, 3, n=1)["0.png"][:300], "none.jpg": b"no picture"}
    app = set_draws(upload(form("digits"), files), 5).run()
    assert "13 images × 8 levels × 5 draws = 520 forwards" in texts(app)


def test_of_many_files_the_number_that_can_be_read_is_estimated(runs, monkeypatch):
    monkeypatch.setattr(survey, "QUICK", 20)
    good, bad = pictures(20, 24, n=30), {f"x{i}.png": b"no picture" for i in range(30)}
    app = set_draws(upload(form("digits"), good | bad), 1).run()
    (said,) = [line for line in texts(app).splitlines() if " forwards" in line and "levels" in line]
    count = int(said.partition("about ")[2].partition(" images")[0])
    assert 15 <= count <= 45
