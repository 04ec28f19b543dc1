"""Whole maps of taps, and noise estimates with the encoder's work of another level, on real small networks."""

import numpy as np
import pytest
import torch

from cfs_explore.contracts import Cost
from cfs_explore.corruption import corrupt, keyed_noise
from cfs_explore.readings.encoder_reuse import EncoderReuse, reused_taps, reused_work, why_not
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots
from cfs_explore.readings.tap_maps import TapMaps, map_sizes
from cfs_explore.scoring import feature_columns
from cfs_explore.taps.capture import capture
from cfs_explore.taps.replacement import replaced

LAMS = (5.0, 1.0, -3.0)


@pytest.fixture
def block(tiny, tiny_images):
    """Images, ids and one draw of noise."""
    ids = [str(i) for i in range(len(tiny_images))]
    return tiny_images, keyed_noise(ids, 1, tiny.input_shape), ids


@pytest.fixture
def levels(tiny):
    return [tiny.match(lam) for lam in LAMS]


def test_maps_pool_to_the_snapshots(tiny, block, levels):
    taps = tiny.taps()[2:5]
    sizes = map_sizes(tiny, taps, levels[0])
    assert sizes == {tap.name: tap.channels * tap.resolution**2 for tap in taps}
    maps = Reader(tiny, TapMaps(levels, taps, sizes))(*block)
    pooled = Reader(tiny, TapSnapshots(levels, taps))(*block)
    for tap in taps:
        columns = TapMaps(levels, taps, sizes).columns[tap.name]
        of_tap = maps[..., columns].reshape(*maps.shape[:3], tap.channels, -1)
        means = pooled[..., feature_columns(taps)[tap.name]][..., : tap.channels]
        np.testing.assert_allclose(of_tap.mean(-1), means, rtol=1e-4, atol=1e-5)


def test_reuse_is_the_decoder_on_the_other_levels_encoder(tiny, block, levels):
    """Against the network's own blocks called by hand."""
    x0, noise, ids = block
    reading, done = EncoderReuse(levels, reused_taps(tiny)), []
    found = Reader(tiny, reading, after_batch=done.append)(x0, noise, ids)
    assert found.shape == (1, 1, 24, 6) and sum(done) == 24 * 9 and reading.cost == Cost(9, 0, 9.0)
    net = tiny.module
    xs = [corrupt(torch.from_numpy(x0), torch.from_numpy(noise[0]), level.a, level.b) for level in levels]

    def through(i, j):
        """eps at level j of what the encoder makes of level i."""
        emb = []
        for k in (i, j):
            with capture(net, ["time_embedding"], reduce=lambda output: output) as found:
                net(xs[0], torch.full((24,), levels[k].native))
            emb.append(found["time_embedding"])
        h = net.conv_in(xs[i])
        skips = [h]
        for down in net.down_blocks:
            h, kept = down(h, emb[0])
            skips += kept
        h = net.mid_block(h, emb[0])
        for up in net.up_blocks:
            h = up(h, skips, emb[1])
        return net.conv_out(net.conv_act(net.conv_norm_out(h)))

    with torch.inference_mode():
        for place, (i, j) in enumerate(reading.pairs):
            own, again = through(j, j), through(i, j)
            expected = (again - own).square().flatten(1).sum(1) / own.square().flatten(1).sum(1)
            np.testing.assert_allclose(found[0, 0, :, place], expected, rtol=1e-3)


def test_batches_order_and_noise_of_others_do_not_matter(tiny, block, levels):
    x0, noise, ids = block
    reading = EncoderReuse(levels, reused_taps(tiny))
    whole = Reader(tiny, reading, batch_size=64)(x0, noise, ids)
    for size in (1, 7):
        np.testing.assert_allclose(Reader(tiny, reading, batch_size=size)(x0, noise, ids), whole, rtol=1e-4)
    back = Reader(tiny, reading)(x0[::-1], noise[:, ::-1], ids[::-1])
    np.testing.assert_allclose(back[:, :, ::-1], whole, rtol=1e-4)


def test_the_same_level_again_changes_nothing(tiny, block, levels):
    names = reused_taps(tiny)
    assert 0 < len(names) < len(tiny.taps()) and 0 < reused_work(tiny) < 1
    x = torch.from_numpy(block[0])
    with torch.inference_mode():
        with capture(tiny.module, names, reduce=lambda output: output, stop=False) as outputs:
            own = tiny.predict_eps(x, levels[1])
        with replaced(tiny.module, outputs):
            again = tiny.predict_eps(x, levels[1])
        assert torch.equal(own, again)
        twin = EncoderReuse([levels[1], levels[1]], names)
        assert (Reader(tiny, twin)(*block) == 0).all()
        assert torch.equal(tiny.predict_eps(x, levels[1]), own), "a hook was left behind"


def test_what_other_forwards_of_the_network_compute_is_left_alone(tiny, levels):
    import threading

    x, found = torch.zeros(1, *tiny.input_shape), []
    with torch.inference_mode():
        own = tiny.forward(x, levels[0])
    with replaced(tiny.module, {"conv_in": torch.ones(1, 8, 8, 8)}):
        thread = threading.Thread(target=lambda: found.append(tiny.forward(x, levels[0])))
        thread.start()
        thread.join()
        assert not torch.allclose(tiny.forward(x, levels[0]), own)
    torch.testing.assert_close(found[0], own)


def test_the_network_is_asked_whether_it_allows_it(tiny, levels):
    assert why_not(tiny, levels[0], levels[-1]) == ""


def test_a_decoder_that_sees_the_input_otherwise_is_found_out(tiny, levels):
    """A network whose decoder also reads the image: replacing the taps does not replace all that it takes."""

    class Leaky(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x, t):
            return self.net(x, t) + 0.1 * x.square()

    class Around:
        def __init__(self):
            self.module, self.name, self.input_shape, self.device = Leaky(tiny.module), "leaky", tiny.input_shape, "cpu"

        def taps(self):
            import dataclasses

            return tuple(dataclasses.replace(tap, name=f"net.{tap.name}") for tap in tiny.taps())

        def forward(self, x, level):
            return self.module(x, torch.full((len(x),), float(level.native)))

    assert "takes more from its encoder" in why_not(Around(), levels[0], levels[-1])
