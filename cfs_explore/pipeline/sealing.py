"""Seals from the scores of ID-train and its proxies (theory 25): what they hold, and whose a run is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.intervals import auroc_interval
from cfs_explore.diagnostics.predicted_auroc import normal_prediction_variance
from cfs_explore.errors import CFSError, RunError
from cfs_explore.locations import absolute, locate_run
from cfs_explore.store import Run
from cfs_explore.store.seal import (
    Seal,
    conditioning_of,
    foreign,
    has_seal,
    id_train_digest,
    late,
    now,
    read_seal,
    sealed_levels,
    whole_seal,
    write_seal,
)
from cfs_explore.wording import counted


def resampled_seal(run: Run, proxies: pd.DataFrame, resampled: Mapping[str, np.ndarray], groups: int | None) -> Seal:
    """``seal_of`` with intervals by the bootstrap.

    Args:
        run, proxies: as for it.
        resampled: kind -> its predictions in resamples of the images, (resamples, cells).
        groups: that ID-train's images form among those of the proxies; None where each is alone.
    """
    var = np.mean(list(resampled.values()), axis=0).var(axis=0, ddof=1)
    return seal_of(run, proxies, var, "bootstrap", groups)


def stored_seal(run: Run) -> Seal:
    """``seal_of`` from the table ``proxies`` that a run holds: no forward, no image.

    The kinds' errors count as if all went the same way, since they are of the same images: no interval is too short.
    """
    proxies = run.table("proxies")
    numbers = (proxies[name].to_numpy() for name in ("delta", "var_id", "var_proxy"))
    error = np.sqrt(normal_prediction_variance(*numbers, int(proxies["n"].iloc[0])))
    error = proxies.assign(error=error).groupby(["level", "tap_index"])["error"].mean().to_numpy()
    return seal_of(run, proxies, error**2, "moments", None)


def seal_of(
    run: Run, proxies: pd.DataFrame, var: np.ndarray, interval: Literal["bootstrap", "moments"], groups: int | None
) -> Seal:
    """The seal of a run's backbone, ID-train and levels, closed now.

    Args:
        run: of which ID-train is read, and nothing else.
        proxies: the table ``proxies`` (``studies.prediction``).
        var: of each cell's mean prediction over ID-train images, (cells,).
        interval: how it was computed.
        groups: that ID-train's images form among those of the proxies; None where each is alone.

    Raises:
        RunError: a cell without a prediction.
    """
    wide = proxies.pivot(index=["level", "tap_index"], columns="proxy", values="predicted").sort_index()
    by_kind = {kind: wide[kind].to_numpy() for kind in dict.fromkeys(proxies["proxy"])}
    predicted = np.mean(list(by_kind.values()), axis=0)
    if not np.isfinite(predicted).all():
        raise RunError("ID-train's scores give no prediction in some cell, so nothing can be sealed. Give more images.")
    count = int(proxies["n"].iloc[0])
    lo, hi = auroc_interval(predicted, var, groups or count, groups or count)
    ranking = np.argsort(-predicted, kind="stable")
    level, tap = run.cell(int(ranking[0]))
    before = whole_seal(run.path)
    return Seal(
        created=now(),
        backbone=run.manifest.backbone.fingerprint,
        backbone_name=run.manifest.backbone.name,
        id_train=id_train_digest(run.images("id_train", columns=["image_id"])["image_id"]),
        n_train=run.entry("id_train").count,
        levels=sealed_levels(run),
        taps=[tap.name for tap in run.taps],
        conditioning=conditioning_of(run.manifest),
        seed=run.manifest.spec["seed"],
        n_proxy=count,
        precision=run.manifest.precision,
        proxies={kind: values.tolist() for kind, values in by_kind.items()},
        predicted=predicted.tolist(),
        lo=lo.tolist(),
        hi=hi.tolist(),
        interval=interval,
        ranking=ranking.tolist(),
        chosen={"cell": int(ranking[0]), "tap": run.taps[tap].name, "lam": run.levels[level].lam},
        earlier=[] if before is None else [*before.earlier, before.digest],
    ).with_digest()


def base_of(run: Run) -> Run | None:
    """The run whose ID statistics a run has; None where it has its own, or where that one is not here."""
    name = run.manifest.spec["id"].get("run")
    if not name:
        return None
    try:
        return Run(locate_run(absolute(name, run.path)))
    except CFSError:
        return None


def judging_seal(run: Run) -> Seal:
    """The seal that a run is judged by: its own, else that of the run whose ID statistics it has.

    Raises:
        RunError: there is none, it was altered, or it is of another kind of run: a sentence for each.
    """
    base = base_of(run)
    holder = base if base is not None and not has_seal(run.path) and has_seal(base.path) else run
    seal = read_seal(holder.path)
    if why := foreign(seal, run):
        raise RunError(f"{why} It does not judge {run.name}.")
    return seal


def inherit(base: Run, out: Path) -> None:
    """Give a new run the seal of the run whose statistics it takes, before its own images are opened."""
    seal = whole_seal(base.path)
    if seal is not None and not has_seal(out):
        write_seal(out, seal)


def seen_before(run: Run, ood: str, seal: Seal) -> str:
    """That images of a set were measured by the run whose statistics this one has, in one sentence; "" where none was.

    A seal that was made after those were measured might know them.
    """
    base = base_of(run)
    if base is None:
        return ""
    mine = set(run.images("ood", ood, columns=["content_id"])["content_id"])
    for name in base.ood_names:
        known = mine & set(base.images("ood", name, columns=["content_id"])["content_id"])
        if known and late(seal, base, name):
            return (
                f"{counted(len(known), 'image')} of {ood} had been measured before the seal, in {name} of {base.name}."
            )
    return ""
