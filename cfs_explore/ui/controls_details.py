"""The lower half of the controls page: image statistics, re-encoding, and the spread over seeds."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import difference_warning, set_differences
from cfs_explore.figures import control_dots_figure, format_estimate, reencoding_figure, seed_spread_figure
from cfs_explore.figures.theme import format_value
from cfs_explore.images.statistics import STATISTICS
from cfs_explore.store import Run
from cfs_explore.ui import data, state
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

VIEWS = {"statistics": "Image statistics", "reencoding": "Re-encoding", "seeds": "Seeds"}
_NAMES = {
    "mean": "Brightness",
    "contrast": "Contrast",
    "colourfulness": "Colourfulness",
    "sharpness": "Sharpness",
    "complexity": "Complexity (PNG size)",
    "blockiness": "JPEG blockiness",
    "all": "All together",
}
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


def _stem(run: Run, ood: str, part: str) -> str:
    return f"{run.path.name}-{ood}-{part}".replace(" ", "-")


def _counts(frame: pd.DataFrame) -> str:
    return f"n = {frame['n_id'].iloc[0]} ID, {frame['n_ood'].iloc[0]} OOD"


def _statistics(run: Run, ood: str) -> None:
    table = data.table(run, run.digest, "image_statistics")
    table = table[table["ood"] == ood]
    known = table[table["auroc"].notna()].sort_values("auroc", ascending=False)
    if known.empty:
        st.info("No image statistic differs between any two images of these sets.")
        return
    rows = known.assign(
        name=known["statistic"].map(_NAMES),
        kind=["statistics" if name == "all" else "best statistic" for name in known["statistic"]],
    )
    left, right = st.container(key="beside_statistics").columns([5, 4], gap="large")
    with left:
        show_figure(
            control_dots_figure(rows, state.figure_theme()),
            key="controls_statistics",
            rows=table[["statistic", "auroc", "lo", "hi", "n_id", "n_ood", "note"]],
            caption=f"AUROC of plain statistics of the prepared images, each scored by its squared z-score against "
            f"ID-train; OOD: {ood}; {_counts(table)}; DeLong 95 % CI. Below 0.5: closer to the ID mean than ID images.",
            alt="; ".join(
                f"{row.name}: AUROC {row.auroc:.3f}" for row in rows[["name", "auroc"]].itertuples(index=False)
            ),
            file_name=_stem(run, ood, "statistics"),
        )
    with right:
        st.markdown(_telling_statistic(known))
        for row in table[table["auroc"].isna()].itertuples():
            st.caption(f"{_NAMES[row.statistic]} is left out: {row.note}.")
        st.markdown(f"**As the files are:** {_stored(run, run.digest, ood)}")
        with st.popover("What is measured", icon=":material/straighten:", type="tertiary"):
            for name, text in STATISTICS.items():
                st.markdown(f"**{_NAMES[name]}.** {escape(text)}")


def _telling_statistic(known: pd.DataFrame) -> str:
    """Which statistic gives the set away."""
    single = known[known["statistic"] != "all"]
    if single.empty or single["lo"].iloc[0] <= 0.5:
        return "**No single statistic** tells this set from the ID images beyond chance."
    row = single.iloc[0]
    value = format_estimate(row["auroc"], row["lo"], row["hi"])
    return f"**{_NAMES[row['statistic']]}** gives this set away most: AUROC {value} without any network."


@st.cache_resource(max_entries=64, show_spinner=False)
def _stored(_run: Run, digest: str, ood: str) -> str:
    """Whether codec, native size and colour of the OOD images differ from those of the ID images."""
    columns = ["format", "mode", "width", "height"]
    id_rows = pd.concat([_run.images(role, columns=columns) for role in ("id_train", "id_test")], ignore_index=True)
    rows = _run.images("ood", ood, columns=columns)
    warning = difference_warning(ood, set_differences(id_rows, rows))
    if warning:
        return escape(warning)
    if (rows["format"] == _DRAWN).all():
        return (
            "codec, native size and grey or colour are those of the ID images. But this set is built in and drawn at "
            "its size, so that says nothing of where its pixels once came from (scans scaled up, photographs scaled "
            "down); the statistics do."
        )
    return "codec, native size and grey or colour are distributed as in the ID images."


def _reencoding(run: Run, ood: str, excess: pd.DataFrame) -> None:
    left, right = st.container(key="beside_reencoding").columns([5, 4], gap="large")
    with left:
        show_figure(
            reencoding_figure(excess, state.figure_theme()),
            key="controls_reencoding",
            rows=excess[["tap", "lam", "trained", "control_auroc", "excess", "lo", "hi", "p", "n_id", "n_ood"]],
            caption=f"Each point is a cell; OOD: {ood}; {_counts(excess)}; one noise draw on both sides. Re-encoded: "
            "all images, ID-train included, shrunk to 3/4 and back (bilinear), then JPEG at quality 85; statistics "
            "fitted again.",
            alt=f"AUROC after re-encoding against before, {len(excess)} cells; median loss "
            f"{excess['excess'].median():.3f}.",
            file_name=_stem(run, ood, "reencoding"),
        )
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
    table = data.table(run, run.digest, "controls")
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
    trained = data.map_frame(run, run.digest, ood)
    trained = trained[trained["level"] == level]
    shown = copies[copies["level"] == level]
    spread = copies.groupby(["level", "tap_index"])["auroc"].std()
    several = (
        f"; over all cells the SD over seeds is {format_value(spread.median())} in the median"
        if spread.notna().any()
        else ""
    )
    show_figure(
        seed_spread_figure(trained, shown, state.figure_theme()),
        key="controls_seeds",
        rows=shown[["seed", "tap", "lam", "auroc", "lo", "hi", "n_id", "n_ood"]],
        caption=f"AUROC of {shown['seed'].nunique()} untrained copies (one noise draw) and of the trained backbone as "
        f"in the map ({run.draws} averaged), at λ = {format_value(run.levels[level].lam, 1)}; OOD: {ood}; "
        f"{_counts(shown)}; bars: DeLong 95 % CI{several}. Dotted: chance.",
        alt=f"AUROC along {trained['tap'].nunique()} taps: trained {trained['auroc'].min():.2f} to "
        f"{trained['auroc'].max():.2f}, untrained {shown['auroc'].min():.2f} to {shown['auroc'].max():.2f}.",
        file_name=_stem(run, ood, "seeds"),
    )
