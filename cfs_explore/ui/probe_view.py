"""The probe page: two images, one level of noise, and what the backbone makes of them, at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from cfs_explore.charts import short_tap_name
from cfs_explore.errors import CFSError
from cfs_explore.figures import probe as figures
from cfs_explore.figures.choices import default_pair
from cfs_explore.headlines.probe import probe_headline
from cfs_explore.levels import MAIN_LAM
from cfs_explore.probe.levels import probe_lams
from cfs_explore.probe.seen import Seen
from cfs_explore.store import Run
from cfs_explore.ui import diagnostic_page, probe_data, probe_film, probe_images, state
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.detector_choice import default_cells
from cfs_explore.ui.figure import show_made
from cfs_explore.ui.probe_images import Shown
from cfs_explore.ui.sidebar import escape

_SIDES = {
    "probe_encoder": ("Encoder tap", ("input", "encoder")),
    "probe_decoder": ("Decoder tap", ("decoder", "output")),
}
_FORMULAS = {
    "**What the network gets** (1), at log-SNR λ = ln(a²/b²); e is the noise draw, keyed by seed, image and draw as "
    "the run's:": r"x_\lambda = a\,x_0 + b\,e",
    "**Its guess of x₀** in one step, from the noise that it predicts:": r"\hat x_0 = \frac{x_\lambda - "
    r"b\,\hat e(x_\lambda)}{a}",
    "**z-scores** of a tap's pooled features (2), their means and standard deviations over space; μ and v are "
    "ID-train's mean and variance at the nearest measured level:": r"z_j = \frac{f_j-\mu_j}{\sqrt{v_j}}",
    "**Slot score** (3) of one draw, over the tap's d features:": r"s = \frac1d\sum_j z_j^2",
}


def show(run: Run) -> None:
    """The whole page for one run."""
    probe_data.begin(run)
    _restore(run)
    _page(run)


def _restore(run: Run) -> None:
    """Bring the view back from the URL; an uploaded image is not part of it."""
    lams = list(probe_lams(run.manifest.backbone.reach, run.levels))
    main = min(lams, key=lambda lam: abs(lam - MAIN_LAM))
    state.restore("probe_lam", main, lams, parse=float, write=_lam_text)
    state.restore("probe_draw", 0, range(figures.draws(run)), parse=int)
    defaults = default_pair(run)
    for (key, (_, regions)), default in zip(_SIDES.items(), defaults, strict=True):
        state.restore(key, default, _options(run, regions))
    level, tap = divmod(default_cells(run)[-1], len(run.taps))
    probe_images.restore(run, level, tap)


def _lam_text(lam: float) -> str:
    return f"{lam:g}"


def _options(run: Run, regions: Sequence[str]) -> list[str]:
    """Names of the taps of these regions; all where there is none."""
    return [tap.name for tap in run.taps if tap.region in regions] or [tap.name for tap in run.taps]


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("What does the backbone see?", anchor=False)
    head = st.container()
    try:
        probe_data.load(run)
    except CFSError as error:
        st.info(f"The backbone cannot be shown images here. {escape(str(error))}", icon=":material/info:")
        return
    row = st.container(horizontal=True, vertical_alignment="bottom")
    shown = probe_images.choose(run, row)
    if shown:
        with row:
            taps = _taps(run)
        _look(run, shown, taps, head)
    diagnostic_page.formulas(_FORMULAS, lab="See what makes a score of such features")


@fragment
def _look(run: Run, shown: list[Shown], taps: list[str], head: st.delta_generator.DeltaGenerator) -> None:
    """What follows from level and draw, which are slid in the browser and arrive here when they are let go."""
    headline = head.empty()
    lam, draw = st.session_state["probe_lam"], st.session_state["probe_draw"]
    state.remember(probe_lam=_lam_text(lam), probe_draw=draw, **{key: st.session_state[key] for key in _SIDES})
    images = [each.image for each in shown]
    film = probe_data.film(run, images, draw, taps).pack(
        lam, lambda done, total: headline.progress(done / total, f"Looking at level {done + 1} of {total}")
    )
    frame = film["frames"][film["lams"].index(lam)]
    headline.markdown(_headline(run, shown, lam, frame))
    draws = probe_data.draws(run, images, lam, taps, figures.draws(run), film["seconds"])
    probe_film.show(run, shown, film, draw, draws)
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
            for make, key in ((figures.scores, "score"), (figures.z_scores, "z")):
                figure = make(run, view, seen.position, roles, theme)
                show_made(figure, key=f"probe_{tap.region}_{key}", lazy=True)


def _taps(run: Run) -> list[str]:
    """Names of the chosen taps."""
    with st.popover("Taps", icon=":material/tune:"):
        taps = [_tap_control(run, key) for key in _SIDES]
    return list(dict.fromkeys(taps))


def _tap_control(run: Run, key: str) -> str:
    label, regions = _SIDES[key]
    known = {tap.name: tap for tap in run.taps}
    return st.selectbox(
        label,
        _options(run, regions),
        key=key,
        format_func=lambda name: f"{short_tap_name(name)} ({known[name].region})",
        help="Where inside the backbone the activations are read; in order of execution.",
    )


def _headline(run: Run, shown: Sequence[Shown], lam: float, frame: Mapping) -> str:
    last = frame["taps"][-1]
    tap = next(each for each in run.taps if each.name == last["name"])
    words = f"{tap.region} tap {escape(short_tap_name(tap.name))}"
    reference = None if frame["measured"] else run.levels[frame["position"]].lam
    return probe_headline(words, lam, reference, probe_film.scored(run, shown, frame, last))
