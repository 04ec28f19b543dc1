"""Where a score comes from on the pages: over one image's picture, in both galleries, and as a zip."""

import base64
import io
import json
import re
import zipfile

import numpy as np
import pytest
import streamlit as st
from page_steps import button, open_page, texts
from PIL import Image

from cfs_explore.charts import where_overlay as overlay
from cfs_explore.explorations.bundles import MARK
from cfs_explore.figures.choices import choose
from cfs_explore.figures.image_where import KINDS
from cfs_explore.pipeline import explore
from cfs_explore.probe.where import Where
from cfs_explore.reports import flagged_maps
from cfs_explore.ui import image_where, probe_data, triage_export, where_data

IMAGE = {"run": "digits", "role": "ood", "set": "letters"}


@pytest.fixture(scope="module")
def tiny_run(tiny_spec, tmp_path_factory):
    few = {"taps": ["mid_block.resnets.0", "up_blocks.1.resnets.1"], "keep": "none", "levels": [5.0, 1.0], "draws": 1}
    spec = tiny_spec(40, 12, name="tiny", diagnostics=[], **few)
    return explore(spec, tmp_path_factory.mktemp("where-page") / "tiny", device="cpu")


@pytest.fixture
def only_tiny(tiny_run, only_runs):
    st.cache_resource.clear()
    only_runs(tiny_run.path.parent)
    return tiny_run


@pytest.fixture
def never_loaded(monkeypatch):
    """The backbone is not asked for."""

    def fail(*arguments):
        raise AssertionError("the backbone was loaded")

    monkeypatch.setattr(probe_data, "load", fail)


def charts(app) -> dict:
    return {chart.proto.id.rsplit("-", 1)[-1]: chart.proto for chart in app.get("plotly_chart")}


def galleries(app) -> str:
    return "".join(each.proto.body for each in app.get("html") if "<figure" in each.proto.body)


def pictures(body: str) -> list[bytes]:
    return [base64.b64decode(part) for part in re.findall(r'base64,([^"]+)" alt="[^"]*with its score map"', body)]


@pytest.mark.parametrize(("page", "query"), [("image", IMAGE), ("map", {"run": "digits"}), ("triage", IMAGE)])
def test_no_page_opens_with_it(page, query, never_loaded):
    app = open_page(page, **query)
    assert not app.exception and "image_where" not in charts(app) and "score map" not in galleries(app)


def test_the_picture_with_its_map_is_the_catalogues_figure(digits):
    image = digits.images("ood", "letters")["image_id"].iloc[4]
    app = open_page("image", **IMAGE, image=image, image_picture="where", where_part="deviation")
    choices = choose(digits, ood="letters", options={"image": image, "where_part": "deviation"})
    figure = KINDS["image-where"].make(digits, choices, "light")
    shown = charts(app)["image_where"]
    assert shown.alt == figure.alt and figure.caption.split(":")[0] in texts(app)
    assert json.loads(shown.spec)["data"][0]["z"] == figure.sent["data"][0]["z"]
    assert 'class="cfs-picture"' not in "".join(each.proto.body for each in app.get("html"))


def test_the_switch_the_detector_and_a_position_reach_the_address(digits):
    app = open_page("image", **IMAGE)
    app.segmented_control(key="image_picture").set_value("where").run()
    assert not app.exception and "image_where" in charts(app) and "image_where_channels" not in charts(app)
    app.selectbox(key="where_at").set_value("2.3").run()
    assert "row 2, column 3: the 8 channels of 64" in texts(app) and "image_where_channels" in charts(app)
    values = {key: value[0] if isinstance(value, list) else value for key, value in app.query_params.items()}
    assert (values["image_picture"], values["where_at"]) == ("where", "2.3")
    app.selectbox(key="where_by").set_value("CFS(1x2)").run()
    assert "CFS(1x2) is the mean of 2 cells: open one" in texts(app) and "image_where_channels" not in charts(app)
    again = open_page("image", **IMAGE, image_picture="where", where_at="2.3", where_strength="0.3")
    assert again.selectbox(key="where_at").value == "2.3" and again.select_slider(key="where_strength").value == 0.3


def test_the_strongest_positions_are_offered_first(digits):
    app = open_page("image", **IMAGE, image_picture="where")
    labels = app.selectbox(key="where_at").options
    values = [float(label.split(": ")[1].replace("−", "-")) for label in labels[1:]]
    assert labels[0].startswith("none: click") and len(values) == 64
    assert np.all(np.diff(np.abs(values)) <= 0.011)


def test_a_click_opens_the_position(monkeypatch):
    selection = {"selection": {"points": [{"customdata": 19}]}}
    monkeypatch.setattr(image_where.st, "session_state", state := {"image_where": selection})
    image_where._pick(Where(np.zeros((2, 8, 8)), 0.0))
    assert state["where_at"] == "3.4"


@pytest.mark.parametrize(
    "nonsense", [{"where_at": "9.9"}, {"where_at": "<b>"}, {"where_by": "nobody"}, {"where_part": "x"}]
)
def test_nonsense_in_the_address_falls_back(nonsense):
    app = open_page("image", **IMAGE, image_picture="where", **nonsense)
    assert "image_where" in charts(app) and "image_where_channels" not in charts(app)
    state = [app.session_state[key] for key in ("where_at", "where_by", "where_part")]
    assert state == ["", "cell", "score"] and all(key in app.session_state["address_notes"] for key in nonsense)


def test_both_galleries_of_the_map_page_show_where(digits):
    app = open_page("map", run="digits", ood="letters", map_pictures="where")
    drawn = pictures(galleries(app))
    assert len(drawn) == 18 and all(Image.open(io.BytesIO(png)).size == (160, 160) for png in drawn)
    assert "What each position adds to the score by up2.res0 @ λ 1.0. Blue" in texts(app)


def test_the_flagged_images_show_where_by_the_detector_in_use(digits):
    app = open_page("triage", run="digits", ood="letters", detector="CFS(1x2)")
    app.segmented_control(key="triage_pictures").set_value("where").run()
    assert not app.exception
    drawn = pictures(galleries(app))
    assert len(drawn) == 30 and "score by CFS(1x2)" in texts(app) and "without its map" in texts(app)
    app.segmented_control(key="triage_pictures").set_value("seen").run()
    assert not pictures(galleries(app))


def test_another_detector_has_no_map(never_loaded):
    app = open_page("triage", run="digits", ood="letters", detector="msma", triage_pictures="where")
    assert "is no mean of cells: it has no map" in texts(app) and not pictures(galleries(app))
    assert not [each for each in app.button if each.key == "triage_make_maps"]


def test_maps_are_made_once_for_all_visitors(only_tiny, monkeypatch):
    from cfs_explore.probe.network import Probe

    looked, where = [], Probe.where
    monkeypatch.setattr(
        Probe, "where", lambda self, image, cells: looked.append(image.image_id) or where(self, image, cells)
    )
    query = {"run": "tiny", "triage_rate": "20", "triage_pictures": "where"}
    first = galleries(open_page("triage", **query))
    assert looked and len(looked) == len(set(looked)) == len(pictures(first))
    count = len(looked)
    assert galleries(open_page("triage", **query)) == first and len(looked) == count


def test_the_zip_holds_what_was_flagged(only_tiny, monkeypatch):
    monkeypatch.setattr(flagged_maps, "MOST", 3)
    monkeypatch.setattr(triage_export, "SLICE_SECONDS", 60.0)
    app = open_page("triage", run="tiny", triage_rate="20", detector="cell", cell="up1.res1@5")
    button(app, "Make maps of the flagged images").click().run()
    assert not app.exception
    assert app.get("download_button")[-1].proto.label == "Flagged images with maps (ZIP)"
    of, content = (app.session_state["triage_maps"][key] for key in ("of", "content"))
    table = next(frame.value for frame in app.dataframe if "p_value" in frame.value)
    flagged = table[table["flagged"]]
    assert len(flagged) > 3 and of[-1] == len(flagged)
    archive = zipfile.ZipFile(io.BytesIO(content))
    names = archive.namelist()
    assert names[3:] == ["maps.npz", "about.txt"] and all(
        re.fullmatch(r"00\d-[A-Za-z0-9._-]+\.png", n) for n in names[:3]
    )
    with np.load(io.BytesIO(archive.read("maps.npz"))) as arrays:
        assert arrays["image_id"].tolist() == flagged["image_id"].tolist()[:3]
        assert arrays["score"].shape == arrays["deviation"].shape == (3, 8, 8) and arrays["size"].tolist() == [8, 8]
        assert arrays["cells"].tolist() == ["up1.res1@5"] and arrays["name"].tolist() == flagged["name"].tolist()[:3]
        np.testing.assert_allclose(arrays["score"].mean(axis=(1, 2)), flagged["score"][:3], rtol=1e-4)
        np.testing.assert_allclose(arrays["slot_score"], flagged["score"][:3], rtol=1e-4)
        end = overlay.reach(list(arrays["score"]))
    about = archive.read("about.txt").decode()
    assert f"3 of {len(flagged)} images of bright that up1.res1 @ λ 5.0 flags" in about
    assert f"Not in here: {len(flagged) - 3}," in about and f"above {end / 4:g}:" in about
    assert all(Image.open(io.BytesIO(archive.read(name))).size == (160, 160) for name in names[:3])


def test_no_zip_of_maps_of_one_position(only_tiny, monkeypatch):
    from cfs_explore.probe.network import Probe

    monkeypatch.setattr(Probe, "where", lambda *_: Where(np.full((2, 1, 1), 1.5, np.float32), 1.5))
    app = open_page("triage", run="tiny", triage_rate="20")
    button(app, "Make maps of the flagged images").click().run()
    assert "there is nothing to localise" in texts(app) and "content" not in app.session_state["triage_maps"]


def test_making_the_zip_can_be_stopped(only_tiny, monkeypatch):
    monkeypatch.setattr(triage_export, "SLICE_SECONDS", 0.0001)  # an image at a time
    app = open_page("triage", run="tiny", triage_rate="20")
    button(app, "Make maps of the flagged images").click().run()
    assert app.session_state["triage_maps"]["done"] == 1 and "content" not in app.session_state["triage_maps"]
    button(app, "Stop").click().run()
    assert not app.exception and "triage_maps" not in app.session_state
    assert button(app, "Make maps of the flagged images")


def test_a_bar_says_how_long_the_maps_take(only_tiny, monkeypatch):
    said, place = (
        [],
        type("Place", (), {"progress": lambda self, share, text: said.append(text), "empty": lambda self: 0}),
    )
    monkeypatch.setattr(where_data, "_PATIENCE_SECONDS", -1.0)
    wanted = [("ood", "bright", k) for k in range(4)]
    assert len(where_data.look_at_all(only_tiny, wanted, [0], place())) == 4
    assert [text.split(", about")[0] for text in said] == [f"Maps: {k} of 4 images" for k in (1, 2, 3)]


@pytest.mark.parametrize("page", ["image", "map", "triage"])
def test_without_its_backbone_every_page_says_why_and_shows_the_rest(page, only_tiny):
    mark = only_tiny.path / MARK
    mark.write_text(json.dumps({"imported": "2026", "places": False}))
    try:
        switches = {"image_picture": "where", "map_pictures": "where", "triage_pictures": "where", "triage_rate": "20"}
        app = open_page(page, run="tiny", **switches)
    finally:
        mark.unlink()
    assert "The backbone cannot run here. This exploration was imported" in texts(app)
    assert charts(app) and "<img" in "".join(each.proto.body for each in app.get("html"))
