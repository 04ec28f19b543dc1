"""The images page's sentence: what it claims follows from the numbers."""

import pytest

from cfs_explore.embedding import Mixing
from cfs_explore.headlines.images import images_headline


def mixing(share, lo, hi, chance=0.6):
    return Mixing(share, lo, hi, chance, 300, 200)


@pytest.mark.parametrize(
    ("mixed", "says"),
    [
        (mixing(0.1, 0.05, 0.15), "less than half of 0.600 in a random mix: they lie **apart**"),
        (mixing(0.45, 0.4, 0.5), "less than 0.600 in a random mix: they mix **in part**"),
        (mixing(0.55, 0.5, 0.62), "not distinguishable from 0.600 in a random mix: they may **mix like ID images**"),
        (mixing(0.8, 0.7, 0.9), "more than 0.600 in a random mix: they lie **scattered among**"),
    ],
)
def test_the_verdict_is_the_intervals(mixed, says):
    text = images_headline({"letters": mixed}, "digits")
    assert text.startswith("**letters**: the share of its 200 images whose nearest neighbour is an ID image is")
    assert says in text and f"**{mixed.share:.3f} [{mixed.lo:.3f}, {mixed.hi:.3f}]**" in text
    assert text.count("they ") == 1


def test_two_sets_have_a_sentence_each_and_of_more_the_extremes_are_named():
    sets = {"near": mixing(0.5, 0.45, 0.55), "far": mixing(0.0, 0.0, 0.02), "middle": mixing(0.3, 0.25, 0.32)}
    two = images_headline({name: sets[name] for name in ("near", "far")}, "digits")
    assert two.count("the share of its") == 2 and two.index("near") < two.index("far")
    three = images_headline(sets, "digits")
    assert "Of 3 OOD sets, **near** lies most among the ID images and **far** least." in three
    assert three.count("the share of its") == 2 and "middle" not in three


def test_chance_depends_on_the_sizes_and_decides_the_order():
    """0.5 of a small set against 0.9 by chance is less mixed than 0.4 against 0.3."""
    sets = {"a": mixing(0.5, 0.4, 0.6, 0.9), "b": mixing(0.4, 0.35, 0.45, 0.3), "c": mixing(0.5, 0.4, 0.6, 0.6)}
    assert "**b** lies most among the ID images and **a** least" in images_headline(sets, "digits")


def test_id_alone():
    assert images_headline({}, "digits").startswith("Only **digits** is shown: choose an OOD set")
