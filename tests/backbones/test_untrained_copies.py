"""Untrained copies: one network per seed, and no trace in the global random state."""

import pytest
import torch


def weights(backbone):
    return torch.cat([p.flatten() for p in backbone.module.parameters()])


def test_seeds_decide_the_weights(tiny):
    first, again, other = tiny.untrained(5), tiny.untrained(5), tiny.untrained(6)
    assert torch.equal(weights(first), weights(again)) and first.fingerprint == again.fingerprint
    assert len({b.fingerprint for b in (tiny, first, other)}) == 3
    for one, two in ((first, other), (first, tiny), (other, tiny)):
        assert (weights(one) != weights(two)).float().mean() > 0.9  # norms and biases begin alike


def test_copies_answer_like_the_seed_and_unlike_the_trained(tiny):
    x = torch.linspace(-1, 1, 2 * 64).reshape(2, 1, 8, 8)
    level = tiny.match(3.0)
    with torch.inference_mode():
        out = [b.forward(x, level) for b in (tiny, tiny.untrained(5), tiny.untrained(5), tiny.untrained(6))]
    assert torch.equal(out[1], out[2])
    assert all(not torch.allclose(out[i], out[j], rtol=0.01) for i, j in ((0, 1), (1, 3), (0, 3)))


def test_a_copy_is_the_same_network_otherwise(tiny):
    copy = tiny.untrained(3)
    assert copy.taps() == tiny.taps() and copy.image_shape == tiny.image_shape and copy.reach == tiny.reach
    assert copy.match(2.0) == tiny.match(2.0) and copy.device == tiny.device and copy.name != tiny.name
    assert not copy.module.training and not any(p.requires_grad for p in copy.module.parameters())


@pytest.mark.parametrize("seed", [0, 7])
def test_global_random_state_is_left_alone(tiny, seed):
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    tiny.untrained(seed)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.initial_seed() == 123
    after_copy = torch.rand(3)
    torch.manual_seed(123)
    assert torch.equal(after_copy, torch.rand(3))
