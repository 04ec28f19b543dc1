"""The probe's film on its page: a component that redraws in the visitor's browser, and the texts that it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from cfs_explore.charts import short_tap_name
from cfs_explore.charts import where_overlay as overlay
from cfs_explore.charts.theme import ROLE_COLOURS
from cfs_explore.charts.where_pair import ticks
from cfs_explore.contracts import DEVIATION, SCORE, Tap
from cfs_explore.figures import probe as figures
from cfs_explore.figures import probe_where
from cfs_explore.headlines.probe import Scored, format_lam, format_score, standing
from cfs_explore.probe.film import CHANNELS, FULL
from cfs_explore.probe.levels import probe_lams
from cfs_explore.probe.seen import share_below
from cfs_explore.store import Run
from cfs_explore.ui import probe_data
from cfs_explore.ui.probe_images import Shown
from cfs_explore.wording import format_digits, format_value, percent, true_minus

_LABEL = "Noise level λ, from noisy to clean"
_LEVEL_HELP = (
    "Log-SNR λ = ln(a²/b²) of what the network gets, a x₀ + b e. Ticks: the levels that the run measured; there, "
    "scores are the run's own. Arrow keys move the slider by a step."
)
_DRAW_LABEL = "Noise draw"
_DRAW_HELP = (
    "Which noise e is added; what changes between draws is the noise alone. The first ones are the run's own, the "
    "others are new."
)
_MAPS_HELP = (
    "The channels whose mean over space is farthest from ID-train in either image, each with its z-score. A channel "
    "has one grey scale in both images, from its lowest (black) to its highest value (white)."
)
_WHERE_HELP = (
    "One scale for both images, at all levels and draws at hand. Point at a position, or use the arrow keys, for its "
    "values."
)
#: Part -> heading of its column, and what it is.
_PARTS = {
    SCORE: (
        overlay.TITLES[SCORE],
        "What each position adds to the slot score, which is the mean over positions; below 0, the position speaks for "
        "ID.",
    ),
    DEVIATION: (
        "Deviation",
        "Squared distance of a position from ID-train, in variances of an ID image's positions: about 1 on ID images.",
    ),
}
#: Of the score maps, before anybody sets it.
_STRENGTH = 0.8


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


_player = st.components.v2.component(
    "cfs_probe_film",
    html='<div class="film"></div>',
    css=_asset("probe_film.css"),
    js=_asset("probe_film.js") + _asset("probe_charts.js") + _asset("probe_where.js"),
)


def show(
    run: Run,
    shown: Sequence[Shown],
    film: Mapping,
    draw: int,
    draws: Sequence[Mapping | None],
    rest: float,
) -> None:
    """The film; ``st.session_state["probe_lam"]`` and ``"probe_draw"`` follow when its sliders are let go.

    Args:
        run: the exploration.
        shown: the images.
        film: of ``Film.pack``.
        draw: of the noise in the film.
        draws: that level in every draw, None for those that are not made yet.
        rest: seconds until the levels between are there, for which the browser then asks; 0 where none will come.
    """
    levels = probe_lams(run.manifest.backbone.reach, run.levels)
    taps = [each["name"] for each in film["frames"][0]["taps"]]
    lam = st.session_state["probe_lam"]
    data = {
        "label": _LABEL,
        "help": _LEVEL_HELP,
        "film": " ".join(
            [
                run.digest,
                str(draw),
                str(len(film["lams"])),
                *taps,
                *(f"{_about(each)} {each.image.image_id}" for each in shown),
            ]
        ),
        "start": lam,
        "heard": st.session_state.get("probe_heard", 0),
        "note": "" if rest else _note(film),
        "rest": rest,
        "strength": _STRENGTH,
        "colours": {role: ROLE_COLOURS[role] for role in ("id", "ood", "control")},
        "images": [
            {"letter": each.letter, "role": each.role, "about": _about(each), **original}
            for each, original in zip(shown, film["images"], strict=True)
        ],
        "lams": film["lams"],
        "ticks": [true_minus(f"{lam:g}") if levels[lam] else "" for lam in film["lams"]],
        "names": [_level_name(lam) for lam in film["lams"]],
        "frames": [_frame(run, shown, *each, draw) for each in zip(film["lams"], film["frames"], strict=True)],
        "draw": draw,
        "draws": {
            "label": _DRAW_LABEL,
            "help": _DRAW_HELP,
            "names": [f"{each} ({'the run’s own' if each < run.draws else 'new'})" for each in range(len(draws))],
            "lam": lam,
            "frames": [frame and _frame(run, shown, lam, frame, each) for each, frame in enumerate(draws)],
        },
        "taps": [_tap(run, film["frames"], list(filter(None, draws)), position) for position in range(len(taps))],
    }
    _player(
        key="probe_film",
        data=data,
        on_left_change=lambda: _let_go(film["lams"], len(draws)),
        on_rest_change=lambda: None,  # to be asked is enough
    )


def scored(run: Run, shown: Sequence[Shown], frame: Mapping, tap: Mapping) -> list[Scored]:
    """Each image's score at a tap of a frame, and where it stands among the ID scores."""
    against = probe_data.id_scores(run, frame["position"], _place(run, tap["name"]))
    return [
        Scored(each.letter, score, share_below(score, against)) for each, score in zip(shown, tap["score"], strict=True)
    ]


def _let_go(lams: Sequence[float], draws: int) -> None:
    """Keep where the sliders were left, as far as that is possible: what a browser says is not trusted."""
    left = st.session_state["probe_film"].get("left")
    if not isinstance(left, dict):
        return
    if left.get("level") in lams:
        st.session_state["probe_lam"] = float(left["level"])
    if left.get("draw") in range(draws):
        st.session_state["probe_draw"] = int(left["draw"])
    if isinstance(left.get("time"), int):
        st.session_state["probe_heard"] = left["time"]


def _note(film: Mapping) -> str:
    if len(film["lams"]) == film["total"]:
        return ""
    return (
        f"Only the levels that the run measured: at {format_digits(film['seconds'], 2)} s each on this computer, all "
        f"{film['total']} levels would take {format_value(film['seconds'] * film['total'], 0)} s."
    )


def _about(shown: Shown) -> str:
    return " · ".join(filter(None, [shown.set_name, shown.image.label, shown.image.name]))


def _frame(run: Run, shown: Sequence[Shown], lam: float, frame: Mapping, draw: int) -> dict:
    """A frame with its texts."""
    taps = [
        {**tap, "said": [[format_score(each.score), standing(each.below)] for each in scored(run, shown, frame, tap)]}
        for tap in frame["taps"]
    ]
    return {**frame, "name": _level_name(lam), "text": _level_text(run, frame, draw), "taps": taps}


def _level_name(lam: float) -> str:
    return f"λ = {format_lam(lam)}"


def _level_text(run: Run, frame: Mapping, draw: int) -> str:
    """What the numbers of a level rest on."""
    reference = run.levels[frame["position"]]
    mixed = f"{format_value(frame['a'])} x₀ + {format_value(frame['b'])} e"
    text = f"The network gets {mixed}, λ = {format_value(frame['lam'], 2)}"
    if frame["measured"]:
        own = "scores of the set's images are those that the run has stored"
        return f"{text} · a measured level, draw {draw}: {own if draw < run.draws else 'this draw is not the run’s'}"
    return (
        f"{text} · ID statistics are those of the nearest measured level, λ = {format_value(reference.lam, 2)}: "
        f"z-scores also contain the effect of {format_value(abs(frame['lam'] - reference.lam), 2)} in λ"
    )


def _tap(run: Run, film: Sequence[Mapping], draws: Sequence[Mapping], position: int) -> dict:
    """What is the same in all frames of a tap, and what follows from the level whose ID statistics are used."""
    frames = [*film, *draws]
    tap = run.taps[_place(run, frames[0]["taps"][position]["name"])]
    scores = [score for frame in frames for score in frame["taps"][position]["score"]]
    levels = sorted({frame["position"] for frame in frames})
    bins = {level: run.derived(figures.id_bins, level, run.taps.index(tap)) for level in levels}
    low = min(*scores, *(table["left"].min() for table, _ in bins.values()))
    high = max(*scores, *(table["right"].max() for table, _ in bins.values()))
    return {
        "title": f"{short_tap_name(tap.name)} ({tap.region})",
        "about": f"{tap.name} · {percent(tap.depth)} of the forward's work · {tap.resolution}×{tap.resolution}, "
        f"{tap.channels:,} channels",
        "help": _MAPS_HELP,
        "slots": min(CHANNELS, tap.channels),
        "log": low > 0 and all(log for _, log in bins.values()),
        "range": [float(low), float(high)],
        "where": _where(
            tap,
            [frame["taps"][position] for frame in film if frame["measured"]],
            [frame["taps"][position] for frame in frames],
        ),
        "references": {level: _reference(run, level, table) for level, (table, _) in bins.items()},
    }


def _where(tap: Tap, measured: Sequence[Mapping], frames: Sequence[Mapping]) -> dict:
    """The scales and words of a tap's score maps. A scale is the same in all frames and holds nearly all positions of
    half of the measured levels, which are there first: one level, or one position, of far larger values would leave all
    others clear.
    """
    if note := probe_where.nothing_to_localise(tap, frames[0]["shape"]):
        return {"parts": [], "keys": [], "note": note}
    high, peaks = np.array([each["high"] for each in measured]), np.array([each["peaks"] for each in frames])
    ends = {part: overlay.reach([np.median(high[:, k])], part) for k, part in enumerate(_PARTS)}
    beyond = {part: peaks[:, k].max() > ends[part] for k, part in enumerate(_PARTS)}
    parts = [
        {
            "title": _PARTS[part][0],
            "help": _PARTS[part][1],
            "limits": overlay.limits(part, end),
            "lines": overlay.line_values(part, end),
            "ticks": ticks(part, end, beyond=beyond[part]),
            "colours": [colour for _, colour in overlay.scale(part, 1.0)],
        }
        for part, end in ends.items()
    ]
    return {"help": _WHERE_HELP, "keys": probe_where.keys(ends), "full": FULL, "parts": parts, "note": ""}


def _reference(run: Run, level: int, bins) -> dict:
    return {
        "edges": [*bins["left"].tolist(), float(bins["right"].iloc[-1])],
        "shares": bins["id"].tolist(),
        "captions": [figures.scores_caption(run, run.levels[level]), figures.z_caption(run, run.levels[level])],
    }


def _place(run: Run, name: str) -> int:
    return [tap.name for tap in run.taps].index(name)
