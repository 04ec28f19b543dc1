"""AUROC, AUPR and FPR95: against scikit-learn, the definitions, and the paper's own code."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.metrics import average_precision_score, roc_auc_score

from cfs_explore.diagnostics import ScoreError, aupr, auroc, fpr95
from cfs_explore.diagnostics.precision_recall import average_precision, fpr95_interval, ranking
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
        value, false_positives = average_precision(ranking(*pair))[0], fpr95_interval(ranking(*pair))[0]
        assert auroc(*pair).value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
        assert value == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
        assert false_positives == pytest.approx(slow_fpr95(*pair), abs=1e-12)
        id_first = aupr(*pair, positive="id").value
        assert id_first == pytest.approx(average_precision_score(1 - labels, -scores), abs=1e-12)


@pytest.mark.parametrize("decimals", [None, 1])
def test_the_variance_of_average_precision_is_that_of_resampling(decimals):
    id_scores, ood_scores = samples(7, decimals)
    rng = np.random.default_rng(3)
    pairs = ([rng.choice(part, part.size) for part in (id_scores, ood_scores)] for _ in range(3000))
    drawn = [average_precision_score(*labelled(*pair)) for pair in pairs]
    value, var = average_precision(ranking(id_scores, ood_scores))
    assert value == pytest.approx(average_precision_score(*labelled(id_scores, ood_scores)))
    assert np.sqrt(var) == pytest.approx(np.std(drawn), rel=0.07)


def test_perfect_separation_is_not_certainty():
    low, high = np.arange(64.0), np.arange(100.0, 164.0)
    for metric, value in ((auroc, 1.0), (aupr, 1.0), (fpr95, 0.0)):
        estimate = metric(low, high)
        assert estimate.value == value
        assert 0.01 < estimate.hi - estimate.lo < 0.2  # 64 images hardly tell where 95 % of them lie
        assert estimate.lo <= value <= estimate.hi
    assert auroc(low, high).lo == pytest.approx(0.982, abs=2e-3)
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
    assert 0.45 < constant.lo < 0.5 < constant.hi < 0.55  # one image in a hundred that differs moves it so far
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
