"""AUROC with the top channels: equal to a slow reference, unbiased on noise; sparsity of the contributions."""

import numpy as np
import pytest

from cfs_explore.diagnostics import (
    ScoreError,
    auroc,
    participation_ratio,
    sparsity_curve,
    top_channel_auroc,
)


def slow_top_channels(id_z, ood_z, mean, v, repeats, seed) -> dict[int, float]:
    """Split, rank by the difference (10) of the ranking halves, score the other halves, average: as it is said."""
    rng = np.random.default_rng(seed)
    d = id_z.shape[1]
    ks = sorted({2**i for i in range(20) if 2**i < d} | {d})
    found = {k: [] for k in ks}
    for _ in range(repeats):
        ids, oods = (np.array_split(rng.permutation(len(z)), 2) for z in (id_z, ood_z))
        for rank, judge in ((0, 1), (1, 0)):
            m0, m = id_z[ids[rank]].mean(axis=0), ood_z[oods[rank]].mean(axis=0)
            w0, w = id_z[ids[rank]].var(axis=0), ood_z[oods[rank]].var(axis=0)
            c = ((m - mean) ** 2 - (m0 - mean) ** 2 + w - w0) / v / d
            for k in ks:
                top = np.argsort(-c)[:k]
                scores = [
                    ((z[i][:, top] - mean[top]) ** 2 / v[top]).mean(axis=1)
                    for z, i in ((id_z, ids[judge]), (ood_z, oods[judge]))
                ]
                found[k].append(auroc(*scores).value)
    return {k: float(np.mean(values)) for k, values in found.items()}


def test_equals_the_slow_reference():
    rng = np.random.default_rng(0)
    id_z, ood_z = rng.normal(size=(31, 11)), rng.normal(0.3, rng.uniform(0.5, 2, 11), size=(18, 11))
    mean, v = rng.normal(0, 0.1, 11), rng.uniform(0.5, 2, 11)
    table = top_channel_auroc(id_z, ood_z, mean, v, repeats=3, seed=4)
    expected = slow_top_channels(id_z, ood_z, mean, v, 3, 4)
    assert table["k"].tolist() == [1, 2, 4, 8, 11]
    np.testing.assert_allclose(table["auroc"], list(expected.values()), rtol=1e-12)
    assert ((table["lo"] <= table["auroc"]) & (table["auroc"] <= table["hi"])).all()
    assert (table[["n_id", "n_ood"]] == [31, 18]).all().all()


def test_unbiased_on_pure_noise():
    """No channel carries anything: the best ones of 64 must not look as if they did. Ranked naively, they would."""
    rng = np.random.default_rng(1)
    values, naive = [], []
    for seed in range(40):
        id_z, ood_z = rng.normal(size=(60, 64)), rng.normal(size=(50, 64))
        values.append(top_channel_auroc(id_z, ood_z, np.zeros(64), np.ones(64), repeats=2, seed=seed)["auroc"])
        best = np.argsort(-np.square(ood_z).mean(axis=0) + np.square(id_z).mean(axis=0))[:4]
        naive.append(auroc(np.square(id_z[:, best]).mean(axis=1), np.square(ood_z[:, best]).mean(axis=1)).value)
    error = np.std(values, axis=0, ddof=1) / np.sqrt(40)
    assert (np.abs(np.mean(values, axis=0) - 0.5) < 4 * error).all()
    assert np.mean(naive) > 0.58


def test_finds_the_one_channel_that_carries_the_signal():
    rng = np.random.default_rng(2)
    id_z, ood_z = rng.normal(size=(200, 256)), rng.normal(size=(150, 256))
    ood_z[:, 77] *= 6
    table = top_channel_auroc(id_z, ood_z, np.zeros(256), np.ones(256), repeats=3).set_index("k")
    truth = auroc(np.square(id_z[:, 77]), np.square(ood_z[:, 77])).value
    assert table.loc[1, "auroc"] == pytest.approx(truth, abs=1e-9 + 0.03)
    assert table.loc[256, "auroc"] < table.loc[1, "auroc"]


def test_the_interval_of_all_channels_is_about_delongs():
    rng = np.random.default_rng(3)
    id_z, ood_z = rng.normal(size=(300, 8)), rng.normal(0.4, 1, size=(300, 8))
    last = top_channel_auroc(id_z, ood_z, np.zeros(8), np.ones(8), repeats=8).iloc[-1]
    whole = auroc(np.square(id_z).mean(axis=1), np.square(ood_z).mean(axis=1))
    assert last.auroc == pytest.approx(whole.value, abs=0.01)
    assert last.hi - last.lo == pytest.approx(whole.hi - whole.lo, rel=0.1)


@pytest.mark.parametrize("n_ood", [1, 3])
def test_too_few_images_to_halve(n_ood):
    table = top_channel_auroc(np.ones((9, 5)), np.ones((n_ood, 5)), np.zeros(5), np.ones(5))
    assert table["k"].tolist() == [1, 2, 4, 5] and table[["auroc", "lo", "hi"]].isna().all().all()
    assert (table["n_ood"] == n_ood).all()


def test_constant_features_are_chance():
    table = top_channel_auroc(np.ones((9, 4)), np.ones((8, 4)), np.ones(4), np.full(4, 1e-6))
    assert (table["auroc"] == 0.5).all() and (table["lo"] < 0.5).all()


def test_arguments_that_cannot_be():
    z = np.ones((5, 3))
    with pytest.raises(ScoreError, match="shape"):
        top_channel_auroc(z, np.ones((5, 2)), np.zeros(3), np.ones(3))
    with pytest.raises(ScoreError, match="finite"):
        top_channel_auroc(z, z * np.nan, np.zeros(3), np.ones(3))
    with pytest.raises(ScoreError, match="positive"):
        top_channel_auroc(z, z, np.zeros(3), np.zeros(3))
    with pytest.raises(ScoreError, match="n_features"):
        sparsity_curve(z)


def test_participation_ratio_counts_equal_shares():
    assert participation_ratio(np.array([3.0, -3, 3, 0, 0])) == pytest.approx(3)
    assert participation_ratio(np.array([[1e-200, 0], [1, -1]])).tolist() == pytest.approx([1, 2])
    assert np.isnan(participation_ratio(np.zeros(4)))


def test_sparsity_curve_adds_the_largest_first():
    curve = sparsity_curve(np.array([1.0, -5, 0, 2]))
    assert curve["feature"].tolist() == [1, 3, 0, 2]
    assert curve["share"].tolist() == [0.625, 0.875, 1, 1]
    assert curve["contribution"].tolist() == [-5, 2, 1, 0]
    assert sparsity_curve(np.zeros(3))["share"].isna().all()
