"""Compose a detector CFS(K x L) out of cells, beside the published presets and the honest best cell."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import detector_summary
from cfs_explore.figures import detector_dots_figure, detectors_caption
from cfs_explore.store import Run
from cfs_explore.ui import data, state
from cfs_explore.ui.figure import show_figure

_PRESETS = ("CFS(1x2)", "CFS-dec(1x1)")


def default_cells(run: Run) -> list[int]:
    """The CFS(1x2) preset as cell indices; the first cell where the run has no preset."""
    presets = data.table(run, run.digest, "detectors")
    rows = presets[presets["name"] == "CFS(1x2)"] if len(presets) else presets
    return [int(i) for i in rows["cell_indices"].iloc[0]] if len(rows) else [0]


@st.cache_data(max_entries=256, show_spinner=False)
def composed_row(_run: Run, digest: str, ood: str, cells: tuple[int, ...]) -> dict:
    """AUROC with its interval, n, #F and effective #F of the detector made of these cells (theory 4)."""
    pairs = [divmod(index, len(_run.taps)) for index in cells]
    used = sorted({level for level, _ in pairs})
    id_scores, ood_scores = (
        data.scores(_run, digest, role, name)[:, :, used] for role, name in (("id_test", None), ("ood", ood))
    )
    local = [Cell(used.index(level), tap) for level, tap in pairs]
    return detector_summary(id_scores, ood_scores, local, taps=_run.taps)


def detector_rows(run: Run, ood: str, cells: list[int]) -> pd.DataFrame:
    """The composed detector, the presets, and the best single cell, honest and naive."""
    rows = []
    if cells:
        pairs = [divmod(index, len(run.taps)) for index in cells]
        levels, taps = len({k for k, _ in pairs}), len({t for _, t in pairs})
        name = f"Composed: CFS({levels}x{taps})" if len(cells) == levels * taps else f"Composed: {len(cells)} cells"
        rows.append({"name": name, "kind": "composed", **composed_row(run, run.digest, ood, tuple(cells))})
    presets = data.table(run, run.digest, "detectors")
    if len(presets):
        wanted = presets[(presets["ood"] == ood) & presets["name"].isin(_PRESETS)]
        rows += [{**row, "kind": "preset"} for row in wanted.to_dict("records")]
    best = data.table(run, run.digest, "best_cell")
    for row in best[best["ood"] == ood].to_dict("records") if len(best) else []:
        cost = {
            "forwards": run.draws,
            "effective": run.draws * run.taps[int(row["cell_index"]) % len(run.taps)].depth,
            "n_id": row["n_id"],
            "n_ood": row["n_ood"],
        }
        for kind, label in (("honest", "Best cell, honest"), ("naive", "Best cell, naive")):
            value, lo, hi = row[kind], row[f"{kind}_lo"], row[f"{kind}_hi"]
            rows.append({"name": label, "kind": kind, "auroc": value, "lo": lo, "hi": hi, **cost})
    frame = pd.DataFrame(rows)
    columns = ["name", "kind", "auroc", "lo", "hi", "aupr", "fpr95", "n_id", "n_ood", "forwards", "effective"]
    return frame.reindex(columns=columns)


def show_composer(run: Run, ood: str, label) -> None:
    """Chips of the chosen cells, and the detectors on one line.

    Args:
        run: the exploration.
        ood: name of the OOD set.
        label: cell index -> what the chip says.
    """
    st.subheader("Compose a detector", anchor=False)
    st.multiselect(
        "Cells whose slot scores are averaged",
        range(len(run.levels) * len(run.taps)),
        key="cells",
        format_func=label,
        placeholder="Click cells on the map, or search here",
        help="CFS(K x L): the plain mean of the slot scores of K levels x L taps. To pick cells on the map, set its "
        "click to compose; the x of a chip removes one.",
    )
    cells = [int(i) for i in st.session_state["cells"]]
    rows = detector_rows(run, ood, cells)
    if rows.empty:
        st.info("Choose at least one cell to compose a detector.")
        return
    first = rows.iloc[0]
    n_id, n_ood = int(first["n_id"]), int(first["n_ood"])
    show_figure(
        detector_dots_figure(rows, state.figure_theme()),
        key="detectors",
        rows=rows,
        caption=detectors_caption(n_id, n_ood),
        alt="; ".join(f"{row['name']}: AUROC {row['auroc']:.3f}" for row in rows.to_dict("records")),
        file_name=f"{run.path.name}-{ood}-detectors".replace(" ", "-"),
    )
