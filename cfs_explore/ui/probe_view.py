"""The probe page: two images, one level of noise, and what the backbone makes of them, at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from cfs_explore.charts import short_tap_name
from cfs_explore.errors import CFSError
from cfs_explore.figures import probe as figures
from cfs_explore.figures.choices import default_cell, default_pair
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.figures.options import Control
from cfs_explore.figures.places import TapControl, tap_labels
from cfs_explore.headlines.probe import probe_headline
from cfs_explore.levels import MAIN_LAM
from cfs_explore.probe.levels import probe_lams
from cfs_explore.probe.seen import Seen
from cfs_explore.store import Run
from cfs_explore.ui import choosing, diagnostic_page, probe_data, probe_film, probe_images, state
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import show_made
from cfs_explore.ui.probe_images import Shown
from cfs_explore.ui.sidebar import escape

_FORMULAS = {
    "**What the network gets** (1), at log-SNR λ = ln(a²/b²); e is the noise draw, keyed by seed, image and draw as "
    "the run's:": r"x_\lambda = a\,x_0 + b\,e",
    "**Its guess of x₀** in one step, from the noise that it predicts:": r"\hat x_0 = \frac{x_\lambda - "
    r"b\,\hat e(x_\lambda)}{a}",
    "**z-scores** of a tap's pooled features (2), their means and standard deviations over space; μ and v are "
    "ID-train's mean and variance at the nearest measured level:": r"z_j = \frac{f_j-\mu_j}{\sqrt{v_j}}",
    "**Slot score** (3) of one draw, over the tap's d features:": r"s = \frac1d\sum_j z_j^2",
    "**What position p adds to it** (22), whose mean over positions it is; h is the tap's map, m and σ its mean and "
    "standard deviation over positions in channel c, μ and v as above of both:": r"A_p = \frac1{2C}\sum_c\left["
    r"\frac{(m_c-\mu_c)(h_{cp}-\mu_c)}{v_c} + \frac{\sigma_c-\mu_{C+c}}{v_{C+c}}\left("
    r"\frac{(h_{cp}-m_c)^2}{\sigma_c}-\mu_{C+c}\right)\right]",
    "**Deviation of position p from ID-train** (23), about 1 on ID images:": r"B_p = \frac1C\sum_c"
    r"\frac{(h_{cp}-\mu_c)^2}{v_c+v_{C+c}+\mu_{C+c}^2}",
}


def _lams(run: Run) -> dict[float, str]:
    return {lam: f"{lam:g}" for lam in probe_lams(run.manifest.backbone.reach, run.levels)}


def _tap_control(place: int, title: str, regions: Sequence[str]) -> Control:
    """The encoder's or the decoder's tap: those of these regions; all where there is none."""
    return TapControl(
        f"probe_{title.split()[0].lower()}",
        title,
        lambda run: tap_labels([tap for tap in run.taps if tap.region in regions] or run.taps),
        lambda run: default_pair(run)[place],
        "Where inside the backbone the activations are read; in order of execution.",
        "select",
    )


#: Slid in the browser, as the draw is.
LAM = Control(
    "probe_lam",
    "Noise level",
    _lams,
    lambda run: min(_lams(run), key=lambda lam: abs(lam - MAIN_LAM)),
    noun="noise level",
)
ENCODER = _tap_control(0, "Encoder tap", ("input", "encoder"))
DECODER = _tap_control(1, "Decoder tap", ("decoder", "output"))


def show(run: Run) -> None:
    """The whole page for one run."""
    probe_data.begin(run)
    _restore(run)
    _page(run)


def _restore(run: Run) -> None:
    """Bring the view back from the URL; an uploaded image is not part of it."""
    for control in (LAM, figures.NOISE, ENCODER, DECODER):
        choosing.restore(control, run)
    probe_images.restore(run, *default_cell(run))


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("What does the backbone see?", anchor=False)
    head, body = st.container(), st.empty()
    try:
        with body.container():
            row = st.container(horizontal=True, vertical_alignment="bottom")
            shown = probe_images.choose(run, row)
            if shown:
                with row:
                    taps = _taps(run)
            probe_data.load(run)
            if shown:
                _look(run, shown, taps, head)
    except CFSError as error:
        body.info(f"The backbone cannot run here. {escape(str(error))}", icon=":material/info:")
        return
    diagnostic_page.formulas(_FORMULAS, lab="See what makes a score of such features")


@fragment
def _look(run: Run, shown: list[Shown], taps: list[str], head: st.delta_generator.DeltaGenerator) -> None:
    """What follows from level and draw, which are slid in the browser and arrive here when they are let go."""
    headline = head.empty()
    lam, draw = st.session_state["probe_lam"], st.session_state["probe_draw"]
    choosing.remember(run, LAM, figures.NOISE, ENCODER, DECODER)
    images = [each.image for each in shown]
    film = probe_data.film(run, images, draw, taps)
    packed = film.pack(
        lam, lambda done, total: headline.progress(done / total, f"Looking at level {done + 1} of {total}")
    )
    frame = packed["frames"][packed["lams"].index(lam)]
    headline.markdown(_headline(run, shown, lam, frame))
    rest, count, subject = film.rest_seconds, figures.draws(run), (*(each.image_id for each in images), *taps)
    if rest and st.session_state.get("probe_subject") != subject:  # the first look comes first
        draws = [frame if each == draw else None for each in range(count)]
    else:
        draws = probe_data.draws(run, images, lam, taps, count, packed["seconds"])
    st.session_state["probe_subject"] = subject
    probe_film.show(run, shown, packed, draw, draws, rest)
    if rest:
        film.begin_rest()
    icon = ":material/bar_chart:"
    charts = st.expander("Charts with data and files", icon=icon, key="probe_charts", on_change="rerun")
    if charts.open:
        with charts:
            _charts(run, shown, probe_data.load(run).see(images, lam, draw, taps))


def _charts(run: Run, shown: Sequence[Shown], seen: Seen) -> None:
    """The film's charts at the chosen level, side by side where there is room, with their data and files."""
    roles, theme = {each.letter: each.role for each in shown}, state.figure_theme()
    columns = st.container(key="beside_probe_taps").columns(2, gap="large")
    for column, view in zip(columns, seen.taps.values(), strict=False):
        tap = view.tap
        with column:
            st.header(escape(f"{short_tap_name(tap.name)} ({tap.region})"), anchor=False)
            for key, (_, make, of) in figures.MAKERS.items():
                try:
                    figure = make(run, view, of(seen), roles, theme)
                except NotMeasuredError as why:  # a single position
                    st.info(escape(str(why)), icon=":material/info:")
                    continue
                show_made(figure, key=f"probe_{tap.region}_{key}")


def _taps(run: Run) -> list[str]:
    """Names of the chosen taps."""
    with st.popover("Taps", icon=":material/tune:"):
        taps = [choosing.draw(control, run) for control in (ENCODER, DECODER)]
    return list(dict.fromkeys(taps))


def _headline(run: Run, shown: Sequence[Shown], lam: float, frame: Mapping) -> str:
    last = frame["taps"][-1]
    tap = next(each for each in run.taps if each.name == last["name"])
    words = f"{tap.region} tap {escape(short_tap_name(tap.name))}"
    reference = None if frame["measured"] else run.levels[frame["position"]].lam
    return probe_headline(words, lam, reference, probe_film.scored(run, shown, frame, last))
