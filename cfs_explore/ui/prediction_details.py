"""The closer looks of the prediction page: regret on all sets, the proxies themselves, and the ablation."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from cfs_explore.figures import ablation_grid_figure, proxy_dots_figure, regret_grid_figure
from cfs_explore.figures.proxy_dots import PROXY_NAMES
from cfs_explore.figures.theme import format_estimate
from cfs_explore.images import thumbnail, to_input
from cfs_explore.images.proxies import make_proxy
from cfs_explore.store import Run
from cfs_explore.ui import data, diagnostic_page, state
from cfs_explore.ui.cell_panel import cell_label
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.gallery import has_pictures, show_absence
from cfs_explore.ui.sidebar import escape

#: Examples of each proxy, and the side at which they are made (that of a thumbnail at most).
_EXAMPLES, _SIDE = 4, 64
_STYLE = """
<style>
.cfs-proxies {display: grid; grid-template-columns: repeat(8, minmax(0, 72px)); gap: 6px; margin: 2px 0 10px;}
.cfs-proxies img {width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; border-radius: 4px;}
.cfs-proxies span {font-size: 12px; line-height: 1.2; align-self: end;}
</style>
"""


def all_sets(run: Run, ood: str, regret: pd.DataFrame, lam: str) -> None:
    """What every policy loses on every OOD set."""
    mean = regret[regret["ood"] == ""].dropna(subset=["regret"]).sort_values("regret")
    best = mean.iloc[0]["policy"] if len(mean) else "none"
    show_figure(
        regret_grid_figure(regret, run.ood_names, lam, state.figure_theme(), ood),
        key="prediction_regret",
        rows=regret.assign(ood=regret["ood"].replace("", "mean of the sets")),
        caption="AUROC lost to each set's best cell, paired DeLong 95 % intervals (last row: of the mean over these "
        f"sets, whose images count as independent); n = {regret['n_id'].iloc[0]} ID, "
        f"{_range(regret.loc[regret['ood'] != '', 'n_ood'])} OOD. The best cell is a naive maximum: losses are "
        "overestimated, alike for all policies. Click a row to open its set.",
        alt=f"AUROC lost by {regret['policy'].nunique()} policies on {len(run.ood_names)} OOD sets; least on average: "
        f"{best}.",
        file_name=f"{run.path.name}-regret",
        on_select=lambda: _pick_set(run),
    )


def _pick_set(run: Run) -> None:
    points = st.session_state["prediction_regret"]["selection"]["points"]
    rows = [point["customdata"] for point in points if isinstance(point.get("customdata"), int)]
    if rows and rows[-1] < len(run.ood_names):  # the last row is the mean
        st.session_state["ood"] = run.ood_names[rows[-1]]


def proxies(run: Run, table: pd.DataFrame, index: int, left_out: Sequence[str]) -> None:
    """What the proxies look like, and what they say of one cell."""
    level, tap = divmod(index, len(run.taps))
    rows = table[(table["level"] == level) & (table["tap_index"] == tap)].reset_index(drop=True)
    left, right = st.container(key="beside_proxies").columns([5, 4], gap="large")
    with left:
        st.subheader("What they look like", anchor=False)
        show_absence(run, ("id_train", None))
        if has_pictures(data.images(run, run.digest, "id_train", None)):
            st.html(_STYLE + _pictures(run, run.digest))
        st.caption(
            "Examples from ID-train. How strong a change is differs from image to image; the noise draw is that of the "
            "original."
        )
    with right:
        st.subheader(f"What they say of {escape(cell_label(run, index))}", anchor=False)
        show_figure(
            proxy_dots_figure(rows, left_out, state.figure_theme()),
            key="prediction_proxies",
            rows=rows,
            caption=f"ID-train images against their proxies, n = {rows['n'].iloc[0]} each, one draw; DeLong 95 % "
            "intervals as if they were other images (they are the same: rather too wide). The originals were part "
            "of the fit.",
            alt="; ".join(
                f"{row.proxy}: AUROC {format_estimate(row.auroc, row.lo, row.hi)}" for row in rows.itertuples()
            ),
            file_name=f"{run.path.name}-proxies-of-cell-{index}",
        )


@st.cache_resource(max_entries=16, show_spinner=False)
def _pictures(_run: Run, digest: str) -> str:
    """Originals and proxies as an HTML grid, a column per kind."""
    rows = data.images(_run, digest, "id_train", None)
    rows = rows[rows["thumbnail"].map(len) > 0]
    rows = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, _EXAMPLES).round().astype(int))]
    channels, *sides = _run.manifest.backbone.image_shape
    shape, policy = (channels, *(min(side, _SIDE) for side in sides)), _run.manifest.spec["resize"]
    pixels = np.stack([to_input(_decoded(png), shape, policy=policy) for png in rows["thumbnail"]])
    ids, seed = rows["image_id"].tolist(), _run.manifest.spec["seed"]
    columns = {"Original": pixels} | {name: make_proxy(kind, pixels, ids, seed) for kind, name in PROXY_NAMES.items()}
    cells = [f"<span>{name}</span>" for name in columns]
    cells += [_picture(values[i], name) for i in range(len(pixels)) for name, values in columns.items()]
    return f'<div class="cfs-proxies">{"".join(cells)}</div>'


def _decoded(png: bytes) -> np.ndarray:
    """uint8 (H, W, 1 | 3)."""
    pixels = np.asarray(Image.open(io.BytesIO(png)))
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _picture(pixels: np.ndarray, name: str) -> str:
    source = base64.b64encode(thumbnail(pixels.transpose(1, 2, 0))).decode()
    return f'<img src="data:image/png;base64,{source}" alt="{name}">'


def ablation(run: Run, ood: str) -> None:
    """AUROC by levels, taps and shift of lam."""
    table = diagnostic_page.stage_table(run, "ablation")
    if table is None:
        return
    rows = table[table["ood"] == ood].reset_index(drop=True)
    first = rows.iloc[0]
    if first["draws"] < 2:
        st.info("This map was measured with one noise draw, so that there is no spread over draws to show.")
    if "pair" not in set(rows["taps"]):
        st.info("The published encoder and decoder tap are not in this map, so that only all taps together are shown.")
    measured = rows[rows["shift"] == 0]["auroc"]
    show_figure(
        ablation_grid_figure(rows, state.figure_theme()),
        key="prediction_ablation",
        rows=rows.drop(columns="ood"),
        caption=f"AUROC of CFS(K × L) with a single noise draw: mean ± SD over {first['draws']} draws; the hover has "
        "the DeLong interval. Levels: those nearest to the main one. λ ± 0.5: all levels moved, statistics fitted "
        f"again there. Splits: statistics of {first['n_train']} ID-train images, scores of {first['n_id']} ID-test and "
        f"{first['n_ood']} OOD images ({ood}).",
        alt=f"AUROC by number of levels, taps and shift of lambda, from {measured.min():.3f} to {measured.max():.3f} "
        "without a shift.",
        file_name=f"{run.path.name}-{ood}-ablation".replace(" ", "-"),
    )


def _range(counts: pd.Series) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"
