"""Step 2 of the form: which backbone."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.locations import BUNDLES, absolute
from cfs_explore.ui import data
from cfs_explore.ui.backbone_facts import inspect_backbone
from cfs_explore.ui.sidebar import escape

#: Noise schedules a user can name; the first means "read it from the folder".
SCHEDULES = {
    "": "from the folder's scheduler",
    "ddpm-linear-1000": "DDPM, linear, 1000 steps",
    "ddpm-cosine-1000": "DDPM, cosine, 1000 steps",
    "sd-scaled-linear-1000": "Stable Diffusion, scaled linear, 1000 steps",
}


@dataclass(frozen=True)
class BackboneChoice:
    """A backbone that loads: where it is, and what ``inspect`` says of it."""

    path: str
    schedule: str | None
    facts: dict


def choose_backbone() -> BackboneChoice | None:
    """The chosen backbone; None while there is none, with the reason on the page."""
    bundled = _bundled()
    chosen = st.selectbox(
        "Backbone",
        [*bundled, ""],
        format_func=lambda path: bundled.get(path, "A folder on this server, or a hub id"),
        key="new_backbone",
        help="The frozen diffusion network whose layers are read.",
    )
    schedule = None
    if not chosen:
        chosen = st.text_input(
            "Folder or hub id",
            key="new_backbone_path",
            placeholder="/models/ddpm-cifar10-32 or google/ddpm-cifar10-32",
            help="A diffusers pipeline folder, or the folder of a UNet2DModel (config.json and safetensors).",
        ).strip()
        schedule = st.selectbox(
            "Noise schedule",
            list(SCHEDULES),
            format_func=SCHEDULES.get,
            key="new_schedule",
            help="Only for a folder without a scheduler: the noise schedule that the network was trained with.",
        )
        if not chosen:
            st.info("Give the folder of a diffusers model.")
            return None
    try:
        facts = inspect_backbone(chosen, schedule or None)
    except CFSError as error:
        st.error(escape(str(error)))
        return None
    low, high = facts["reach"]
    channels, height, width = facts["image_shape"]
    colours = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    st.caption(
        f"{facts['parameters'] / 1e6:.2f} M parameters · input {width}×{height}, {colours} · {len(facts['taps'])} taps "
        f"· log-SNR {low:.1f} to {high:.1f} · runs on {facts['device']}"
    )
    return BackboneChoice(chosen, schedule or None, facts)


def _bundled() -> dict[str, str]:
    """Backbones that explorations on this server used and that are still there: path -> label."""
    found: dict[str, str] = {}
    for path in data.explorations().values():
        try:
            manifest = data.load_run(path).manifest
        except CFSError:
            continue
        place = absolute(manifest.backbone.path, path)
        suffix = "bundled" if path.is_relative_to(BUNDLES) else manifest.backbone.path
        if manifest.backbone.schedule is None:
            found.setdefault(place, f"{manifest.backbone.name} ({suffix})")
    return found
