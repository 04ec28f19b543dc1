"""Capture pooled activations during one forward, and stop it after the last tap that is needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from cfs_explore.errors import TapError
from cfs_explore.taps.pooling import pool


class _LastTapReached(Exception):  # noqa: N818 - control flow, not an error
    """Ends a forward whose remaining work nobody needs."""


def _whole_output(_name: str, output: Any) -> torch.Tensor:
    return output


@contextmanager
def capture(
    module: torch.nn.Module,
    names: Sequence[str],
    activation: Callable[[str, Any], torch.Tensor] = _whole_output,
    *,
    reduce: Callable[[torch.Tensor], torch.Tensor] = pool,
    stop: bool = True,
) -> Iterator[dict[str, torch.Tensor]]:
    """Pool the output of the named submodules while the body runs one forward.

        with capture(backbone.module, ["conv_in"], backbone.activation) as features:
            backbone.forward(x, level)
        features["conv_in"]  # (B, 2C)

    Each output is pooled on its device inside the hook; full feature maps are not kept, unless ``reduce`` is something
    else than pooling. Hooks are always removed, and see the forwards of their own thread alone. ``activation`` says
    what of a module's output is reduced. With ``stop`` the forward ends as soon as every tap has fired.

    Raises:
        TapError: for a name that is not a submodule, or a tap that did not fire.
    """
    modules = dict(module.named_modules())
    unknown = [name for name in names if name not in modules]
    if unknown:
        raise TapError(f"No such tap: {', '.join(unknown)}. Ask backbone.taps() for the names.")
    features: dict[str, torch.Tensor] = {}
    thread = threading.get_ident()

    def hook(name: str):
        def keep(_module, _inputs, output):
            if threading.get_ident() != thread:  # another forward of the same network, beside this one
                return
            features[name] = reduce(activation(name, output))
            if stop and len(features) == len(set(names)):
                raise _LastTapReached

        return keep

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
