"""What the protocol of readings must carry: Jacobian-vector products, paths, noise drawn on the way, any batch."""

import dataclasses

import numpy as np
import pytest
import torch

from cfs_explore.contracts import Cost
from cfs_explore.corruption import keyed_noise
from cfs_explore.errors import BackboneError
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.noise_estimate import NoiseEstimate
from cfs_explore.readings.snapshots import TapSnapshots

LAMS = (5.0, 0.0)


class Trace:
    """v' J v of the noise estimate, and the estimate's squared norm, by one forward-mode derivative."""

    name, unit = "trace", "statistic"
    columns = {"square": slice(0, 1), "trace": slice(1, 2)}  # noqa: RUF012
    cost = Cost(forwards=1, jvps=1, effective=1.0)

    def __init__(self, levels):
        self.levels = tuple(levels)

    def read(self, backbone, batch):
        probes = keyed_noise([f"{image_id}|{draw}|v" for image_id, draw in batch.keys], 1, backbone.input_shape)[0]
        v = torch.from_numpy(np.sign(probes))
        eps, along = torch.func.jvp(lambda x: backbone.predict_eps(x, batch.conditioning), (batch.x,), (v,))
        return torch.stack([eps.square().flatten(1).sum(1), (v * along).flatten(1).sum(1)], dim=1)


class Path:
    """A deterministic path through several levels from the clean image; the norms that it meets."""

    name, unit = "path", "step"

    def __init__(self, backbone, lams):
        self.steps = [backbone.match(lam) for lam in lams]
        self.levels = (dataclasses.replace(self.steps[0], a=1.0, b=0.0),)
        self.columns = {f"{level.lam:g}": slice(k, k + 1) for k, level in enumerate(self.steps)}
        self.cost = Cost(forwards=len(self.steps), jvps=0, effective=float(len(self.steps)))

    def read(self, backbone, batch):
        x, found = batch.x, []
        for level, after in zip(self.steps, [*self.steps[1:], None], strict=True):
            eps = backbone.predict_eps(x, level)
            found.append(eps.square().flatten(1).sum(1))
            if after is not None:
                x = after.a * (x - level.b * eps) / level.a + after.b * eps
        return torch.stack(found, dim=1)


@pytest.fixture
def block(tiny, tiny_images):
    """Images, ids and two draws of noise."""
    ids = [str(i) for i in range(len(tiny_images))]
    return tiny_images, keyed_noise(ids, 2, tiny.input_shape), ids


@pytest.fixture
def three_cores():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_jacobian_vector_products_are_those_of_differences(tiny, block, three_cores):
    x0, noise, ids = block
    levels, done = [tiny.match(lam) for lam in LAMS], []
    found = Reader(tiny, Trace(levels), batch_size=64, after_batch=done.append)(x0, noise, ids)
    assert found.shape == (2, 2, 24, 2) and sum(done) == 2 * 2 * 24
    squares = Reader(tiny, NoiseEstimate(levels))(x0, noise)[..., 0]
    np.testing.assert_allclose(found[..., 0], squares, rtol=1e-4)
    step = 1e-3
    for k, level in enumerate(levels):
        for m in range(2):
            x = torch.from_numpy(np.float32(level.a) * x0 + np.float32(level.b) * noise[m])
            v = torch.from_numpy(np.sign(keyed_noise([f"{i}|{m}|v" for i in ids], 1, tiny.input_shape)[0]))
            with torch.inference_mode():
                ahead, behind = (tiny.predict_eps(x + sign * step * v, level) for sign in (1, -1))
            trace = (v * (ahead - behind) / (2 * step)).flatten(1).sum(1)
            np.testing.assert_allclose(found[k, m, :, 1], trace, rtol=1e-2, atol=0.05)


def test_a_path_is_read_whole_and_counts_its_forwards(tiny, block):
    x0, noise, ids = block
    reading, done = Path(tiny, (9.0, 3.0, 0.0)), []
    found = Reader(tiny, reading, batch_size=7, after_batch=done.append)(x0, noise[:1], ids)
    assert found.shape == (1, 1, 24, 3) and sum(done) == 3 * 24
    with torch.inference_mode():
        first = tiny.predict_eps(torch.from_numpy(x0), reading.steps[0]).square().flatten(1).sum(1)
    np.testing.assert_allclose(found[0, 0, :, 0], first, rtol=1e-4)


@pytest.mark.parametrize("kind", ["trace", "path", "snapshots", "noise"])
def test_no_reading_depends_on_batch_or_order(tiny, block, kind):
    x0, noise, ids = block
    levels = [tiny.match(lam) for lam in LAMS]
    reading = {
        "trace": lambda: Trace(levels),
        "path": lambda: Path(tiny, LAMS),
        "snapshots": lambda: TapSnapshots(levels, tiny.taps()),
        "noise": lambda: NoiseEstimate(levels),
    }[kind]()
    whole = Reader(tiny, reading)(x0, noise, ids)
    turned = Reader(tiny, reading, batch_size=5)(x0[::-1], noise[:, ::-1], ids[::-1])[:, :, ::-1]
    np.testing.assert_allclose(turned, whole, rtol=1e-4, atol=1e-4)
    assert whole.dtype == (np.float64 if kind == "noise" else np.float32)


def test_a_broken_reading_is_named(tiny, block):
    class Broken(NoiseEstimate):
        def read(self, backbone, batch):
            return super().read(backbone, batch) / 0

    with pytest.raises(BackboneError, match=r"first at the statistic square and log-SNR 4\.99"):
        Reader(tiny, Broken([tiny.match(5.0)]))(*block[:2])
