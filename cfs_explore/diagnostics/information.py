"""Information that one score adds to another about the class, in bits (theory 9)."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.checks import ScoreError, require_finite, require_level, score_rows
from cfs_explore.diagnostics.groups import Groups, independent, variance_of_means
from cfs_explore.diagnostics.intervals import limited, z_of

FOLDS = 5
#: Knots of the restricted cubic splines, as shares of the images (Harrell 2015, table 2.3).
_KNOTS = np.array([NormalDist().inv_cdf(share) for share in (0.05, 0.275, 0.5, 0.725, 0.95)])
#: Ridge on the spline coefficients: keeps them finite where a score separates perfectly.
_RIDGE = 0.01
_STEPS, _TOLERANCE = 50, 1e-7


def conditional_information(
    id_e: np.ndarray,
    id_d: np.ndarray,
    ood_e: np.ndarray,
    ood_d: np.ndarray,
    *,
    groups: Groups | None = None,
    level: float = 0.95,
    folds: int = FOLDS,
    seed: int = 0,
) -> pd.DataFrame:
    """I(Y; s_d | s_e) and I(Y; s_e | s_d): the drop in cross-validated log-loss when the other score is added.

    A logistic model, additive in restricted cubic splines of the normal scores (ranks mapped to a standard
    normal; information is the same for any monotone form of a score). Both classes count one half, so that
    the answer does not depend on the sizes of the sets and 1 bit is certainty. Noise gives values slightly
    below 0, the price of fitting it. The interval is that of the mean difference over images; it holds the
    fitted models fixed. A score that separates all images leaves open what the ridge does not let its model
    say (some 0.02 bits): the interval of what another adds to it begins at 0.

    Args:
        id_e, id_d: (pairs, n_id), encoder and decoder scores of the same images. ood_e, ood_d: (pairs, n_ood).
        groups: of the images, which a fold leaves whole; None where each is alone.
        folds: of the cross-validation, stratified by class; fewer images (or groups) than 2 ``folds`` in a class give
            NaN.
        seed: of the folds.

    Returns:
        One row per pair, the columns of ``complementarity`` (``studies.complementarity``) from bits_d to loss_d.

    Raises:
        ScoreError: shapes that do not match, an empty class, NaN or infinity.
    """
    require_level(level)
    (id_e, ood_e), (id_d, ood_d) = score_rows(id_e, ood_e), score_rows(id_d, ood_d)
    if id_e.shape != id_d.shape or ood_e.shape != ood_d.shape:
        raise ScoreError("Encoder and decoder must score the same images of the same pairs.")
    n_id, n_ood = id_e.shape[1], ood_e.shape[1]
    names = [f"bits_{side}{end}" for side in "de" for end in ("", "_lo", "_hi")] + ["loss_e", "loss_d"]
    if min(independent(groups, n_id, n_ood)) < 2 * folds:
        return pd.DataFrame(np.full((len(id_e), len(names)), np.nan), columns=names)
    e, d = np.concatenate([id_e, ood_e], axis=1), np.concatenate([id_d, ood_d], axis=1)
    for scores in (e, d):
        require_finite(scores, "scores")
    is_ood = np.arange(n_id + n_ood) >= n_id
    fold = _stratified_folds(is_ood, folds, seed, groups)
    basis_e, basis_d = _splines(normal_scores(e)), _splines(normal_scores(d))
    loss_e, loss_d, loss_both = (
        log_loss_bits(basis, is_ood, fold) for basis in (basis_e, basis_d, np.concatenate([basis_e, basis_d], axis=2))
    )
    columns = {}
    for side, alone in (("d", loss_e), ("e", loss_d)):
        mean, half = _class_mean(alone - loss_both, is_ood, level, groups)
        scores = e if side == "d" else d
        perfect = (scores[:, :n_id].max(axis=1) < scores[:, n_id:].min(axis=1)) | (
            scores[:, :n_id].min(axis=1) > scores[:, n_id:].max(axis=1)
        )
        lo = np.where(perfect, np.minimum(mean - half, 0), mean - half)
        columns |= limited(f"bits_{side}", mean, lo, mean + half)
    for side, loss in (("e", loss_e), ("d", loss_d)):
        columns[f"loss_{side}"] = _class_mean(loss, is_ood, level, groups)[0]
    return pd.DataFrame(columns)


def normal_scores(scores: np.ndarray) -> np.ndarray:
    """Normal quantile of each image's mid-rank, (pairs, n): (rank - 1/2) / n through the inverse normal."""
    scores = np.asarray(scores, dtype=np.float64)
    n = scores.shape[1]
    # Mid-ranks run over the half ranks 1, 1.5, ..., n.
    quantiles = np.array([NormalDist().inv_cdf((half_rank / 2 - 0.5) / n) for half_rank in range(2, 2 * n + 1)])
    ordered = np.sort(scores, axis=1)
    rank_sums = np.empty(scores.shape, dtype=np.int64)
    for row, (values, rising) in enumerate(zip(scores, ordered, strict=True)):
        rank_sums[row] = np.searchsorted(rising, values, "left") + np.searchsorted(rising, values, "right") + 1
    return quantiles[rank_sums - 2]


def log_loss_bits(basis: np.ndarray, is_ood: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Log-loss in bits of each image, (pairs, n), by a ridge logistic model fitted on the other folds.

    Args:
        basis: (pairs, n, k) features without intercept. is_ood: (n,) bool. fold: (n,) fold of each image.
    """
    design = np.concatenate([np.ones((*basis.shape[:2], 1)), basis], axis=2)
    sign = np.where(is_ood, 1.0, -1.0)
    losses = np.empty(basis.shape[:2])
    for number in np.unique(fold):
        test = fold == number
        train = ~test
        shares = np.where(is_ood[train], 0.5 / is_ood[train].sum(), 0.5 / (~is_ood[train]).sum())
        coefficients = _fit(design[:, train], sign[train], shares * train.sum())
        margin = sign[test] * (design[:, test] @ coefficients[..., None])[..., 0]
        losses[:, test] = np.logaddexp(0, -margin) / math.log(2)
    return losses


def _fit(design: np.ndarray, sign: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Coefficients (pairs, k) that minimise weighted log-loss + ridge / 2 |b|^2 without the intercept's: Newton."""
    pairs, _, k = design.shape
    ridge = np.full(k, _RIDGE)
    ridge[0] = 0.0
    transposed = np.ascontiguousarray(design.transpose(0, 2, 1))

    def objective(b: np.ndarray) -> np.ndarray:
        margin = sign * (design @ b[..., None])[..., 0]
        return np.logaddexp(0, -margin) @ weights + 0.5 * (b * b) @ ridge

    b = np.zeros((pairs, k))
    value = objective(b)
    for _ in range(_STEPS):
        margin = sign * (design @ b[..., None])[..., 0]
        miss = 0.5 * (1 - np.tanh(margin / 2))  # 1 / (1 + exp(margin)), without overflow
        gradient = (transposed @ (-(weights * sign) * miss)[..., None])[..., 0] + ridge * b
        curvature = (weights * miss * (1 - miss))[:, None, :]
        hessian = (transposed * curvature) @ design + np.diag(ridge + 1e-9)
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        length = np.ones(pairs)
        for _ in range(8):  # a full step may overshoot where the classes are nearly separate
            proposed = objective(b - length[:, None] * step)
            worse = proposed > value + 1e-12
            if not worse.any():
                break
            length[worse] /= 2
        length[worse] = 0.0
        b = b - length[:, None] * step
        reached = np.where(worse, value, proposed)
        if (value - reached <= _TOLERANCE * weights.sum()).all():
            break
        value = reached
    return b


def _stratified_folds(is_ood: np.ndarray, folds: int, seed: int, groups: Groups | None) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if groups is not None:
        return np.concatenate(groups.folds(folds, rng))
    fold = np.empty(is_ood.size, dtype=int)
    for label in (False, True):
        rows = np.flatnonzero(is_ood == label)
        fold[rng.permutation(rows)] = np.arange(rows.size) % folds
    return fold


def _splines(z: np.ndarray) -> np.ndarray:
    """Restricted cubic spline basis of normal scores (pairs, n), linear beyond the knots: (pairs, n, 4)."""
    first, last, before = _KNOTS[0], _KNOTS[-1], _KNOTS[-2]

    def cube(knot: float) -> np.ndarray:
        return np.maximum(z - knot, 0) ** 3

    columns = [z]
    for knot in _KNOTS[:-2]:
        tail = cube(before) * (last - knot) / (last - before) - cube(last) * (before - knot) / (last - before)
        columns.append((cube(knot) - tail) / (last - first) ** 2)
    basis = np.stack(columns, axis=2)
    spread = basis.std(axis=1, keepdims=True)
    return (basis - basis.mean(axis=1, keepdims=True)) / np.where(spread > 1e-9, spread, 1.0)


def _class_mean(
    values: np.ndarray, is_ood: np.ndarray, level: float, groups: Groups | None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of (pairs, n) with both classes counting one half, and the half width of its interval."""
    parts = values[:, ~is_ood], values[:, is_ood]
    mean = sum(part.mean(axis=1) for part in parts) / 2
    var = variance_of_means(*parts, groups) / 4
    return mean, z_of(level) * np.sqrt(var)
