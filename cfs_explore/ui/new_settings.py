"""What the form keeps under More: name, levels, draws, taps, resizing, seed, where levels stand."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from cfs_explore import jobs
from cfs_explore.charts import short_tap_name
from cfs_explore.contracts import Tap
from cfs_explore.images import RESIZE_POLICIES
from cfs_explore.jobs.estimate import format_seconds, forward_seconds
from cfs_explore.levels import DEFAULT_LAMS
from cfs_explore.settings import read_settings
from cfs_explore.store import Run
from cfs_explore.taps.policies import choose_taps
from cfs_explore.ui.new_backbone import BackboneChoice
from cfs_explore.ui.new_protocol import ProtocolChoice, choose_protocol
from cfs_explore.ui.proposed import propose
from cfs_explore.wording import MINUS, format_value, true_minus

_TAPS = {"all": "All taps", "sparse_ed": "CFS(1x2): one encoder and one decoder tap", "manual": "Choose taps"}
#: Draws where nothing speaks for fewer: they give a spread.
_DRAWS = 5
#: A map that takes longer with all draws begins with one; and the time of a forward while it is not known.
_QUICK_SECONDS, _SLOW_FORWARD = 60.0, 0.01


@dataclass(frozen=True)
class Settings:
    """What to measure.

    Attributes:
        workers: how many processes share the work, or ``jobs.AUTO``.
        draws_note: why there are so many draws, "" where nothing needs saying.
    """

    lams: tuple[float, ...]
    draws: int
    taps: str | list[str]
    seed: int
    resize: str
    protocol: ProtocolChoice
    workers: int | str = jobs.AUTO
    draws_note: str = ""

    def measured_taps(self, backbone: BackboneChoice) -> list[Tap]:
        """The taps that will be measured."""
        return _measured(self.taps, backbone)


def choose_settings(
    backbone: BackboneChoice, base: Run | None, images: int, seconds_per_forward: float | None
) -> Settings:
    """The controls, with defaults that let stored statistics be reused.

    Args:
        backbone: that is measured.
        base: the run whose statistics are used.
        images: that run through the backbone.
        seconds_per_forward: None while unknown.
    """
    low, high = backbone.facts["reach"]
    offered = [level.requested for level in base.levels] if base else list(DEFAULT_LAMS)
    lams = st.multiselect(
        "Noise levels (log-SNR λ)",
        offered,
        default=offered,
        key=f"new_levels_{base.path.name if base else ''}",
        accept_new_options=base is None,
        format_func=lambda lam: true_minus(f"{_number(lam):g}"),
        help=f"From clean (high) to noisy (low). This backbone reaches "
        f"{format_value(low, 1)} to {format_value(high, 1)}; a level beyond "
        "is replaced by the nearest reachable one, with a warning.",
    )
    left, right = st.columns(2)
    with right:
        kind = st.radio("Taps", list(_TAPS), format_func=_TAPS.get, key="new_taps", help="Layers that are read.")
        taps: str | list[str] = kind
        if kind == "manual":
            taps = st.multiselect(
                "Taps to measure",
                [tap["name"] for tap in backbone.facts["taps"]],
                key="new_tap_names",
                format_func=short_tap_name,
            )
    with left:
        forward = forward_seconds(1, _measured(taps, backbone), seconds_per_forward or _SLOW_FORWARD)
        draws, note = _choose_draws(base, images * len(lams) * forward)
    resize = st.selectbox(
        "Resizing",
        list(RESIZE_POLICIES),
        format_func=lambda name: f"{name}: {RESIZE_POLICIES[name]}",
        key="new_resize",
        help="How pictures of other sizes are brought to the backbone's input.",
    )
    seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="new_seed", help="Keys noise, splits and subsamples.")
    workers = _choose_workers(backbone)
    protocol = choose_protocol(backbone.condition())
    return Settings(_numbers(lams), draws, taps, int(seed), resize, protocol, workers, note)


def _choose_workers(backbone: BackboneChoice) -> int | str:
    """How many processes share the work, up to one for each GPU, or else core, and what the administrator allows."""
    devices, limit = backbone.gpus() or jobs.cores(), read_settings().max_workers
    most = devices if limit is None else max(1, min(devices, limit))
    return st.selectbox(
        "Processes",
        [jobs.AUTO, *range(1, most + 1)],
        format_func=lambda count: "Automatic" if count == jobs.AUTO else str(count),
        key="new_workers",
        help="That share the work: one for each GPU, or else each with a part of the cores. Automatic: on a CPU, what "
        "a trial of some seconds finds fastest, where the map takes a minute or more. Scores differ by it in their "
        "last digits at most: a process rounds by its number of cores.",
    )


def _choose_draws(base: Run | None, seconds_a_draw: float) -> tuple[int, str]:
    """Draws per image, and why so many: all that are stored where that is quick, else one, until the visitor chooses.

    Args:
        base: the run whose statistics are used.
        seconds_a_draw: that the map takes with one draw.
    """
    most = base.draws if base else 10
    full = min(most, _DRAWS)
    quick = full * seconds_a_draw <= _QUICK_SECONDS
    start = propose("new_draws", full if quick else 1, range(1, most + 1))
    if most == 1:
        return 1, ""
    draws = st.slider(
        "Noise draws per image",
        1,
        most,
        start.value,
        key=start.key,
        on_change=start.note,
        help="More draws average out the noise and give a spread; time grows in proportion.",
    )
    note = ""
    if not start.is_choice and not quick and full > 1:
        note = f"One noise draw, since {full} take about {format_seconds(full * seconds_a_draw)}: more under More."
        st.caption(f"One, as {full} would take over a minute.")
    return int(draws), note


def _measured(taps: str | list[str], backbone: BackboneChoice) -> list[Tap]:
    known = [Tap(**tap) for tap in backbone.facts["taps"]]
    if taps == "all":
        return known
    names = taps if isinstance(taps, list) else choose_taps(known)
    return [tap for tap in known if tap.name in names]


def _numbers(lams: list) -> tuple[float, ...]:
    """Levels as numbers, each once; what is not one is named and left out."""
    numbers: list[float] = []
    for lam in lams:
        try:
            numbers.append(_number(lam))
        except ValueError:
            st.warning(f"{lam!r} is not a number and was left out of the levels.")
    return tuple(dict.fromkeys(numbers))


def _number(lam: float | str) -> float:
    """A level that is offered, or typed: with a hyphen or a true minus."""
    return float(str(lam).replace(MINUS, "-"))
