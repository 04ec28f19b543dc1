"""Step 2 of the form: what the pictures are compared with. A backbone's stored ID statistics, or new ID images."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cfs_explore.store import Run
from cfs_explore.ui import data
from cfs_explore.ui.new_backbone import BackboneChoice
from cfs_explore.ui.new_images import SetChoice, choose_id_images
from cfs_explore.ui.proposed import propose


def choose_id(backbone: BackboneChoice, below: DeltaGenerator) -> tuple[Run | None, SetChoice | None]:
    """The run whose statistics are used, or the visitor's own images; None of both while there are none.

    Args:
        backbone: the statistics are of its snapshots.
        below: where own images are asked for.
    """
    fitting = _fitting(backbone.facts["fingerprint"])
    opened = st.session_state.get("run", "")
    default = opened if opened in fitting else next(iter(fitting), "")
    options = [*fitting, ""]
    start = propose("new_id_set", default, options)
    name = st.selectbox(
        "Compared with",
        options,
        options.index(start.value),
        format_func=lambda name: _label(fitting, name) if name else "My own in-distribution images",
        key=start.key,
        on_change=start.note,
        help="The in-distribution (ID) set, of the kind that the backbone was trained on. With stored statistics, only "
        "your OOD pictures go through the backbone.",
    )
    if name:
        return fitting[name], None
    with below:
        return None, choose_id_images()


def _fitting(fingerprint: str) -> dict[str, Run]:
    """The explorations of this backbone that have ID statistics of their own."""
    return {
        run.path.name: run
        for run in data.readable()
        if run.manifest.backbone.fingerprint == fingerprint and run.manifest.spec["id"]["train"]
    }


def _label(fitting: dict[str, Run], name: str) -> str:
    run = fitting[name]
    return f"{run.id_test.name}, stored statistics" + (f" of {run.name}" if len(fitting) > 1 else "")
