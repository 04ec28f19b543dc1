"""The score's squared norm and the trace of its Jacobian, by Hutchinson's estimate."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from cfs_explore.backbones.base import Backbone, as_images, per_image
from cfs_explore.contracts import Cost, Level
from cfs_explore.readings.keyed import KeyedNoise
from cfs_explore.readings.protocol import Batch

#: Step of the central differences, as a share of the noise amplitude b: the score bends over lengths of b or more.
STEP = 0.02

#: Rows x parameters whose activations reverse mode keeps at a time.
_KEPT = 3_000_000_000

#: Why a network has no derivative of a mode, "" where it has one; asked once.
_WITHOUT: weakref.WeakKeyDictionary[torch.nn.Module, dict[str, str]] = weakref.WeakKeyDictionary()


class ScoreTrace:
    """||eps||^2, b v'Jv with J the Jacobian of eps, averaged over probes v of +-1, and the sum of eps.

    The score is s = eps / b, so that ||s||^2 / tr(grad s) = ||eps||^2 / (b tr J).

    Args:
        levels: where images are corrupted.
        probes: v drawn for each row.
        mode: of ``MODES``. One forward and one product with the Jacobian a probe, in "reverse" v'J by a backward pass
            (on a CPU two to three times as fast), in "forward" J v by ``torch.func.jvp``; or "difference", two
            forwards a probe, whose mean stands for eps.
    """

    unit = "statistic"
    columns = {"square": slice(0, 1), "trace": slice(1, 2), "sum": slice(2, 3)}  # noqa: RUF012

    def __init__(self, levels: Sequence[Level], probes: int = 1, mode: str = "reverse"):
        self.levels, self.probes, self.mode = tuple(levels), probes, mode
        self.name = f"score_trace, {probes} probes, {mode}"
        self.cost = Cost(2 * probes, 0, 2.0 * probes) if mode == "difference" else Cost(probes, probes, float(probes))

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, 3)."""
        b = as_images(per_image(batch.levels, "b", batch.images))
        noise = KeyedNoise(batch, "probe")
        parts = []
        for _ in range(self.probes):
            v = noise.signs()
            eps, along = MODES[self.mode](backbone, batch.x, batch.conditioning, v)
            found = (eps.double().square(), (b * v).double() * along.double(), eps.double())
            parts.append(torch.stack([part.flatten(1).sum(dim=1) for part in found], dim=1))
        return torch.stack(parts).mean(dim=0)


def _reverse(
    backbone: Backbone, x: torch.Tensor, levels: Sequence[Level], v: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """eps and J'v; in parts, since a backward pass needs all activations."""
    rows, found = max(1, _KEPT // max(backbone.parameters, 1)), []
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        with torch.enable_grad():
            at = x[part].clone().requires_grad_()  # a clone may be differentiated, even of an inference tensor
            eps = backbone.predict_eps(at, levels[part])
            (along,) = torch.autograd.grad(eps, at, v[part].to(eps.dtype))
        found.append((eps.detach(), along))
    eps, along = zip(*found, strict=True)
    return torch.cat(eps), torch.cat(along)


def _forward(
    backbone: Backbone, x: torch.Tensor, levels: Sequence[Level], v: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """eps and J v."""
    return torch.func.jvp(lambda at: backbone.predict_eps(at, levels), (x,), (v,))


def _difference(
    backbone: Backbone, x: torch.Tensor, levels: Sequence[Level], v: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """eps and J v, both to second order in the step."""
    step = STEP * as_images(per_image(levels, "b", x))
    ahead, behind = (backbone.predict_eps(x + sign * step * v, levels) for sign in (1, -1))
    return (ahead + behind) / 2, (ahead - behind) / (2 * step)


#: How a derivative is taken, best first.
MODES = {"reverse": _reverse, "forward": _forward, "difference": _difference}


def without_derivative(backbone: Backbone, mode: str) -> str:
    """Why a backbone gives no derivatives in a mode; "" where it does. One image is tried, once a network and mode."""
    known = _WITHOUT.setdefault(backbone.module, {})
    if mode not in known:
        low, high = backbone.reach
        level = backbone.match((low + high) / 2)
        x = torch.linspace(-1, 1, backbone.input_shape[-1], device=backbone.device)
        x = x.expand(1, *backbone.input_shape).contiguous()
        try:
            with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
                _, along = MODES[mode](backbone, x, [level], torch.ones_like(x))
            known[mode] = "" if along.any() else "its derivative is zero everywhere"
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, NotImplementedError) as error:
            known[mode] = " ".join(str(error).split())[:200] or type(error).__name__
    return known[mode]
