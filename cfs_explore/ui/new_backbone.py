"""Step 2 of the form: which backbone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.families import FAMILIES
from cfs_explore.locations import BUNDLES, absolute
from cfs_explore.spec import BackboneSpec
from cfs_explore.store import Manifest
from cfs_explore.ui import access, data
from cfs_explore.ui.backbone_facts import LOADING, inspect_backbone
from cfs_explore.ui.sidebar import escape

#: Noise schedules a user can name; the first means "read it from the files".
SCHEDULES = {
    "": "From the files",
    "ddpm-linear-1000": "DDPM, linear, 1000 steps",
    "ddpm-cosine-1000": "DDPM, cosine, 1000 steps",
    "sd-scaled-linear-1000": "Stable Diffusion, scaled linear, 1000 steps",
    "flow-1000": "Flow matching, 1000 steps",
    "linear": "improved- or guided-diffusion, linear",
    "cosine": "improved- or guided-diffusion, cosine",
    "vpsde": "Score-SDE, VP",
    "subvpsde": "Score-SDE, sub-VP",
    "vesde": "Score-SDE, VE",
    "vp-sde": "U-ViT, VP in continuous time",
}


@dataclass(frozen=True)
class BackboneChoice:
    """A backbone that is known: how a spec names it, and the facts that ``cfs-explore inspect`` tells."""

    spec: BackboneSpec
    facts: dict

    def seconds_per_forward(self) -> tuple[float, str]:
        """Time of one forward per image on this machine, and the device; measured once."""
        measured = inspect_backbone(self.spec)
        return measured["seconds_per_forward"], measured["device"]


def choose_backbone() -> BackboneChoice | None:
    """The chosen backbone; None while there is none, with the reason on the page."""
    known = _known()
    chosen = st.selectbox(
        "Backbone",
        [*known, ""],
        format_func=lambda path: _label(known[path], path) if path else "A checkpoint on this server, or a hub id",
        key="new_backbone",
        help="The frozen diffusion network whose layers are read.",
    )
    if chosen:
        entry = known[chosen]
        facts = {**entry.backbone.model_dump(), "taps": entry.taps}
        choice = BackboneChoice(BackboneSpec(**{**entry.spec["backbone"], "path": chosen}), facts)
    else:
        choice = _custom_backbone()
    if choice is not None:
        _describe(choice.facts)
    return choice


def _check_open(path_or_hub_id: str) -> None:
    """Whether visitors may name it: a hub id, or a path in a folder that is open to them.

    Raises:
        SourceError: it is another path of this server.
    """
    if path_or_hub_id.startswith(("/", "~", ".", "\\")) or os.path.exists(path_or_hub_id):
        access.permitted(path_or_hub_id)


def _custom_backbone() -> BackboneChoice | None:
    """A checkpoint that the visitor names; None, with the reason on the page, until it loads."""
    path = st.text_input(
        "File, folder or hub id",
        key="new_backbone_path",
        placeholder="/models/edm-cifar10-32x32-uncond-vp.pkl or google/ddpm-cifar10-32",
        help="A checkpoint as its authors released it. Families: " + "; ".join(FAMILIES.values()) + ".",
    ).strip()
    with st.expander("What the files do not say"):
        options = _options()
    if not path:
        st.info("Give the file or folder of a diffusion model.")
        return None
    try:
        for named in filter(None, (path, options.get("vae"))):
            _check_open(named)
        spec = BackboneSpec(path=path, **options)
        with st.spinner(LOADING):
            return BackboneChoice(spec, inspect_backbone(spec))
    except CFSError as error:
        st.error(escape(str(error)))
        return None


def _options() -> dict:
    """What a visitor adds to a path; empty choices are left out."""
    left, right = st.columns(2)
    family = left.selectbox(
        "Family",
        ["", *FAMILIES],
        format_func=lambda key: key or "Recognised from the files",
        key="new_family",
        help="Needed only where two families store the same parameters.",
    )
    preset = right.text_input(
        "Preset",
        key="new_preset",
        placeholder="cifar10_uncond_50M_500K",
        help="Name of a released configuration, for what weights alone do not tell: heads, schedule, image size. The "
        "same can stand in a YAML file beside the checkpoint and of its name.",
    )
    schedule = left.selectbox(
        "Noise schedule",
        list(SCHEDULES),
        format_func=SCHEDULES.get,
        key="new_schedule",
        help="The schedule that the network was trained with, where neither its files nor a preset say it.",
    )
    vae = right.text_input(
        "Autoencoder",
        key="new_vae",
        placeholder="/models/sd-vae-ft-ema",
        help="Folder or hub id of the AutoencoderKL of a network in latent space, such as DiT, that comes without one.",
    )
    label = left.number_input(
        "Class",
        min_value=0,
        value=None,
        step=1,
        key="new_label",
        placeholder="None, or the null class",
        help="The class that a class-conditional network is told for every image.",
    )
    given = {"family": family, "preset": preset.strip(), "schedule": schedule, "vae": vae.strip(), "label": label}
    return {key: value for key, value in given.items() if value not in ("", None)}


def _describe(facts: dict) -> None:
    low, high = facts["reach"]
    channels, height, width = facts["image_shape"]
    colours = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    st.caption(
        f"{facts['parameters'] / 1e6:.2f} M parameters · input {width}×{height}, {colours} · {len(facts['taps'])} taps "
        f"· log-SNR {low:.1f} to {high:.1f}"
    )
    for note in facts["notes"]:
        st.caption(escape(note))


def _known() -> dict[str, Manifest]:
    """Backbones of the explorations on this server that measured all taps and are still there, by path."""
    found: dict[str, Manifest] = {}
    for path in data.explorations().values():
        try:
            manifest = data.load_run(path).manifest
        except CFSError:
            continue
        place = absolute(manifest.backbone.path, path)
        if manifest.spec["taps"] == "all" and Path(place).exists():
            found.setdefault(place, manifest)
    return found


def _label(manifest: Manifest, path: str) -> str:
    bundled = Path(path).is_relative_to(BUNDLES)
    return f"{manifest.backbone.name} ({'bundled' if bundled else path})"
