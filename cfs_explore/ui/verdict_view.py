"""The verdict page: the paper's claims on every OOD set, one of them with its numbers, and where each is shown."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd
import streamlit as st

from cfs_explore.charts.verdict_style import verdict_lines
from cfs_explore.figures.choices import OOD, Choices, choose
from cfs_explore.figures.claims import claims_of_set, claims_table
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.figures.verdict import CLAIM
from cfs_explore.headlines.verdict import WORDS, verdict_headline
from cfs_explore.store import Run
from cfs_explore.ui import choosing, diagnostic_page
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import picked, show_figure
from cfs_explore.ui.sidebar import escape

#: What takes no longer shows no bar.
_QUICK_SECONDS = 0.3


class Shown(NamedTuple):
    """page: that shows what a claim is about. label: of the link. query: besides the run and the OOD set."""

    page: str
    label: str
    query: Mapping[str, str] = MappingProxyType({})


#: Claim -> where its numbers can be looked into.
WHERE = {
    "low noise": Shown("map", "See where on the map the signal is"),
    "pair": Shown("complementarity", "See encoder and decoder alone and together"),
    "decoder": Shown("complementarity", "See encoder and decoder alone and together"),
    "few cells": Shown("map", "Compose a detector under the map"),
    "complementary": Shown("complementarity", "See what the decoder adds"),
    "plateau": Shown("stability", "See AUROC along the noise"),
    "stable": Shown("stability", "See what survives the noise"),
    "trained": Shown("controls", "See the untrained copies"),
    "beyond statistics": Shown("controls", "See the image statistics", {"controls_view": "statistics"}),
    "no trajectory": Shown("falsifier", "See every other detector"),
}
_FORMULAS = {
    "A verdict follows the 95 % interval [l, h] of a claim's value and its limit c (the other way "
    "round where the value must stay below c):": r"l > c:\ \text{supports}\qquad "
    r"h < c:\ \text{against}\qquad \text{else: open}",
    "**Chance** (30): of m comparisons whose true value is the limit, about 0.05 m are firm. A verdict survives if its "
    "p-value is among the k smallest with (Benjamini-Hochberg):": r"p_{(k)} \le 0.05\,\frac{k}{m}",
}


def show(run: Run) -> None:
    """The whole page for one run."""
    for control in (OOD, CLAIM):
        choosing.restore(control, run)
    _page(run)


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("Do the paper's claims hold here?", anchor=False)
    try:
        _judge(run)
        table = run.derived(claims_table)
    except NotMeasuredError as why:
        st.info(escape(str(why)), icon=":material/info:")
        return
    st.markdown(verdict_headline(table))
    view = _view(run)
    show_figure(
        "verdict-claims",
        run,
        view,
        key="verdict",
        hint="Click a cell for its numbers.",
        on_select=lambda: _pick(run),
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        choosing.draw(CLAIM, run)
        choosing.draw(OOD, run)
    choosing.remember(run, OOD, CLAIM)
    view = _view(run)
    left, right = st.container(key="beside_verdict").columns([5, 4], gap="large")
    with left:
        show_figure("verdict-claim", run, view, key="verdict_claim_dots")
    with right:
        _panel(run, table, view)
    diagnostic_page.formulas(_FORMULAS)


def _judge(run: Run) -> None:
    """Set by set, with a bar where it takes a while: what is judged already stays when the visitor leaves."""
    bar, began = st.empty(), time.monotonic()
    if "sparse_ed" in run.manifest.presets:
        for done, ood in enumerate(run.ood_names):
            if time.monotonic() - began > _QUICK_SECONDS:
                bar.progress(done / len(run.ood_names), f"Judging the claims on {escape(ood)}")
            run.derived(claims_of_set, ood)
    bar.empty()


def _view(run: Run) -> Choices:
    claim = st.session_state[CLAIM.name]
    return replace(choose(run, ood=st.session_state["ood"]), options={CLAIM.name: claim})


def _pick(run: Run) -> None:
    """A click on a cell chooses its claim and its OOD set."""
    if clicked := picked("verdict"):
        claim, ood = divmod(clicked[-1], len(run.ood_names))
        st.session_state[CLAIM.name] = list(WORDS)[claim]
        st.session_state["ood"] = run.ood_names[ood]


def _panel(run: Run, table: pd.DataFrame, view: Choices) -> None:
    """The chosen claim in plain words, its verdict on the chosen set, and the page that shows it."""
    claim = view.options[CLAIM.name]
    rows = table[(table["claim"] == claim) & table["ood"].isin([view.ood, ""])].fillna({"note": ""})
    row = rows.iloc[0].to_dict()
    st.header(WORDS[claim].short, anchor=False)
    st.markdown(WORDS[claim].sentence)
    verdict, *more = verdict_lines(row)
    st.markdown(f"**{escape(row['ood'] or 'ID-test alone')}**: {escape(verdict)}  \n{escape(', '.join(more))}")
    where = WHERE[claim]
    st.page_link(
        f"pages/{where.page}.py",
        label=where.label,
        icon=":material/arrow_forward:",
        query_params={"run": run.path.name, "ood": view.ood, **where.query},
    )
