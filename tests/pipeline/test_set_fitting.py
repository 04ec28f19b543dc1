"""Sets of a run that are cut, halved and resized each in its own way: what the network gets, and what is said of it."""

import numpy as np
import pytest
from PIL import Image

from cfs_explore.errors import SourceError
from cfs_explore.explorations.pictures import as_seen, find_pictures, find_record, fitting_of
from cfs_explore.images import open_source, thumbnail, to_input
from cfs_explore.pipeline import explore
from cfs_explore.probe.inputs import stored_image

OWN = {"centre_crop": 16, "resize": "squash", "filter": "bilinear"}


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Eight upright pictures of 30 x 20 pixels, in two classes of five and three."""
    root = tmp_path_factory.mktemp("faces")
    for i in range(8):
        folder = root / ("a" if i < 5 else "b")
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (30, 20), np.uint8)).save(folder / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def run(quick_spec, faces, tmp_path_factory):
    """The same pictures as three sets."""
    sets = [
        {"name": "usual", "source": str(faces)},
        {"name": "own", "source": str(faces), **OWN},
        {"name": "bare", "source": str(faces), "thumbnails": False, **OWN},
    ]
    return explore(quick_spec | {"ood": sets, "resize": "pad"}, tmp_path_factory.mktemp("run") / "run", device="cpu")


def inputs_of(run, name):
    """image name -> uint8 (1, 8, 8), found by the run alone."""
    entry = run.entry("ood", name)
    rows = run.images("ood", name, columns=("image_id", "name", "label", "thumbnail")).to_dict("records")
    return {row["name"]: stored_image(run, entry, row).pixels for row in rows}


@pytest.mark.parametrize("name", ["usual", "own", "bare"])
def test_the_pixels_that_each_set_gets(run, faces, name):
    with open_source(faces) as source:
        whole = {each.name: each.pixels for each in source.readable()}
    if name == "usual":
        expected = {file: to_input(pixels, (1, 8, 8), "pad", "bicubic") for file, pixels in whole.items()}
    else:
        expected = {
            file: to_input(pixels[7:23, 2:18], (1, 8, 8), "squash", "bilinear") for file, pixels in whole.items()
        }
    found = inputs_of(run, name)
    assert sorted(found) == sorted(expected)
    assert all(np.array_equal(found[file], expected[file]) for file in expected)


def test_the_scores_are_those_of_images_that_were_cut_beforehand(run, quick_spec, faces, tmp_path):
    with open_source(faces) as source:
        for each in source.readable():
            path = tmp_path / "cut" / each.name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(each.pixels[7:23, 2:18, 0]).save(path)
    sets = [{"name": "cut", "source": str(tmp_path / "cut")}]
    other = explore(
        quick_spec | {"ood": sets, "resize": "squash", "filter": "bilinear"}, tmp_path / "run", device="cpu"
    )
    np.testing.assert_array_equal(run.scores("ood", "own"), other.scores("ood", "cut"))
    assert run.images("ood", "own")["image_id"].tolist() == other.images("ood", "cut")["image_id"].tolist()


def test_the_notes_say_what_was_done(run):
    notes = run.manifest.warnings
    assert "usual: all 8 images were resized to 8x8." in notes
    for name in ("own", "bare"):
        assert f"{name}: all 8 images were resized to 8x8 by squash and bilinear, not pad and bicubic." in notes
        assert f"{name}: of every image the middle 16x16 pixels were taken (centre_crop)." in notes
    assert not any("usual" in note and "centre_crop" in note for note in notes)


def test_pictures_are_of_the_part_that_was_measured(run, faces):
    entry = run.entry("ood", "bare")
    rows = run.images("ood", "bare")
    pictures = find_pictures(run, entry)
    assert set(pictures) == set(rows["image_id"])
    with open_source(faces, centre_crop=16) as source:
        record = source.read(0)
    assert pictures[record.image_id] == thumbnail(record.pixels)
    assert find_record(run, entry, record.image_id, record.name).pixels.shape == (16, 16, 1)
    own = run.images("ood", "own", columns=("image_id", "thumbnail"))
    assert dict(zip(own["image_id"], own["thumbnail"], strict=True)) == pictures
    seen = as_seen(run, run.entry("ood", "own"))(pictures[record.image_id])
    assert seen == thumbnail(to_input(record.pixels, (1, 8, 8), "squash", "bilinear").transpose(1, 2, 0))
    assert fitting_of(run) == fitting_of(run, run.entry("id_train")) == {"policy": "pad", "filter": "bicubic"}


def test_halves_of_one_folder_as_id_train_and_id_test(quick_spec, faces, tmp_path):
    part = {"source": str(faces), "half_seed": 1}
    halves = {"train": {"name": "a", "half": "first", **part}, "test": {"name": "b", "half": "second", **part}}
    run = explore(quick_spec | {"id": halves}, tmp_path / "run", device="cpu")
    train, test = (run.images(role, columns=("image_id", "label")) for role in ("id_train", "id_test"))
    assert (len(train), len(test)) == (5, 3) and not set(train["image_id"]) & set(test["image_id"])
    assert sorted(train["label"]) == ["a"] * 3 + ["b"] * 2 and sorted(test["label"]) == ["a"] * 2 + ["b"]


def test_a_crop_that_no_image_allows_names_set_and_field(quick_spec, faces, tmp_path):
    sets = [{"name": "CelebA", "source": str(faces), "centre_crop": 25}]
    with pytest.raises(SourceError, match=r"The set CelebA: .*20 x 30 pixels, less than the centre_crop of 25"):
        explore(quick_spec | {"ood": sets}, tmp_path / "run", device="cpu")


def test_stored_statistics_serve_where_the_id_set_has_its_own_way(quick_spec, faces, forwards, tmp_path):
    train = {"name": "faces", "source": str(faces), "resize": "pad", "centre_crop": 18}
    base = explore(quick_spec | {"id": {"train": train}}, tmp_path / "base", device="cpu")
    on_top = quick_spec | {"id": {"run": str(base.path)}}
    forwards.clear()
    run = explore(on_top | {"resize": "squash"}, tmp_path / "same", device="cpu")
    assert sum(forwards) == 11 and not any("do not serve" in w for w in run.manifest.warnings)
    run = explore(on_top | {"filter": "bilinear"}, tmp_path / "other", device="cpu")
    (said,) = [w for w in run.manifest.warnings if "do not serve" in w]
    assert "its images were resized by bicubic, not bilinear" in said
    row = run.images("id_train", columns=("image_id", "name", "label", "thumbnail")).iloc[0]
    pixels = find_record(run, run.entry("id_train"), row["image_id"], row["name"]).pixels
    assert pixels.shape == (18, 18, 1)
    stored = stored_image(run, run.entry("id_train"), row).pixels
    np.testing.assert_array_equal(stored, to_input(pixels, (1, 8, 8), "pad", "bilinear"))
