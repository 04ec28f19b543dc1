"""Looking at images before they are measured: what the form shows of a set and of what would spoil the map."""

import pytest
from form_steps import add_other, open_look, picture, upload
from page_steps import open_page, texts

from cfs_explore.diagnostics import CONSEQUENCE
from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run
from cfs_explore.ui import look_view

pytestmark = pytest.mark.usefixtures("runs")


@pytest.fixture
def surveys(monkeypatch):
    """Which sources were read, in order."""
    seen, original = [], look_view.survey
    monkeypatch.setattr(look_view, "survey", lambda source, **o: seen.append(source.location) or original(source, **o))
    return seen


def test_nothing_is_read_before_the_look_is_opened(surveys):
    app = add_other(open_page("new"), "sample", sample="letters")
    assert surveys == [] and not app.table
    app = open_look(app)
    assert surveys == ["the built-in set 'letters'"]
    facts = app.table[0].value.set_index("Property")
    assert list(facts.columns) == ["This set", "ID set"]
    assert facts.loc["Images", "This set"] == "400" and facts.loc["Native size", "ID set"] == "all 16x16"
    app.number_input(key="new_seed").set_value(0).run()
    assert len(surveys) == 1  # kept


def test_what_is_also_in_the_stored_id_set_is_told(write_images):
    """Four ID pictures of the bundled run, planted among noise, in another codec: found and named."""
    digits = open_run(BUNDLES / "digits")
    stored = digits.images("id_test", columns=("name", "thumbnail")).iloc[[0, 5, 9, 11]]
    files = {f"noise-{i}.bmp": picture(i, "BMP") for i in range(26)}
    files |= {f"leak-{i}.png": png for i, png in enumerate(stored["thumbnail"])} | {
        "noise-7 again.bmp": files["noise-7.bmp"]
    }
    app = open_look(upload(open_page("new"), files))
    said = texts(app)
    assert "pictures: 4 of 31 images are also in the ID set, pixel by pixel (leak-0.png = " in said
    assert f"leak-0.png = {stored['name'].iloc[0]}" in said
    assert (
        f"pictures differs from the ID set in codec (87 % BMP; ID: all drawn): {CONSEQUENCE}".replace(
            "drawn", codec(digits)
        )
        in said
    )
    assert (
        "Twice in the set: noise-7 again.bmp = noise-7.bmp".replace("Twice in the set:", "**Twice in the set:**")
        in said
    )


def codec(run) -> str:
    (name,) = set(run.images("id_test", columns=("format",))["format"])
    return name


def test_own_id_images_are_looked_at_and_compared(write_images):
    own = write_images(30, "zip", side=16, seed=3)
    app = add_other(open_page("new"), "path", paths=str(own))
    app.radio(key="new_id").set_value("").run()
    app = open_look(app)
    assert list(app.table[0].value.columns) == ["Property", "This set"]
    assert "Choose in-distribution images (step 3)" in texts(app)
    app = add_other(app, "path", prefix="new_id", paths=str(own))
    assert "30 of 30 images are also in the ID set" in texts(app)
    app = open_look(app, 1)
    assert len(app.table) == 2 and list(app.table[1].value.columns) == ["Property", "This set"]


def test_a_large_set_is_sampled_and_says_so(monkeypatch):
    monkeypatch.setattr(look_view, "MOST", 60)
    app = open_look(add_other(open_page("new"), "sample", sample="letters"))
    assert app.table[0].value.set_index("Property").loc["Images", "This set"] == "60 of 400, drawn at random"


def test_names_from_files_stay_text():
    hostile = "<img src=x onerror=alert(1)> **b**.png"
    app = open_look(upload(open_page("new"), {hostile: picture(0), "b.png": picture(0), "c.png": b"no picture"}))
    assert not app.exception
    (sheet,) = [e.proto.body for e in app.get("html") if "cfs-sheet" in e.proto.body and "<figure" in e.proto.body]
    assert "<img src=x" not in sheet and sheet.count("<figure") == 2
    assert "**b**" not in "".join(e.value for e in app.markdown)
    assert "c.png (not an image in one of" in texts(app)
