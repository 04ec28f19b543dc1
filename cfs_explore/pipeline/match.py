"""Requested log-SNRs become the backbone's own levels, by the spec's alignment (theory 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cfs_explore.backbones import Backbone
from cfs_explore.contracts import Level
from cfs_explore.corruption import to_signed
from cfs_explore.diagnostics import aligned_lams
from cfs_explore.errors import RunError
from cfs_explore.levels import RELATIVE_ALIGNMENTS
from cfs_explore.locations import locate_run
from cfs_explore.pipeline.alignment_curve import ALIGNMENT_IMAGES, alignment_curve
from cfs_explore.pipeline.pixels import open_pixels
from cfs_explore.pipeline.prepare import PlannedSet
from cfs_explore.spec import RunSpec
from cfs_explore.store import Run, open_run, write_table
from cfs_explore.store.files import BAD_TABLE, read_table


def is_relative(spec: RunSpec) -> bool:
    """Whether the levels rest on the ID images and on a reference, not on the schedule alone."""
    return spec.alignment in RELATIVE_ALIGNMENTS


def match_levels(spec: RunSpec, backbone: Backbone) -> tuple[list[Level], list[str]]:
    """Levels of an absolute alignment, clean to noisy, each native one once, and warnings about them."""
    warnings = backbone.out_of_reach(spec.lams) if spec.alignment == "logsnr" else []
    levels, doubled = _each_once([backbone.match(lam, spec.alignment) for lam in spec.lams])
    return levels, warnings + doubled


def match_relative_levels(
    spec: RunSpec, backbone: Backbone, train: PlannedSet, folder: Path
) -> tuple[list[Level], list[str]]:
    """Levels at which this backbone stands where the reference stands at the requested ones.

    Args:
        spec: with a relative alignment and a reference.
        backbone: loaded.
        train: prepared ID-train images.
        folder: keeps the curve, so that a resumed run goes on at the same levels.

    Raises:
        RunError: when the reference is not there or has no curve.
    """
    path = folder / "alignment_curve.parquet"
    own = _read_curve(path)
    if own is None:
        ids = train.work.rows(["image_id"])["image_id"].to_numpy()
        rows = np.unique(np.linspace(0, len(ids) - 1, ALIGNMENT_IMAGES).round().astype(int))
        with open_pixels(train) as pixels:
            images = to_signed(pixels[rows])
        own = alignment_curve(backbone, images, ids[rows].tolist(), spec.seed)
        write_table(path, own)
    wanted = reference_curve(spec)
    lams = aligned_lams(own, wanted, spec.lams, spec.alignment)
    matched = [replace(backbone.match(lam), requested=asked) for asked, lam in zip(spec.lams, lams, strict=True)]
    return _each_once(matched)


def _read_curve(path: Path) -> pd.DataFrame | None:
    """A curve that was measured before; None where it is not there, or damaged."""
    try:
        curve = read_table(path)
    except BAD_TABLE:
        return None
    return curve if {"lam", "native", "score_norm", "perceptual"} <= set(curve.columns) else None


def conditioning_levels(spec: RunSpec, backbone: Backbone, levels: Sequence[Level]) -> list[Level]:
    """What the network is conditioned on at each level: the level itself, or the one ``conditioning_offset`` away."""
    if not spec.conditioning_offset:
        return list(levels)
    return [backbone.match(level.lam + spec.conditioning_offset) for level in levels]


def as_conditioned(spec: RunSpec, backbone: Backbone) -> Backbone:
    """The backbone, conditioned as the spec asks: on its levels as they are, or as by the paper's own code."""
    return backbone.published() or backbone if spec.conditioning == "published" else backbone


def reference_curve(spec: RunSpec) -> pd.DataFrame:
    """The alignment curve of the spec's reference run.

    Raises:
        RunError: when there is no such run, or it has no curve yet; naming the command that computes it.
    """
    run: Run = open_run(locate_run(spec.reference))
    if not run.has_table("alignment_curves"):
        raise RunError(
            f"The reference {spec.reference} has no alignment curve yet: `cfs-explore diagnose {spec.reference} "
            "--stages levels` computes it."
        )
    return run.table("alignment_curves")


def _each_once(matched: Sequence[Level]) -> tuple[list[Level], list[str]]:
    """Levels that fall on one native level become one, which stands for the request nearest to it."""
    levels: dict[float, Level] = {}
    warnings = []
    for level in matched:
        twin = levels.get(level.native)
        if twin is None or abs(level.requested - level.lam) < abs(twin.requested - twin.lam):
            levels[level.native] = level
        if twin is not None:
            warnings.append(
                f"lam = {twin.requested:g} and lam = {level.requested:g} fall on the same native level, which is "
                "measured once."
            )
    return list(levels.values()), warnings
