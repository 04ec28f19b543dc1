"""AUROC, AUPR and FPR95: against scikit-learn, the definitions, and the paper's own code."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.metrics import average_precision_score, roc_auc_score

from cfs_explore.diagnostics import ScoreError, aupr, auroc, fpr95
from cfs_explore.diagnostics.bootstrap import bootstrap_curves, point_curves, ranking
from cfs_explore.errors import CFSError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "methods"
ORACLE = load_file(FIXTURES / "oracle.safetensors")
EXPECTED = json.loads((FIXTURES / "oracle.json").read_text())["metrics"]


def labelled(id_scores, ood_scores):
    return np.repeat([0, 1], [len(id_scores), len(ood_scores)]), np.concatenate([id_scores, ood_scores])


def samples(seed, decimals=None):
    rng = np.random.default_rng(seed)
    n_id, n_ood = rng.integers(1, 90, size=2)
    pair = rng.normal(size=n_id), rng.normal(0.8, 1.5, size=n_ood)
    return pair if decimals is None else tuple(scores.round(decimals) for scores in pair)


def slow_fpr95(id_scores, ood_scores):
    """Try every threshold from the top until 95 % of the OOD images reach it."""
    for threshold in np.unique(np.concatenate([id_scores, ood_scores]))[::-1]:
        if (ood_scores >= threshold).mean() >= 0.95:
            return (id_scores >= threshold).mean()
    raise AssertionError


@pytest.mark.parametrize("method", EXPECTED)
def test_oracle(method):
    pair = ORACLE[f"{method}.score.id_test"], ORACLE[f"{method}.score.ood"]
    assert auroc(*pair).value == pytest.approx(EXPECTED[method]["auroc"], abs=1e-12)
    assert aupr(*pair).value == pytest.approx(EXPECTED[method]["aupr"], abs=1e-12)
    assert fpr95(*pair).value == EXPECTED[method]["fpr95"]


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_values_against_references(decimals):
    for seed in range(60):
        pair = samples(seed, decimals)
        labels, scores = labelled(*pair)
        value, false_positives = point_curves(ranking(*pair))
        assert auroc(*pair).value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
        assert value == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
        assert false_positives == pytest.approx(slow_fpr95(*pair), abs=1e-12)
        id_first = aupr(*pair, positive="id", resamples=2).value
        assert id_first == pytest.approx(average_precision_score(1 - labels, -scores), abs=1e-12)


@pytest.mark.parametrize("decimals", [None, 1])
def test_bootstrap_is_resampling(decimals):
    """The weighted forms equal the plain metrics of the drawn images."""
    id_scores, ood_scores = samples(7, decimals)
    got = bootstrap_curves([ranking(id_scores, ood_scores)], resamples=30, seed=3)
    rng = np.random.default_rng(3)
    drawn_id = id_scores[rng.integers(0, id_scores.size, size=(30, id_scores.size))]
    drawn_ood = ood_scores[rng.integers(0, ood_scores.size, size=(30, ood_scores.size))]
    for b in range(30):
        expected = average_precision_score(*labelled(drawn_id[b], drawn_ood[b]))
        assert got.aupr[0, b] == pytest.approx(expected, rel=1e-5)
        assert got.fpr95[0, b] == pytest.approx(slow_fpr95(drawn_id[b], drawn_ood[b]), abs=1e-6)


def test_seed_decides_the_interval():
    pair = samples(11)
    assert aupr(*pair, seed=1) == aupr(*pair, seed=1)
    assert fpr95(*pair, seed=1).value == fpr95(*pair, seed=2).value
    assert aupr(*pair, seed=1) != aupr(*pair, seed=2)


@pytest.mark.parametrize("metric", [aupr, fpr95])
def test_bootstrap_coverage(metric):
    """Nominal 95 %, known truth from a large sample; percentile intervals are rough at n = 150."""
    rng = np.random.default_rng(2)
    truth = point_curves(ranking(rng.normal(size=400_000), rng.normal(1.2, 1.0, size=400_000)))
    truth = truth[0] if metric is aupr else truth[1]
    covered = 0
    for seed in range(200):
        estimate = metric(rng.normal(size=150), rng.normal(1.2, 1.0, size=150), resamples=400, seed=seed)
        covered += estimate.lo <= truth <= estimate.hi
    assert 0.90 <= covered / 200 <= 0.99


def test_perfect_separation_is_not_certainty():
    low, high = np.arange(64.0), np.arange(100.0, 164.0)
    for metric, value in ((auroc, 1.0), (aupr, 1.0), (fpr95, 0.0)):
        estimate = metric(low, high)
        assert estimate.value == value
        assert 0.02 < estimate.hi - estimate.lo < 0.1
        assert estimate.lo <= value <= estimate.hi
    assert auroc(low, high).lo == pytest.approx(0.969, abs=5e-4)
    wrong = auroc(high, low)
    assert (wrong.value, wrong.lo) == (0.0, 0.0)
    assert wrong.hi == pytest.approx(1 - auroc(low, high).lo)
    narrower = auroc(np.arange(640.0), np.arange(1000.0, 1640.0))
    assert narrower.lo > 0.99


def test_perfect_separation_bound_rarely_misses():
    """Of samples that come out perfectly separated, few have a truth below the bound."""
    rng = np.random.default_rng(4)
    truth, missed, perfect = 0.978, 0, 0
    shift = 2.0143 * np.sqrt(2)
    for _ in range(3000):
        pair = rng.normal(size=25), rng.normal(shift, 1, size=25)
        if pair[0].max() < pair[1].min():
            perfect += 1
            missed += auroc(*pair).lo > truth
    assert perfect > 20
    assert missed == 0


def test_constant_score_and_single_images():
    constant = auroc(np.ones(30), np.ones(40))
    assert constant.value == 0.5
    assert 0.3 < constant.lo < 0.5 < constant.hi < 0.7
    single = auroc([0.0], [1.0])
    assert single.value == 1.0
    assert 0 < single.lo < 0.5


@pytest.mark.parametrize("metric", [auroc, aupr, fpr95])
@pytest.mark.parametrize(
    ("id_scores", "ood_scores", "message"),
    [
        ([], [1.0], "id_scores is empty"),
        ([1.0], [], "ood_scores is empty"),
        ([1.0, np.nan], [1.0], "1 of 2 entries"),
        ([1.0], [np.inf], "finite"),
        ([[1.0]], [1.0], "shape"),
    ],
)
def test_bad_scores(metric, id_scores, ood_scores, message):
    with pytest.raises(ScoreError, match=message):
        metric(id_scores, ood_scores)
    with pytest.raises(ValueError, match=message):
        metric(id_scores, ood_scores)
    with pytest.raises(CFSError, match=message):
        metric(id_scores, ood_scores)


def test_bad_settings():
    pair = samples(1)
    with pytest.raises(ScoreError, match="'ood' or 'id'"):
        aupr(*pair, positive="both")
    with pytest.raises(ScoreError, match="between 0 and 1"):
        auroc(*pair, level=95)
    with pytest.raises(ScoreError, match="resamples"):
        fpr95(*pair, resamples=1)
