"""The headlines of the triage page and of one image say what the numbers say, and no more."""

import math

import pytest

from cfs_explore.headlines.image import image_headline
from cfs_explore.headlines.triage import Flagged, triage_headline, why_detector
from cfs_explore.wording import percent


def flagged(count, rate=0.05, threshold=2.0) -> Flagged:
    return Flagged("letters", "CFS(1x2)", count, 250, rate, threshold, "421 ID-test images", 421, 12.44, 5.0, 22.0)


@pytest.mark.parametrize(
    ("found", "by", "said"),
    [
        (flagged(96), "alarm", "**96 of 250** images of **letters**, **more** than the **12.4 [5, 22]** expected"),
        (flagged(23), "alarm", "**more** than the **12.4 [5, 22]**"),
        (flagged(22), "alarm", "**no more** than expected by chance if all were ID: **12.4 [5, 22]**."),
        (flagged(5), "alarm", "**no more** than expected by chance"),
        (flagged(4), "alarm", "**fewer** than the **12.4 [5, 22]**"),
        (
            flagged(0, 0.001, math.inf),
            "alarm",
            "can flag **no image**: 421 ID-test images give no p-value below 0.24 %",
        ),
        (flagged(40, 0.1), "discovery", "flags **40 of 250** images of **letters**. On average, at most that share"),
        (flagged(40, 0.1), "discovery", "of the flagged images (here 4.0) is ID."),
        (flagged(0, 0.1, math.inf), "discovery", "flags **none of 250** images of **letters**."),
    ],
)
def test_triage(found, by, said):
    text = triage_headline(found, by)
    assert said in text and "**CFS(1x2)**" in text
    kind = "false-alarm rate" if by == "alarm" else "false discovery rate"
    assert f"At an expected {kind} of {percent(found.rate, None)}" in text


@pytest.mark.parametrize(
    ("kind", "pair", "cell", "said"),
    [
        (
            "cell",
            (0.84, 0.81, 0.87),
            (0.97, 0.95, 0.98),
            "the best single cell: picked on half of the images, it has AUROC 0.970",
        ),
        ("cell", (0.84, 0.81, 0.87), (0.97, 0.95, 0.98), "CFS(1x2) has 0.840 [0.810, 0.870]."),
        ("cell", None, (0.97, 0.95, 0.98), "there is no published pair."),
        (
            "pair",
            (0.84, 0.81, 0.87),
            (0.83, 0.80, 0.86),
            "the published pair CFS(1x2), AUROC 0.840 [0.810, 0.870]: the best",
        ),
        ("pair", (0.84, 0.81, 0.87), None, "too few images"),
        ("first", None, None, "the first cell"),
    ],
)
def test_it_says_why_the_page_opened_with_its_detector(kind, pair, cell, said):
    text = why_detector(kind, pair, cell)
    assert said in text and text.startswith("Opened with") and text.endswith(".")


def test_percent_has_two_digits_that_count():
    assert [percent(share, None) for share in (0.001, 0.015, 0.05, 1 / 422, 0.2)] == [
        "0.1 %",
        "1.5 %",
        "5 %",
        "0.24 %",
        "20 %",
    ]


@pytest.mark.parametrize(
    ("count", "p_value", "said"),
    [
        (
            153,
            0.021,
            "**A** **stands out**: it is in the top 1 % of ID-test in **153 of 232** cells, unusual for an ID image",
        ),
        (153, 0.05, "**stands out**"),
        (153, 0.051, "**A** looks **ordinary**: it is in the top 1 % of ID-test in **153 of 232** cells, not unusual"),
        (0, 1.0, "**A** looks **ordinary**: it is in the top 1 % of ID-test in **none of 232** cells."),
    ],
)
def test_one_image(count, p_value, said):
    text = image_headline("A", count, 232, p_value, {"CFS(1x2)": 90.51, "CFS-dec(1x1)": 94.2})
    assert said in text
    assert text.endswith(" CFS(1x2) puts it at percentile **90.5**, CFS-dec(1x1) at percentile **94.2**.")
    assert "percentile" not in image_headline("A", count, 232, p_value, {})
