"""Capture is a context manager: it pools in the hook, stops early, always cleans up, and names what went wrong."""

import pytest
import torch
from torch import nn

from cfs_explore.backbones.network import first_output, without_special_tokens
from cfs_explore.errors import TapError
from cfs_explore.taps.capture import capture
from cfs_explore.taps.pooling import pool


class Chain(nn.Module):
    """Three convolutions in a row that count their calls; ``unused`` never runs."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.third = (nn.Conv2d(2, 2, 3, padding=1) for _ in range(3))
        self.unused = nn.Conv2d(2, 2, 1)
        self.ran = []

    def forward(self, x, fail=False):
        for name in ("first", "second", "third"):
            x = getattr(self, name)(x)
            self.ran.append(name)
            if fail and name == "second":
                raise RuntimeError("network failure")
        return x


@pytest.fixture
def chain():
    return Chain()


@pytest.fixture
def x():
    return torch.randn(3, 2, 5, 5, generator=torch.Generator().manual_seed(1))


def hooks(module):
    return sum(len(m._forward_hooks) for m in module.modules())


def test_pools_each_tap(chain, x):
    with torch.no_grad(), capture(chain, ["third", "first"]) as features:
        chain(x)
    with torch.no_grad():
        first = chain.first(x)
        third = chain.third(chain.second(first))
    torch.testing.assert_close(features["first"], pool(first))
    torch.testing.assert_close(features["third"], pool(third))
    assert features["first"].shape == (3, 4)
    assert hooks(chain) == 0


def test_keeps_what_it_is_asked_to_keep(chain, x):
    with torch.no_grad(), capture(chain, ["first"], reduce=torch.clone) as features:
        chain(x)
    with torch.no_grad():
        torch.testing.assert_close(features["first"], chain.first(x))
    assert hooks(chain) == 0


def test_stops_after_the_last_tap_needed(chain, x):
    with capture(chain, ["second", "first"]):
        chain(x)
        pytest.fail("the body goes on after the forward that was to stop")
    assert chain.ran == ["first"]  # second fired its hook and ended the forward
    with capture(chain, ["first", "second"], stop=False) as features:
        chain.ran.clear()
        out = chain(x)
    assert out.shape == x.shape and chain.ran == ["first", "second", "third"]
    assert set(features) == {"first", "second"}
    assert hooks(chain) == 0


def test_early_stop_skips_the_modules_of_a_real_network(tiny):
    calls = []
    handles = [
        tiny.module.get_submodule(t.name).register_forward_pre_hook(lambda *_, name=t.name: calls.append(name))
        for t in tiny.taps()
    ]
    try:
        with torch.no_grad(), capture(tiny.module, ["mid_block.attentions.0"]):
            tiny.forward(torch.zeros(1, 1, 8, 8), tiny.match(5.0))
    finally:
        for handle in handles:
            handle.remove()
    names = [t.name for t in tiny.taps()]
    assert calls == names[: names.index("mid_block.attentions.0") + 1]


def test_hooks_go_when_the_network_fails(chain, x):
    with pytest.raises(RuntimeError, match="network failure"), capture(chain, ["third"]):
        chain(x, fail=True)
    assert hooks(chain) == 0


def test_a_tap_that_does_not_exist_is_named_before_anything_runs(chain):
    refused = pytest.raises(TapError, match=r"No such tap: fourth, fifth\. Ask backbone\.taps\(\)")
    with refused, capture(chain, ["first", "fourth", "fifth"]):
        pytest.fail("the body must not run")
    assert hooks(chain) == 0


def test_a_tap_that_does_not_fire_is_named(chain, x):
    refused = pytest.raises(TapError, match="did not fire during the forward: unused")
    with refused, capture(chain, ["first", "unused"]):
        chain(x)
    assert hooks(chain) == 0


def test_a_module_that_returns_a_tuple(x):
    class Pair(nn.Module):
        def forward(self, x):
            return x + 1, "state"

    network = nn.Sequential(Pair())
    with capture(network, ["0"], first_output) as features:
        network(x)
    torch.testing.assert_close(features["0"], pool(x + 1))


def test_special_tokens_are_not_pooled():
    tokens = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    network = nn.Sequential(nn.Identity())
    with capture(network, ["0"], without_special_tokens(2)) as features:
        network(tokens)
    torch.testing.assert_close(features["0"], pool(tokens[:, 2:]))


def test_the_activation_is_asked_for_by_tap(x):
    network = nn.Sequential(nn.Identity(), nn.Identity())
    with capture(network, ["0", "1"], lambda tap, output: output * (1 + int(tap))) as features:
        network(x)
    torch.testing.assert_close(features["1"], pool(2 * x))
