"""The falsifier page: CFS and every other detector on the same images, by cost; who wins at a budget; each lead."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from cfs_explore.figures.choices import OOD, choose
from cfs_explore.figures.falsifier import BUDGET, beside_untrained, contest, detector_rows, untested
from cfs_explore.headlines.falsifier import budget_words, copies_words, falsifier_headline, room_words, same_snapshots
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
    "**The best at a budget** (35) is picked on the images that judge it. So its AUROC, and its lead over CFS(1x2), "
    "have limits that hold for all detectors d within the budget at once: in the place of 1.96 they take the 95 % "
    "quantile of the largest studentised change over bootstrap resamples of the "
    "images:": r"z=Q_{0.95}\Big(\max_d\,\frac{|A_d^*-A_d|}{\mathrm{se}_d}\Big)",
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
    "to_untrained",
    "to_untrained_range",
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
    told, told_leads = _told(rows), _told(leads)
    missing = rows[(rows["network"] == "trained") & rows["auroc"].isna()]
    headline.markdown(f"{falsifier_headline(escape(ood), told_leads, untested(told))} {room_words(told)}".rstrip())
    left, right = st.container(key="beside_falsifier").columns([5, 4], gap="large")
    with left:
        best = _told(contest(run, ood, budget))
        heads = (
            ""
            if len(best) and best["kind"].iloc[0] == "head"
            else same_snapshots(_told(contest(run, ood, kind="head")))
        )
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
    _reasons(run, missing, room_words(told))
    diagnostic_page.formulas(_FORMULAS)


def _told(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose titles, which come from the run's tables, and a run from anywhere, are harmless in Markdown."""
    return rows.assign(title=rows["title"].map(escape)) if len(rows) else rows


def _table(rows: pd.DataFrame) -> None:
    """The trained network's numbers, and the AUROC of its untrained copies beside them."""
    shown = beside_untrained(rows)
    shown = shown[shown["auroc"].notna()].sort_values("auroc", ascending=False)
    copies = max(int(shown["copies"].max()), 1) if len(shown) else 1
    shown = shown.assign(
        to_untrained_range=_intervals(shown, "to_untrained_lo", "to_untrained_hi"),
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
        "auroc_range": text("95 %", help="Interval of the AUROC, of each detector by itself."),
        "aupr": number("AUPR", format="%.3f"),
        "fpr95": number("FPR95", format="%.3f"),
        "to_pair": number("− CFS(1x2)", help="AUROC minus that of CFS(1x2), on the same images."),
        "to_pair_range": text("95 % ", help="Paired interval of the difference to CFS(1x2), of each by itself."),
        "to_best": number(
            "− best CFS",
            help="AUROC minus that of the best CFS(K×L) of at most this cost, chosen on other images.",
        ),
        "untrained": number(
            "Untrained",
            format="%.3f",
            help=f"AUROC of the same detector on copies with random weights: {copies_words(copies)}.",
        ),
        "to_untrained": number("− untrained", help=f"AUROC minus that of untrained copies: {copies_words(copies)}."),
        "to_untrained_range": text("95 %  ", help="Interval of the difference, of each by itself."),
        "paper": text("Paper"),
        "note": text("Note", help="What was done for this backbone, such as levels out of its reach."),
    }
    table = signed_numbers(shown[list(_SHOWN)], {}, {"to_pair": 3, "to_best": 3, "to_untrained": 3})
    st.dataframe(table, hide_index=True, column_config=columns)


def _intervals(rows: pd.DataFrame, lo: str, hi: str) -> list[str]:
    limits = rows[[lo, hi]].to_numpy(dtype=float)
    return ["" if low != low else f"[{format_value(low)}, {format_value(high)}]" for low, high in limits]


def _reasons(run: Run, missing: pd.DataFrame, room: str) -> None:
    """Why some detectors have no numbers, and how to give them room."""
    if len(missing):
        with st.expander(f"Not measured: {len(missing)}", icon=":material/info:"):
            for row in missing.to_dict("records"):
                st.markdown(f"- **{escape(row['title'] or row['detector'])}**: {escape(row['note'])}")
            if missing["needed"].notna().any():
                st.markdown(
                    f"{room} A larger budget is for the command line; `--images` and `--train` set how many images, "
                    "`--copies` how many untrained copies. This measures all that had no room:".strip()
                )
                budget = f"{missing['needed'].max():.10g}"
                st.code(f"{program()} detectors {run.path.name} --budget {budget}", language="bash")
