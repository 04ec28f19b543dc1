"""Rows of images of runs that were made before the colour of their pixels was noted."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cfs_explore.images.preprocess import png
from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run
from cfs_explore.store.image_rows import read_image_rows


@pytest.fixture
def old_table(tmp_path):
    """Modes and thumbnails of: grey, grey stored as RGB, colour, and RGB without a thumbnail."""
    grey = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    colour = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    thumbnails = [png(grey), png(np.asarray(Image.fromarray(grey).convert("RGB"))), png(colour), b""]
    rows = pd.DataFrame({"name": list("abcd"), "mode": ["L", "RGB", "RGB", "RGB"], "thumbnail": thumbnails})
    rows.to_parquet(tmp_path / "images.parquet")
    return tmp_path / "images.parquet"


def test_colour_is_made_up_for(old_table):
    expected = ["grey", "grey", "colour", "colour"]
    rows = read_image_rows(old_table, ["name", "colour"])
    assert list(rows.columns) == ["name", "colour"] and list(rows["colour"]) == expected
    assert list(read_image_rows(old_table).columns) == ["name", "mode", "thumbnail", "colour"]
    assert read_image_rows(old_table, ["colour"], slice(1, 3)).to_dict("list") == {"colour": expected[1:3]}


def test_the_content_of_older_runs_is_what_their_ids_say(old_table):
    pd.read_parquet(old_table).assign(image_id=list("wxyz")).to_parquet(old_table)
    rows = read_image_rows(old_table, ["content_id", "group"], slice(1, 3))
    assert list(rows.columns) == ["content_id", "group"]
    assert list(rows["content_id"]) == ["x", "y"] and rows["group"].isna().all()


def test_what_is_noted_is_read(old_table):
    pd.read_parquet(old_table).assign(colour="grey").to_parquet(old_table)
    assert set(read_image_rows(old_table, ["colour"])["colour"]) == {"grey"}
    assert list(read_image_rows(old_table, ["name"]).columns) == ["name"]


@pytest.mark.parametrize(("bundle", "expected"), [("digits", "grey"), ("cifar10-uvit", "colour")])
def test_bundles_know_it(bundle, expected):
    assert set(open_run(BUNDLES / bundle).images("id_test", columns=("colour",))["colour"]) == {expected}
