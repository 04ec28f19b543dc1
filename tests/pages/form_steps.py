"""Steps in the form of a new exploration."""

import io

import numpy as np
from page_steps import button
from PIL import Image

from cfs_explore.spec import RunSpec


def picture(seed, codec="PNG", shape=(16, 16)) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8)).save(buffer, codec)
    return buffer.getvalue()


def upload(app, files: dict[str, bytes], prefix="new_ood"):
    app.file_uploader(key=f"{prefix}_uploads").set_value([(name, data, "") for name, data in files.items()])
    return app.run()


def upload_folder(app, files: dict[str, bytes]):
    app.segmented_control(key="new_ood_upload_kind").set_value("A folder").run()
    return upload(app, files)


def add_other(app, kind: str, prefix="new_ood", **fields):
    app.selectbox(key=f"{prefix}_kind").select(kind).run()
    for name, value in fields.items():
        element = next(e for e in (*app.text_input, *app.text_area, *app.selectbox) if e.key == f"{prefix}_{name}")
        element.set_value(value)
    return app.button(key=f"{prefix}_add").click().run()


def labelled(elements, label: str):
    """The element with this label; the keys of some change with what is proposed."""
    return next(each for each in elements if each.label == label)


def choose_backbone(app, value: str):
    return labelled(app.selectbox, "Backbone").select(value).run()


def choose_id(app, value: str = ""):
    """A run whose statistics are used; "" for own images."""
    return labelled(app.selectbox, "Compared with").select(value).run()


def set_draws(app, value: int):
    return labelled(app.slider, "Noise draws per image").set_value(value)


def keyed(elements, beginning: str) -> list:
    return [each for each in elements if (each.key or "").startswith(beginning)]


def names(app) -> list[str]:
    """What the sets of step 1 are called."""
    return [each.value for each in keyed(app.text_input, "name_new_ood")]


def open_details(app, position=0):
    keys = [each.key.removeprefix("name_") for each in keyed(app.text_input, "name_")]
    app.session_state[f"look_{keys[position]}"] = True
    return app.run()


def strips(app) -> list[str]:
    """The strips of thumbnails, as HTML."""
    return [each.proto.body for each in app.get("html") if '<div class="cfs-strip"' in each.proto.body]


def started_spec(app, runs) -> RunSpec:
    button(app, "Start").click().run()
    assert not app.exception
    (started,) = runs.glob("*/started")
    return RunSpec.parse(started.parent / "spec.yaml")
