"""The closer looks of the prediction page: regret on all sets, the proxies themselves, and the ablation."""

from __future__ import annotations

import numpy as np
import streamlit as st

from cfs_explore.charts.proxy_dots import PROXY_NAMES
from cfs_explore.explorations.pictures import fitting_of
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import cell_label
from cfs_explore.figures.needs import stage_rows
from cfs_explore.images import thumbnail, to_input
from cfs_explore.images.decode import decode
from cfs_explore.images.proxies import make_proxy
from cfs_explore.store import Run
from cfs_explore.ui import data, diagnostic_page
from cfs_explore.ui.figure import picked, show_figure
from cfs_explore.ui.gallery import has_pictures, show_absence, tag
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


def all_sets(run: Run, view: Choices) -> None:
    """What every policy loses on every OOD set."""
    show_figure(
        "prediction-losses-all",
        run,
        view,
        key="prediction_regret",
        hint="Click a row to open its set.",
        on_select=lambda: _pick_set(run),
    )


def _pick_set(run: Run) -> None:
    rows = picked("prediction_regret")
    if rows and rows[-1] < len(run.ood_names):  # the last row is the mean
        st.session_state["ood"] = run.ood_names[rows[-1]]


def proxies(run: Run, view: Choices) -> None:
    """What the proxies look like, and what they say of one cell."""
    left, right = st.container(key="beside_proxies").columns([5, 4], gap="large")
    with left:
        st.header("What they look like", anchor=False)
        show_absence(run, ("id_train", None))
        if has_pictures(data.images(run, "id_train", None)):
            st.html(_STYLE + _pictures(run))
        st.caption(
            "Examples from ID-train. The strength of a change varies from image to image; the noise draw is that of "
            "the original."
        )
    with right:
        st.header(f"What they say of {escape(cell_label(run, view.cell))}", anchor=False)
        show_figure("prediction-proxies", run, view, key="prediction_proxies")


@data.kept(max_entries=16)
def _pictures(run: Run) -> str:
    """Originals and proxies as an HTML grid, a column per kind."""
    rows = data.images(run, "id_train", None)
    rows = rows[rows["thumbnail"].map(len) > 0]
    rows = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, _EXAMPLES).round().astype(int))]
    channels, *sides = run.manifest.backbone.image_shape
    shape, fitting = (channels, *(min(side, _SIDE) for side in sides)), fitting_of(run, run.entry("id_train"))
    given = (decode(png, "thumbnail").pixels for png in rows["thumbnail"])
    pixels = np.stack([to_input(each, shape, **fitting) for each in given])
    ids, seed = rows["image_id"].tolist(), run.manifest.spec["seed"]
    columns = {"Original": pixels} | {name: make_proxy(kind, pixels, ids, seed) for kind, name in PROXY_NAMES.items()}
    cells = [f"<span>{name}</span>" for name in columns]
    for images in zip(*columns.values(), strict=True):
        cells += [tag(thumbnail(each.transpose(1, 2, 0)), name) for name, each in zip(columns, images, strict=True)]
    return f'<div class="cfs-proxies">{"".join(cells)}</div>'


def ablation(run: Run, view: Choices, *, everything: bool = True) -> None:
    """AUROC by levels, taps and shift of lam; ``everything`` as for ``stage_table``."""
    if diagnostic_page.stage_table(run, "ablation", everything=everything) is None:
        return
    rows = stage_rows(run, "ablation", ood=view.ood)
    if rows["draws"].iloc[0] < 2:
        st.info("This map was measured with one noise draw, so there is no spread over draws to show.")
    if "pair" not in set(rows["taps"]):
        st.info("The published encoder and decoder tap are not in this map, so only all taps together are shown.")
    show_figure("prediction-ablation", run, view, key="prediction_ablation")
