"""Words around numbers and names."""

import re
from pathlib import Path

import pytest

from cfs_explore.wording import (
    counted,
    detector_name,
    format_digits,
    format_estimate,
    format_signed,
    format_value,
    listed,
    p_text,
    part_of,
    percent,
    true_minus,
)

PACKAGE = Path(__file__).parents[2] / "cfs_explore"


@pytest.mark.parametrize(
    ("n", "expected"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (12_345, "12,345 images")]
)
def test_one_is_singular(n, expected):
    assert counted(n, "image") == expected


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [
        (5, 1200, "5 of 1,200 images were"),
        (1, 12, "1 of 12 images was"),
        (12, 12, "all 12 images were"),
        (1, 1, "the only image was"),
    ],
)
def test_a_part_has_its_verb(count, total, expected):
    assert part_of(count, total, "image") == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c"), (["a", "b", "a"], "a and b")],
)
def test_names_are_listed_once(names, expected):
    assert listed(names) == expected


def test_no_text_leaves_the_plural_to_the_reader():
    """No "1 image(s)"."""
    found = [
        p.name for p in PACKAGE.rglob("*.py") if re.search(r"\b(image|file|warning|picture|set)\(s\)", p.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (format_value(0.8731), "0.873"),
        (format_value(-10.12, 1), "\u221210.1"),
        (format_value(-0.0001), "0.000"),
        (format_value(12_345.6, 0), "12,346"),
        (format_value(float("nan")), "n/a"),
        (format_signed(0.0123), "+0.012"),
        (format_signed(-0.0123), "\u22120.012"),
        (format_digits(0.01234), "0.0123"),
        (format_digits(1234), "1,230"),
        (format_digits(99.96), "100"),
        (format_digits(-0.5), "\u22120.5"),
        (format_digits(1.2e-6), "1.2 × 10⁻⁶"),
        (format_digits(0), "0"),
        (format_digits(8.3, zeros=True), "8.30"),
        (format_digits(1, 2, zeros=True), "1.0"),
        (format_digits(10.78, zeros=True), "10.8"),
        (format_digits(-2e-6, 2, zeros=True), "\u22122.0 × 10⁻⁶"),
        (detector_name("up_blocks.2.resnets.0 @ 0.997"), "up2.res0 @ λ 1.0"),
        (detector_name("CFS(1x2) sparse_ed @ -3"), "CFS(1x2) sparse_ed @ λ \u22123.0"),
        (detector_name("CFS(3x2) sparse_ed around 4.99"), "CFS(3x2) sparse_ed around λ 5.0"),
        (detector_name("MSMA"), "MSMA"),
        (format_estimate(0.873, 0.861, 0.884), "0.873 [0.861, 0.884]"),
        (format_estimate(0.873, float("nan"), 0.9), "0.873"),
        (percent(0.05), "5 %"),
        (percent(0.0476, 1), "4.8 %"),
        (percent(0.0024, None), "0.24 %"),
        (percent(1, None), "100 %"),
        (p_text(0.0004), "p < 0.001"),
        (p_text(0.012), "p = 0.012"),
        (true_minus("up1 @ -1.2, id-3, 2-3"), "up1 @ \u22121.2, id-3, 2-3"),
    ],
)
def test_numbers(written, expected):
    assert written == expected
