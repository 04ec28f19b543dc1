"""Which backbone the form proposes for which pictures, beside which open exploration; and what the visitor chose."""

import io

import numpy as np
import pytest
from form_steps import choose_backbone, choose_id, labelled, started_spec, upload
from page_steps import open_page, texts
from PIL import Image

from cfs_explore.locations import BUNDLES

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
