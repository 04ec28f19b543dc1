"""The protocol page's levels: the curves by which they can be aligned, and what the network sees at each (theory 1)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cfs_explore.errors import RunError
from cfs_explore.figures.alignment_curves import alignment_curves_figure
from cfs_explore.figures.level_pictures import CLEAN, level_pictures_figure
from cfs_explore.locations import locate_run
from cfs_explore.plates.against import AGAINST, others
from cfs_explore.plates.choices import Choices
from cfs_explore.plates.needs import Kind, NotMeasuredError, stage_rows
from cfs_explore.plates.options import Option
from cfs_explore.plates.plate import Plate, file_stem
from cfs_explore.store import Run
from cfs_explore.wording import counted

CURVES = {"score_norm": "Score magnitude", "perceptual": "Visible change"}
CURVE = Option("curve", "score_norm", "what levels can be aligned by", tuple(CURVES))
#: ID images that are pictured beside the OOD set's.
_ID_PICTURES = 2


def curves(
    run: Run,
    kind: str,
    table: pd.DataFrame,
    others: Sequence[tuple[Run, pd.DataFrame]] = (),
    levels: pd.DataFrame | None = None,
    theme: str = "light",
) -> Plate:
    """Expected score magnitude or visible change along the noise, of one exploration or several.

    Args:
        run: the exploration.
        kind: of ``CURVES``.
        table: its table ``alignment_curves``.
        others: up to two other explorations, each with its own; the one that ``run`` was aligned to is drawn first.
        levels: the table ``alignment_levels`` of ``run``, from which the circles come.
        theme: "light" or "dark".
    """
    ordered, requests = _aligned_to(run, others, levels, kind)
    tables = {run.name: table}
    for other, theirs in ordered:
        tables[other.name if other.name not in tables else other.path.name] = theirs
    circles = ""
    if requests is not None:
        circles = f" Circles: a level of {ordered[0][0].name} (open) and where {run.name} is as high."
    return Plate(
        alignment_curves_figure(tables, kind, requests, theme=theme),
        pd.concat([curve.assign(exploration=name) for name, curve in tables.items()]),
        f"{CURVES[kind]} on {table['n'].iloc[0]} ID-train images, one noise draw each; bands: 95 % over images."
        f"{circles}",
        f"{CURVES[kind]} of {len(tables)} explorations along the noise, {table[kind].min():.2f} to "
        f"{table[kind].max():.2f} for {run.name}.",
        file_stem(run, kind.replace("_", "-")),
    )


def pictures(run: Run, ood: str, table: pd.DataFrame, theme: str = "light") -> Plate:
    """What the network sees at each level; ``table`` is ``level_pictures``.

    Raises:
        NotMeasuredError: the run holds no images of these sets.
    """
    shown = _shown(run, ood, table)
    latent = "" if run.manifest.backbone.input_shape is None else ", decoded from latents"
    return Plate(
        level_pictures_figure(shown, theme),
        shown.drop(columns="png")[["row", "role", "dataset", "image_id", "level", "lam"]],
        f"x_λ / √(a² + b²) at every level{latent}, clipped to the range of images; the run's first noise draw, the "
        f"same at every level; {counted(shown['row'].nunique(), 'image')}: {', '.join(shown['row'].unique())}.",
        f"{counted(shown['row'].nunique(), 'image')}, clean and at {counted(len(run.levels), 'level')} of noise; "
        "detail is lost from left to right.",
        file_stem(run, ood, "levels"),
    )


def aligned_levels(run: Run) -> pd.DataFrame | None:
    """The table ``alignment_levels``: where each alignment puts the levels; None where that stage has not run."""
    try:
        return run.table("alignment_levels")
    except RunError:
        return None


def _aligned_to(
    run: Run, others: Sequence[tuple[Run, pd.DataFrame]], levels: pd.DataFrame | None, kind: str
) -> tuple[list[tuple[Run, pd.DataFrame]], pd.DataFrame | None]:
    """The others with the run's reference first, and where its levels meet the reference's; None where unknown."""
    reference = run.manifest.spec.get("reference")
    try:
        home = locate_run(reference).resolve() if reference else None
    except RunError:
        home = None
    if home is None or levels is None:
        return list(others), None
    ordered = sorted(others, key=lambda other: other[0].path.resolve() != home)
    levels = levels[levels["variant"] == kind]
    known = bool(ordered) and ordered[0][0].path.resolve() == home and len(levels) > 0
    return ordered, levels if known else None


def _shown(run: Run, ood: str, table: pd.DataFrame) -> pd.DataFrame:
    """The pictures of some ID images and of the OOD set, each with its row's label and its log-SNR."""
    of_id = table[table["role"] == "id_test"]
    first = of_id["image_id"].unique()[:_ID_PICTURES]
    parts = [of_id[of_id["image_id"].isin(first)], table[(table["role"] == "ood") & (table["dataset"] == ood)]]
    shown = pd.concat(parts, ignore_index=True)
    if shown.empty:
        raise NotMeasuredError("The images of these sets are not part of this exploration.")
    numbers = {key: k for part in parts for k, key in enumerate(part["image_id"].unique(), 1)}
    return shown.assign(
        row=[
            f"{row.dataset} {numbers[row.image_id]}" if row.role == "id_test" else row.dataset
            for row in shown.itertuples()
        ],
        lam=[float("nan") if k == CLEAN else run.levels[k].lam for k in shown["level"]],
    )


def _curves(run: Run, choices: Choices, theme: str) -> Plate:
    beside = [(other, stage_rows(other, "alignment_curves")) for other in others(choices)]
    kind, table = CURVE.of(choices.options), stage_rows(run, "alignment_curves")
    return curves(run, kind, table, beside, aligned_levels(run), theme)


def _pictures(run: Run, choices: Choices, theme: str) -> Plate:
    stage_rows(run, "alignment_curves")  # of the same stage; the table of the pictures may be there and empty
    return pictures(run, choices.ood, run.table("level_pictures"), theme)


KINDS = {
    "protocol-curves": Kind("Score magnitude or visible change along the noise", _curves, options=(CURVE, AGAINST)),
    "protocol-pictures": Kind("What the network sees at each level", _pictures),
}
