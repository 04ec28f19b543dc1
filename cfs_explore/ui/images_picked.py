"""The picked image: its picture, its numbers, and its nearest ID neighbours in snapshot space."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.safe_io.csv_export import to_csv
from cfs_explore.store import Run
from cfs_explore.ui import detector_choice, image_link, images_points
from cfs_explore.ui.images_browser import OnPick, picture_grid
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import format_digits, percent

NEIGHBOURS = 12
_SIDE_PX = 160


def show_picked(run: Run, points: pd.DataFrame, taps: tuple[str, ...], chart: str, on_pick: OnPick) -> None:
    """The panel beside the chart.

    Args:
        run: the exploration.
        points: the page's table.
        taps: whose snapshots are compared.
        chart: key of the chart.
        on_pick: called with a picked neighbour's row.
    """
    found = points[points["row"] == st.session_state["images_picked"]]
    if found.empty:
        st.header("No image picked", anchor=False)
        st.caption("Click a point, or a picture below: it shows here with its nearest ID neighbours.")
        return
    image = found.iloc[0]
    _facts(run, points, image, on_pick)
    try:
        near = images_points.id_neighbours(run, taps, int(image["row"]), NEIGHBOURS)
    except CFSError as error:
        st.error(escape(str(error)))
        return
    rows = near.merge(points, on="row", how="left")
    st.caption(
        f"Nearest ID-test images in all {images_points.width(run, taps):,} dimensions, with their distance",
        help="Root mean square difference of the snapshots in ID-train standard deviations, each tap with the same "
        "weight; not a distance in the figure.",
    )
    picture_grid(run, rows, key="images_neighbours", chart=chart, picked=None, number="distance", on_pick=on_pick)
    with st.popover("Table", icon=":material/table:", type="tertiary"):
        table = rows.rename(columns={"dataset": "set"})[["image_id", "set", "name", "label", "distance", "score"]]
        st.dataframe(table, hide_index=True, width=620, alt="Nearest ID neighbours of the picked image.")
        name = f"{run.path.name}-neighbours-{image['image_id']}.csv"
        st.download_button("CSV", lambda: to_csv(table), name, "text/csv", on_click="ignore")


def _facts(run: Run, points: pd.DataFrame, image: pd.Series, on_pick: OnPick) -> None:
    row = int(image["row"])
    of_id = points.loc[points["role"] == "id_test", "score"]
    below = float((of_id < image["score"]).mean())
    with st.container(horizontal=True, key="images_picked_facts"):
        png = images_points.thumbnail(run, row)
        if png:
            st.image(png, width=_SIDE_PX)
        with st.container(width="stretch"):
            st.header(escape(str(image["name"])), anchor=False)
            kind = "ID" if image["role"] == "id_test" else "OOD"
            label = f" · label {escape(str(image['label']))}" if image["label"] else ""
            st.markdown(f"{escape(image['dataset'])} ({kind}){label}")
            st.markdown(
                f"**Score {format_digits(image['score'], 4)}** ({escape(detector_choice.name(run))}), above "
                f"{percent(below)} of the {len(of_id):,} ID images"
            )
            st.caption(f"image_id {image['image_id']}")
            role, name, _ = images_points.locate(run, row)
            query = image_link.image_query(run, role, name or run.id_test.name, image["image_id"])
            st.page_link(
                image_link.PAGE,
                label="Its score in every cell",
                icon=":material/center_focus_strong:",
                query_params=query,
            )
            st.button("Close", key="images_close", icon=":material/close:", on_click=on_pick, args=(row,))
