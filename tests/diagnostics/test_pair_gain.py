"""Every pair of taps against a loop, who catches which image, and whether top pairs straddle by chance."""

import importlib

import numpy as np
import pytest

from cfs_explore.contracts import Tap
from cfs_explore.diagnostics import (
    COMPLEMENTARITY_COLUMNS,
    ScoreError,
    adjusted_auroc,
    auroc,
    catches,
    complementarity,
    id_threshold,
    joint_separability,
    pair_gain,
    paired_auroc_difference,
    straddle_share,
)
from cfs_explore.diagnostics.pair_gain import PAIR_COLUMNS

REGIONS = ("input", "encoder", "encoder", "middle", "decoder", "decoder", "output")
TAPS = [Tap(f"tap{i}", region, (i + 1) / 7, 8, 4) for i, region in enumerate(REGIONS)]


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    shared = rng.chisquare(6, size=(1, 110))
    values = shared + rng.chisquare(4, size=(7, 110)) + np.linspace(0, 2, 7)[:, None] * (np.arange(110) >= 65)
    return values[:, :65].round(2), values[:, 65:].round(2)


def test_pairs_against_a_loop(scores):
    ids, oods = scores
    table = pair_gain(ids, oods, TAPS)
    assert list(table.columns) == list(PAIR_COLUMNS) and len(table) == 21
    rows = iter(table.itertuples())
    for a in range(7):
        for b in range(a + 1, 7):
            row = next(rows)
            alone = max(auroc(ids[a], oods[a]).value, auroc(ids[b], oods[b]).value)
            together = auroc((ids[a] + ids[b]) / 2, (oods[a] + oods[b]) / 2).value
            assert (row.tap_a, row.tap_b) == (f"tap{a}", f"tap{b}")
            assert (row.auroc, row.best_single, row.gain) == pytest.approx((together, alone, together - alone))
            assert row.straddles == (a < 3 and b > 3)
    assert (table["n_id"] == 65).all() and (table["n_ood"] == 45).all()


def test_blocks_of_pairs_change_nothing(scores, monkeypatch):
    whole = pair_gain(*scores, TAPS)
    module = importlib.import_module("cfs_explore.diagnostics.pair_gain")  # the package's attribute is the function
    monkeypatch.setattr(module, "_BLOCK", 500)
    assert pair_gain(*scores, TAPS).equals(whole)


def test_one_tap_has_no_pair(scores):
    table = pair_gain(scores[0][:1], scores[1][:1], TAPS[:1])
    assert list(table.columns) == list(PAIR_COLUMNS) and table.empty
    assert straddle_share(table, TAPS[:1]) is None
    with pytest.raises(ScoreError, match="7 taps"):
        pair_gain(*scores, TAPS[:3])


def test_straddling_pairs_are_counted_among_the_top(scores):
    table = pair_gain(*scores, TAPS)
    planted = table.assign(gain=np.where(table["straddles"], 0.1, -0.1) + np.linspace(0, 1e-3, 21))
    found = straddle_share(planted, TAPS, top=0.2)
    assert (found.share, found.top, found.pairs) == (1.0, 4, 21)
    assert found.expected == pytest.approx(9 / 21)
    against = straddle_share(planted.assign(gain=-planted["gain"]), TAPS, top=0.2)
    assert against.share == 0 and against.p_value == 1
    ties = straddle_share(planted.assign(gain=0.0), TAPS)
    assert ties.top == 21 and ties.share == pytest.approx(ties.expected)


def test_random_gains_straddle_as_chance_says():
    """Gains without structure: the share is inside its 95 % range, the p-values are about uniform."""
    rng = np.random.default_rng(1)
    taps = [Tap(f"t{i}", "encoder" if i < 8 else "decoder", i / 20, 8, 4) for i in range(20)]
    table = pair_gain(rng.normal(size=(20, 9)), rng.normal(size=(20, 9)), taps)
    found = [straddle_share(table.assign(gain=rng.normal(size=len(table))), taps, shuffles=300) for _ in range(300)]
    assert np.mean([each.share for each in found]) == pytest.approx(found[0].expected, abs=0.03)
    assert np.mean([each.lo <= each.share <= each.hi for each in found]) >= 0.93
    assert np.mean([each.p_value <= 0.05 for each in found]) <= 0.08


def test_who_catches_what():
    rng = np.random.default_rng(2)
    id_e, id_d, ood_e, ood_d = (rng.normal(shift, 1, size=n) for shift, n in ((0, 200), (0, 200), (2, 90), (1.5, 90)))
    got = catches(id_e, id_d, ood_e, ood_d)
    for scores, threshold in ((id_e, got.threshold_e), (id_d, got.threshold_d)):
        assert (scores > threshold).sum() == 10  # 5 % of 200
    names = ["both", "encoder", "decoder", "neither"]
    for image in range(90):
        e, d = ood_e[image] > got.threshold_e, ood_d[image] > got.threshold_d
        assert names[got.group[image]] == {(1, 1): "both", (1, 0): "encoder", (0, 1): "decoder"}.get((e, d), "neither")
    assert got.count.sum() == 90 and (got.count == [(got.group == i).sum() for i in range(4)]).all()
    assert ((got.lo <= got.count / 90) & (got.count / 90 <= got.hi)).all()
    assert (got.hi - got.lo > 0).all()


def test_the_threshold_keeps_at_least_its_share():
    assert id_threshold(np.arange(1.0, 21.0)) == 19
    assert id_threshold(np.arange(1.0, 20.0)) == 19
    assert id_threshold(np.ones(5)) == 1
    with pytest.raises(ScoreError, match="between 0 and 1"):
        id_threshold(np.ones(5), 1.0)
    with pytest.raises(ScoreError, match="same images"):
        catches(np.ones(5), np.ones(5), np.ones(3), np.ones(4))


def test_the_whole_table_says_what_its_parts_say(scores):
    ids, oods = scores
    e, d = [1, 1, 0], [4, 5, 6]
    sides = ids[e], ids[d], oods[e], oods[d]
    table = complementarity(*sides, resamples=60)
    assert list(table.columns) == list(COMPLEMENTARITY_COLUMNS)
    assert list(table["scale"]) == ["s", "ln s"] * 3 and list(table["pair"]) == [0, 0, 1, 1, 2, 2]
    for scale, change in (("s", np.asarray), ("ln s", np.log)):
        rows = table[table["scale"] == scale].reset_index(drop=True)
        expected = joint_separability(*map(change, sides), resamples=60)
        np.testing.assert_allclose(rows["gain_d_hi"], expected["gain_d_hi"])
        for k, row in enumerate(rows.itertuples()):
            id_avg, ood_avg = ids[e[k]] + ids[d[k]], oods[e[k]] + oods[d[k]]
            better = d[k] if row.auroc_d > row.auroc_e else e[k]
            assert row.better == ("decoder" if better == d[k] else "encoder")
            difference = paired_auroc_difference(id_avg, ood_avg, ids[better], oods[better])
            assert (row.auroc_gain, row.auroc_gain_p) == (difference.value, difference.p_value)
            adjusted = adjusted_auroc(ids[d[k]], oods[d[k]], ids[e[k]], oods[e[k]])
            assert (row.adjusted_d, row.adjusted_d_lo) == adjusted[:2]
            found = catches(ids[e[k]], ids[d[k]], oods[e[k]], oods[d[k]])
            counts = row.caught_both, row.caught_encoder, row.caught_decoder, row.caught_neither
            assert counts == tuple(found.count) and row.threshold_e == found.threshold_e
            assert (row.n_id, row.n_ood) == (65, 45)


def test_one_ood_image_and_scores_without_logarithm(scores):
    ids, oods = scores[0][:2], scores[1][:2, :1]
    table = complementarity(ids[:1], ids[1:], oods[:1], oods[1:], resamples=40)
    assert table[["d2", "gain_d", "auroc_gain", "auroc_gain_p", "bits_d"]].isna().all(axis=None)
    assert table["auroc_e"].between(0, 1).all()
    ids = ids - ids.min()  # a score of 0
    zero = complementarity(ids[:1], ids[1:], scores[1][:1], scores[1][1:2], resamples=40)
    assert zero["d2"].notna().tolist() == [True, False]
