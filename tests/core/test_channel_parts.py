"""What channels add at a position: the split into mean and standard deviation against (22), and through a network."""

import numpy as np
import pytest
import torch

import cfs_explore as cfs
from cfs_explore.contracts import VARIANCE_FLOOR
from cfs_explore.corruption import array_ids, to_bytes
from cfs_explore.probe.inputs import ProbeImage
from cfs_explore.probe.network import Probe
from cfs_explore.readings.score_maps import channel_parts, mean_parts
from cfs_explore.scoring import Moments
from cfs_explore.taps.pooling import pool


def test_over_the_positions_each_poolings_part_is_its_share_of_the_slot_score():
    """The mean over p of (22)'s first term is (m - mu)^2 / v, of the second (s - mu_s)^2 / v_s, floors included."""
    generator = torch.Generator().manual_seed(4)
    found = Moments.of(pool(torch.randn(40, 3, 4, 5, generator=generator) * 2 + 1).numpy()[None, None])
    moments = [torch.from_numpy(part) for part in (found.mean, found.variance)]
    shown = torch.randn(2, 3, 4, 5, generator=generator) + 3
    shown[1, 2] = 0.5  # a flat channel
    values = shown.flatten(2)
    score = torch.stack([channel_parts(values, *moments, p)[:, 0] for p in range(20)], dim=-1)
    mean = torch.stack([mean_parts(values, *moments, p) for p in range(20)], dim=-1)
    m, s = values.double().mean(dim=2), values.double().var(dim=2, unbiased=False).clamp_min(VARIANCE_FLOOR).sqrt()
    (mu, mu_s), (v, v_s) = (part[0].split(3) for part in moments)
    torch.testing.assert_close(mean.mean(dim=2), (m - mu) ** 2 / v / 6, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close((score - mean).mean(dim=2), (s - mu_s) ** 2 / v_s / 6, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def probe(tiny_spec, tmp_path_factory):
    spec = tiny_spec(30, 5, name="where", diagnostics=[])
    return Probe.open(cfs.explore(spec, tmp_path_factory.mktemp("parts") / "where", device="cpu"), device="cpu")


def test_the_probe_s_maps_and_channels_are_those_of_score_map(probe, tiny, tiny_images):
    run, pixels = probe.run, to_bytes(tiny_images[0])
    x0 = pixels.astype(np.float32) / 127.5 - 1
    image = ProbeImage(array_ids(x0[None])[0], pixels, "one")
    taps = [tap.name for tap in run.taps]
    cells = [run.cell(run.cell_number(level, taps.index(tap))) for level, tap in ((0, taps[3]), (1, taps[-2]))]
    named = [(run.taps[cell.tap].name, run.levels[cell.level].lam) for cell in cells]
    for chosen, names in ((cells[:1], named[:1]), (cells[1:], named[1:]), (cells, named)):
        where = probe.where(image, chosen)
        for part, found in zip(("score", "deviation"), where.maps, strict=True):
            expected = cfs.score_map(tiny, x0, run, names, part=part).mean(axis=0)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    for cell in cells:
        maps = probe.where(image, [cell]).maps
        width = maps.shape[2]
        for position in (0, width + 1, maps[0].size - 1):
            parts = probe.channels(image, cell, position)
            assert parts.shape == (3, run.taps[cell.tap].channels)
            expected = maps[:, position // width, position % width]
            np.testing.assert_allclose([parts[:2].sum(), parts[2].sum()], expected, rtol=1e-3, atol=1e-4)


def test_several_maps_of_one_position_have_one_position(probe, tiny_images, monkeypatch):
    """Their mean at the image's size would look as if there were something to localise."""
    maps = [np.full((1, probe.run.draws, 2, 1, 1), value, np.float32) for value in (1, 3)]
    monkeypatch.setattr("cfs_explore.probe.network.cell_maps", lambda *_, **__: maps)
    where = probe.where(ProbeImage("an id", to_bytes(tiny_images[1]), "one"), [probe.run.cell(0), probe.run.cell(1)])
    assert where.maps.shape == (2, 1, 1) and where.part("deviation").item() == where.score == 2


def test_the_score_is_the_mean_of_the_cells_scores(probe, tiny_images):
    run = probe.run
    image = ProbeImage("an id", to_bytes(tiny_images[1]), "one")
    cells = [run.cell(0), run.cell(len(run.taps) + 5)]
    single = [probe.where(image, [cell]) for cell in cells]
    assert all(each.score == pytest.approx(float(each.maps[0].mean()), rel=1e-5) for each in single)
    assert probe.where(image, cells).score == pytest.approx(np.mean([each.score for each in single]), rel=1e-6)
