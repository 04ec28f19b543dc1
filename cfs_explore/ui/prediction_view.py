"""The prediction page: cells ranked by proxies against the truth, and what each policy's choice costs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from cfs_explore.figures import format_estimate, proxy_scatter_figure, regret_dots_figure
from cfs_explore.figures.theme import format_value
from cfs_explore.headlines.prediction import prediction_headline
from cfs_explore.store import Run
from cfs_explore.ui import composer, data, diagnostic_page, prediction_details, state
from cfs_explore.ui.cell_panel import cell_label
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

VIEWS = {"sets": "All OOD sets", "proxies": "Proxies", "ablation": "Ablation"}
_FORMULAS = {
    "**Prediction** (13) of a cell's AUROC against a proxy P, from means and variances of its scores; a cell's "
    "prediction (17) is the mean over the proxies that count for the OOD set:": r"\Phi\left(\frac{E_P[s]-E_{ID}[s]}"
    r"{\sqrt{\mathrm{Var}_{ID}[s]+\mathrm{Var}_P[s]}}\right)",
    "**Rank correlation** (17): Spearman between predicted and measured AUROC over all cells; R are ranks. Its "
    "interval is Fisher's z with the standard error over 400 bootstrap resamples of the images.": r"\rho = "
    r"\mathrm{corr}\big(R_{\mathrm{predicted}}, R_{\mathrm{measured}}\big)",
    "**Regret** (17) of a policy that chooses cell c, with the paired DeLong interval:": r"\max_{c'} \mathrm{AUROC}(c')"
    r"-\mathrm{AUROC}(c)",
    "**ICC** (14), by which one of the policies chooses: the share of the snapshots' variance that is the image's own "
    "and not the noise draw's:": r"\frac{\mathrm{MSB}-\mathrm{MSW}}{\mathrm{MSB}+(M-1)\,\mathrm{MSW}}",
}


def show(run: Run) -> None:
    """The whole page for one run."""
    diagnostic_page.restore_ood(run)
    state.restore("cell", composer.default_cells(run)[-1], range(len(run.levels) * len(run.taps)), parse=int)
    state.restore("prediction_view", "sets", list(VIEWS))
    _page(run)


def published_lam(run: Run) -> str:
    """Log-SNR of the published detectors in this map, as text."""
    return format_value(run.levels[run.manifest.kept["level"]].lam, 1)


@st.fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("Can the right cell be found without OOD images?", anchor=False)
    tables = _tables(run)
    headline = st.empty()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ood = diagnostic_page.ood_control(run)
    if tables:
        cells = tables["prediction"][tables["prediction"]["ood"] == ood].reset_index(drop=True)
        losses = tables["regret"][tables["regret"]["ood"] == ood].reset_index(drop=True)
        of_policy = losses.set_index("policy").to_dict("index")
        headline.markdown(prediction_headline(escape(ood), cells.iloc[0], of_policy, published_lam(run)))
        left, right = st.container(key="beside_prediction").columns([5, 4], gap="large")
        with left:
            _scatter(run, ood, cells, losses)
        with right:
            _losses(run, ood, losses)
            _open_cell(run, cells, st.session_state["cell"])
    _closer(run, ood, tables)
    diagnostic_page.formulas(_FORMULAS)


def _tables(run: Run) -> dict[str, pd.DataFrame]:
    """The stage's tables; none where it is missing, which the page then says once."""
    prediction = diagnostic_page.stage_table(run, "prediction")
    if prediction is None:
        return {}
    return {"prediction": prediction} | {name: data.table(run, run.digest, name) for name in ("regret", "proxies")}


def _closer(run: Run, ood: str, tables: dict[str, pd.DataFrame]) -> None:
    """All sets, the proxies or the ablation; the last alone where the stage is missing."""
    if not tables:
        st.subheader(VIEWS["ablation"], anchor=False)
        prediction_details.ablation(run, ood)
        return
    view = st.segmented_control(
        "Look closer",
        list(VIEWS),
        key="prediction_view",
        format_func=VIEWS.get,
        required=True,
        help="All OOD sets: what each policy loses on each. Proxies: what they look like, and what they say of the "
        "open cell. Ablation: AUROC by number of levels and taps, and with every level moved by half a unit of λ.",
    )
    state.remember(prediction_view=view)
    if view == "sets":
        prediction_details.all_sets(run, ood, tables["regret"], published_lam(run))
    elif view == "proxies":
        index = st.session_state["cell"]
        left_out = tables["prediction"].loc[tables["prediction"]["ood"] == ood, "left_out"].iloc[0]
        prediction_details.proxies(run, tables["proxies"], index, [kind for kind in left_out.split(", ") if kind])
    else:
        prediction_details.ablation(run, ood)


def _scatter(run: Run, ood: str, cells: pd.DataFrame, losses: pd.DataFrame) -> None:
    st.subheader("Predicted against measured", anchor=False, help=_SCATTER_HELP)
    first, left_out = cells.iloc[0], cells["left_out"].iloc[0]
    if cells["predicted"].isna().all():
        st.info(f"Every kind of proxy is left out for this set, since it was made that way: {left_out}.")
        return
    index = st.session_state["cell"]
    state.remember(cell=index)
    rho = format_estimate(first["spearman"], first["spearman_lo"], first["spearman_hi"])
    without = f"; without {left_out}, since the set was made that way" if left_out else ""
    show_figure(
        proxy_scatter_figure(cells, len(run.taps), _marks(run, losses), index, state.figure_theme()),
        key="prediction_scatter",
        rows=cells[["tap", "lam", "region", "predicted", "auroc", "lo", "hi", "left_out", "n_proxy", "n_id", "n_ood"]],
        caption=f"Each point is a cell, {len(cells)} in all; Spearman {rho}: 95 % interval over images, not over "
        f"cells, which depend on each other. Proxies of {first['n_proxy']} ID-train images, one draw{without}; "
        f"OOD: {ood}, n = {first['n_id']} ID, {first['n_ood']} OOD. Dotted: chance. Click a point to open its cell.",
        alt=f"Measured AUROC for {ood} against that predicted from proxies, {len(cells)} cells; Spearman {rho}.",
        file_name=f"{run.path.name}-{ood}-proxies".replace(" ", "-"),
        on_select=_pick,
    )


_SCATTER_HELP = (
    "Proxies are ID-train images that were blurred, made noisy and so on: stand-ins for OOD images that nobody has "
    "yet. If the order of the cells along both axes is the same, the proxies find the right cell."
)


def _marks(run: Run, losses: pd.DataFrame) -> dict[str, int]:
    """Mark of the scatter -> cell index."""
    positions = {tap.name: t for t, tap in enumerate(run.taps)}
    first = losses.iloc[0]
    places = {"best": (first["best_level"], first["best_tap"])}
    for row in losses[losses["policy"].isin(["proxy", "fixed"]) & losses["tap"].notna()].to_dict("records"):
        places[row["policy"]] = (row["level"], row["tap"])
    return {key: int(level) * len(run.taps) + positions[tap] for key, (level, tap) in places.items()}


def _open_cell(run: Run, cells: pd.DataFrame, index: int) -> None:
    """The open cell's numbers and its ranks."""
    cell = cells.iloc[index]
    ranks = cells[["predicted", "auroc"]].rank(ascending=False, method="min").iloc[index]
    st.subheader(f"{escape(cell_label(run, index))} ({cell['region']})", anchor=False)
    measured = format_estimate(cell["auroc"], cell["lo"], cell["hi"])
    text = f"Measured AUROC **{measured}**, rank {ranks['auroc']:.0f} of {len(cells)}  \n"
    if pd.notna(cell["predicted"]):
        text += f"Predicted **{format_value(cell['predicted'])}** against proxies, rank {ranks['predicted']:.0f}"
    st.markdown(text)
    st.page_link("pages/map.py", label="Open it on the map", icon=":material/grid_on:")


def _pick() -> None:
    """A click on a point opens its cell."""
    points = st.session_state["prediction_scatter"]["selection"]["points"]
    picked = [point["customdata"] for point in points if isinstance(point.get("customdata"), int)]
    if picked:
        st.session_state["cell"] = picked[-1]


def _losses(run: Run, ood: str, losses: pd.DataFrame) -> None:
    st.subheader(
        "What a choice loses",
        anchor=False,
        help="Regret: the best cell's AUROC minus that of the cell that a policy chooses. Blue looks at ID images "
        "alone, orange at the other OOD sets, grey at neither.",
    )
    first = losses.iloc[0]
    best = f"{format_value(first['best_auroc'])}, the largest of {len(run.levels) * len(run.taps)} cells"
    show_figure(
        regret_dots_figure(losses, published_lam(run), state.figure_theme()),
        key="prediction_losses",
        rows=losses.drop(columns=["ood", "best_level"]),
        caption=f"Best cell: AUROC {best} on these very images: a naive maximum, so that every loss is overestimated. "
        f"Paired DeLong 95 % intervals; OOD: {ood}, n = {first['n_id']} ID, {first['n_ood']} OOD.",
        alt="AUROC lost to the best cell: "
        + "; ".join(f"{row.policy} {format_value(row.regret)}" for row in losses.itertuples()),
        file_name=f"{run.path.name}-{ood}-regret".replace(" ", "-"),
    )
