"""The stability page: what survives the noise, where the AUROC has its plateau, and why."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.charts import short_tap_name
from cfs_explore.diagnostics.auroc_curve import AurocCurve
from cfs_explore.figures.choices import OOD, Choices, choose
from cfs_explore.figures.figure import id_count
from cfs_explore.figures.needs import NotMeasuredError, stage_rows
from cfs_explore.figures.places import TapControl, tap_labels
from cfs_explore.figures.stability import MEASURE, tap_curve
from cfs_explore.headlines.stability import Curve, Survival, stability_headline
from cfs_explore.store import Run
from cfs_explore.ui import choosing, diagnostic_page, stability_causes, stability_sharing
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

#: The paper's main level.
_MAIN_LAM = 5.0
_FORMULAS = {
    "**ICC** (14) of M draws of each image: MSB and MSW are the mean squares between images and within them, summed "
    "over a tap's features divided by ID-train's variance v; for scores, of the slot score itself.": r"\mathrm{ICC} = "
    r"\frac{\mathrm{MSB}-\mathrm{MSW}}{\mathrm{MSB}+(M-1)\,\mathrm{MSW}}",
    "**Local law** (15): small noise moves a snapshot along its Jacobian J, so that the variance W within an image "
    "grows as b².": r"z(x_\lambda) \approx z(a x_0) + b\,J e \;\Rightarrow\; \ln W = \mathrm{const} + \ln b^2",
    "**Stability radius** (15): the largest b/a measured up to which every local slope lies in [0.8, 1.2] and the ICC "
    "is at least 0.9.": r"r = \max\{b/a\}",
    "**Drift** (16) against the clean image under the cleanest conditioning, in units of v; the image's own part is "
    "what is left without the mean drift of all images.": r"\frac1{nd}\sum_{i,j}\frac{(z_{ij}-z^{\mathrm{ref}}_{ij})^2}"
    r"{v_j}",
    "**Sharing** (34) of a tap's whole maps h at levels i and j, same image and noise: cosine and relative difference, "
    "means over images; CKA from the maps X, Y of all images about their means.": r"\frac{\|h_i-h_j\|^2}"
    r"{\tfrac12\|h_i\|^2+\tfrac12\|h_j\|^2}, \qquad \mathrm{CKA} = \frac{\|X^\top Y\|_F^2}"
    r"{\|X^\top X\|_F\,\|Y^\top Y\|_F}",
    "**Reuse** (34): the noise estimate with encoder and middle of level i and the decoder of level j, against that of "
    "level j.": r"\frac{\|\hat\varepsilon_{i \to j}-\hat\varepsilon_j\|^2}{\|\hat\varepsilon_j\|^2}",
}


def _default_tap(run: Run) -> str:
    """The decoder tap of CFS(1x2); where no preset is, the last tap of the decoder, or else of all."""
    pair = run.manifest.presets.get("sparse_ed", [])
    decoder = [tap.name for tap in run.taps if tap.region == "decoder"]
    return next(
        (name for name in pair[1:] if name in {tap.name for tap in run.taps}), (decoder or [run.taps[-1].name])[-1]
    )


TAP = TapControl(
    "stability_tap",
    "Tap",
    lambda run: tap_labels(run.taps),
    _default_tap,
    "Where inside the backbone the activations are read; in order of execution. A click on a line or a dot chooses its "
    "tap, too.",
    "select",
    260,
)


@fragment
def show(run: Run) -> None:
    """The whole page for one run."""
    st.title("How much of a snapshot survives the noise?", anchor=False)
    headline = st.empty()
    view = _controls(run)
    measured = diagnostic_page.stage_table(run, "stability") is not None
    headline.markdown(
        stability_headline(_tap_words(run, view), _survival(run, view), _words(view.ood, tap_curve(run, view)))
    )
    if measured:
        left, right = st.container(key="beside_stability").columns([5, 4], gap="large")
        with left:
            _reliability(run, view)
        with right:
            _auroc(run, view)
        stability_causes.show(run, view)
    else:
        _auroc(run, view)
    stability_sharing.show(run, view, everything=measured)
    diagnostic_page.formulas(_FORMULAS, lab="See noise wash a snapshot out")


def _controls(run: Run) -> Choices:
    """OOD set, tap, and what survives."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ood, tap, measure = choosing.choose_all(run, OOD, TAP, MEASURE)
    index = next(place for place, each in enumerate(run.taps) if each.name == tap)
    return replace(choose(run), ood=ood, cell=index, options={MEASURE.name: measure})


def _tap_words(run: Run, view: Choices) -> str:
    tap = run.taps[view.cell]
    return f"{escape(short_tap_name(tap.name))} ({tap.region})"


def _survival(run: Run, view: Choices) -> Survival | None:
    """The chosen tap's ICC at the level nearest to the paper's: of the map, or, with one draw, of the local law."""
    table, of, names = "stability", {"role": "id_test"}, ("icc_features", "icc_features_lo", "icc_features_hi", "n")
    if run.draws < 2:
        table, of, names = "local_law", {}, ("icc", "icc_lo", "icc_hi", "n_id")
    try:
        rows = stage_rows(run, table, tap=run.taps[view.cell].name, **of)
    except NotMeasuredError:
        return None
    row = rows.loc[(rows["lam"] - _MAIN_LAM).abs().idxmin()]
    value, lo, hi, n = (row[name] for name in names)
    return Survival(row["lam"], value, lo, hi, id_count(run, int(n)), int(row["draws"]))


def _words(ood: str, curve: AurocCurve) -> Curve:
    frame, plateau = curve.frame, curve.plateau
    peak = frame.iloc[plateau.peak]
    first, last = (frame["lam"].iloc[end] for end in (plateau.start, plateau.stop))
    count = plateau.stop - plateau.start + 1
    return Curve(escape(ood), peak["lam"], peak["auroc"], peak["lo"], peak["hi"], first, last, len(frame), count)


def _reliability(run: Run, view: Choices) -> None:
    st.header("What survives", anchor=False)
    shown = show_figure(
        "stability-survival",
        run,
        view,
        key="stability_lines",
        hint="Click a line to choose its tap.",
        on_select=lambda: stability_causes.pick("stability_lines", run),
    )
    if not shown and run.draws < 2:
        st.caption("The figures below come from the stage's own measurements.")


def _auroc(run: Run, view: Choices) -> None:
    st.header(
        "What it is worth",
        anchor=False,
        help="AUROC of the chosen tap's score at each noise level. Plateau: the neighbouring levels within 0.01 of the "
        "highest AUROC (thick bar); the thin bar reaches as far as the paired 95 % interval of the difference "
        "allows. The highest of several AUROCs is biased upwards a little. Single draws may lie below the line: "
        "averaging draws takes noise out of the scores.",
    )
    show_figure("stability-auroc", run, view, key="stability_auroc")
