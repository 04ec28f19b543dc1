"""Step 4 of the form: levels, draws, taps, and the rest under More (the diagnostics: ``new_diagnostics``)."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cfs_explore.contracts import Tap
from cfs_explore.figures import short_tap_name
from cfs_explore.images import RESIZE_POLICIES
from cfs_explore.levels import DEFAULT_LAMS
from cfs_explore.store import Run
from cfs_explore.taps.policies import choose_taps
from cfs_explore.ui.new_backbone import BackboneChoice
from cfs_explore.ui.new_protocol import ProtocolChoice, choose_protocol

_TAPS = {"all": "All taps", "sparse_ed": "CFS(1x2): one encoder and one decoder tap", "manual": "Choose taps"}


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    lams: tuple[float, ...]
    draws: int
    taps: str | list[str]
    seed: int
    resize: str
    protocol: ProtocolChoice

    def measured_taps(self, backbone: BackboneChoice) -> list[Tap]:
        """The taps that will be measured."""
        taps = [Tap(**tap) for tap in backbone.facts["taps"]]
        if self.taps == "all":
            return taps
        names = self.taps if isinstance(self.taps, list) else choose_taps(taps)
        return [tap for tap in taps if tap.name in names]


def choose_settings(backbone: BackboneChoice, base: Run | None) -> tuple[Settings, DeltaGenerator]:
    """The controls, with defaults that let stored statistics be reused; and the part "More", for what comes later."""
    low, high = backbone.facts["reach"]
    offered = [level.requested for level in base.levels] if base else list(DEFAULT_LAMS)
    left, right = st.columns(2)
    with left:
        lams = st.multiselect(
            "Noise levels (log-SNR λ)",
            offered,
            default=offered,
            key=f"new_levels_{base.path.name if base else ''}",
            accept_new_options=base is None,
            format_func=lambda lam: f"{float(lam):g}",
            help=f"From clean (high) to noisy (low). This backbone reaches {low:.1f} to {high:.1f}; a level beyond "
            "is replaced by the nearest reachable one, with a warning.",
        )
        draws = st.slider(
            "Noise draws per image",
            1,
            base.draws if base else 10,
            min(base.draws if base else 5, 5),
            key="new_draws",
            help="More draws average out the noise and give a spread; time grows in proportion.",
        )
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
    more = st.expander("More", icon=":material/tune:")
    with more:
        resize = st.selectbox(
            "Resizing",
            list(RESIZE_POLICIES),
            format_func=lambda name: f"{name}: {RESIZE_POLICIES[name]}",
            key="new_resize",
            help="How pictures of other sizes are brought to the backbone's input.",
        )
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="new_seed", help="Keys noise, splits and subsamples.")
        protocol = choose_protocol()
    return Settings(_numbers(lams), int(draws), taps, int(seed), resize, protocol), more


def _numbers(lams: list) -> tuple[float, ...]:
    """Levels as numbers; what is not one is named and left out."""
    numbers = []
    for lam in lams:
        try:
            numbers.append(float(lam))
        except ValueError:
            st.warning(f"{lam!r} is not a number and was left out of the levels.")
    return tuple(numbers)
