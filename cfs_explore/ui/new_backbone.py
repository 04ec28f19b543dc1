"""Step 2 of the form: which backbone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.locations import BUNDLES, absolute
from cfs_explore.store import Manifest
from cfs_explore.ui import data
from cfs_explore.ui.backbone_facts import LOADING, inspect_backbone
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
    """A backbone that is known: where it is, and the facts that ``cfs-explore inspect`` tells."""

    path: str
    schedule: str | None
    facts: dict

    def seconds_per_forward(self) -> tuple[float, str]:
        """Time of one forward per image on this machine, and the device; measured once."""
        measured = inspect_backbone(self.path, self.schedule)
        return measured["seconds_per_forward"], measured["device"]


def choose_backbone() -> BackboneChoice | None:
    """The chosen backbone; None while there is none, with the reason on the page."""
    known = _known()
    chosen = st.selectbox(
        "Backbone",
        [*known, ""],
        format_func=lambda path: _label(known[path], path) if path else "A folder on this server, or a hub id",
        key="new_backbone",
        help="The frozen diffusion network whose layers are read.",
    )
    if chosen:
        entry = known[chosen].backbone
        facts = {**entry.model_dump(), "taps": known[chosen].taps}
        choice = BackboneChoice(chosen, entry.schedule, facts)
    else:
        choice = _custom_backbone()
    if choice is not None:
        _describe(choice.facts)
    return choice


def _custom_backbone() -> BackboneChoice | None:
    """A folder or hub id that the visitor names; None, with the reason on the page, until it loads."""
    path = st.text_input(
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
    if not path:
        st.info("Give the folder of a diffusers model.")
        return None
    try:
        with st.spinner(LOADING):
            return BackboneChoice(path, schedule or None, inspect_backbone(path, schedule or None))
    except CFSError as error:
        st.error(escape(str(error)))
        return None


def _describe(facts: dict) -> None:
    low, high = facts["reach"]
    channels, height, width = facts["image_shape"]
    colours = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    st.caption(
        f"{facts['parameters'] / 1e6:.2f} M parameters · input {width}×{height}, {colours} · {len(facts['taps'])} taps "
        f"· log-SNR {low:.1f} to {high:.1f}"
    )


def _known() -> dict[str, Manifest]:
    """Backbones of the explorations on this server that measured all taps and are still there, by path."""
    found: dict[str, Manifest] = {}
    for path in data.explorations().values():
        try:
            manifest = data.load_run(path).manifest
        except CFSError:
            continue
        place = absolute(manifest.backbone.path, path)
        if manifest.spec["taps"] == "all" and Path(place).is_dir():
            found.setdefault(place, manifest)
    return found


def _label(manifest: Manifest, path: str) -> str:
    bundled = Path(path).is_relative_to(BUNDLES)
    return f"{manifest.backbone.name} ({'bundled' if bundled else path})"
