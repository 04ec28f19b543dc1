"""Pooling (theory 2) against a plain float64 reference."""

import numpy as np
import pytest
import torch

from cfs_explore.errors import TapError
from cfs_explore.taps.pooling import pool


def reference(activation: torch.Tensor) -> np.ndarray:
    """[mean ; sqrt(max(population variance, 1e-6))] of (B, C, H, W), in float64."""
    values = activation.double().numpy().reshape(*activation.shape[:2], -1)
    return np.concatenate([values.mean(-1), np.sqrt(np.maximum(values.var(-1), 1e-6))], axis=1)


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(3, 4, 8, 8), (2, 5, 7, 3), (1, 1, 1, 1), (2, 3, 64, 64)])
def test_feature_maps(shape):
    activation = normal(*shape) * 3 + 1
    z = pool(activation)
    assert z.dtype == torch.float32 and z.shape == (shape[0], 2 * shape[1])
    np.testing.assert_allclose(z.numpy(), reference(activation), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("mean", [100.0, 3000.0])
def test_small_variance_on_a_large_mean(mean):
    """E[x^2] - E[x]^2 in float32 would lose the variance altogether."""
    activation = normal(4, 3, 16, 16) * 0.05 + mean
    np.testing.assert_allclose(pool(activation).numpy(), reference(activation), rtol=1e-3)
    np.testing.assert_allclose(pool(activation)[:, 3:].numpy(), 0.05, rtol=0.2)


def test_variance_floor():
    z = pool(torch.full((2, 3, 4, 4), 7.0))
    np.testing.assert_allclose(z.numpy(), [[7, 7, 7, 1e-3, 1e-3, 1e-3]] * 2, rtol=1e-6)


@pytest.mark.parametrize("layout", ["channels_last", "strided"])
def test_memory_layout_does_not_matter(layout):
    activation = normal(3, 4, 6, 6)
    if layout == "channels_last":
        other = activation.to(memory_format=torch.channels_last)
    else:
        other = activation.repeat(1, 1, 1, 2)[..., ::2]
        activation = activation.repeat(1, 1, 1, 2)[..., ::2].contiguous()
    torch.testing.assert_close(pool(other), pool(activation), rtol=1e-6, atol=1e-6)


def test_the_activation_is_left_alone():
    activation = normal(2, 3, 4, 4)
    before = activation.clone()
    pool(activation)
    assert torch.equal(activation, before)


def test_tokens():
    tokens = normal(3, 10, 4) * 2 + 1
    as_map = tokens.transpose(1, 2).unsqueeze(-1)  # (B, C, tokens, 1)
    np.testing.assert_allclose(pool(tokens).numpy(), reference(as_map), rtol=2e-6, atol=2e-6)


def test_half_precision_is_pooled_in_float32():
    activation = (normal(2, 3, 32, 32) * 0.1 + 5).bfloat16()
    z = pool(activation)
    assert z.dtype == torch.float32
    np.testing.assert_allclose(z.numpy(), reference(activation), rtol=1e-4)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5, 6)])
def test_other_ranks_are_refused(shape):
    with pytest.raises(TapError, match=r"must give \(B, C, H, W\) or \(B, tokens, C\); got shape"):
        pool(torch.zeros(shape))
