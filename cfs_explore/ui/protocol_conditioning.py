"""The protocol page's conditioning: what the map loses on wrong levels, and on labels or prompts (theory 1)."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from cfs_explore.charts.conditioning_lines import PUBLISHED
from cfs_explore.figures import protocol_conditioning as figures
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.figures.protocol_tables import conditioning_summary, loss_verdicts
from cfs_explore.headlines.protocol import conditioning_headline, labels_headline
from cfs_explore.store import Run
from cfs_explore.studies.conditioning import is_condition
from cfs_explore.ui import choosing, diagnostic_page
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

#: Characters of a prompt on the widget.
_LONGEST = 40


def show(run: Run, view: Choices) -> str:
    """The view; returns its headline, "" where the stage has not run."""
    if diagnostic_page.stage_table(run, "conditioning") is None:
        return ""
    variant = choosing.choose(figures.CONDITIONING, run, format_func=_short_labels(run).get)
    left, right = st.container(key="beside_conditioning").columns([5, 4], gap="large")
    with left:
        found = show_figure(
            "protocol-told", run, replace(view, options={figures.CONDITIONING.name: variant}), key="protocol_loss"
        )
        if found and figures.has_conditions(run):
            st.header("By label or prompt", anchor=False)
            show_figure("protocol-labels", run, view, key="protocol_labels")
    if not found:
        return ""
    with right:
        st.header("By the error of the conditioning", anchor=False)
        show_figure("protocol-conditioning", run, view, key="protocol_offsets")
    table = figures.losses(run, view)
    if PUBLISHED not in set(table["variant"]):
        st.caption("The published code conditions this backbone on its true level, so it is not shown apart.")
    given = table["variant"].map(is_condition)
    text = conditioning_headline(escape(view.ood), conditioning_summary(table[~given]))
    return f"{_labels_headline(run, view.ood, table[given])} {text}" if given.any() else text


def _labels_headline(run: Run, ood: str, rows: pd.DataFrame) -> str:
    try:
        cells = figures.published_cells(run, rows)
        cells = cells.assign(**{name: cells[name].map(escape) for name in ("title", "about")})
    except NotMeasuredError:  # the figure says why
        cells = None
    return labels_headline(escape(ood), escape(figures.own_condition(rows)), rows, cells, loss_verdicts(rows))


def _short_labels(run: Run) -> dict[str, str]:
    """Variant -> its label as Markdown, long prompts cut where no two are cut to the same."""
    labels = figures.CONDITIONING.labels(run)
    cut = {name: label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…" for name, label in labels.items()}
    alone = len(set(cut.values())) == len(cut)
    return {name: escape(label) for name, label in (cut if alone else labels).items()}
