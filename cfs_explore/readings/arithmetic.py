"""Number formats of a forward."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

PRECISIONS = ("fp32", "bf16")


@contextlib.contextmanager
def arithmetic(device: str, precision: str) -> Iterator[None]:
    """bf16 autocast, or true fp32: cuDNN and cuBLAS would otherwise round to TF32."""
    with contextlib.ExitStack() as stack:
        if precision == "bf16":
            stack.enter_context(torch.autocast(device, torch.bfloat16))
        elif device == "cuda":
            stack.enter_context(torch.backends.cudnn.flags(allow_tf32=False))
        yield
