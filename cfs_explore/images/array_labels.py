"""The labels beside an array of images, in whatever shape and type they were saved; never a reason to lose images."""

from __future__ import annotations

import numpy as np

from .listed import label_text
from .listing import printable


def label_texts(labels: np.ndarray | None, n_images: int) -> tuple[list[str], str]:
    """A label for each image, '' for none, and what is to be said, or ''.

    Args:
        labels: (N,), (N, 1) or one-hot (N, K): integers, whole numbers as floats, text or bytes in UTF-8; None.
        n_images: N.
    """
    none = [""] * n_images
    if labels is None:
        return none, ""
    flat, why = _flattened(labels, n_images)
    if flat is None:
        return none, f"The labels were left out: {why}."
    if flat.dtype.kind == "S":
        return [label_text(printable(value.decode("utf-8", "replace"))) for value in flat.tolist()], ""
    if flat.dtype.kind == "f":
        return [_number(value) for value in flat.tolist()], ""
    return [label_text(value) for value in flat.tolist()], ""


def _flattened(labels: np.ndarray, n_images: int) -> tuple[np.ndarray | None, str]:
    """(N,) of numbers, text or bytes; else None and why not."""
    kind = printable(str(labels.dtype))
    if labels.dtype.kind not in "biufUS":
        return None, f"their type is {kind}"
    if labels.ndim == 0 or labels.shape[0] != n_images:
        return None, f"their shape is {labels.shape}, for {n_images} images"
    flat = labels.reshape(n_images, -1) if n_images else labels.reshape(0, 1)
    if flat.shape[1] == 1:
        return flat[:, 0], ""
    numbers = labels.dtype.kind in "biuf"
    if labels.ndim == 2 and numbers and np.isin(flat, (0, 1)).all() and (flat.astype(np.int64).sum(axis=1) == 1).all():
        return flat.argmax(axis=1), ""
    return None, f"their shape is {labels.shape}, neither one for each image nor one-hot"


def _number(value: float) -> str:
    """A float as a label: whole numbers without a point, NaN as none."""
    if value != value:
        return ""
    return label_text(int(value) if value.is_integer() else f"{value:g}")
