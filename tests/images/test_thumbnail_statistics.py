"""Statistics of stored thumbnails of several sizes and kinds, in the order of the rows."""

import numpy as np
import pytest

from cfs_explore.images import thumbnail
from cfs_explore.images.statistics import image_statistics
from cfs_explore.images.thumbnail_statistics import thumbnail_statistics


def test_every_row_has_the_statistics_of_its_own_image():
    rng = np.random.default_rng(0)
    shapes = [(16, 16, 1), (12, 20, 3), (16, 16, 1), (16, 16, 3), (12, 20, 3)]
    images = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    found = thumbnail_statistics([thumbnail(image) for image in images])
    for row, image in zip(found.to_dict("records"), images, strict=True):
        assert row == pytest.approx(image_statistics(image.transpose(2, 0, 1)[None]).iloc[0].to_dict())


def test_absent_and_broken_thumbnails_are_missing():
    image = np.full((8, 8, 1), 100, np.uint8)
    found = thumbnail_statistics([b"", thumbnail(image), b"no picture"])
    assert found.isna().all(axis=1).tolist() == [True, False, True] and found["mean"][1] == 100
    assert thumbnail_statistics([]).empty
