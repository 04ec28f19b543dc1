"""Step 2 of the form: a checkpoint of the visitor's own, and what its files do not say."""

from __future__ import annotations

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.families import FAMILIES
from cfs_explore.spec import BackboneSpec
from cfs_explore.ui import access
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


def choose_checkpoint() -> BackboneSpec | None:
    """The checkpoint that the visitor names; None, with the reason on the page, where there is none to load."""
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
        if "vae" in options:
            options["vae"] = access.permitted_model(options["vae"])
        return BackboneSpec(path=access.permitted_model(path), **options)
    except CFSError as error:
        st.error(escape(str(error)))
        return None


def _options() -> dict:
    """What a visitor adds to a path; empty choices are left out."""
    left, right = st.columns(2)
    given = {
        "family": left.selectbox(
            "Family",
            ["", *FAMILIES],
            format_func=lambda key: key or "Recognised from the files",
            key="new_family",
            help="Needed only where two families store the same parameters.",
        ),
        "preset": right.text_input(
            "Preset",
            key="new_preset",
            placeholder="cifar10_uncond_50M_500K",
            help="Name of a released configuration, for what the weights alone do not say: heads, schedule, image "
            "size. A YAML file beside the checkpoint, with the checkpoint's name, can say the same.",
        ).strip(),
        "schedule": left.selectbox(
            "Noise schedule",
            list(SCHEDULES),
            format_func=SCHEDULES.get,
            key="new_schedule",
            help="The schedule that the network was trained with, where neither its files nor a preset name it.",
        ),
        "vae": right.text_input(
            "Autoencoder",
            key="new_vae",
            placeholder="/models/sd-vae-ft-ema",
            help="Folder or hub id of the AutoencoderKL, for a network in latent space that comes without one, such as "
            "DiT.",
        ).strip(),
        "label": left.number_input(
            "Class",
            min_value=0,
            value=None,
            step=1,
            key="new_label",
            placeholder="None, or the null class",
            help="The class on which a class-conditional network is conditioned, for every image.",
        ),
        "weights": right.text_input(
            "Weights",
            key="new_weights",
            placeholder="The averaged ones (EMA), where there are some",
            help="For a training checkpoint that holds several sets of weights: the entry, subfolder or variant to "
            "use, such as ema_0.9999 or model.",
        ).strip(),
    }
    return {key: value for key, value in given.items() if value not in ("", None)}
