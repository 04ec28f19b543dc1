"""Sets with masks: judged on them by the stage, fitted like their pictures, and what is wrong with them said."""

import shutil

import numpy as np
import pytest
from PIL import Image

from cfs_explore.diagnostics import auroc
from cfs_explore.errors import SourceError, SpecError
from cfs_explore.images import MaskFolder
from cfs_explore.pipeline import explore
from cfs_explore.pipeline.diagnose import run_stages
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.pipeline.stages.where import compute
from cfs_explore.studies import DIAGNOSTICS


@pytest.fixture
def defects(tmp_path):
    """Pictures of 16 x 12 in two folders, each with a bright spot, and the masks of the spots, as in benchmarks."""
    rng = np.random.default_rng(0)
    for place in range(10):
        folder = ("crack", "hole")[place % 2]
        picture, mask = rng.integers(90, 120, (12, 16)).astype(np.uint8), np.zeros((12, 16), np.uint8)
        spot = slice(2 + place % 5, 7 + place % 5), slice(3 + place % 6, 8 + place % 6)
        picture[spot], mask[spot] = 250, 255
        for kind, array, name in (("test", picture, f"{place:03d}"), ("ground_truth", mask, f"{place:03d}_mask")):
            (tmp_path / kind / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(tmp_path / kind / folder / f"{name}.png")
    return tmp_path


def masked_spec(quick_spec, defects, **more) -> dict:
    ood = {"name": "defects", "source": str(defects / "test"), "masks": str(defects / "ground_truth")}
    return quick_spec | {"name": "masked", "ood": [ood | more]}


def test_a_set_with_masks_is_judged_on_them(quick_spec, defects, tmp_path, tiny, every_forward):
    run = explore(masked_spec(quick_spec, defects), tmp_path / "run", device="cpu")
    every_forward.clear()
    events = []
    run = run_stages(Study(run, Progress(events.append), backbone=tiny), ["where"])
    assert sum(every_forward) == DIAGNOSTICS["where"].forwards(run.counts) == events[-1].total
    cells = run.table("localisation")
    assert (cells["truth"] == "mask").all() and (cells["side"] == 0).all()
    assert set(zip(cells["n_id"], cells["n_ood"], strict=True)) == {(12, 10)}
    trained = cells.query("network == 'trained' and tap_index == 0 and part == 'score'").iloc[0]
    expected = auroc(run.scores("id_test")[:, 0, 0, 0], run.scores("ood", "defects")[:, 0, 0, 0])
    assert trained["detection"] == pytest.approx(expected.value, abs=1e-6)
    # By the crop of the middle 12 x 12 pixels and the nearest of them
    with Image.open(defects / "ground_truth" / "crack" / "000_mask.png") as mask:
        middle = np.asarray(mask)[:, 2:14] > 0
    nearest = ((np.arange(8) + 0.5) * 12 / 8).astype(int)
    share = middle[nearest][:, nearest].mean()
    assert 0 < share < 1 and abs(trained["share"] - share) < 0.05
    assert run.table("localisation_pixels")["auroc"].item() > 0.9  # the spots are bright
    assert run.manifest.spec["ood"][0]["masks"] == str(defects / "ground_truth")


def test_masks_fit_like_their_pictures():
    from cfs_explore.images.preprocess import RESIZE_POLICIES, fit_marks, to_input

    rng = np.random.default_rng(1)
    for policy in RESIZE_POLICIES:
        for size in ((40, 64), (64, 40), (16, 16), (9, 33)):
            marked = np.zeros(size, dtype=bool)
            top, left = (rng.integers(0, side // 2) for side in size)
            marked[top : top + size[0] // 2, left : left + size[1] // 2] = True
            seen = to_input(np.where(marked, 255, 0).astype(np.uint8)[:, :, None], (1, 16, 16), policy, "bilinear")[0]
            found = fit_marks(marked, (1, 16, 16), policy)
            clear = (seen < 30) | (seen > 225)  # off the edge of the marks
            assert (found[clear] == (seen > 127)[clear]).all() and clear.mean() > 0.6


def test_formats_that_change_values_mark_what_is_nearer_to_white(tmp_path):
    mask = np.zeros((24, 24), np.uint8)
    mask[3:9, 4:12] = 255
    for name, options in {"a_mask.jpg": {"quality": 75}, "b.webp": {"quality": 50}, "c.png": {}}.items():
        Image.fromarray(mask).save(tmp_path / name, **options)
    Image.fromarray(mask // 255).save(tmp_path / "d.png")
    with Image.open(tmp_path / "a_mask.jpg") as lossy:
        assert (np.asarray(lossy) > 0).sum() > 2 * (mask > 0).sum()
    for name in "abcd":
        assert (MaskFolder(tmp_path).marked(name, (24, 24), (1, 24, 24), "crop") == (mask > 0)).all()


def test_a_name_too_long_for_a_folder():
    with pytest.raises(SourceError, match="is not a folder"):
        MaskFolder("x" * 5000)


BLACK = Image.fromarray(np.zeros((12, 16), np.uint8))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda home: (home / "ground_truth" / "hole" / "003_mask.png").unlink(),
            "The picture hole/003.png has no mask",
        ),
        (lambda home: shutil.rmtree(home / "ground_truth"), "masks = .*ground_truth is not a folder"),
        (
            lambda home: BLACK.save(home / "ground_truth" / "hole" / "003_mask.bmp"),
            "The picture hole/003.png has two masks in .*: hole/003_mask.bmp and hole/003_mask.png",
        ),
        (lambda home: [path.unlink() for path in home.glob("ground_truth/*/*")], "no masks in .*ground_truth"),
    ],
)
def test_masks_that_are_not_there_are_said_before_anything_is_measured(quick_spec, defects, tmp_path, damage, message):
    spec = masked_spec(quick_spec, defects)
    damage(defects)
    with pytest.raises(SourceError, match=f"The set defects: .*{message}"):
        explore(spec, tmp_path / "run", device="cpu")


def rewrite(home, image) -> None:
    for path in home.glob("ground_truth/*/*"):
        image.save(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda home: rewrite(home, BLACK.resize((16, 16))),
            "000_mask.png .* has 16 x 16 pixels, its picture .* 16 x 12",
        ),
        (lambda home: rewrite(home, BLACK), "nothing is marked in the masks of .*ground_truth for these 10 pictures"),
        (lambda home: rewrite(home, BLACK.point(lambda _: 255)), "everything is marked"),
        (
            lambda home: (home / "ground_truth" / "crack" / "000_mask.png").write_bytes(b"no picture"),
            "cannot be read. crack/000_mask.png: not an image",
        ),
    ],
)
def test_masks_that_do_not_serve_are_why_there_is_no_table(quick_spec, defects, tmp_path, tiny, damage, message):
    run = explore(masked_spec(quick_spec, defects), tmp_path / "run", device="cpu")
    damage(defects)
    study = Study(run, Progress(), backbone=tiny)
    study.progress.start("where", 1, "forwards")
    with pytest.raises(SourceError, match=f"The set defects: .*{message}"):
        compute(study)
    run = run_stages(Study(run, Progress(), backbone=tiny), ["where"])
    assert run.manifest.stages["where"].state == "skipped" and "The set defects" in run.manifest.stages["where"].why


def test_other_names_other_endings_and_masks_of_nothing(quick_spec, defects, tmp_path, tiny):
    """A mask called as its picture, one as BMP, one that is all black, and one without a picture."""
    crack = defects / "ground_truth" / "crack"
    (crack / "000_mask.png").rename(crack / "000.png")
    with Image.open(crack / "002_mask.png") as mask:
        mask.save(crack / "002_mask.bmp")
    (crack / "002_mask.png").unlink()
    BLACK.save(crack / "004_mask.png")
    BLACK.save(crack / "999_mask.png")
    run = explore(masked_spec(quick_spec, defects, resize="squash"), tmp_path / "run", device="cpu")
    run = run_stages(Study(run, Progress(), backbone=tiny), ["where"])
    cells = run.table("localisation")
    assert (cells["n_ood"] == 10).all() and np.isfinite(cells["lo"]).all()


def test_the_masks_place_is_found_kept_and_never_an_id_sets(quick_spec, defects, tmp_path):
    from cfs_explore.explorations.bundles import _hide_places
    from cfs_explore.spec import RunSpec

    spec = masked_spec(quick_spec, defects)
    (defects / "spec.yaml").write_text(RunSpec.parse(spec).to_yaml().replace(f"{defects}/", ""))
    found = RunSpec.parse(defects / "spec.yaml")
    assert found.ood[0].masks == str(defects / "ground_truth")
    hidden = _hide_places(found.model_dump(mode="json"), "gone", builtin=True)
    assert hidden["ood"][0]["masks"] is None and str(defects) not in str(hidden)
    train = spec["id"]["train"] | {"masks": "ground_truth"}
    with pytest.raises(SpecError, match=r"id\.train: `masks` say what is odd in an OOD set"):
        RunSpec.parse(spec | {"id": {"train": train}})
