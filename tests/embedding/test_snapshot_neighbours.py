"""Neighbours in all dimensions, against a plain loop, and how far sets mix, on sets with a known answer."""

import numpy as np
import pytest

from cfs_explore.embedding import EmbeddingError, mixing, nearest


def test_nearest_is_what_a_plain_loop_finds(clouds):
    of_id, others = clouds
    rows, distances = nearest(of_id, others[3], 7)
    plain = [
        float(np.sqrt(sum((a - b) ** 2 for a, b in zip(row.tolist(), others[3].tolist(), strict=True))))
        for row in of_id
    ]
    assert rows.tolist() == sorted(range(60), key=plain.__getitem__)[:7]
    assert distances == pytest.approx(sorted(plain)[:7])


def test_an_image_is_nearest_to_itself_and_ties_keep_their_order():
    of_id = np.array([[1.0, 0], [0, 0], [1, 0], [3, 0]], np.float32)
    rows, distances = nearest(of_id, of_id[0], 10)
    assert rows.tolist() == [0, 2, 1, 3] and distances.tolist() == [0, 0, 1, 2]


def test_mixing_counts_by_hand():
    of_id = np.array([[0.0], [10], [20]], np.float32)
    ood = np.array([[0.4], [1.0], [11.0], [30.0], [30.5]], np.float32)
    found = mixing(of_id, ood)  # 0.4 -> 0 (0.4 < 0.6); 1.0 -> 0.4 is OOD; 11 -> 10; 30 and 30.5 -> each other
    assert found.share == 2 / 5 and found.chance == 3 / 7 and (found.n_id, found.n_ood) == (3, 5)
    assert found.lo < found.share < found.hi


def test_a_tie_counts_for_ood():
    assert mixing(np.array([[0.0]], np.float32), np.array([[1.0], [2.0]], np.float32)).share == 0


def test_one_distribution_mixes_as_chance_says_and_a_far_one_does_not():
    rng = np.random.default_rng(1)
    of_id, same, far = (rng.normal(size=(n, 6)) + shift for n, shift in ((600, 0), (400, 0), (300, 30)))
    found = mixing(of_id, same)
    assert found.chance == 600 / 999 and found.lo < found.chance < found.hi
    assert mixing(of_id, far).share == 0


def test_a_single_image_mixes_with_nothing(clouds):
    with pytest.raises(EmbeddingError, match="at least two OOD images"):
        mixing(clouds[0], clouds[1][:1])
