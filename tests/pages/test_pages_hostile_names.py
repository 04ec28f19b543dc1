"""File and folder names with markup or control characters, on the pages that show them: text, and nothing else."""

import io
import re
import zipfile
from html.parser import HTMLParser

import numpy as np
import pytest
from page_steps import open_page, texts
from PIL import Image

from cfs_explore.images.listing import printable
from cfs_explore.pipeline import explore
from cfs_explore.ui import data

NAMES = [
    '"><script>alert(1)<b>.png',
    "<img src=x onerror=alert(2)> **b** `c` $d$.png",
    "a\x1b[31m\u202egnp.exe\r\n.png",
    "' onmouseover='alert(3)/[l](http://example.org)&lt;i&gt;.png",
    "<svg onload=alert(4)>/![i](http://example.org/i.png).png",
]
BROKEN = ["<iframe src=x>.png", "![z](http://example.org/z.png)\x07.png"]


def picture(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


class Seen(HTMLParser):
    """The tags of HTML, their attributes, the titles of figures, and where links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.titles, self.links = set(), set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}
        self.titles += [value for name, value in attributes if name == "title"]
        self.links += [value for name, value in attributes if name == "href"]


def harmless(app) -> Seen:
    """No page element has markup of a name in it; gives what its HTML holds."""
    assert not app.exception
    for kind in ("markdown", "caption", "header", "subheader", "title", "info", "warning", "error"):
        for element in app.get(kind):
            assert not re.search(r"(?<!\\)(<script|<img|<svg|<iframe|\]\(http:|!\[)", element.value)
            assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", element.value)
    pictures = Seen("".join(each.proto.body for each in app.get("html") if "<figure" in each.proto.body))
    assert pictures.tags <= {"style", "div", "figure", "img", "figcaption", "bdi", "a"}
    assert pictures.attributes <= {"class", "title", "src", "alt", "href", "role", "aria-label", "style"}
    assert all(re.fullmatch(r"image\?[\w=&%+]+", link) for link in pictures.links)
    assert all(title.isprintable() for title in pictures.titles)
    return pictures


@pytest.fixture
def run(tiny_folder, write_images, tmp_path, monkeypatch):
    """The only run that there is: its OOD images have these names."""
    with zipfile.ZipFile(tmp_path / "ood.zip", "w") as archive:
        for i, name in enumerate(NAMES):
            archive.writestr(name, picture(i))
        for name in BROKEN:
            archive.writestr(name, b"no picture")
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(data, "BUNDLES", tmp_path / "none")
    spec = {
        "name": "hostile",
        "backbone": str(tiny_folder),
        "id": {"train": {"name": "ramps", "source": str(write_images(12, seed=1))}},
        "ood": [{"name": "names", "source": str(tmp_path / "ood.zip")}],
        "levels": [5.0],
        "taps": "sparse_ed",
        "draws": 1,
        "diagnostics": ["complementarity"],
    }
    return explore(spec, tmp_path / "runs" / "hostile", device="cpu")


def test_the_map_and_its_pictures(run):
    app = open_page("map", run="hostile", ood="names")
    titles = harmless(app).titles
    for name in NAMES:  # attributes are unescaped by the parser: the whole name is text in one
        assert any(title.startswith(printable(name)) for title in titles)


def test_the_triage_page(run):
    app = open_page("triage", run="hostile", ood="names", triage_rate="20")
    seen = harmless(app)
    flagged = next(frame.value for frame in app.dataframe if "flagged" in frame.value).query("flagged")
    assert len(flagged) and len(seen.links) == len(seen.titles) == len(flagged)
    for name in flagged["name"]:
        assert any(title.startswith(name) for title in seen.titles)


def test_one_image(run):
    for image_id, name in run.images("ood", "names")[["image_id", "name"]].itertuples(index=False):
        app = open_page("image", run="hostile", role="ood", set="names", image=image_id)
        harmless(app)
        assert f"**{name}**".replace("\\", "") in texts(app)


def test_the_sidebar_names_files_that_could_not_be_used(run):
    app = open_page(run="hostile")
    harmless(app)
    assert all(printable(name).replace("\\", "") in texts(app) for name in BROKEN)


@pytest.mark.parametrize("view", ["levels", "images"])
def test_the_complementarity_page(run, view):
    app = open_page("complementarity", run="hostile", ood="names", comp_view=view)
    harmless(app)


def test_the_look_at_an_upload():
    app = open_page("new")
    files = {name.replace("/", "|"): picture(i) for i, name in enumerate(NAMES)} | dict.fromkeys(BROKEN, b"no picture")
    app.file_uploader(key="new_ood_uploads").set_value([(name, content, "") for name, content in files.items()]).run()
    key = next(each.key for each in app.text_input if (each.key or "").startswith("name_new_ood"))
    app.session_state[f"look_{key.removeprefix('name_')}"] = True
    assert len(harmless(app.run()).titles) == len(NAMES)


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>.zip",
        "![i](http:example.org).npy",
        "a\x1b[31m\u202egnp.zip",
    ],
)
def test_an_upload_that_cannot_be_opened_is_named_in_its_message(name):
    app = open_page("new")
    app.file_uploader(key="new_ood_uploads").set_value([(name, b"neither", "")]).run()
    harmless(app)
    assert re.search("readable|cannot be read", app.error[0].value)
