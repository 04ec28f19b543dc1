"""The controls page: what the trained backbone adds to untrained copies, re-encoded images and plain statistics."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from cfs_explore.figures import control_dots_figure, excess_alt, excess_map_figure
from cfs_explore.headlines.controls import controls_headline
from cfs_explore.store import Run
from cfs_explore.ui import controls_details, data, diagnostic_page, state
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

CONTROLS = {"untrained": "Untrained copies", "re-encoded": "Re-encoded images"}
#: The controls have one draw; averaging more on the trained side alone would count as the backbone's merit.
DRAWS = {"one": "One, like the controls", "map": "All, as in the map"}
#: Row of the comparison -> how it is called; in this order.
_NAMES = {
    "untrained": "Best cell, untrained",
    "re-encoded": "Best cell, re-encoded images",
    "statistics": "All image statistics",
    "best statistic": "Best single image statistic",
    "input tap": "Input tap (depth 0)",
}
_FORMULAS = {
    "**Excess** of a cell over S copies of a control (18), all on the same images:": r"\mathrm{excess} = A_{\mathrm{"
    r"trained}} - \frac1S\sum_{s=1}^{S}A_{\mathrm{control},s}",
    "Its 95 % interval, with V the DeLong covariance of the 1 + S AUROCs; it tells how much the excess hangs on the "
    "images, not on the seeds, whose spread stands beside it:": r"\mathrm{excess}\pm1.96\sqrt{c^\top V c},\quad "
    r"c=\left(1,-\tfrac1S,\dots,-\tfrac1S\right)",
    "**Best against best**: either side picks its best cell on one half of the images and is judged on the other half; "
    "20 random halvings, both directions, averaged. An **image statistic** x is scored like a channel (3), with μ and "
    "v of ID-train; all together are the mean of these:": r"s(x)=\frac{(x-\mu)^2}{v}",
}


def show(run: Run) -> None:
    """The whole page for one run."""
    diagnostic_page.restore_ood(run)
    state.restore("controls_against", "untrained", list(CONTROLS))
    state.restore("controls_draws", "one", list(DRAWS))
    state.restore("controls_view", "statistics", list(controls_details.VIEWS))
    state.restore("controls_level", run.manifest.kept["level"], range(len(run.levels)), parse=int)
    _page(run)


@st.fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("Is it the backbone?", anchor=False)
    excess = diagnostic_page.stage_table(run, "excess")
    if excess is None:
        return
    best = data.table(run, run.digest, "best_excess")
    headline = st.empty()
    ood, control = _controls(run)
    draws = 1 if st.session_state["controls_draws"] == "one" else run.draws
    excess, best = (frame[frame["ood"] == ood] for frame in (excess, best))
    headline.markdown(controls_headline(escape(ood), best[best["draws"] == draws]))
    left, right = st.container(key="beside_controls").columns([5, 3], gap="large")
    with left:
        _map(run, ood, control, draws, excess[(excess["control"] == control) & (excess["draws"] == draws)])
    with right:
        _comparison(run, ood, draws, best)
    st.segmented_control(
        "Look closer",
        list(controls_details.VIEWS),
        key="controls_view",
        format_func=controls_details.VIEWS.get,
        required=True,
        help="Image statistics: which of them gives the set away without any network. Re-encoding: what one codec and "
        "one resizing for all images leaves. Seeds: how much an untrained copy's map hangs on its random weights.",
    )
    state.remember(controls_view=st.session_state["controls_view"])
    controls_details.show(run, ood, excess, st.session_state["controls_view"])
    diagnostic_page.formulas(_FORMULAS)


def _controls(run: Run) -> tuple[str, str]:
    """OOD set, control, and under More the draws of the trained side."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ood = diagnostic_page.ood_control(run)
        control = st.segmented_control(
            "Trained backbone minus",
            list(CONTROLS),
            key="controls_against",
            format_func=CONTROLS.get,
            required=True,
            help="Untrained copies: the same network with random weights. What they can do, training did not bring. "
            "Re-encoded images: the trained network after all images went through the same resizing and JPEG. What is "
            "lost then may have been codec or resolution, not content.",
        )
        if run.draws > 1:
            with st.popover("More"):
                st.radio(
                    "Noise draws on the trained side",
                    list(DRAWS),
                    key="controls_draws",
                    format_func=DRAWS.get,
                    help=f"The map averages {run.draws} noise draws per image, which alone raises AUROC where noise is "
                    "strong; the controls have one, the first of them. One draw on both sides is the fair comparison.",
                )
    state.remember(controls_against=control, controls_draws=st.session_state["controls_draws"])
    return ood, control


def _counts(frame: pd.DataFrame) -> str:
    return f"n = {frame['n_id'].iloc[0]} ID, {frame['n_ood'].iloc[0]} OOD"


def _draws_text(draws: int) -> str:
    return "one noise draw on both sides" if draws == 1 else f"{draws} noise draws averaged, control: one"


def _map(run: Run, ood: str, control: str, draws: int, excess: pd.DataFrame) -> None:
    seeds = _seeds(run, ood)
    against = f"the mean of {seeds} untrained copies" if control == "untrained" else "itself on re-encoded images"
    show_figure(
        excess_map_figure(excess, state.figure_theme()),
        key="excess",
        rows=_telling_first(excess),
        caption=f"AUROC of the trained backbone minus that of {against}, cell by cell; OOD: {ood}; {_counts(excess)}; "
        f"{_draws_text(draws)}; diagonal head. Blue: the trained backbone does better. Ring: the cell's DeLong 95 % "
        "interval includes 0 (one in 20 misses it by chance).",
        alt=excess_alt(excess, CONTROLS[control].lower()),
        file_name=f"{run.path.name}-{ood}-excess-{control}".replace(" ", "-"),
    )


def _seeds(run: Run, ood: str) -> int:
    table = data.table(run, run.digest, "controls")
    return int(table.loc[table["ood"] == ood, "seed"].nunique())


def _telling_first(excess: pd.DataFrame) -> pd.DataFrame:
    first = ["tap", "lam", "excess", "lo", "hi", "p", "trained", "control_auroc", "seed_sd"]
    return excess[first + [name for name in excess if name not in first]]


def _comparison(run: Run, ood: str, draws: int, best: pd.DataFrame) -> None:
    """The backbone and its controls on one line."""
    st.subheader("Best against best", anchor=False)
    rows = comparison_rows(run, ood, draws, best)
    pair = rows[rows["kind"] == "preset"]
    published = f"CFS(1x2): the published pair as on the map's page, {_counts(pair)}. " if len(pair) else ""
    show_figure(
        control_dots_figure(rows, state.figure_theme()),
        key="controls_dots",
        rows=rows.drop(columns="kind"),
        caption=f"Every best one is picked on one half of the images and judged on the other (mean over 20 halvings, "
        f"DeLong 95 % CI); {_counts(best)}; one noise draw unless stated. {published}Dashed: the trained best cell; "
        "dotted, where in view: chance.",
        alt="; ".join(f"{row['name']}: AUROC {row['auroc']:.3f}" for row in rows.to_dict("records")),
        file_name=f"{run.path.name}-{ood}-controls".replace(" ", "-"),
    )


def comparison_rows(run: Run, ood: str, draws: int, best: pd.DataFrame) -> pd.DataFrame:
    """Rows of the comparison, the trained best cell with ``draws`` first.

    Columns: name, auroc, lo, hi, excess of the trained best cell over it with limits, n_id, n_ood, kind, note.
    """
    too_few = "too few images"
    rows = []
    for count in sorted(set(best["draws"]), key=lambda each: each != draws):
        row = best[best["draws"] == count].iloc[0]
        values = {"auroc": row["trained"], "lo": row["trained_lo"], "hi": row["trained_hi"]}
        name = "Best cell, trained" + (f", {count} draws" if count > 1 else "")
        rows.append({"name": name, "kind": "trained", "note": too_few, **_sizes(row), **values})
    rows += _published(run, ood)
    controls = {row["control"]: row for row in best[best["draws"] == draws].to_dict("records")}
    for kind, name in _NAMES.items():
        if kind in controls:
            row = controls[kind]
            values = {"auroc": row["auroc"], "lo": row["auroc_lo"], "hi": row["auroc_hi"]}
            gain = {"excess": row["excess"], "excess_lo": row["lo"], "excess_hi": row["hi"]}
            rows.append({"name": name, "kind": kind, "note": too_few, **_sizes(row), **values, **gain})
        elif kind == "input tap":
            rows.append({"name": name, "kind": kind, "note": "not measured in this run", "auroc": float("nan")})
    columns = ["name", "auroc", "lo", "hi", "excess", "excess_lo", "excess_hi", "n_id", "n_ood", "kind", "note"]
    return pd.DataFrame(rows).reindex(columns=columns).astype({"n_id": "Int64", "n_ood": "Int64"})


def _sizes(row: Mapping) -> dict[str, int]:
    return {"n_id": row["n_id"], "n_ood": row["n_ood"]}


def _published(run: Run, ood: str) -> list[dict]:
    """The pair CFS(1x2), where the run has it."""
    detectors = data.table(run, run.digest, "detectors")
    if detectors.empty:
        return []
    pair = detectors[(detectors["ood"] == ood) & (detectors["name"] == "CFS(1x2)")]
    name = "CFS(1x2), trained" + (f", {run.draws} draws" if run.draws > 1 else "")
    return [
        {"name": name, "kind": "preset", "note": "", **_sizes(row), **{key: row[key] for key in ("auroc", "lo", "hi")}}
        for row in pair.to_dict("records")
    ]
