"""A look at sets with planted sizes, codecs, labels, duplicates and damage: each is found, and nothing else."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from preparing import prepare

from cfs_explore.errors import ImageError, RunCancelled
from cfs_explore.images import open_source
from cfs_explore.images.contact_sheet import contact_sheet, thumbnails
from cfs_explore.images.survey import STATISTICS, survey, survey_rows
from cfs_explore.images.survey_overlap import compare, overlap_warning
from cfs_explore.images.survey_text import summary


def save(path, pixels, codec="PNG", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, codec, **options)


def noise(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture
def planted(tmp_path):
    """Six PNG and two JPEG files of known sizes, two broken ones; b/same.png repeats a/0.png, b/again.png too."""
    root = tmp_path / "set"
    for i in range(3):
        save(root / "a" / f"{i}.png", noise(i, 10, 20, 3))
    save(root / "b" / "grey.png", noise(5, 12, 12))
    save(root / "b" / "same.png", noise(0, 10, 20, 3))
    save(root / "b" / "again.png", noise(0, 10, 20, 3), compress_level=1)
    save(root / "b" / "x.jpg", noise(6, 30, 40, 3), "JPEG")
    save(root / "b" / "y.jpg", noise(7, 30, 40, 3), "JPEG")
    (root / "b" / "cut.png").write_bytes((root / "a" / "0.png").read_bytes()[:60])
    (root / "notes.txt").write_text("hello")
    return root


def look(path, **options):
    with open_source(path) as source:
        return survey(source, **options)


def test_counts_sizes_codecs_modes_and_labels(planted):
    found = look(planted)
    assert (len(found), found.total) == (8, 9)
    assert found.sizes().to_dict("split")["data"] == [[20, 10, 5], [40, 30, 2], [12, 12, 1]]
    assert found.storage().to_dict("split")["data"] == [["PNG", "RGB", 5], ["JPEG", "RGB", 2], ["PNG", "L", 1]]
    assert found.labels().to_dict("split")["data"] == [["b", 5], ["a", 3]]
    assert set(found.unusable["name"]) == {"notes.txt", "b/cut.png"}
    assert found.unusable.set_index("name").loc["notes.txt", "reason"] == "not an image extension (.txt)"


def test_duplicates_are_found_by_content_alone(planted):
    assert look(planted).duplicates() == [("a/0.png", "b/again.png", "b/same.png")]
    (planted / "b" / "same.png").unlink(), (planted / "b" / "again.png").unlink()
    assert look(planted).duplicates() == []


def test_statistics_are_those_of_the_pixels(tmp_path):
    pixels = [noise(i, 16, 24, 3) for i in range(4)]
    for i, array in enumerate(pixels):
        save(tmp_path / "set" / f"{i}.png", array)
    found = look(tmp_path / "set").statistics().set_index("statistic")
    luma = [a[..., 0] * 0.299 + a[..., 1] * 0.587 + a[..., 2] * 0.114 for a in pixels]
    expected = {
        **{name: [a[..., c].mean() for a in pixels] for c, name in enumerate(("red", "green", "blue"))},
        "brightness": [y.mean() for y in luma],
        "contrast": [np.sqrt(((y - y.mean()) ** 2).mean()) for y in luma],
    }
    assert list(found.index) == list(STATISTICS) == list(expected)
    for name, values in expected.items():
        assert found.loc[name, "mean"] == pytest.approx(np.mean(values))
        assert found.loc[name, "std"] == pytest.approx(np.std(values))
    assert set(found["count"]) == {4}


def test_grey_images_have_three_equal_channels(tmp_path):
    save(tmp_path / "set" / "a.png", np.full((8, 8), 77, np.uint8))
    row = look(tmp_path / "set").images.iloc[0]
    assert [row[name] for name in STATISTICS] == [77, 77, 77, 77, 0]


def test_a_sample_is_the_draw_that_a_run_takes(write_images):
    path = write_images(30)
    found = look(path, sample=7, seed=3)
    with open_source(path, limit=7, seed=3) as source:
        assert list(found.images["name"]) == source.names
    assert (len(found), found.total) == (7, 30)
    assert len(look(path, sample=30)) == len(look(path, sample=500)) == 30
    assert not look(path, sample=7, seed=4).images["name"].equals(found.images["name"])


def test_progress_and_cancel(planted):
    steps = []
    look(planted, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(i, 9) for i in range(1, 10)]
    with pytest.raises(RunCancelled, match="stopped after 4 of 9 images"):
        look(planted, progress=lambda done, total: steps.append(done), cancelled=lambda: steps[-1] == 4 or 4 in steps)


def test_a_set_of_which_nothing_can_be_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    found = look(tmp_path)
    assert (len(found), found.duplicates(), len(found.sizes()), len(found.labels())) == (0, [], 0, 0)
    assert summary(found)["Images"] == "0" and summary(found)["Unusable files"] == "1"
    with open_source(tmp_path) as source, pytest.raises(ImageError, match="none of 1 images drawn"):
        contact_sheet(source)


def test_rows_of_a_run_say_the_same(planted, tmp_path):
    """Native pictures up to 64 pixels are their own thumbnails, so even the statistics are equal."""
    with open_source(planted) as source:
        rows, _ = prepare(source, (3, 8, 8), "crop", tmp_path / "x.npy")
        direct = survey(source)
    stored = survey_rows(rows, "stored")
    pd.testing.assert_frame_equal(stored.images, direct.images)
    few = survey_rows(rows, "stored", sample=3)
    assert len(few) == 8 and set(few.statistics()["count"]) == {3}


def test_overlap_is_exact_and_named(planted, tmp_path):
    save(tmp_path / "ood" / "new.png", noise(50, 10, 20, 3))
    save(tmp_path / "ood" / "leak.png", noise(2, 10, 20, 3))
    save(tmp_path / "ood" / "near.png", np.clip(noise(1, 10, 20, 3), 1, 254))  # one grey level off is another image
    save(tmp_path / "ood" / "leak2.bmp", noise(0, 10, 20, 3), "BMP")
    id_set, ood = look(planted), look(tmp_path / "ood")
    pairs = compare(id_set, ood)
    assert pairs == [("leak.png", "a/2.png"), ("leak2.bmp", "a/0.png")]
    warning = overlap_warning("ood", pairs, len(ood))
    assert warning.startswith(
        "ood: 2 of 4 images are also in the ID set, pixel by pixel (leak.png = a/2.png, leak2.bmp"
    )
    assert overlap_warning("ood", [], 4) == ""
    assert "2 of 3 images that were looked at are also" in overlap_warning("ood", pairs, 3, sampled=True)
    assert "every image that was looked at is also" in overlap_warning("ood", pairs, 2, sampled=True)


def test_summary_never_rounds_something_away(tmp_path):
    for i in range(300):
        save(tmp_path / "set" / f"{i}.png", noise(i, 4, 4 + (i == 7)))
    facts = summary(look(tmp_path / "set"))
    assert facts["Native size"] == "99 % 4x4, < 1 % 5x4"
    assert (facts["Codec"], facts["Colour mode"], facts["Classes"]) == ("all PNG", "all L", "no labels")
    assert facts["Images"] == "300" and facts["Twice in the set"] == "none"
    assert summary(look(tmp_path / "set", sample=20))["Images"] == "20 of 300, drawn at random"


def test_the_sheet_shows_the_drawn_images(tmp_path):
    for i in range(40):
        save(tmp_path / "set" / f"{i:02d}.png", np.full((8, 8, 3), (i * 6, 255 - i * 6, 9), np.uint8))
    with open_source(tmp_path / "set") as source:
        small = thumbnails(source, 9, seed=2)
        sheet = np.asarray(Image.open(io.BytesIO(contact_sheet(source, 9, seed=2))))
        again = thumbnails(source, 9, seed=2)
    assert small == again and len(small) == 9 and [t.name for t in small] == sorted(t.name for t in small)
    colours = {tuple(c) for c in sheet.reshape(-1, 3).tolist()}
    drawn = {int(t.name[:2]) for t in small}
    assert {i for i in range(40) if (i * 6, 255 - i * 6, 9) in colours} == drawn


def test_the_sheet_bears_any_name_and_any_shape(tmp_path):
    save(tmp_path / "set" / "long, thin.png", noise(0, 1, 900))
    save(tmp_path / "set" / ("ü漢" * 30 + ".png"), noise(0, 3, 3))
    (tmp_path / "set" / "bad.png").write_bytes(b"no")
    with open_source(tmp_path / "set") as source:
        assert len(thumbnails(source)) == 2
        assert Image.open(io.BytesIO(contact_sheet(source))).format == "PNG"
