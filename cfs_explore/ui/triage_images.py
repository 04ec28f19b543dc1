"""The images of the triage page: the flagged ones as pictures, all of them as a table and as files."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.explorations.pictures import as_seen
from cfs_explore.figures.triage import Found
from cfs_explore.safe_io.csv_export import to_csv
from cfs_explore.store import Run
from cfs_explore.ui import data, image_link, state, where_gallery
from cfs_explore.ui.gallery import has_pictures, show_absence, show_gallery, shows_both
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import counted

_PER_PAGE = 30
_KEY = "triage_page"
_PICTURES = where_gallery.control("triage_pictures")
_COLUMNS = {
    "image_id": st.column_config.TextColumn("Image id", help="Digest of the image's pixels."),
    "name": st.column_config.TextColumn("Name"),
    "label": st.column_config.TextColumn("Label"),
    "score": st.column_config.NumberColumn("Score", format="%.3f", help="Higher = more OOD."),
    "percentile": st.column_config.NumberColumn(
        "Percentile", format="%.1f", help="Share of ID-test below, in percent."
    ),
    "p_value": st.column_config.NumberColumn("p", format="%.4f", help="Conformal p-value against ID-test."),
    "flagged": st.column_config.CheckboxColumn("Flagged"),
}


def restore() -> None:
    """Bring the gallery's page back from the address."""
    state.restore(_KEY, 1, parse=int, lacking="The flagged images have no page")


def show_flagged(run: Run, ood: str, found: Found, rule: tuple, cells: Sequence[int]) -> None:
    """The flagged images, the highest score first, a page at a time; a click opens one on its own page.

    Args:
        run: the exploration.
        ood: name of the set.
        found: with the table of ``diagnostics.triage``, in the set's order.
        rule: what flagged them; another one starts at the first page.
        cells: of the detector; none of another detector, which has no maps.
    """
    scores = found.table["score"].to_numpy()
    order = np.argsort(-scores, kind="stable")
    order = order[found.table["flagged"].to_numpy()[order]]
    st.header(f"Flagged images ({len(order):,})", anchor=False)
    show_absence(run, ("ood", ood))
    if not len(order):
        st.markdown("No image of this set is flagged.")
        return
    rows = data.images(run, "ood", ood).iloc[found.rows].reset_index(drop=True)
    if not has_pictures(rows):
        st.markdown("The table below lists them, the highest score first.")
        return
    pages = math.ceil(len(order) / _PER_PAGE)
    start = (_page_number(pages, (run.digest, ood, *rule)) - 1) * _PER_PAGE
    shown = order[start : start + _PER_PAGE]
    seen = as_seen(run, run.entry("ood", ood))
    both = " Hover for the image as it was given." if shows_both(seen, rows["thumbnail"].iloc[shown]) else ""
    over = None
    if not cells:
        st.caption(
            escape(f"{found.detector} is no mean of cells: it has no map of where in an image its score arises.")
        )
    elif where_gallery.chosen(_PICTURES):
        over = where_gallery.overlays(run, found.detector, cells, [("ood", ood, int(found.rows[k])) for k in shown])
        both = both if over is None else " Hover for the image without its map."
    with st.container(key="triage_flagged"):
        show_gallery(
            f"{start + 1:,} to {start + len(shown):,}, the highest score first, as the network saw them.{both} Click "
            "an image to open it.",
            rows,
            scores,
            shown,
            "The number is the image's score.",
            lambda image_id: image_link.image_link(run, "ood", ood, image_id),
            seen=seen,
            over=over,
        )
    if pages > 1:
        st.number_input(f"Page (1 to {pages})", 1, pages, key=_KEY, width=140)
        state.remember(**{_KEY: st.session_state[_KEY]})


def _page_number(pages: int, shown: tuple) -> int:
    """The chosen page; the first one where other images are flagged than a moment ago."""
    before, asked = st.session_state.get("triage_shown"), st.session_state[_KEY]
    if (before not in (None, shown)) or asked not in range(1, pages + 1):
        if before is None:  # on arrival: it is the address that asks
            state.note(_KEY, f"The flagged images have no page {asked}; page 1 of {pages} is shown instead.")
        st.session_state[_KEY] = 1
        state.remember(**{_KEY: 1})
    st.session_state["triage_shown"] = shown
    return st.session_state[_KEY]


def show_table(run: Run, ood: str, table: pd.DataFrame) -> None:
    """Every image with its p-value; a chosen row opens the image, and both files hold the whole table.

    Args:
        run: the exploration.
        ood: name of the set.
        table: what the files hold.
    """
    whole = run.entry("ood", ood).count
    st.header("All images" if len(table) == whole else f"A sample of {len(table):,} of {whole:,} images", anchor=False)
    picked = st.dataframe(
        table,
        key="triage_table",
        hide_index=True,
        height=min(360, 36 * len(table) + 40),
        column_order=[name for name in _COLUMNS if name != "label" or table["label"].astype(bool).any()],
        column_config=_COLUMNS,
        on_select="rerun",
        selection_mode="single-row",
        alt=f"Scores, percentiles and p-values of {counted(len(table), 'image')} of {ood}.",
    )
    stem = f"{run.path.name}-{ood}-triage".replace(" ", "-")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button("CSV", lambda: to_csv(table), f"{stem}.csv", "text/csv", key="triage_csv", on_click="ignore")
        parquet = f"{stem}.parquet"
        st.download_button(
            "Parquet", lambda: table.to_parquet(index=False), parquet, key="triage_parquet", on_click="ignore"
        )
        rows = picked["selection"]["rows"]
        if rows and rows[0] < len(table):
            chosen = str(table["image_id"].iloc[rows[0]])
            if st.button("Open this image", key="triage_open", type="primary", icon=":material/center_focus_strong:"):
                st.switch_page(image_link.PAGE, query_params=image_link.image_query(run, "ood", ood, chosen))
        else:
            st.caption("Choose a row to open its image.")
