"""AUROC of a tap along the noise: against counting pairs of images, draw by draw."""

import numpy as np
import pytest

from cfs_explore.diagnostics.auroc_curve import auroc_curve
from cfs_explore.diagnostics.metrics import auroc


def by_pairs(own, ood):
    """Share of pairs in which the OOD score is the higher one; ties count 1/2."""
    return np.mean([(b > a) + 0.5 * (b == a) for a in own for b in ood])


@pytest.fixture
def scores():
    """Scores of 12 ID and 9 OOD images, 3 draws, 4 levels, with ties; OOD is highest at the second level."""
    rng = np.random.default_rng(0)
    shift = np.array([0.5, 2.0, 0.7, 0.0])
    own, ood = rng.normal(size=(12, 3, 4)), rng.normal(size=(9, 3, 4)) + shift
    return own.round(1).astype(np.float32), ood.round(1).astype(np.float32)


def test_curve_is_of_the_mean_over_draws_and_its_range_of_single_draws(scores):
    own, ood = scores
    frame, plateau = auroc_curve([7.0, 5.0, 3.0, 1.0], own, ood)
    assert frame["lam"].tolist() == [7.0, 5.0, 3.0, 1.0]
    for k, row in enumerate(frame.itertuples()):
        means = own[:, :, k].astype(float).mean(axis=1), ood[:, :, k].astype(float).mean(axis=1)
        single = [by_pairs(own[:, m, k], ood[:, m, k]) for m in range(3)]
        assert row.auroc == pytest.approx(by_pairs(*means))
        assert (row.lo, row.hi) == pytest.approx(auroc(*means)[1:3])
        assert (row.draw_lo, row.draw_hi) == pytest.approx((min(single), max(single)))
        assert (row.n_id, row.n_ood, row.draws) == (12, 9, 3)
    assert (plateau.peak, plateau.start, plateau.stop) == (1, 1, 1)
    assert frame["on_plateau"].tolist() == [False, True, False, False]


def test_one_draw_has_no_range(scores):
    own, ood = (each[:, :1] for each in scores)
    frame = auroc_curve([7.0, 5.0, 3.0, 1.0], own, ood).frame
    assert frame[["draw_lo", "draw_hi"]].isna().all(axis=None) and frame["draws"].eq(1).all()
