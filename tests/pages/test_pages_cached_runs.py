"""What pages read of runs is kept; maps so far, which come and go, push nothing of finished runs out."""

import shutil

import pytest
import streamlit as st

from cfs_explore.locations import BUNDLES
from cfs_explore.ui import data


@pytest.fixture(autouse=True)
def _empty():
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def test_maps_so_far_have_a_small_cache_of_their_own(tmp_path):
    finished = data.load_run(BUNDLES / "digits")
    table = data.table(finished, finished.digest, "best_cell")
    for number in range(70):
        place = tmp_path / "work" / "growing" / f"{number:06d}"
        place.mkdir(parents=True)
        shutil.copy(BUNDLES / "digits" / "manifest.json", place)
        (place / "tables").symlink_to(BUNDLES / "digits" / "tables")
        growing = data.load_run(place)
        one = data.table(growing, growing.digest, "best_cell")
        assert data.table(growing, growing.digest, "best_cell") is one and data.load_run(place) is growing
    assert data.load_run(BUNDLES / "digits") is finished
    assert data.table(finished, finished.digest, "best_cell") is table
