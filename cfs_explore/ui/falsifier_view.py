"""The falsifier page: CFS and every other detector on the same images, by cost; who wins at a budget; each lead."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from cfs_explore.figures.choices import OOD, choose
from cfs_explore.figures.falsifier import BUDGET, affordable, detector_rows, untested
from cfs_explore.headlines.falsifier import budget_words, falsifier_headline, same_snapshots
from cfs_explore.locations import program
from cfs_explore.store import Run
from cfs_explore.ui import choosing, diagnostic_page
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.number_table import signed_numbers
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import format_value

_FORMULAS = {
    "**Cost** (19) of a detector per image: its forwards and its Jacobian-vector products, each at what it took beyond "
    "its forward here:": r"\#F+\#J\,\Big(\frac{t_{F+J}}{t_F}-1\Big)",
    "**Lead** (21) of a rival D over the variants v of CFS. Each difference has limits l, h as everywhere (27), at a "
    "confidence that holds for all v at once, and for the lower ones for all rivals, too (the 95 % quantile of the "
    "largest studentised difference over bootstrap resamples of the "
    "images):": r"\min_v\,(A_D-A_v),\qquad \big[\min_v l_v,\ \min_v h_v\big]",
    "**The claim** that no trajectory is needed is falsified on a set where the lower limit of a rival is above 0.01, "
    "and supported where the upper limits of all are below it and none is left out.": r"l_D>0.01\ \text{for some }D"
    r"\qquad h_D<0.01\ \text{for all }D",
}
_SHOWN = (
    "title",
    "variant",
    "forwards",
    "jvps",
    "cost",
    "ms",
    "fit_forwards",
    "fit_jvps",
    "auroc",
    "auroc_range",
    "aupr",
    "fpr95",
    "to_pair",
    "to_pair_range",
    "to_best",
    "untrained",
    "paper",
    "note",
)


def show(run: Run) -> None:
    """The whole page for one run."""
    choosing.restore(OOD, run)
    choosing.restore(BUDGET, run)
    _page(run)


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("Does anything beat a few snapshots?", anchor=False)
    if diagnostic_page.stage_table(run, "falsifier") is None:
        return
    headline = st.empty()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ood = choosing.choose(OOD, run)
        budget = choosing.choose(BUDGET, run)
    view = replace(choose(run, ood=ood), options={BUDGET.name: BUDGET.write(budget)})
    rows, leads = (detector_rows(run, name, ood) for name in ("falsifier", "leads"))
    # Titles come from the run's tables, and a run from anywhere.
    told, told_leads = (table.assign(title=table["title"].map(escape)) for table in (rows, leads))
    missing = rows[(rows["network"] == "trained") & rows["auroc"].isna()]
    headline.markdown(falsifier_headline(escape(ood), told_leads, untested(told)))
    left, right = st.container(key="beside_falsifier").columns([5, 4], gap="large")
    with left:
        best = affordable(told, budget)
        heads = "" if len(best) and best["kind"].iloc[0] == "head" else same_snapshots(told)
        st.markdown(f"{budget_words(int(budget), best)} {heads}")
        show_figure("falsifier-front", run, view, key="falsifier_front")
    with right:
        st.header(
            "Who is ahead of CFS?",
            anchor=False,
            help="A rival's AUROC minus that of the variant of CFS that does best against it. Above 0.01 with its "
            "whole interval, a trajectory refutes the claim that none is needed.",
        )
        show_figure("falsifier-leads", run, view, key="falsifier_leads")
    st.header("Every detector", anchor=False)
    _table(rows)
    _reasons(run, missing)
    diagnostic_page.formulas(_FORMULAS)


def _table(rows: pd.DataFrame) -> None:
    """The trained network's numbers, and the AUROC of an untrained copy beside them."""
    untrained = rows[rows["network"] == "untrained"].set_index("detector")["auroc"]
    shown = rows[(rows["network"] == "trained") & rows["auroc"].notna()].sort_values("auroc", ascending=False)
    shown = shown.assign(
        untrained=shown["detector"].map(untrained),
        auroc_range=_intervals(shown, "lo", "hi"),
        to_pair_range=_intervals(shown, "to_pair_lo", "to_pair_hi"),
    )
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    columns = {
        "title": text("Detector"),
        "variant": text("Variant"),
        "forwards": number("#F", format="%d", help="Forwards per image."),
        "jvps": number("#J", format="%d", help="Jacobian-vector products per image."),
        "cost": number("Cost", format="%.1f", help="#F plus #J at its measured cost, in forwards."),
        "ms": number("ms", format="%.1f", help="Measured milliseconds per image."),
        "fit_forwards": number("Fit #F", format="%d", help="Forwards per ID-train image of the fit."),
        "fit_jvps": number("Fit #J", format="%d", help="Jacobian-vector products per ID-train image of the fit."),
        "auroc": number("AUROC", format="%.3f"),
        "auroc_range": text("95 %", help="Interval of the AUROC."),
        "aupr": number("AUPR", format="%.3f"),
        "fpr95": number("FPR95", format="%.3f"),
        "to_pair": number("− CFS(1x2)", help="AUROC minus that of CFS(1x2), on the same images."),
        "to_pair_range": text("95 % ", help="Paired interval of the difference to CFS(1x2)."),
        "to_best": number(
            "− best CFS",
            help="AUROC minus that of the best CFS(K×L) of at most this cost, chosen on other images.",
        ),
        "untrained": number(
            "Untrained copy", format="%.3f", help="AUROC of the same detector on one copy with random weights."
        ),
        "paper": text("Paper"),
        "note": text("Note", help="What was done for this backbone, such as levels out of its reach."),
    }
    table = signed_numbers(shown[list(_SHOWN)], {}, {"to_pair": 3, "to_best": 3})
    st.dataframe(table, hide_index=True, column_config=columns)


def _intervals(rows: pd.DataFrame, lo: str, hi: str) -> list[str]:
    return [f"[{format_value(low)}, {format_value(high)}]" for low, high in rows[[lo, hi]].to_numpy()]


def _reasons(run: Run, missing: pd.DataFrame) -> None:
    """Why some detectors have no numbers, and how to give them room."""
    if len(missing):
        with st.expander(f"Not measured: {len(missing)}", icon=":material/info:"):
            for row in missing.to_dict("records"):
                st.markdown(f"- **{escape(row['title'] or row['detector'])}**: {escape(row['note'])}")
            if missing["note"].str.contains("the budget of").any():
                st.markdown("A larger budget is for the command line; `--images` and `--train` set how many images:")
                st.code(f"{program()} detectors {run.path.name} --budget 10", language="bash")
