"""The headline of the probe: where a score stands, in words."""

import pytest

from cfs_explore.headlines.probe import Scored, format_score, ordinal, probe_headline


@pytest.mark.parametrize(
    ("below", "words"),
    [
        (1.0, "above every ID image"),
        (0.995, "above 99 % of ID"),
        (0.615, "62nd percentile of ID"),
        (0.005, "below 99 %"),
    ],
)
def test_headline_words_for_where_a_score_stands(below, words):
    assert words in probe_headline("decoder tap t", 5.0, None, [Scored("B", 4.1, below)])


def test_ordinals_and_scores():
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 62, 73)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "62nd", "73rd",
    ]  # fmt: skip
    assert [format_score(s) for s in (0.9349, 4.117, 23.46, 1234.5)] == ["0.935", "4.12", "23.5", "1,234"]
