"""Loss under other conditioning: nothing lost when nothing changes, and paired DeLong cell by cell."""

import numpy as np
import pytest

from cfs_explore.diagnostics import ScoreError, auroc, conditioning_loss
from cfs_explore.diagnostics.metrics import paired_auroc_difference


def scored(seed, *, shift=1.0, n_id=60, n_ood=50):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_id, 1, 2, 3)), rng.normal(size=(n_ood, 1, 2, 3)) + shift


def test_the_same_scores_lose_exactly_nothing():
    scores = scored(0)
    frame = conditioning_loss(scores, scores)
    assert (frame[["loss", "loss_lo", "loss_hi"]] == 0).all(axis=None)
    perfect = conditioning_loss(scored(0, shift=100), scored(0, shift=100))
    assert (perfect[["loss", "loss_lo", "loss_hi"]] == 0).all(axis=None) and (perfect["auroc"] == 1).all()


def test_every_cell_is_the_paired_difference():
    matched, other = scored(1, shift=1.5), scored(2, shift=0.5)
    frame = conditioning_loss(matched, other)
    assert frame[["level", "tap_index"]].to_numpy().tolist() == [[k, t] for k in range(2) for t in range(3)]
    for row in frame.itertuples():
        right, wrong = ([part[:, 0, row.level, row.tap_index] for part in scores] for scores in (matched, other))
        assert (row.auroc, row.lo, row.hi) == pytest.approx(tuple(auroc(*wrong)))
        by_hand = paired_auroc_difference(*right, *wrong)
        assert (row.loss, row.loss_lo, row.loss_hi) == pytest.approx(by_hand[:3])
    assert (frame["loss"] > 0).all() and (frame["n_id"] == 60).all() and (frame["n_ood"] == 50).all()


def test_other_images_are_refused():
    with pytest.raises(ScoreError, match="same images"):
        conditioning_loss(scored(0), scored(0, n_ood=20))
