"""A backbone whose answers are known: the optimal denoiser of x0 ~ N(m, S), exact and in double precision.

With C = a^2 S + b^2 I: eps = b C^-1 (x - a m), x0h = m + a S C^-1 (x - a m), J_eps = b C^-1. Here s are the
eigenvalues of S, in the columns of ``basis``.
"""

from __future__ import annotations

import numpy as np
import torch

from cfs_explore.backbones.base import per_image
from cfs_explore.levels import check_request, out_of_reach


class _Variances:
    """Variance preserving, any log-SNR within the reach; the native coordinate is the log-SNR."""

    def __init__(self, reach):
        self.reach = tuple(map(float, reach))

    def match(self, lam, alignment="logsnr"):
        from cfs_explore.contracts import Level

        check_request(lam, alignment)
        at = min(max(float(lam), self.reach[0]), self.reach[1])
        return Level(float(lam), at, (1 + np.exp(-at)) ** -0.5, (1 + np.exp(at)) ** -0.5, at)


class _Denoiser(torch.nn.Module):
    """eps of x (B, d) double at amplitudes a, b (B,); every call is a forward of B images."""

    def __init__(self, mean, values, basis):
        super().__init__()
        for name, array in (("mean", mean), ("values", values), ("basis", basis)):
            self.register_buffer(name, torch.from_numpy(np.array(array, dtype=np.float64)))

    def forward(self, x, a, b):
        along = (x - a[:, None] * self.mean) @ self.basis  # (B, d), in the eigenvectors of S
        return (b[:, None] * along / (a[:, None] ** 2 * self.values + b[:, None] ** 2)) @ self.basis.T


class LinearGaussian:
    """A ``Backbone`` without taps.

    Args:
        mean: m, (C, H, W).
        values: s, (d,) with d = C H W; they must leave images within [-1, 1] where a test shows samples.
        basis: eigenvectors of S as columns, (d, d) orthonormal; None: pixels are independent.
        reach: lowest and highest log-SNR.

    Attributes:
        rows: images of each call of the network, in order.
    """

    family, fingerprint, parameters, notes, schedule = "linear_gaussian", "linear-gaussian", 0, (), "exact"

    def __init__(self, mean, values, basis=None, reach=(-14.0, 14.0)):
        mean = np.asarray(mean, dtype=np.float64)
        self.name, self.image_shape = "linear Gaussian", mean.shape
        self.input_shape = mean.shape
        self.mean, self.values = mean.ravel(), np.asarray(values, dtype=np.float64)
        self.basis = np.eye(mean.size) if basis is None else np.asarray(basis, dtype=np.float64)
        self.covariance = (self.basis * self.values) @ self.basis.T
        self.module = _Denoiser(self.mean, self.values, self.basis)
        self.device = torch.device("cpu")
        self.rows = []
        self.module.register_forward_pre_hook(lambda module, inputs: self.rows.append(len(inputs[0])))
        self._schedule = _Variances(reach)
        self.reach = self._schedule.reach

    def match(self, lam, alignment="logsnr"):
        return self._schedule.match(lam, alignment)

    def out_of_reach(self, lams):
        return out_of_reach(self._schedule, list(lams))

    def encode(self, images):
        return images

    def decode(self, x):
        return x

    def forward(self, x, level):
        a, b = (per_image(level, name, x).double() for name in ("a", "b"))
        return self.module(x.double().flatten(1), a, b).reshape(x.shape).to(x.dtype)

    predict_eps = forward

    def predict_x0(self, x, level):
        a, b = (per_image(level, name, x).double().view(-1, 1, 1, 1) for name in ("a", "b"))
        return ((x.double() - b * self.predict_eps(x.double(), level)) / a).to(x.dtype)

    def taps(self):
        return ()

    def activation(self, tap, output):
        raise NotImplementedError("it has no taps")

    def untrained(self, seed):
        raise NotImplementedError("it has no weights")

    def published(self):
        return None

    def precision_at(self, level):
        """C^-1 at a level, float64 (d, d)."""
        return (self.basis / (level.a**2 * self.values + level.b**2)) @ self.basis.T

    def images(self, n, seed=0):
        """Samples of N(m, S), float32 (n, C, H, W)."""
        white = np.random.default_rng(seed).standard_normal((n, self.values.size))
        x0 = self.mean + (white * np.sqrt(self.values)) @ self.basis.T
        return x0.reshape(n, *self.image_shape).astype(np.float32)


def random_gaussian(shape=(1, 4, 4), seed=0, spread=(0.002, 0.04), mean=0.2, **options):
    """A LinearGaussian of a random mean, random eigenvectors and eigenvalues spaced evenly in logarithm."""
    rng = np.random.default_rng(seed)
    d = int(np.prod(shape))
    basis, _ = np.linalg.qr(rng.standard_normal((d, d)))
    return LinearGaussian(mean * rng.uniform(-1, 1, shape), np.geomspace(*spread, d), basis, **options)
