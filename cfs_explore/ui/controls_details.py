"""The lower half of the controls page: image statistics, re-encoding, and the spread over seeds."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import DIFFERENCE_COLUMNS, difference_warning, set_differences
from cfs_explore.figures import format_estimate
from cfs_explore.figures.theme import format_value
from cfs_explore.images.statistics import STATISTICS
from cfs_explore.plates import controls as plates
from cfs_explore.plates.needs import NotMeasuredError
from cfs_explore.store import Run
from cfs_explore.ui import data, state
from cfs_explore.ui.figure import show_plate
from cfs_explore.ui.sidebar import escape

VIEWS = {"statistics": "Image statistics", "reencoding": "Re-encoding", "seeds": "Seeds"}
#: Format of the built-in sets, which are drawn at their size.
_DRAWN = "drawn"


def show(run: Run, ood: str, excess: pd.DataFrame, view: str) -> None:
    """One of ``VIEWS``; ``excess`` is the table of this OOD set."""
    if view == "statistics":
        _statistics(run, ood)
    elif view == "reencoding":
        _reencoding(run, ood, excess[(excess["control"] == "re-encoded") & (excess["draws"] == 1)])
    else:
        _seeds(run, ood)


def _statistics(run: Run, ood: str) -> None:
    table = run.table("image_statistics")
    table = table[table["ood"] == ood]
    try:
        plate = plates.statistics(run, ood, table, state.figure_theme())
    except NotMeasuredError as why:
        st.info(str(why))
        return
    left, right = st.container(key="beside_statistics").columns([5, 4], gap="large")
    with left:
        show_plate(plate, key="controls_statistics")
    with right:
        st.markdown(_telling_statistic(table))
        for row in table[table["auroc"].isna()].itertuples():
            st.caption(f"{plates.STATISTIC_NAMES[row.statistic]} is left out: {row.note}.")
        st.markdown(f"**As the files are:** {_stored(run, ood)}")
        with st.popover("What is measured", icon=":material/straighten:", type="tertiary"):
            for name, text in STATISTICS.items():
                st.markdown(f"**{plates.STATISTIC_NAMES[name]}.** {escape(text)}")


def _telling_statistic(table: pd.DataFrame) -> str:
    """Which statistic gives the set away."""
    single = table[table["auroc"].notna() & (table["statistic"] != "all")].sort_values("auroc", ascending=False)
    if single.empty or single["lo"].iloc[0] <= 0.5:
        return "**No single statistic** tells this set from the ID images beyond chance."
    row = single.iloc[0]
    value = format_estimate(row["auroc"], row["lo"], row["hi"])
    return (
        f"**{plates.STATISTIC_NAMES[row['statistic']]}** gives this set away most: AUROC {value} without any network."
    )


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
            "built in and drawn at its size, so that says nothing of where its pixels once came from (scans scaled up, "
            "photographs scaled down); the statistics do."
        )
    return "codec (lossy or lossless), native size and grey or colour are distributed as in the ID images."


def _reencoding(run: Run, ood: str, excess: pd.DataFrame) -> None:
    left, right = st.container(key="beside_reencoding").columns([5, 4], gap="large")
    with left:
        show_plate(plates.reencoding(run, ood, excess, state.figure_theme()), key="controls_reencoding")
    with right:
        worse, better = int((excess["lo"] > 0).sum()), int((excess["hi"] < 0).sum())
        st.markdown(
            f"Re-encoding changes AUROC by **{format_value(-excess['excess'].median())}** in the median cell; it "
            f"lowers {worse} of {len(excess)} cells and raises {better} beyond their own 95 % interval."
        )
        st.markdown(
            "A signal that re-encoding removes was in the finest detail: codec, resolution, noise, or content that "
            "needs it. A signal that stays is not the codec's."
        )


def _seeds(run: Run, ood: str) -> None:
    table = run.table("controls")
    copies = table[(table["ood"] == ood) & (table["control"] == "untrained")]
    st.selectbox(
        "Noise level",
        range(len(run.levels)),
        key="controls_level",
        format_func=lambda k: f"λ = {format_value(run.levels[k].lam, 1)}",
        width=160,
        help="Log-SNR λ of the noise that the backbone's input carries: high is clean, low is noisy.",
    )
    level = st.session_state["controls_level"]
    state.remember(controls_level=level)
    plate = plates.seed_spread(run, ood, level, run.auroc_map(ood), copies, state.figure_theme())
    show_plate(plate, key="controls_seeds")
