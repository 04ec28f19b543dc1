"""The protocol page's levels: where they stand on each backbone, what they look like, and the alignment curves."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfs_explore.errors import RunError
from cfs_explore.figures.alignment_curves import alignment_curves_figure
from cfs_explore.figures.level_pictures import level_pictures_figure
from cfs_explore.figures.sensitivity_words import variant_label
from cfs_explore.headlines.protocol import levels_headline
from cfs_explore.levels import RELATIVE_ALIGNMENTS
from cfs_explore.locations import locate_run
from cfs_explore.protocol import levels_table
from cfs_explore.store import Run
from cfs_explore.ui import data, diagnostic_page, state
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

CURVES = {"score_norm": "Score magnitude", "perceptual": "Visible change"}
#: ID images that are pictured beside the OOD set's.
_ID_PICTURES = 2
_ROW_PX = 35


def restore(run: Run) -> None:
    """Bring the choices back from the address."""
    state.restore("protocol_curve", "score_norm", list(CURVES))


def show(run: Run, ood: str, others: Sequence[Run]) -> str:
    """The view; returns its headline."""
    left, right = st.container(key="beside_levels").columns([1, 1], gap="large")
    with left:
        for each in (run, *others):
            _table(each)
    with right:
        _curves(run, others)
    _pictures(run, ood)
    spec = run.manifest.spec
    return levels_headline(
        escape(run.name), levels_table(run), run.manifest.backbone.reach, spec.get("alignment", "logsnr")
    )


def _table(run: Run) -> None:
    backbone, spec = run.manifest.backbone, run.manifest.spec
    st.subheader(escape(run.name), anchor=False)
    table = levels_table(run).assign(error=lambda rows: rows["error"].round(3) + 0.0)  # no minus before a zero
    columns = {
        "requested": st.column_config.NumberColumn("λ asked", format="%.2f", help="Requested log-SNR, clean to noisy."),
        "lam": st.column_config.NumberColumn("λ met", format="%.3f", help="Achieved log-SNR, ln(a²/b²)."),
        "error": st.column_config.NumberColumn("error", format="%+.3f", help="λ met minus λ asked."),
        "native": st.column_config.NumberColumn(
            "native", format="%.5g", help="The backbone's own coordinate: a timestep, a σ, or a time."
        ),
        "a": st.column_config.NumberColumn("a", format="%.4f", help="Amplitude of the image in x_λ = a x₀ + b e."),
        "b": st.column_config.NumberColumn("b", format="%.4f", help="Amplitude of the noise in x_λ = a x₀ + b e."),
    }
    st.dataframe(table, hide_index=True, column_config=columns, height=_ROW_PX * (len(table) + 1) + 3)
    alignment, reference = spec.get("alignment", "logsnr"), spec.get("reference")
    told = spec.get("conditioning", "matched")
    offset = spec.get("conditioning_offset", 0.0)
    facts = [
        f"{backbone.family}, {backbone.parameters / 1e6:.2f} M parameters",
        f"λ from {backbone.reach[0]:.2f} to {backbone.reach[1]:.2f}",
        f"aligned by {variant_label(alignment)}" + (f" to {reference}" if alignment in RELATIVE_ALIGNMENTS else ""),
        f"conditioning {told}" + (f", {offset:+g} in λ" if offset else ""),
    ]
    st.caption(escape(" · ".join(facts)))


def _curves(run: Run, others: Sequence[Run]) -> None:
    """Expected score magnitude and visible change of the explorations, by which levels can be aligned instead."""
    kind = st.segmented_control(
        "Aligned by",
        list(CURVES),
        key="protocol_curve",
        format_func=CURVES.get,
        required=True,
        help="Score magnitude: how much of the noise the network's estimate holds, on average; it tells at which "
        "levels two networks work equally hard. Visible change: one minus the structural similarity (SSIM) of an image "
        "with itself under noise; it matters between resolutions and in latent space.",
    )
    state.remember(protocol_curve=kind)
    if diagnostic_page.stage_table(run, "alignment_curves") is None:
        return
    curves = {run.name: data.table(run, run.digest, "alignment_curves")}
    others, requests = _aligned_to(run, others, kind)
    for other in others:
        try:
            curves[other.name if other.name not in curves else other.path.name] = data.table(
                other, other.digest, "alignment_curves"
            )
        except RunError as error:
            st.caption(escape(str(error)))
    n = curves[run.name]["n"].iloc[0]
    show_figure(
        alignment_curves_figure(curves, kind, requests if len(curves) > 1 else None, theme=state.figure_theme()),
        key="protocol_curves",
        rows=pd.concat([curve.assign(exploration=name) for name, curve in curves.items()]),
        caption=f"{CURVES[kind]} on {n} ID-train images, one noise draw each; bands: 95 % over images."
        + (
            "" if requests is None else f" Circles: a level of {others[0].name} (open) and where {run.name} is as high."
        ),
        alt=f"{CURVES[kind]} of {len(curves)} explorations along the noise, "
        f"{curves[run.name][kind].min():.2f} to {curves[run.name][kind].max():.2f} for {run.name}.",
        file_name=f"{run.path.name}-{kind}".replace("_", "-"),
    )


def _aligned_to(run: Run, others: Sequence[Run], kind: str) -> tuple[list[Run], pd.DataFrame | None]:
    """The others with the run's reference first, and where its levels meet the reference's; None where unknown."""
    reference = run.manifest.spec.get("reference")
    try:
        home = locate_run(reference) if reference else None
        levels = data.table(run, run.digest, "alignment_levels")
    except RunError:
        return list(others), None
    ordered = sorted(others, key=lambda other: other.path != home)
    levels = levels[levels["variant"] == kind]
    known = bool(ordered) and ordered[0].path == home and len(levels) > 0
    return ordered, levels if known else None


def _pictures(run: Run, ood: str) -> None:
    """What the network sees at each level."""
    if not (run.path / "tables" / "level_pictures.parquet").is_file():  # the curves have said what to compute
        return
    st.subheader("What the network sees", anchor=False)
    table = data.table(run, run.digest, "level_pictures")
    of_id = table[table["role"] == "id_test"]
    shown = of_id["image_id"].unique()[:_ID_PICTURES]
    parts = [of_id[of_id["image_id"].isin(shown)], table[(table["role"] == "ood") & (table["dataset"] == ood)]]
    pictures = pd.concat(parts, ignore_index=True)
    if pictures.empty:
        st.info("The images of these sets are not part of this exploration.", icon=":material/image:")
        return
    numbers = {key: k for part in parts for k, key in enumerate(part["image_id"].unique(), 1)}
    pictures["row"] = [
        f"{row.dataset} {numbers[row.image_id]}" if row.role == "id_test" else row.dataset
        for row in pictures.itertuples()
    ]
    pictures["lam"] = [float("nan") if k < 0 else run.levels[k].lam for k in pictures["level"]]
    latent = "" if run.manifest.backbone.input_shape is None else ", decoded from latents"
    show_figure(
        level_pictures_figure(pictures, state.figure_theme()),
        key="protocol_pictures",
        rows=pictures.drop(columns="png")[["row", "role", "dataset", "image_id", "level", "lam"]],
        caption=f"x_λ / √(a² + b²) at every level{latent}, clipped to the range of images; the run's first noise draw, "
        "the same at every level.",
        alt=f"{pictures['row'].nunique()} images, clean and at {len(run.levels)} levels of noise; detail is lost from "
        "left to right.",
        file_name=f"{run.path.name}-{ood}-levels".replace(" ", "-"),
    )
