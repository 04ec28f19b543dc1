"""A copy of the bundled digits whose directory tests may write, and clouds of points."""

import shutil

import numpy as np
import pytest

from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run


@pytest.fixture
def digits(tmp_path):
    """The bundled exploration in a folder of its own, without stored coordinates."""
    ignored = shutil.ignore_patterns("embedding", "backbone", "tables")
    return open_run(shutil.copytree(BUNDLES / "digits", tmp_path / "digits", ignore=ignored))


@pytest.fixture(scope="session")
def clouds():
    """float32: 60 ID points in 12 dimensions, correlated, and 20 shifted ones."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(12, 12))
    return tuple((rng.normal(size=(n, 12)) @ mix + shift).astype(np.float32) for n, shift in ((60, 0.0), (20, 6.0)))
