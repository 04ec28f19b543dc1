"""Capture pooled activations during one forward, and stop it after the last tap that is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from cfs_explore.errors import TapError
from cfs_explore.taps.pooling import pool


class _LastTapReached(Exception):  # noqa: N818 - control flow, not an error
    """Ends a forward whose remaining work nobody needs."""


@contextmanager
def capture(
    module: torch.nn.Module, names: Sequence[str], *, stop: bool = True, special_tokens: int = 0
) -> Iterator[dict[str, torch.Tensor]]:
    """Pool the output of the named submodules while the body runs one forward.

        with capture(backbone.module, ["conv_in"]) as features:
            backbone.forward(x, level)
        features["conv_in"]  # (B, 2C)

    Each output is pooled on its device inside the hook; full feature maps are never kept. Hooks are always
    removed. With ``stop`` the forward ends as soon as every tap has fired.

    Raises:
        TapError: for a name that is not a submodule, or a tap that did not fire.
    """
    modules = dict(module.named_modules())
    unknown = [name for name in names if name not in modules]
    if unknown:
        raise TapError(f"No such tap: {', '.join(unknown)}. Ask backbone.taps() for the names.")
    features: dict[str, torch.Tensor] = {}

    def hook(name: str):
        def pool_output(_module, _inputs, output):
            tensor = output[0] if isinstance(output, tuple) else output
            features[name] = pool(tensor, special_tokens=special_tokens)
            if stop and len(features) == len(set(names)):
                raise _LastTapReached

        return pool_output

    handles = [modules[name].register_forward_hook(hook(name)) for name in names]
    try:
        yield features
    except _LastTapReached:
        pass
    finally:
        for handle in handles:
            handle.remove()
    silent = [name for name in names if name not in features]
    if silent:
        raise TapError(f"These taps did not fire during the forward: {', '.join(silent)}.")
