"""The protocol page's levels: where they stand on each backbone, what they look like, and the alignment curves."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.charts.sensitivity_words import variant_label
from cfs_explore.figures import protocol_levels as figures
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.protocol_tables import levels_table
from cfs_explore.headlines.protocol import levels_headline
from cfs_explore.levels import RELATIVE_ALIGNMENTS
from cfs_explore.store import Run
from cfs_explore.ui import choosing, diagnostic_page
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.number_table import signed_numbers
from cfs_explore.ui.protocol_compare import those_that
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import format_signed, format_value

_ROW_PX = 35


def show(run: Run, view: Choices) -> str:
    """The view; returns its headline."""
    left, right = st.container(key="beside_levels").columns([1, 1], gap="large")
    with left:
        for each in (run, *view.beside):
            _table(each)
    with right:
        _curves(run, view)
    if run.has_table("level_pictures"):  # where not, the curves have said what to compute
        st.header("What the network sees", anchor=False)
        show_figure("protocol-pictures", run, view, key="protocol_pictures")
    spec = run.manifest.spec
    return levels_headline(
        escape(run.name), levels_table(run), run.manifest.backbone.reach, spec.get("alignment", "logsnr")
    )


def _table(run: Run) -> None:
    backbone, spec = run.manifest.backbone, run.manifest.spec
    st.header(escape(run.name), anchor=False)
    table = levels_table(run).assign(error=lambda rows: rows["error"].round(3) + 0.0)  # no minus before a zero
    columns = {
        "requested": st.column_config.NumberColumn("λ requested", help="Requested log-SNR, clean to noisy."),
        "lam": st.column_config.NumberColumn("λ achieved", help="Achieved log-SNR, ln(a²/b²)."),
        "error": st.column_config.NumberColumn("error", help="λ achieved minus λ requested."),
        "native": st.column_config.NumberColumn(
            "native", format="%.5g", help="The backbone's own coordinate: a timestep, a σ, or a time."
        ),
        "a": st.column_config.NumberColumn("a", format="%.4f", help="Amplitude of the image in x_λ = a x₀ + b e."),
        "b": st.column_config.NumberColumn("b", format="%.4f", help="Amplitude of the noise in x_λ = a x₀ + b e."),
    }
    height = _ROW_PX * (len(table) + 1) + 3
    table = signed_numbers(table, {"requested": 2, "lam": 3}, {"error": 3})
    st.dataframe(table, hide_index=True, column_config=columns, height=height)
    alignment, reference = spec.get("alignment", "logsnr"), spec.get("reference")
    conditioning = spec.get("conditioning", "matched")
    offset = spec.get("conditioning_offset", 0.0)
    facts = [
        f"{backbone.family}, {format_value(backbone.parameters / 1e6, 2)} M parameters",
        f"λ from {format_value(backbone.reach[0], 2)} to {format_value(backbone.reach[1], 2)}",
        f"aligned by {variant_label(alignment)}" + (f" to {reference}" if alignment in RELATIVE_ALIGNMENTS else ""),
        f"conditioning {conditioning}" + (f", {format_signed(offset, 2)} in λ" if offset else ""),
    ]
    st.caption(escape(" · ".join(facts)))


def _curves(run: Run, view: Choices) -> None:
    """Expected score magnitude and visible change of the explorations, by which levels can be aligned instead."""
    kind = choosing.choose(figures.CURVE)
    if diagnostic_page.stage_table(run, "alignment_curves") is None:
        return
    shown = replace(view, beside=those_that(view.beside, figures.curve_of), options={figures.CURVE.name: kind})
    show_figure("protocol-curves", run, shown, key="protocol_curves")
