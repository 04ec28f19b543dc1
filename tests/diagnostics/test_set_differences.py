"""Differences in codec, native size and colour: what is reported, and that chance alone reports nothing."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.diagnostics import CONSEQUENCE, difference_warning, set_differences


def rows(n, format="PNG", colour="grey", width=8, height=8):
    return pd.DataFrame({"format": format, "colour": colour, "width": width, "height": height}, index=range(n))


def test_equal_sets_do_not_differ():
    assert set_differences(rows(50), rows(20)) == []
    assert difference_warning("photos", []) == ""


@pytest.mark.parametrize(
    ("change", "name", "text"),
    [
        ({"format": "JPEG"}, "codec", "codec (all JPEG; ID: all PNG)"),
        ({"width": 16, "height": 16}, "native size", "native size (all 16x16; ID: all 8x8)"),
        ({"colour": "colour"}, "colour", "colour (all colour; ID: all grey)"),
    ],
)
def test_each_property_is_found_alone(change, name, text):
    (difference,) = set_differences(rows(50), rows(20, **change))
    assert difference.name == name and difference.distance == 1
    assert difference_warning("photos", [difference]) == f"photos differs from the ID set in {text}: {CONSEQUENCE}"


def test_distance_is_the_total_variation():
    id_rows = pd.concat([rows(60), rows(40, "JPEG")])
    ood_rows = pd.concat([rows(20), rows(70, "JPEG"), rows(10, "WEBP")])
    (difference,) = set_differences(id_rows, ood_rows)
    assert difference.distance == pytest.approx(0.8 - 0.4)  # shares of lossy images: WEBP is as lossy as JPEG
    assert (difference.ood, difference.id) == ("70 % JPEG", "60 % PNG")


@pytest.mark.parametrize("lossless", ["drawn", "array", "lossless WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_only_lossy_against_lossless_is_a_difference_of_codec(lossless):
    assert set_differences(rows(50), rows(20, lossless)) == []
    for lossy in ("JPEG", "WEBP", "TIFF (JPEG)"):
        assert [d.name for d in set_differences(rows(50, lossless), rows(20, lossy))] == ["codec"]
        assert set_differences(rows(50, "JPEG"), rows(20, lossy)) == []


@pytest.mark.parametrize(("share", "found"), [(0.05, False), (0.3, True)])
def test_only_beyond_the_threshold(share, found):
    n = round(1000 * share)
    assert bool(set_differences(rows(1000), pd.concat([rows(1000 - n), rows(n, "JPEG")]))) == found


def test_a_few_images_are_not_far_by_chance():
    """Five images of a mixture are often 0.3 away from it; that alone is no difference."""
    rng = np.random.default_rng(0)
    warned = 0
    for _ in range(60):
        mixed = [rows(1, ("PNG", "JPEG")[k]) for k in rng.integers(0, 2, 45)]
        warned += bool(set_differences(pd.concat(mixed[:40]), pd.concat(mixed[40:])))
    assert warned <= 6


def test_many_different_sizes_are_compared_by_class():
    rng = np.random.default_rng(1)

    def photos(n, middle):
        sides = np.round(rng.normal(middle, 40, (n, 2))).astype(int)
        return rows(n).assign(width=sides[:, 0], height=sides[:, 1])

    assert set_differences(photos(200, 300), photos(60, 300)) == []
    (difference,) = set_differences(photos(200, 300), photos(60, 420))
    assert difference.name == "native size" and 0.5 < difference.distance <= 1
    assert difference.ood.startswith("median side 4") and difference.id.startswith("median side ")


def test_one_image_of_another_kind_is_reported():
    assert [d.name for d in set_differences(rows(200), rows(1, "JPEG"))] == ["codec"]
