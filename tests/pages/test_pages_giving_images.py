"""Giving images to the form: uploads, folders, other sources, what the server opens."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from form_steps import add_other, keyed, names, picture, started_spec, upload, upload_folder
from page_steps import button, open_page, texts
from PIL import Image

from cfs_explore.images import open_source
from cfs_explore.ui import uploads

pytestmark = pytest.mark.usefixtures("runs")


# Uploads


def test_single_pictures_become_one_set(runs):
    app = upload(open_page("new"), {f"{i}.png": picture(i) for i in range(22)} | {"pack.npy": array(25)})
    assert names(app) == ["pack", "pictures"]
    assert "22 images" in texts(app) and "25 images" in texts(app)
    one, many = started_spec(app, runs).ood
    for image_set, count in ((one, 25), (many, 22)):
        assert Path(image_set.source).is_relative_to(runs) and ".uploads" not in image_set.source  # the run's own
        with open_source(image_set.source) as source:
            assert len(source) == count


def array(n, low=0, high=255, dtype=np.uint8, seed=0) -> bytes:
    buffer = io.BytesIO()
    values = np.random.default_rng(seed).uniform(low, high, (n, 16, 16))
    np.save(buffer, values.astype(dtype))
    return buffer.getvalue()


def test_a_folder_keeps_its_classes_and_every_picture(runs):
    files = {f"pets/{c}/{i}.png": picture(10 * k + i) for k, c in enumerate(("cat", "big dog")) for i in range(3)}
    odd = {"pets/cat/a?b.png": picture(50), "pets/cat/a*b.png": picture(51), "pets/cat/A|B.PNG": picture(52)}
    hidden = {"pets/.thumbs/x.png": picture(53), "pets/cat/._0.png": picture(54)}
    app = upload_folder(open_page("new"), files | odd | hidden)
    assert names(app) == ["pets"]
    (image_set,) = started_spec(app, runs).ood
    with open_source(image_set.source) as source:
        records = [source.read(i) for i in range(len(source))]
    assert len({r.image_id for r in records}) == len(records) == 9
    assert sorted(r.label for r in records) == ["big dog"] * 3 + ["cat"] * 6
    assert {"big dog/0.png", "cat/a-b.png", "cat/a-b-2.png", "cat/A-B-3.png"} <= {r.name for r in records}


@pytest.mark.parametrize(
    "name", ["../../../etc/x.png", "pets/../../x.png", "/abs/x.png", "..\\..\\x.png", "a/./b/..png"]
)
def test_no_uploaded_name_leads_out(runs, name):
    app = upload_folder(open_page("new"), {name: picture(0), "pets/y.png": picture(1)})
    assert not app.exception
    written = [path for path in runs.parent.rglob("*.png") if path.is_file()]
    assert "y.png" in {path.name for path in written}
    assert all(path.is_relative_to(runs / ".uploads") for path in written)


def test_names_are_made_safe():
    assert uploads.safe_name("Ünï cöde (2).PNG") == "Ünï cöde (2).png"
    assert uploads.safe_name("u\u0308.png") == "ü.png"  # as macOS spells it
    assert uploads.safe_name("../..") == "upload" and uploads.safe_name("") == "upload"
    assert uploads.safe_name(".htaccess") == "htaccess"
    assert uploads.safe_name("x" * 300 + ".tar.gz") == "x" * 50 + ".tar.gz"
    assert len(uploads.safe_name("漢" * 300 + ".parquet").encode()) < 255 - len(".partial")
    assert "\n" not in uploads.safe_name("a\nb.png\n")
    assert uploads.suggest_name("textures.tar.gz", ["textures"]) == "textures 2"
    assert uploads.suggest_name("my.photos", []) == "my.photos" and uploads.suggest_name("(((", []) == "set"


def test_what_is_switched_away_stays_and_can_be_taken_out(runs):
    app = upload(open_page("new"), {"a.png": picture(0), "b.png": picture(1)})
    keyed(app.text_input, "name_new_ood")[0].set_value("Two pictures")
    keyed(app.number_input, "limit_new_ood")[0].set_value(1).run()
    app = upload_folder(app, {"pets/cat/0.png": picture(2)})
    assert sorted(names(app)) == ["Two pictures", "pets"]
    assert sorted(each.value or 0 for each in keyed(app.number_input, "limit_new_ood")) == [0, 1]
    assert not any("Session State" in each.value for each in app.warning)
    (taken,) = keyed(app.button, "remove_new_ood")
    taken.click().run()
    assert names(app) == ["pets"]


def test_uploads_are_still_there_after_a_look_at_another_page(runs):
    app = upload(open_page("new"), {"a.png": picture(0), "b.png": picture(1)})
    keyed(app.text_input, "name_new_ood")[0].set_value("Two pictures").run()
    app.switch_page("pages/start.py").run()
    app.switch_page("pages/new.py").run()
    assert names(app) == ["Two pictures"] and not app.exception
    app = upload(app, {"pack.npy": array(20)})
    assert sorted(names(app)) == ["Two pictures", "pack"]
    first, second = started_spec(app, runs).ood
    assert {first.name, second.name} == {"Two pictures", "pack"}


def test_a_file_above_the_limit_is_refused_by_name(monkeypatch, runs):
    monkeypatch.setenv("CFS_EXPLORE_MAX_UPLOAD_MB", "0.002")
    app = upload(open_page("new"), {"small.png": picture(0), "large.npy": array(20)})
    assert "large.npy has 5.25 kB; this server takes files up to 2 kB" in texts(app)
    assert names(app) == ["small"] and not list(runs.rglob("large*"))


def test_a_tar_is_one_set(runs):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for i in range(21):
            member = tarfile.TarInfo(f"cat/{i}.png")
            member.size = len(picture(i))
            archive.addfile(member, io.BytesIO(picture(i)))
    app = upload(open_page("new"), {"animals.tar.gz": buffer.getvalue()})
    assert names(app) == ["animals"] and "21 images" in texts(app)


def test_a_set_of_which_nothing_can_be_read_cannot_start(runs):
    app = upload(open_page("new"), {"fake.jpg": b"text with the name of a picture"})
    assert "None of the pictures that were looked at can be read" in texts(app)
    assert "fake: it cannot be used; take it out or replace it (step 1)." in texts(app)
    assert button(app, "Start").disabled


def test_floats_of_another_range_ask_what_is_black_and_white(runs):
    app = upload(open_page("new"), {"scan.npy": array(20, 3, 812, np.float32)})
    assert "scan.npy: choose what is black and what is white (step 1)." in texts(app)
    assert button(app, "Start").disabled and not app.error
    (choice,) = keyed(app.selectbox, "range_")
    assert choice.options == ["0 to 4,095 (12 bit)", "0 to 65,535 (16 bit)", choice.options[2]]
    assert choice.options[2].endswith("the array's own")
    choice.select(choice.options[2]).run()
    assert "choose what is black" not in texts(app)
    (image_set,) = started_spec(app, runs).ood
    with open_source(image_set.source) as source:
        pixels = np.stack([source.read(i).pixels for i in range(20)])
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert Path(image_set.source["path"]).is_relative_to(runs) and ".uploads" not in image_set.source["path"]


def test_whole_numbers_ask_too(runs):
    app = upload(open_page("new"), {"scan.npy": array(20, 0, 4000, np.uint16)})
    (choice,) = keyed(app.selectbox, "range_")
    assert choice.options[:2] == ["0 to 4,095 (12 bit)", "0 to 65,535 (16 bit)"]
    choice.select("0 to 4,095 (12 bit)").run()
    assert "20 images" in texts(app)
    assert started_spec(app, runs).ood[0].source["range"] == [0, 4095]


def test_an_array_of_several_readings_asks_for_its_axes_then_for_its_range(runs):
    buffer = io.BytesIO()
    np.save(buffer, np.random.default_rng(0).uniform(0, 4000, (16, 16, 30)).astype(np.uint16))
    app = upload(open_page("new"), {"stack.npy": buffer.getvalue()})
    assert "stack.npy: choose how the array is to be read (step 1)." in texts(app)
    assert button(app, "Start").disabled and not app.error
    (axes,) = keyed(app.selectbox, "axes_")
    assert axes.options == ["N × H × W: 16 images of 30 x 16, grey", "H × W × N: 30 images of 16 x 16, grey"]
    axes.select(axes.options[1]).run()
    keyed(app.selectbox, "range_")[0].select("0 to 4,095 (12 bit)").run()
    assert "30 images" in texts(app)
    source = started_spec(app, runs).ood[0].source
    assert (source["layout"], source["range"]) == ("HWN", [0, 4095])
    with open_source(source) as opened:
        assert len(opened) == 30


def test_pages_of_a_tiff_become_images_where_that_is_wished(runs):
    frames = [Image.fromarray(np.full((16, 16), 60 * i, np.uint8)) for i in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])
    app = upload(open_page("new"), {"scan.tif": buffer.getvalue()} | {f"{i}.png": picture(i) for i in range(3)})
    assert "4 images" in texts(app)
    (toggle,) = keyed(app.toggle, "pages_")
    toggle.set_value(True).run()
    assert "6 images" in texts(app)
    source = started_spec(app, runs).ood[0].source
    assert source["pages"] == "all"
    with open_source(source) as opened:
        assert len(opened) == 6
    assert not keyed(upload(open_page("new"), {"pack.npy": array(20)}).toggle, "pages_")


# Other sources


def test_sources_are_added_and_taken_out_one_by_one(write_images):
    app = add_other(open_page("new"), "sample", sample="photo-patches")
    app = add_other(app, "sample", sample="letters")
    app = add_other(app, "sample", sample="letters")  # once is enough
    app = add_other(app, "path", paths=f"{write_images(21)}\n{write_images(5, 'folder')}\n")
    assert names(app) == ["photo-patches", "letters", "set", "set 2"]
    assert app.text_area(key="new_ood_paths").value == ""
    app.button(key=next(b.key for b in app.button if b.help == "letters")).click().run()
    assert names(app) == ["photo-patches", "set", "set 2"]
    app.switch_page("pages/start.py").run()
    app.switch_page("pages/new.py").run()
    assert names(app) == ["photo-patches", "set", "set 2"]


def test_a_source_that_cannot_be_opened_is_not_added(tmp_path):
    app = add_other(open_page("new"), "path", paths=str(tmp_path / "nowhere"))
    assert "nowhere does not exist" in texts(app) and names(app) == []
    assert app.text_area(key="new_ood_paths").value == str(tmp_path / "nowhere")  # to mend
    for path in ("../../etc", "/etc", "tests", "cfs_explore/ui", "a b/c"):
        app = add_other(app, "hub", hub=path)
        assert "is no data set id" in texts(app)
    app = add_other(app, "imglist", imglist="list.txt")
    assert "Give the list file and the folder" in texts(app)


def test_an_image_list_with_its_folder(tmp_path, write_images):
    folder = write_images(21, "folder")
    (tmp_path / "list.txt").write_text("".join(f"{i:04d}.png {i % 2}\n" for i in range(20)))
    app = add_other(open_page("new"), "imglist", imglist=str(tmp_path / "list.txt"), imglist_root=str(folder))
    assert names(app) == ["list"] and "20 images" in texts(app)


# What the server opens to its visitors


def test_strangers_name_no_files(monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "1")
    app = open_page("new")
    assert app.selectbox(key="new_ood_kind").options == ["Sample set"]
    assert "Files on this server are not open to visitors" in texts(app)


def test_strangers_name_public_data_sets_where_the_administrator_allows_it(monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "1")
    monkeypatch.setenv("CFS_EXPLORE_FETCH", "1")
    monkeypatch.setenv("CFS_EXPLORE_FETCH_FROM", "uoft-cs/*, torchvision")
    app = open_page("new")
    assert app.selectbox(key="new_ood_kind").options == ["Sample set", "Hugging Face data set", "torchvision data set"]
    app = add_other(app, "hub", hub="somebody/else")
    assert "somebody/else is not among what this server fetches" in texts(app)
    monkeypatch.setenv("CFS_EXPLORE_FETCH_FROM", "uoft-cs/*")
    assert open_page("new").selectbox(key="new_ood_kind").options == ["Sample set", "Hugging Face data set"]
    monkeypatch.delenv("CFS_EXPLORE_FETCH_FROM")  # without a list, nothing
    assert open_page("new").selectbox(key="new_ood_kind").options == ["Sample set"]
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "0")
    monkeypatch.setenv("CFS_EXPLORE_FETCH", "0")
    assert not any("data set" in kind for kind in open_page("new").selectbox(key="new_ood_kind").options)


def test_only_open_folders_can_be_named(monkeypatch, tmp_path, write_images):
    (tmp_path / "open").mkdir()
    good = write_images(21)
    (tmp_path / "open" / "a.npz").write_bytes(good.read_bytes())
    (tmp_path / "open" / "link.npz").symlink_to(good)
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "1")
    monkeypatch.setenv("CFS_EXPLORE_ROOTS", str(tmp_path / "open"))
    app = add_other(open_page("new"), "path", paths=str(tmp_path / "open" / "a.npz"))
    assert names(app) == ["a"]
    for path in (good, tmp_path / "open" / "link.npz", tmp_path / "open" / ".." / "x", "/etc/passwd"):
        app = add_other(app, "path", paths=str(path))
        assert "is not in a folder that this server opens to its visitors" in texts(app) and names(app) == ["a"]
    app = add_other(app, "imglist", imglist=str(tmp_path / "open" / "l.txt"), imglist_root="/")
    assert "/ is not in a folder that this server opens" in texts(app)


def test_an_impossible_setting_closes_the_form(monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_MAX_IMAGES", "many")
    app = open_page("new")
    assert "CFS_EXPLORE_MAX_IMAGES = 'many'" in texts(app)
    assert not app.get("file_uploader") and not [b for b in app.button if b.label == "Start"]


def test_the_server_caps_every_set(monkeypatch, runs):
    monkeypatch.setenv("CFS_EXPLORE_MAX_IMAGES", "50")
    app = add_other(open_page("new"), "sample", sample="letters")
    assert "at most 50 images of a set" in texts(app) and "50 images × 8 levels" in texts(app)
    (limit,) = keyed(app.number_input, "limit_new_ood")
    assert (limit.value, limit.max) == (50, 50)
    limit.set_value(None).run()
    assert started_spec(app, runs).ood[0].limit == 50
