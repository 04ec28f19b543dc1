"""The lower half of the controls page: image statistics, re-encoding, and the spread over seeds."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import DIFFERENCE_COLUMNS, difference_warning, set_differences
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.controls import STATISTIC_NAMES, reencoded_cells
from cfs_explore.figures.needs import stage_rows
from cfs_explore.figures.options import Control
from cfs_explore.figures.places import level_control
from cfs_explore.images.statistics import STATISTICS
from cfs_explore.store import Run
from cfs_explore.ui import choosing, data
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import format_estimate, format_value

LOOK = Control(
    "controls_view",
    "Look closer",
    {"statistics": "Image statistics", "reencoding": "Re-encoding", "seeds": "Seeds"},
    help="Image statistics: which of them separates the set from ID without any network. Re-encoding: what is left of "
    "the signal when all images have the same codec and resizing. Seeds: how much an untrained copy's map depends on "
    "its random weights.",
)
LEVEL = level_control("controls_level", 160)
#: Format of the built-in sets, which are drawn at their size.
_DRAWN = "drawn"


def show(run: Run, view: Choices, look: str) -> None:
    """One of the values of ``LOOK``."""
    {"statistics": _statistics, "reencoding": _reencoding, "seeds": _seeds}[look](run, view)


def _statistics(run: Run, view: Choices) -> None:
    left, right = st.container(key="beside_statistics").columns([5, 4], gap="large")
    with left:
        if not show_figure("controls-statistics", run, view, key="controls_statistics"):
            return
    table = stage_rows(run, "image_statistics", ood=view.ood)
    with right:
        st.markdown(_best_statistic(table))
        for row in table[table["auroc"].isna()].itertuples():
            st.caption(f"{STATISTIC_NAMES[row.statistic]} is left out: {row.note}.")
        st.markdown(f"**As the files are:** {_stored(run, view.ood)}")
        with st.popover("What is measured", icon=":material/straighten:", type="tertiary"):
            for name, text in STATISTICS.items():
                st.markdown(f"**{STATISTIC_NAMES[name]}.** {escape(text)}")


def _best_statistic(table: pd.DataFrame) -> str:
    """Which statistic separates the set best from ID."""
    single = table[table["auroc"].notna() & (table["statistic"] != "all")].sort_values("auroc", ascending=False)
    if single.empty or single["lo"].iloc[0] <= 0.5:
        return "**No single statistic** separates this set from the ID images beyond chance."
    row = single.iloc[0]
    value = format_estimate(row["auroc"], row["lo"], row["hi"])
    return f"**{STATISTIC_NAMES[row['statistic']]}** separates this set best: AUROC {value} without any network."


@data.kept(max_entries=64)
def _stored(run: Run, ood: str) -> str:
    """Whether the OOD images differ from the ID images in codec (lossy or lossless), native size and colour."""
    columns = DIFFERENCE_COLUMNS
    id_rows = pd.concat([run.images(role, columns=columns) for role in ("id_train", "id_test")], ignore_index=True)
    rows = run.images("ood", ood, columns=columns)
    warning = difference_warning(ood, set_differences(id_rows, rows))
    if warning:
        return escape(warning)
    if (rows["format"] == _DRAWN).all():
        return (
            "codec (lossy or lossless), native size and grey or colour are those of the ID images. But this set is "
            "built in and drawn at its size, so they say nothing about where its pixels came from (scans scaled up, "
            "photographs scaled down); the statistics do."
        )
    return "codec (lossy or lossless), native size and grey or colour are distributed as in the ID images."


def _reencoding(run: Run, view: Choices) -> None:
    left, right = st.container(key="beside_reencoding").columns([5, 4], gap="large")
    with left:
        show_figure("controls-reencoding", run, view, key="controls_reencoding")
    with right:
        excess = reencoded_cells(run, view)
        worse, better = int((excess["lo"] > 0).sum()), int((excess["hi"] < 0).sum())
        st.markdown(
            f"Re-encoding changes AUROC by **{format_value(-excess['excess'].median())}** in the median cell. "
            f"Beyond their 95 % intervals, it lowers {worse:,} of {len(excess):,} cells and raises {better}."
        )
        st.markdown(
            "A signal that re-encoding removes was in the finest detail: codec, resolution, noise or fine structure. A "
            "signal that stays does not come from the codec."
        )


def _seeds(run: Run, view: Choices) -> None:
    level = choosing.choose(LEVEL, run)
    show_figure("controls-seeds", run, replace(view, level=level), key="controls_seeds")
