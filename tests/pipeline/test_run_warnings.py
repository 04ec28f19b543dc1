"""Bad input: a clear message or a warning in the manifest, and the run goes on where it can."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from cfs_explore.errors import BackboneError, CFSError, SourceError, SpecError, TapError
from cfs_explore.pipeline import explore


@pytest.fixture
def run(quick_spec, tmp_path):
    """Explore the quick spec with changes."""
    return lambda **changes: explore(quick_spec | changes, tmp_path / "run", device="cpu")


def png(array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture
def ood_zip(tmp_path):
    """Make a zip of members (name -> bytes); gives the list of OOD sets with it."""

    def make(members):
        path = tmp_path / "upload.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return [{"name": "upload", "source": str(path)}]

    return make


def test_out_of_reach_names_the_nearest_level(run):
    warnings = run(levels=[15.0, 5.0, -20.0]).manifest.warnings
    high = next(w for w in warnings if "lam = 15" in w)
    low = next(w for w in warnings if "lam = -20" in w)
    assert "out of the backbone's reach (-10.12 to 9.21)" in high and "lam = 9.21, stands in" in high
    assert "lam = -10.12, stands in" in low


def test_levels_that_meet_are_measured_once(run):
    finished = run(levels=[15.0, 9.2, 9.0, 5.0])
    assert [level.native for level in finished.levels] == [0.0, 21.0]
    assert finished.levels[0].requested == 9.2  # the nearest request stands for the level
    assert sum("fall on the same native level" in w for w in finished.manifest.warnings) == 2


def test_not_a_level(run):
    with pytest.raises(SpecError, match=r"levels.*finite number, got nan"):
        run(levels=[float("nan")])


def test_corrupt_and_other_files_are_skipped_listed_and_counted(run, ood_zip):
    good = {f"{i:02d}.png": png(pixels(8, 8, seed=i)) for i in range(21)}
    bad = {"cut.png": good["00.png"][:40], "text.png": b"not an image", "notes.txt": b"hello"}
    finished = run(ood=ood_zip(good | bad))
    entry = finished.entry("ood", "upload")
    assert entry.count == 21 and len(finished.auroc_map("upload")) == 2
    table = finished.table("skipped")
    assert {"cut.png", "text.png"} <= set(table["name"])
    assert entry.skipped == len(table[table["role"] == "ood"])
    assert table["reason"].str.len().gt(5).all() and set(table["dataset"]) == {"upload"}
    (note,) = [w for w in finished.manifest.warnings if "could not be used" in w]
    assert note.startswith(f"upload: {entry.skipped} files could not be used (") and "cut.png" in note


def test_a_single_image(run, ood_zip):
    finished = run(ood=ood_zip({"one.png": png(pixels(8, 8))}))
    assert "upload: only 1 image, so its confidence intervals are wide." in finished.manifest.warnings
    frame = finished.auroc_map("upload")
    assert set(frame["n_ood"]) == {1} and frame["auroc"].between(0, 1).all()


@pytest.mark.parametrize(("count", "warned"), [(19, True), (20, False)])
def test_fewer_than_20_images_are_warned_about(run, write_images, count, warned):
    ood = [{"name": "some", "source": str(write_images(count))}]
    assert any("some: only 19 images" in w for w in run(ood=ood).manifest.warnings) == warned


def test_other_sizes_and_colours_are_converted_and_said(run, ood_zip):
    members = {f"grey-{i}.png": png(pixels(8, 8, seed=i)) for i in range(3)}
    members |= {f"colour-{i}.png": png(pixels(8, 8, 3, seed=i)) for i in range(4)}
    members |= {f"large-{i}.png": png(pixels(20, 30, seed=i)) for i in range(5)}
    warnings = run(ood=ood_zip(members)).manifest.warnings
    assert "upload: 5 of 12 images were resized to 8x8." in warnings
    assert "upload: 4 of 12 images were converted from colour to grey." in warnings


@pytest.mark.parametrize(("resize", "said"), [("crop", True), ("pad", False)])
def test_images_that_the_resize_mostly_cut_away(run, ood_zip, resize, said):
    members = {f"{i}.png": png(pixels(8, 40, seed=i)) for i in range(5)}
    warnings = run(ood=ood_zip(members), resize=resize).manifest.warnings
    warning = "upload: the resize crop kept 20 % of an image (median). pad and squash keep all of it."
    assert (warning in warnings) == said


def test_grey_images_on_a_colour_backbone(run, save_unet):
    folder = save_unet({"_class_name": "DDPMScheduler"}, in_channels=3, out_channels=3)
    warnings = run(backbone=str(folder)).manifest.warnings
    assert "bright: all 11 images were grey; this backbone takes colour." in warnings


def test_no_image_in_the_zip(run, ood_zip):
    with pytest.raises(SourceError, match=r"no images in .*upload\.zip"):
        run(ood=ood_zip({"readme.txt": b"hello"}))


def test_nothing_readable_in_the_zip(run, ood_zip):
    with pytest.raises(SourceError, match=r"upload\.zip: no image of 2 can be read"):
        run(ood=ood_zip({"a.png": b"no", "b.jpg": b"neither"}))


def test_one_bad_set_keeps_what_the_others_cost(quick_spec, tmp_path, ood_zip, shards_done):
    """The mistake is found before anything is measured, and prepared sets stay."""
    broken = quick_spec | {"ood": quick_spec["ood"] + ood_zip({"a.png": b"no"})}
    with pytest.raises(SourceError):
        explore(broken, tmp_path / "run", device="cpu")
    assert shards_done(tmp_path / "run") == {"id-train": 0, "id-test": 0, "id-whole": 0, "ood-00": 0, "ood-01": 0}
    assert (tmp_path / "run" / "work" / "ood-00" / "rows.parquet").exists()


def test_one_in_distribution_image_cannot_be_split(run, write_images):
    lonely = {"train": {"name": "one", "source": str(write_images(1))}}
    with pytest.raises(SourceError, match="single image, which cannot be split"):
        run(id=lonely)


def test_two_in_distribution_images_are_enough_to_go_on(run, write_images):
    finished = run(id={"train": {"name": "two", "source": str(write_images(2))}})
    assert [finished.entry(role).count for role in ("id_train", "id_test")] == [1, 1]
    assert any("only 1 image" in w for w in finished.manifest.warnings)


def test_a_limit_is_a_seeded_subsample(run, write_images):
    finished = run(ood=[{"name": "some", "source": str(write_images(30)), "limit": 21}])
    names = finished.images("ood", "some")["name"]
    assert len(names) == 21 and list(names) == sorted(names) and names.nunique() == 21


def test_not_a_backbone(run, tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(BackboneError, match="not a backbone of a known family"):
        run(backbone=str(tmp_path / "photos"))


def test_unknown_taps(run):
    with pytest.raises(TapError, match=r"Unknown taps: down_blocks\.9"):
        run(taps=["down_blocks.9"])
    with pytest.raises(TapError, match="Unknown taps: conv_act"):
        run(taps=["conv_in"], keep=["conv_act"])


def test_a_backbone_whose_input_no_image_fits(run, save_unet):
    folder = save_unet({"_class_name": "DDPMScheduler"}, in_channels=4, out_channels=4)
    with pytest.raises(CFSError, match="images can be fitted to"):
        run(backbone=str(folder))
