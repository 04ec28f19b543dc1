"""What pages read of runs is kept; maps so far, which come and go, push nothing of finished runs out."""

import shutil

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run
from cfs_explore.ui import data


@pytest.fixture(autouse=True)
def _empty():
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def test_maps_so_far_have_a_small_cache_of_their_own(tmp_path):
    finished = data.load_run(BUNDLES / "digits")
    table = finished.table("best_cell")
    for number in range(70):
        place = tmp_path / "work" / "growing" / f"{number:06d}"
        place.mkdir(parents=True)
        shutil.copy(BUNDLES / "digits" / "manifest.json", place)
        (place / "tables").symlink_to(BUNDLES / "digits" / "tables")
        growing = data.load_run(place)
        one = growing.table("best_cell")
        assert _same(growing.table("best_cell"), one) and data.load_run(place) is growing
    assert data.load_run(BUNDLES / "digits") is finished
    assert _same(finished.table("best_cell"), table)


def _same(left: pd.DataFrame, right: pd.DataFrame) -> bool:
    """Two looks at one frame."""
    return np.shares_memory(left["honest"].to_numpy(), right["honest"].to_numpy())


def test_what_pages_share_cannot_be_changed():
    run = data.load_run(BUNDLES / "digits")
    table = run.table("best_cell")
    before = table["honest"].iloc[0]
    table["honest"] = 0.0
    assert run.table("best_cell")["honest"].iloc[0] == before
    with pytest.raises(ValueError, match="read-only"):
        run.scores("id_test")[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        run.moments("id_test").mean[0] = 0


def test_what_is_derived_from_a_run_is_kept_by_function_and_arguments():
    run, asked = data.load_run(BUNDLES / "digits"), []

    def count(run, *arguments):
        asked.append(arguments)
        return len(asked)

    assert [run.derived(count, *arguments) for arguments in ((1, "a"), (2, "a"), (1, "a"))] == [1, 2, 1]
    assert open_run(BUNDLES / "digits").derived(count, 1, "a") == 3
