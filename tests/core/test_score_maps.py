"""Where a score comes from: closed forms, windows, batches and order, detectors of several cells, bad input."""

import numpy as np
import pytest
import torch

import cfs_explore as cfs
from cfs_explore.contracts import VARIANCE_FLOOR
from cfs_explore.errors import BackboneError, CFSError, RunError
from cfs_explore.probe.score_map import at_size
from cfs_explore.readings.arithmetic import arithmetic
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.score_maps import channel_parts, score_parts
from cfs_explore.scoring import Moments
from cfs_explore.taps.pooling import pool

CELLS = ["up1.res1@5", ("mid_block.attentions.0", -1.0)]


@pytest.fixture(scope="module")
def run(tiny, tiny_spec, tmp_path_factory):
    spec = tiny_spec(60, 40, name="where", diagnostics="map")
    return cfs.explore(spec, tmp_path_factory.mktemp("where") / "where", device="cpu")


def moments_of(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """mu and v (1, 2C) of maps (n, C, H, W)."""
    found = Moments.of(pool(maps).numpy()[None, None])
    return torch.from_numpy(found.mean), torch.from_numpy(found.variance)


def by_hand(h, mean, variance):
    """(22) and (23), a channel and a position after the other; h (C, P)."""
    channels, size = h.shape
    score, deviation = np.zeros(size), np.zeros(size)
    for c in range(channels):
        m, squares = h[c].mean(), h[c].var()
        s = np.sqrt(max(squares, VARIANCE_FLOOR))
        mu, mu_s, v, v_s = mean[c], mean[channels + c], variance[c], variance[channels + c]
        for p in range(size):
            spread = (h[c, p] - m) ** 2 / s if squares > VARIANCE_FLOOR else s
            score[p] += ((m - mu) * (h[c, p] - mu) / v + (s - mu_s) * (spread - mu_s) / v_s) / (2 * channels)
            deviation[p] += (h[c, p] - mu) ** 2 / (v + v_s + mu_s**2) / channels
    return np.stack([score, deviation])


def test_against_the_formula_by_hand():
    generator = torch.Generator().manual_seed(0)
    train = torch.randn(30, 3, 4, 5, generator=generator) * 2 + 1
    shown = torch.randn(2, 3, 4, 5, generator=generator) + 3
    shown[1, 2] = 0.5  # a flat channel
    mean, variance = moments_of(train)
    found = score_parts(shown.flatten(2), mean, variance)
    for image, values in zip(shown, found, strict=True):
        expected = by_hand(image.flatten(1).double().numpy(), mean[0].numpy(), variance[0].numpy())
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4)


def test_channels_add_up_to_the_map():
    generator = torch.Generator().manual_seed(1)
    mean, variance = moments_of(torch.randn(30, 6, 4, 4, generator=generator))
    shown = torch.randn(2, 6, 4, 4, generator=generator).flatten(2)
    whole = score_parts(shown, mean, variance)
    for position in (0, 7):
        parts = channel_parts(shown, mean, variance, position).sum(dim=2)
        torch.testing.assert_close(parts.float(), whole[:, :, position], rtol=1e-4, atol=1e-5)


def test_in_bf16_the_mean_is_the_slot_score_too():
    """The network rounds, the sums over its channels do not."""
    generator = torch.Generator().manual_seed(4)
    mean, variance = moments_of(torch.randn(30, 32, 8, 8, generator=generator))
    shown = torch.randn(4, 32, 8, 8, generator=generator) + 1
    with arithmetic("cpu", "bf16"):
        found = score_parts(shown.flatten(2), mean, variance)[:, 0].mean(dim=1)
    scores = ((pool(shown) - mean) ** 2 / variance).mean(dim=1)
    torch.testing.assert_close(found.double(), scores, rtol=1e-5, atol=0)


def test_deviation_is_about_one_on_images_like_those_of_training():
    """Gaussian maps with a mean and a spread of their own in each image: E B_p = 1, and A_p's mean is the score's."""
    generator = torch.Generator().manual_seed(2)

    def draw(n: int, shift: float = 0.0) -> torch.Tensor:
        offset = 0.5 * torch.randn(n, 4, 1, 1, generator=generator) + 2 + shift
        spread = 1 + 0.2 * torch.rand(n, 4, 1, 1, generator=generator)
        return offset + spread * torch.randn(n, 4, 16, 16, generator=generator)

    mean, variance = moments_of(draw(4000))
    score, deviation = score_parts(draw(2000).flatten(2), mean, variance).unbind(dim=1)
    assert abs(float(deviation.mean()) - 1) < 0.02
    assert abs(float(score.mean()) - 1) < 0.05
    # shifted by d, (h - mu)^2 grows by d^2 over the variance of a pixel, 0.25 + E spread^2
    expected = 1 + 0.3**2 / float((variance[0, :4] + variance[0, 4:] + mean[0, 4:] ** 2).mean())
    assert abs(float(score_parts(draw(2000, 0.3).flatten(2), mean, variance)[:, 1].mean()) - expected) < 0.02


def test_what_is_odd_in_a_window_is_found_there():
    """A tap that is zero outside a window has nothing to say there that another image has not."""
    generator = torch.Generator().manual_seed(3)
    train = torch.zeros(200, 3, 8, 8)
    train[:, :, 2:5, 3:6] = torch.randn(200, 3, 3, 3, generator=generator)
    odd = torch.zeros(1, 3, 8, 8)
    odd[:, :, 2:5, 3:6] = 4 + torch.randn(1, 3, 3, 3, generator=generator)
    score, deviation = score_parts(odd.flatten(2), *moments_of(train))[0].reshape(2, 8, 8)
    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[2:5, 3:6] = True
    for part in (score, deviation):
        assert part[inside].min() > part[~inside].max()
    assert float(deviation[~inside].max()) < 0.2


def test_the_mean_of_a_cell_is_the_slot_score_that_the_run_stored(run, tiny):
    entry, place = run.entry("ood", "bright"), 3
    with np.load(entry_source(run)) as arrays:
        pixels = arrays["images"]
    images = run.images("ood", "bright")
    row = int(images.iloc[place]["name"].rpartition("[")[2].rstrip("]")) if "[" in images.iloc[place]["name"] else place
    image = pixels[row].astype(np.float32)[None] / 127.5 - 1
    stored = run.scores("ood", "bright")
    found = cfs.score_map(tiny, image, run, [CELLS[0]])
    assert found.shape == (run.draws, 8, 8) and found.dtype == np.float32
    tap = [tap.name for tap in run.taps].index("up_blocks.1.resnets.1")
    scores = found.mean(axis=(1, 2), dtype=np.float64)
    np.testing.assert_allclose(scores, stored[place, :, 0, tap], rtol=1e-5)
    assert entry.count == len(stored)


def entry_source(run):
    return run.manifest.spec["ood"][0]["source"]


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batch_and_order_do_not_matter(run, tiny, tiny_images, batch_size):
    whole = cfs.score_map(tiny, tiny_images, run, [CELLS[1]])
    order = np.random.default_rng(0).permutation(24)[:10]
    part = cfs.score_map(tiny, tiny_images[order], run, [CELLS[1]], batch_size=batch_size)
    np.testing.assert_allclose(part, whole[order], rtol=1e-4, atol=1e-4)


def test_large_maps_are_read_a_few_images_at_a_time(run, tiny, tiny_images, monkeypatch):
    whole = cfs.score_map(tiny, tiny_images, run, CELLS)
    sizes, original = [], Reader.__call__
    monkeypatch.setattr(Reader, "__call__", lambda self, x0, *rest: sizes.append(len(x0)) or original(self, x0, *rest))
    width = 2 * (64 + 16)  # both parts of both taps, at two levels in two draws
    monkeypatch.setattr("cfs_explore.readings.arrays._MOST_BYTES", 10 * 4 * 2 * 2 * width)
    np.testing.assert_allclose(cfs.score_map(tiny, tiny_images, run, CELLS), whole, rtol=1e-4, atol=1e-4)
    assert sizes == [10, 10, 4]


def test_a_composed_detector_is_the_mean_of_its_cells_at_the_image_s_size(run, tiny, tiny_images):
    one, two = (cfs.score_map(tiny, tiny_images[0], run, [cell]) for cell in CELLS)
    assert one.shape == (2, 8, 8) and two.shape == (2, 4, 4)
    both = cfs.score_map(tiny, tiny_images[0], run, CELLS)
    np.testing.assert_allclose(both, (one + at_size(two, (8, 8))) / 2, rtol=1e-4, atol=1e-4)


def test_draws_and_given_noise(run, tiny, tiny_images):
    from cfs_explore.corruption import array_ids, keyed_noise

    noise = keyed_noise(array_ids(tiny_images[:1]), 3, tiny.input_shape, run.manifest.spec.get("seed", 0))
    three = cfs.score_map(tiny, tiny_images[0], run, CELLS, draws=3)
    np.testing.assert_allclose(
        cfs.score_map(tiny, tiny_images[0], run, CELLS, noise=noise), three, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_array_equal(
        cfs.score_map(tiny, tiny_images[0], run, CELLS, noise=noise.tolist()),
        cfs.score_map(tiny, tiny_images[0], run, CELLS, noise=noise),
    )
    np.testing.assert_allclose(cfs.score_map(tiny, tiny_images[0], run, CELLS), three[:2], rtol=1e-4, atol=1e-5)


def test_the_deviation_is_another_map(run, tiny, tiny_images):
    deviation = cfs.score_map(tiny, tiny_images, run, [CELLS[0]], part="deviation")
    assert (deviation >= 0).all() and 0.3 < deviation.mean() < 30


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"part": "both"}, CFSError, "part must be one of score, deviation"),
        ({"cells": []}, CFSError, "a list of one or more"),
        ({"cells": "up1.res1@5"}, CFSError, "a list of one or more"),
        ({"cells": [CELLS[0], ("up_blocks.1.resnets.1", 5.0)]}, CFSError, "no two alike"),
        ({"cells": ["up9.res1@5"]}, RunError, "no tap up9.res1"),
        ({"cells": [("mid_block.attentions.0", 2.0)]}, RunError, "no level with log-SNR 2"),
        ({"cells": [5]}, CFSError, "A cell is a name such as"),
        ({"draws": 0}, CFSError, "draws must be"),
        ({"ids": ["a", "b"]}, CFSError, "1 images need 1 ids"),
        ({"image": np.zeros((1, 9, 8), np.float32)}, BackboneError, "takes images of shape"),
    ],
)
def test_input_that_does_not_fit(run, tiny, tiny_images, changes, error, message):
    arguments = {"image": tiny_images[0], "cells": CELLS, **changes}
    with pytest.raises(error, match=message):
        cfs.score_map(tiny, arguments.pop("image"), run, arguments.pop("cells"), **arguments)


def test_another_backbone_is_refused(run, tiny, tiny_images):
    with pytest.raises(BackboneError, match="is not the backbone of where"):
        cfs.score_map(tiny.untrained(1), tiny_images[0], run, CELLS)
