"""A small set of images, as arrays and as a folder, from which every other kind of source is made."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def png(pixels: np.ndarray, **options) -> bytes:
    """PNG bytes of an array (H, W), (H, W, 3) or (H, W, 4)."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.fixture
def encode_png():
    return png


@pytest.fixture
def pixels() -> dict[str, np.ndarray]:
    """Name -> uint8 (9, 7, 3), eight images in two classes."""
    rng = np.random.default_rng(0)
    return {f"{c}/{i}.png": rng.integers(0, 256, (9, 7, 3), np.uint8) for c in ("cat", "dog") for i in range(4)}


@pytest.fixture
def folder(tmp_path: Path, pixels: dict[str, np.ndarray]) -> Path:
    root = tmp_path / "pets"
    for name, array in pixels.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(array))
    return root
