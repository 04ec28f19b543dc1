"""The probe shows a backbone what the run showed it: pixels, noise, levels and scores; and what it adds is right."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from cfs_explore.backbones import load_backbone
from cfs_explore.contracts import Level
from cfs_explore.corruption import keyed_noise
from cfs_explore.errors import BackboneError, ImageError, SourceError, TapError
from cfs_explore.images import open_source, thumbnail
from cfs_explore.locations import BUNDLES
from cfs_explore.pipeline import explore
from cfs_explore.probe.inputs import drawn_samples, given_image, stored_image
from cfs_explore.probe.levels import nearest, probe_lams
from cfs_explore.probe.network import Probe
from cfs_explore.probe.reading import ProbeReading
from cfs_explore.probe.seen import TapView, share_below
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.tap_maps import map_sides
from cfs_explore.store import open_run

ENCODER, DECODER = TAPS = ("down_blocks.1.resnets.1", "up_blocks.1.resnets.2")
COLUMNS = ("image_id", "name", "label", "thumbnail")


@pytest.fixture(scope="module")
def run():
    return open_run(BUNDLES / "digits")


@pytest.fixture(scope="module")
def probe(run):
    return Probe.open(run, device="cpu")


def image_of(run, role, name, index, **options):
    return stored_image(run, run.entry(role, name), run.images(role, name, columns=COLUMNS).iloc[index], **options)


@pytest.fixture(scope="module")
def pair(run):
    return [image_of(run, "id_test", None, 3), image_of(run, "ood", "letters", 7)]


@pytest.fixture(scope="module")
def seen(probe, pair):
    return probe.see(pair, 3.0, 1, TAPS)


@pytest.mark.parametrize(("lam", "draw"), [(9.0, 0), (5.0, 4), (1.0, 2), (-5.0, 1)])
@pytest.mark.parametrize(
    ("role", "name", "index"), [("id_test", None, 11), ("ood", "noisy", 0), ("ood", "letters", 99)]
)
def test_the_score_is_the_stored_one(run, probe, role, name, index, lam, draw):
    got = probe.see([image_of(run, role, name, index)], lam, draw, TAPS)
    k = [level.requested for level in run.levels].index(lam)
    names = [tap.name for tap in run.taps]
    stored = run.scores(role, name)[index, draw, k, [names.index(tap) for tap in TAPS]]
    assert got.position == k and got.level == run.levels[k]
    np.testing.assert_allclose([got.taps[tap].score[0] for tap in TAPS], stored, rtol=1e-4)


def test_every_tap_of_the_run_scores_as_stored_in_one_forward(run, probe, pair):
    got = probe.see(pair, -1.0, 0, [tap.name for tap in run.taps])
    scores = np.stack([view.score for view in got.taps.values()], axis=1)
    np.testing.assert_allclose(scores[0], run.scores("id_test")[3, 0, 5], rtol=1e-4)
    np.testing.assert_allclose(scores[1], run.scores("ood", "letters")[7, 0, 5], rtol=1e-4)


def test_pixels_are_those_that_the_builtin_sets_draw(run):
    entry = run.entry("ood", "rotated")
    spec = next(each for each in run.manifest.spec["ood"] if each["name"] == "rotated")
    with open_source(spec["source"], limit=spec["limit"], seed=run.manifest.spec["seed"]) as source:
        drawn = [source.read(i) for i in range(len(source))]
    for index in (0, 100, 249):
        got = stored_image(run, entry, run.images("ood", "rotated", columns=COLUMNS).iloc[index], search=False)
        assert got.image_id == drawn[index].image_id and got.name == drawn[index].name
        np.testing.assert_array_equal(got.pixels[0], drawn[index].pixels[:, :, 0])


def test_x_lam_is_the_corruption_with_the_runs_noise(run, probe, pair, seen):
    noise = keyed_noise([image.image_id for image in pair], 2, (1, 16, 16), run.manifest.spec["seed"])[1]
    x0 = np.stack([image.pixels for image in pair]) / 127.5 - 1
    expected = seen.level.a * x0 + seen.level.b * noise
    np.testing.assert_allclose(seen.x_lam, expected, atol=1e-6)
    shown = np.clip(expected / np.hypot(seen.level.a, seen.level.b), -1, 1)
    np.testing.assert_allclose(seen.x_lam_picture / 127.5 - 1, shown, atol=1 / 127.5)


def test_the_estimate_is_predict_x0_and_removes_the_predicted_noise(probe, seen):
    with torch.inference_mode():
        x = torch.from_numpy(seen.x_lam)
        x0 = probe.backbone.predict_x0(x, seen.level).numpy()
        eps = probe.backbone.predict_eps(x, seen.level).numpy()
    np.testing.assert_allclose(seen.x0_hat, x0, atol=1e-5)
    np.testing.assert_allclose(seen.level.a * seen.x0_hat + seen.level.b * eps, seen.x_lam, atol=1e-5)


def test_z_scores_are_against_id_train_at_the_nearest_measured_level(run, probe, pair):
    got = probe.see(pair, 4.25, 0, TAPS)
    assert run.levels[got.position].requested == 5.0 and abs(got.level.lam - 4.25) < 0.1
    moments = run.moments("id_train")
    start = sum(2 * tap.channels for tap in run.taps[: [t.name for t in run.taps].index(DECODER)])
    part = slice(start, start + 128)
    mean, variance = moments.mean[2, part], moments.m2[2, part] / moments.count
    view = got.taps[DECODER]
    expected = (view.snapshot - mean) / np.sqrt(np.maximum(variance, 1e-6))
    np.testing.assert_allclose(view.z, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(view.score, np.square(expected).mean(axis=1), rtol=1e-4)


def test_pooled_maps_are_the_snapshot(seen):
    for name, view in seen.taps.items():
        maps = view.maps.astype(np.float64)
        assert maps.shape == (2, view.tap.channels, view.tap.resolution, view.tap.resolution), name
        np.testing.assert_allclose(maps.mean(axis=(2, 3)), view.snapshot[:, :64], rtol=1e-4, atol=1e-5)
        deviation = np.sqrt(np.maximum(maps.var(axis=(2, 3)), 1e-6))
        np.testing.assert_allclose(deviation, view.snapshot[:, 64:], rtol=1e-4, atol=1e-5)


def test_two_images_at_once_are_each_alone(probe, pair, seen):
    for i, image in enumerate(pair):
        alone = probe.see([image], 3.0, 1, TAPS)
        np.testing.assert_allclose(alone.x_lam[0], seen.x_lam[i], atol=1e-6)
        np.testing.assert_allclose(alone.x0_hat[0], seen.x0_hat[i], atol=1e-4)
        for name in TAPS:
            np.testing.assert_allclose(alone.taps[name].maps[0], seen.taps[name].maps[i], atol=1e-4)
            np.testing.assert_allclose(alone.taps[name].score[0], seen.taps[name].score[i], rtol=1e-4)


def test_draws_beyond_the_runs_are_other_noise(run, probe, pair, seen):
    beyond = probe.see(pair, 3.0, run.draws, TAPS)
    assert np.abs(beyond.x_lam - seen.x_lam).mean() > 0.1 * seen.level.b
    again = probe.see(pair, 3.0, run.draws, TAPS)
    np.testing.assert_array_equal(again.x_lam, beyond.x_lam)


def test_hooks_are_gone_and_an_unknown_tap_is_named(probe, pair):
    with pytest.raises(TapError, match="no_such_tap"):
        probe.see(pair, 5.0, 0, ["no_such_tap"])
    assert not any(module._forward_hooks for module in probe.backbone.module.modules())


def test_strongest_channels_come_first_on_one_scale(run):
    tap = dataclasses.replace(run.taps[0], channels=3)
    maps = np.zeros((2, 3, 2, 2), np.float32)
    maps[0, 1] = [[-1, 0], [0, 1]]
    maps[1, 1] = [[0, 1], [2, 3]]
    z = np.array([[0.5, -1.0, 0.0, 9, 9, 9], [0.2, 0.3, -4.0, 9, 9, 9]])  # deviations do not count
    found = TapView(tap, z, z, np.ones(2), maps, maps[:, :2]).strongest(2)
    assert found.channels.tolist() == [2, 1]
    np.testing.assert_array_equal(found.z, [[0.0, -1.0], [-4.0, 0.3]])
    np.testing.assert_array_equal(found.maps[:, 1, 1, 1], [0.5, 1.0])
    np.testing.assert_array_equal(found.maps[:, 0], 0)  # a flat map is no division by zero


def test_z_table_has_a_row_per_image_and_feature(seen):
    view = seen.taps[ENCODER]
    table = view.z_table(["A", "B"])
    assert len(table) == 2 * 2 * 64
    row = table[(table["image"] == "B") & (table["pooling"] == "std") & (table["channel"] == 5)]
    assert row["z"].item() == view.z[1, 64 + 5] and row["value"].item() == view.snapshot[1, 64 + 5]


def test_share_below_counts_ties_half():
    assert share_below(2.0, np.array([1.0, 2.0, 2.0, 3.0])) == 0.5
    assert share_below(0.0, np.array([1.0, 2.0])) == 0.0 and share_below(9.0, np.array([1.0, 2.0])) == 1.0


def test_levels_are_even_steps_and_all_that_was_measured():
    near, off = Level(5.0, 4.987, 1, 1, 1), Level(0.9, 0.9, 1, 1, 2)
    clipped, aligned = Level(12.0, 9.21, 1, 1, 3), Level(3.0, 2.2, 1, 1, 4)
    lams = probe_lams((-1.1, 9.3), [near, off, clipped, aligned])
    assert list(lams) == sorted(lams) and lams[5.0] is near and lams[0.9] is off
    assert lams[9.21] is clipped and lams[2.2] is aligned and lams[3.0] is None
    assert {1.0, 9.25, 2.25} & set(lams) == set() and min(lams) == -1.0
    assert nearest(1.4, [near, off, clipped, aligned]) == 1


@pytest.fixture(scope="module")
def large_run(tiny_folder, write_images, tmp_path_factory):
    """A run on images larger than a thumbnail, one set in another form than a folder; conditioned on a wrong level."""
    spec = {
        "name": "large",
        "backbone": str(tiny_folder),
        "id": {"train": {"name": "ramps", "source": str(write_images(30, "folder", seed=1, side=80))}},
        "ood": [{"name": "bright", "source": str(write_images(9, "zip", seed=2, shift=60, side=80)), "limit": 6}],
        "levels": [5.0, -1.0],
        "conditioning_offset": -2.0,
        "seed": 3,
        "diagnostics": [],
    }
    return explore(spec, tmp_path_factory.mktemp("probe") / "large", device="cpu")


def test_images_larger_than_their_thumbnails_are_read_again(large_run):
    probe = Probe.open(large_run, device="cpu")
    names = [tap.name for tap in large_run.taps]
    for role, name, index in (("id_test", None, 4), ("ood", "bright", 5)):
        image = image_of(large_run, role, name, index)
        got = probe.see([image], -1.0, 0, names)
        scores = [view.score[0] for view in got.taps.values()]
        np.testing.assert_allclose(scores, large_run.scores(role, name)[index, 0, 1], rtol=1e-4)
        with pytest.raises(SourceError, match="not here in its full size"):
            image_of(large_run, role, name, index, search=False)


def test_maps_of_images_that_are_not_square(save_unet):
    folder = save_unet({"_class_name": "DDPMScheduler", "beta_schedule": "linear"}, sample_size=[8, 12])
    backbone = load_backbone(folder, device="cpu")
    taps, level = backbone.taps(), backbone.match(1.0)
    sides = map_sides(backbone, taps, level)
    assert set(sides.values()) == {(8, 12), (4, 6)}
    look = ProbeReading(level, taps, backbone.input_shape, sides)
    x0 = np.random.default_rng(0).uniform(-1, 1, (2, 1, 8, 12)).astype(np.float32)
    found = Reader(backbone, look)(x0, keyed_noise(["a", "b"], 1, backbone.input_shape))[0, 0]
    for tap in taps:
        maps = found[:, look.columns[f"maps {tap.name}"]].reshape(2, tap.channels, *sides[tap.name])
        snapshot = found[:, look.columns[f"snapshot {tap.name}"]]
        np.testing.assert_allclose(maps.mean(axis=(2, 3)), snapshot[:, : tap.channels], atol=1e-5)


def test_another_backbone_in_its_place_is_refused(large_run, save_unet, tmp_path):
    other = save_unet({"_class_name": "DDPMScheduler", "beta_schedule": "linear"}, seed=9)
    spec = large_run.path / "spec.yaml"
    kept = spec.read_text()
    try:
        spec.write_text(kept.replace(large_run.manifest.spec["backbone"]["path"], str(other)))
        with pytest.raises(BackboneError, match="not the backbone that the map was measured with"):
            Probe.open(large_run, device="cpu")
    finally:
        spec.write_text(kept)


@pytest.mark.parametrize(
    ("change", "words"), [({"parameters": 10**9}, "M weights"), ({"input_shape": (4, 2, 2)}, "latents")]
)
def test_what_is_too_slow_for_a_cpu_is_refused_before_it_is_loaded(run, change, words):
    entry = run.manifest.backbone.model_copy(update=change | {"path": "/nowhere"})
    copy = type(run)(run.path, run.manifest.model_copy(update={"backbone": entry}))
    with pytest.raises(BackboneError, match=f"{words}.*CUDA"):
        Probe.open(copy, device="cpu")


def test_nothing_is_fetched_where_that_is_not_allowed(run, tmp_path):
    copy = tmp_path / "run"
    copy.mkdir()
    text = (run.path / "spec.yaml").read_text().replace("{path: backbone}", "{path: owner/name}")
    (copy / "spec.yaml").write_text(text)
    elsewhere = type(run)(copy, run.manifest)
    with pytest.raises(BackboneError, match="fetches nothing"):
        Probe.open(elsewhere, device="cpu", fetch=False)


def test_an_image_of_ones_own_is_fitted_as_the_run_fits(run):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 1), np.uint8)
    image = given_image(run, thumbnail(pixels), "mine.png")
    np.testing.assert_array_equal(image.pixels[0], pixels[:, :, 0])
    assert image.x0.min() >= -1 and image.x0.max() <= 1 and image.x0.dtype == np.float32
    wide = given_image(run, thumbnail(np.zeros((20, 40, 3), np.uint8)), "wide.png")
    assert wide.pixels.shape == (1, 16, 16)
    with pytest.raises(ImageError, match=r"mine\.txt"):
        given_image(run, b"no image", "mine.txt")


def test_the_backbones_own_samples_stand_for_id_images_that_are_not_here():
    """Each is a tile of the sheet beside the weights; where there is no sheet, there is none."""
    run = open_run(BUNDLES / "cifar10-ddpm")
    samples = drawn_samples(run)
    with Image.open(BUNDLES / "cifar10-ddpm" / "backbone" / "samples.png") as sheet:
        pixels = np.asarray(sheet)
    assert len(samples) == pixels.shape[0] * pixels.shape[1] // 32**2 and samples[9].name == "sample 10"
    np.testing.assert_array_equal(samples[9].pixels.transpose(1, 2, 0), pixels[32:64, 32:64])  # row 2 of 8 columns
    assert drawn_samples(open_run(BUNDLES / "digits")) == []
