"""The score's squared norm and the trace of its Jacobian, by Hutchinson's estimate."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from cfs_explore.backbones.base import Backbone, as_images, per_image
from cfs_explore.contracts import Cost, Level
from cfs_explore.readings.keyed import KeyedNoise
from cfs_explore.readings.protocol import Batch

#: Step of the central differences, as a share of the noise amplitude b: the score bends over lengths of b or more.
STEP = 0.02

#: Why a network has no forward-mode derivative, "" where it has one; asked once.
_WITHOUT: weakref.WeakKeyDictionary[torch.nn.Module, str] = weakref.WeakKeyDictionary()


class ScoreTrace:
    """||eps||^2, b v'Jv with J the Jacobian of eps, averaged over probes v of +-1, and the sum of eps.

    The score is s = eps / b, so that ||s||^2 / tr(grad s) = ||eps||^2 / (b tr J).

    Args:
        levels: where images are corrupted.
        probes: v drawn for each row.
        forward: forward-mode derivatives: one forward with its Jacobian-vector product a probe. Otherwise central
            differences, two forwards a probe, whose mean stands for eps.
    """

    unit = "statistic"
    columns = {"square": slice(0, 1), "trace": slice(1, 2), "sum": slice(2, 3)}  # noqa: RUF012

    def __init__(self, levels: Sequence[Level], probes: int = 1, *, forward: bool = True):
        self.levels, self.probes, self.forward = tuple(levels), probes, forward
        self.name = f"score_trace, {probes} probes, {'forward mode' if forward else 'differences'}"
        self.cost = Cost(probes, probes, float(probes)) if forward else Cost(2 * probes, 0, 2.0 * probes)

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, 3)."""
        b = as_images(per_image(batch.levels, "b", batch.images))
        noise = KeyedNoise(batch, "probe")
        along = _forward if self.forward else _differences
        parts = []
        for _ in range(self.probes):
            v = noise.signs()
            eps, slope = along(lambda x: backbone.predict_eps(x, batch.conditioning), batch.x, v, b)
            eps = eps.double()
            found = (eps.square(), (b * v).double() * slope.double(), eps)
            parts.append(torch.stack([part.flatten(1).sum(dim=1) for part in found], dim=1))
        return torch.stack(parts).mean(dim=0)


def _forward(eps_at: Callable, x: torch.Tensor, v: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.func.jvp(eps_at, (x,), (v,))


def _differences(
    eps_at: Callable, x: torch.Tensor, v: torch.Tensor, b: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    step = STEP * b
    ahead, behind = eps_at(x + step * v), eps_at(x - step * v)
    return (ahead + behind) / 2, (ahead - behind) / (2 * step)


def without_forward_mode(backbone: Backbone, level: Level) -> str:
    """Why a backbone gives no forward-mode derivatives; "" where it does. One image is tried, once a network."""
    if backbone.module not in _WITHOUT:
        x = torch.linspace(-1, 1, backbone.input_shape[-1]).expand(1, *backbone.input_shape).contiguous()
        x = x.to(backbone.device)
        try:
            with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
                _, along = torch.func.jvp(lambda at: backbone.predict_eps(at, level), (x,), (torch.ones_like(x),))
            found = "" if along.any() else "its derivative is zero everywhere"
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, NotImplementedError) as error:
            found = " ".join(str(error).split())[:200] or type(error).__name__
        _WITHOUT[backbone.module] = found
    return _WITHOUT[backbone.module]
