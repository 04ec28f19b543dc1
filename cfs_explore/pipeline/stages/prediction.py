"""The prediction stage (theory 17): cells ranked by proxies made from ID-train, judged on the real OOD sets."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.auroc_map import cell_columns
from cfs_explore.diagnostics.bootstrap import SD_RESAMPLES
from cfs_explore.diagnostics.checks import cell_rows
from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.groups import Groups, Members, independent, members
from cfs_explore.diagnostics.intervals import auroc_interval
from cfs_explore.diagnostics.proxy_prediction import (
    proxy_table,
    rank_estimate,
    resampled_aurocs,
    resampled_predictions,
)
from cfs_explore.diagnostics.regret import ANY_CELL, leave_one_out, regret_table
from cfs_explore.diagnostics.reliability import feature_reliability
from cfs_explore.errors import RunError
from cfs_explore.images.proxies import PROXIES, made_by, make_proxy
from cfs_explore.pipeline.sealing import resampled_seal
from cfs_explore.pipeline.stages.study import Study
from cfs_explore.scoring import feature_columns
from cfs_explore.spec import ImageSet
from cfs_explore.store import Run, evenly_spaced
from cfs_explore.store.seal import has_seal, write_seal
from cfs_explore.studies.prediction import PROXY_IMAGES


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of ``studies.prediction``.

    The proxies and the originals that they are compared with are both of ID-train, never of ID-test or a real OOD
    set; the same images were part of the fit that scores them, which makes them look a little more ID than ID-test
    does. With one draw and against the stored statistics. A run without a seal gets one (theory 25): it is too late
    for the run's own sets, and judges what is measured against its statistics later.

    Raises:
        RunError: when there are fewer than two ID-train images.
    """
    run = study.run
    proxies, resampled, train = proxy_numbers(study)
    if not has_seal(run.path) and not run.manifest.spec["id"].get("run"):
        write_seal(run.path, resampled_seal(run, proxies, resampled, None if train is None else train.count))
    id_rows = cell_rows(run.scores("id_test"))
    ood_rows = {name: cell_rows(run.scores("ood", name)) for name in run.ood_names}
    parts = []
    for images in study.spec.ood:
        rows, name = (id_rows, ood_rows[images.name]), images.name
        groups = Groups.of(*run.group_names(name))
        parts.append(prediction_table(run, proxies, resampled, rows, left_out(images), groups).assign(ood=name))
    prediction = pd.concat(parts, ignore_index=True)
    prediction = prediction[["ood", *prediction.columns.drop("ood")]]
    everyone = Groups.of(*run.group_names(*ood_rows))
    regret = regret_table(id_rows, ood_rows, choices(run, prediction), run.levels, run.taps, everyone)
    return {"proxies": proxies, "prediction": prediction, "regret": regret}


def proxy_numbers(study: Study) -> tuple[pd.DataFrame, dict[str, np.ndarray], Members | None]:
    """The table ``proxies``; kind -> its predictions in resamples, (resamples, cells); groups of the originals.

    Reads ID-train alone.
    """
    run = study.run
    id_scores, proxy_scores = proxy_scores_of(study)
    study.pieces.alone()
    train = members(run.names_of_groups("id_train")[evenly_spaced(run.entry("id_train").count, len(id_scores))])
    proxies = proxy_table(id_scores, proxy_scores, run.levels, run.taps, train)
    return proxies, resampled_predictions(id_scores, proxy_scores, SD_RESAMPLES, study.spec.seed, train), train


def proxy_scores_of(study: Study) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Scores (image, 1, level, tap) of ID-train images, and of their proxies by kind."""
    run, seed = study.run, study.spec.seed
    if run.entry("id_train").count < 2:
        raise RunError("Proxies need at least two ID-train images: a single one has no spread.")
    sample, reference = study.sample("id_train", limit=PROXY_IMAGES), run.moments("id_train")

    def scored(kind: str) -> np.ndarray:
        altered = sample.altered(lambda pixels: make_proxy(kind, pixels, sample.ids, seed))
        return study.scores(f"prediction/{kind}", altered, run.levels, reference)

    originals = functools.partial(study.scores, "prediction/originals", sample, run.levels, reference)
    found = study.pieces.each([originals, *(functools.partial(scored, kind) for kind in PROXIES)])
    return found[0], dict(zip(PROXIES, found[1:], strict=True))


def left_out(images: ImageSet) -> list[str]:
    """Kinds of proxy that say nothing about an OOD set because it was made that way, in the order of ``PROXIES``."""
    kinds = {*images.made_by, made_by(images.source)}
    return [kind for kind in PROXIES if kind in kinds]


def prediction_table(
    run: Run,
    proxies: pd.DataFrame,
    resampled: dict[str, np.ndarray],
    rows: tuple[np.ndarray, np.ndarray],
    without: list[str],
    groups: Groups | None,
) -> pd.DataFrame:
    """Predicted and measured AUROC of every cell of one OOD set.

    Args:
        proxies: of ``proxy_table``. resampled: kind -> (resamples, cells). rows: ID-test's and the OOD set's scores
            averaged over draws, (cells, n) each. without: kinds of proxy to leave out.
        groups: of the images of ``rows``.

    Returns:
        Columns of ``prediction`` (``studies.prediction``) but ``ood``.
    """
    allowed = [kind for kind in resampled if kind not in without]
    table = cell_columns(run.levels, run.taps)[["level", "lam", "tap", "tap_index", "region"]]
    by_kind = proxies.pivot(index=["level", "tap_index"], columns="proxy", values="predicted").sort_index()
    predicted = by_kind[allowed].mean(axis=1, skipna=False).to_numpy() if allowed else np.full(len(table), np.nan)
    value, var = delong(*rows, groups)
    n_id, n_ood = (values.shape[1] for values in rows)
    lo, hi = auroc_interval(value, var, *independent(groups, n_id, n_ood))
    again = np.mean([resampled[kind] for kind in allowed], axis=0) if allowed else np.full((2, len(table)), np.nan)
    measured = resampled_aurocs(*rows, len(again), run.manifest.spec["seed"], groups)
    spearman = rank_estimate(predicted, value, again, measured)
    return table.assign(
        predicted=predicted,
        auroc=value,
        lo=lo,
        hi=hi,
        left_out=", ".join(without),
        **dict(zip(("spearman", "spearman_lo", "spearman_hi"), spearman, strict=True)),
        n_proxy=int(proxies["n"].iloc[0]),
        n_id=n_id,
        n_ood=n_ood,
    )


def choices(run: Run, prediction: pd.DataFrame) -> dict[str, list[int | str]]:
    """Policy -> for each OOD set its cell's index, ``ANY_CELL``, or why it has none.

    proxy: highest mean prediction of the allowed proxies. icc: highest reliability of ID-test's snapshots (14).
    leave_one_out: highest mean AUROC on the other OOD sets. fixed, sparse_ed_id: the decoder tap of the published
    detector at the kept level. random: the mean over all cells.
    """
    sets = prediction.groupby("ood", sort=False)
    aurocs = np.stack([part["auroc"].to_numpy() for _, part in sets])
    predicted = [part["predicted"].to_numpy() for _, part in sets]
    others = leave_one_out(aurocs)
    return {
        "proxy": [int(np.nanargmax(p)) if np.isfinite(p).any() else "no proxy is left for this set" for p in predicted],
        "fixed": [decoder_cell(run, "sparse_ed")] * len(aurocs),
        "sparse_ed_id": [decoder_cell(run, "sparse_ed_id")] * len(aurocs),
        "icc": [_most_reliable(run)] * len(aurocs),
        "leave_one_out": ["there is no other OOD set" if cell is None else cell for cell in others],
        "random": [ANY_CELL] * len(aurocs),
    }


def decoder_cell(run: Run, policy: str) -> int | str:
    """The decoder tap of a preset at the kept level, or why there is none."""
    if policy not in run.manifest.presets:
        return "the map has no encoder and decoder tap that the published detector reads"
    names = [tap.name for tap in run.taps]
    return run.manifest.kept["level"] * len(names) + names.index(run.manifest.presets[policy][1])


def _most_reliable(run: Run) -> int | str:
    """The cell whose snapshots of ID-test depend least on the noise draw (theory 14)."""
    variance = run.moments("id_train").variance
    icc = feature_reliability(run.moments("id_test"), variance, feature_columns(run.taps), run.draws).icc.ravel()
    return int(np.nanargmax(icc)) if np.isfinite(icc).any() else "reliability needs at least two noise draws"
