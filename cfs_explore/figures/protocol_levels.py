"""The protocol page's levels: the curves by which they can be aligned, and what the network sees at each (theory 1)."""

from __future__ import annotations

import pandas as pd

from cfs_explore.charts.alignment_curves import alignment_curves_chart
from cfs_explore.charts.level_pictures import CLEAN, level_pictures_chart
from cfs_explore.errors import RunError
from cfs_explore.figures.against import AGAINST, others
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError, stage_rows
from cfs_explore.figures.options import Control
from cfs_explore.locations import locate_run
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_value

CURVES = {"score_norm": "Score magnitude", "perceptual": "Visible change"}
CURVE = Control(
    "protocol_curve",
    "Aligned by",
    CURVES,
    help="Score magnitude: how much of the noise the network's estimate holds, on average; where it is equal, two "
    "networks work equally hard. Visible change: one minus the structural similarity (SSIM) of an image with itself "
    "under noise; it matters across resolutions and in latent space.",
    former=("curve",),
)
#: ID images that are pictured beside the OOD set's.
_ID_PICTURES = 2


def curve_of(run: Run) -> pd.DataFrame:
    """Its table ``alignment_curves``."""
    return stage_rows(run, "alignment_curves")


def curves(run: Run, choices: Choices, theme: str) -> Figure:
    """Expected score magnitude or visible change along the noise, also of the explorations beside the run.

    The one that the run was aligned to is drawn first of them; circles are where its levels meet.
    """
    kind, table = CURVE.of(choices.options), curve_of(run)
    ordered, requests = _aligned_to(run, others(choices), kind)
    tables = {run.name: table}
    for other in ordered:
        tables[other.name if other.name not in tables else other.path.name] = curve_of(other)
    circles = ""
    if requests is not None:
        circles = f" Circles: levels of {ordered[0].name} (open) and those of {run.name} with the same value (filled)."
    return Figure(
        alignment_curves_chart(tables, kind, requests, theme=theme),
        pd.concat([curve.assign(exploration=name) for name, curve in tables.items()]),
        f"{CURVES[kind]} on {table['n'].iloc[0]} ID-train images, one noise draw each; 95 % bands over images."
        f"{circles}",
        f"{CURVES[kind]} of {counted(len(tables), 'exploration')} over log-SNR, {format_value(table[kind].min(), 2)} "
        f"to {format_value(table[kind].max(), 2)} for {run.name}.",
        file_stem(run, kind.replace("_", "-")),
    )


def pictures(run: Run, choices: Choices, theme: str) -> Figure:
    """What the network sees at each level."""
    curve_of(run)  # of the same stage; the table of the pictures may be there and empty
    shown = _shown(run, choices.ood, run.table("level_pictures"))
    latent = "" if run.manifest.backbone.input_shape is None else ", decoded from latents"
    return Figure(
        level_pictures_chart(shown, theme),
        shown.drop(columns="png")[["row", "role", "dataset", "image_id", "level", "lam"]],
        f"x_λ / √(a² + b²) at every level{latent}, clipped to the range of images; the run's first noise draw, the "
        f"same at every level; {counted(shown['row'].nunique(), 'image')}: {', '.join(shown['row'].unique())}.",
        f"{counted(shown['row'].nunique(), 'image')}, clean and at {counted(len(run.levels), 'level')} of noise; "
        "detail is lost from left to right.",
        file_stem(run, choices.ood, "levels"),
    )


def _aligned_to(run: Run, beside: list[Run], kind: str) -> tuple[list[Run], pd.DataFrame | None]:
    """The others with the run's reference first, and where its levels meet the reference's; None where unknown."""
    reference = run.manifest.spec.get("reference")
    try:
        home = locate_run(reference).resolve() if reference else None
        levels = run.table("alignment_levels")
    except RunError:
        home = None
    if home is None:
        return beside, None
    ordered = sorted(beside, key=lambda other: other.path.resolve() != home)
    levels = levels[levels["variant"] == kind]
    known = bool(ordered) and ordered[0].path.resolve() == home and len(levels) > 0
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


KINDS = {
    "protocol-curves": Kind("Score magnitude or visible change over log-SNR", curves, ("beside",), (CURVE, AGAINST)),
    "protocol-pictures": Kind("What the network sees at each level", pictures, ("ood",)),
}
