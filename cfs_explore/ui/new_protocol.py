"""Under More: where the levels are placed, and the conditioning (theory 1)."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from cfs_explore.levels import ALIGNMENTS, RELATIVE_ALIGNMENTS
from cfs_explore.ui import data

_ALIGNMENTS = {
    "logsnr": "Equal log-SNR",
    "uniform_t": "Equal fraction of the backbone's own range",
    "score_norm": "Equal score magnitude, to another exploration",
    "perceptual": "Equal visible change, to another exploration",
}
_CONDITIONING = {"matched": "The true level of the input", "published": "As in the paper's code"}


@dataclass(frozen=True)
class ProtocolChoice:
    """How levels become the backbone's own; ``missing`` is what is still to be chosen, "" for nothing."""

    alignment: str = "logsnr"
    reference: str | None = None
    conditioning: str = "matched"
    missing: str = ""

    def fields(self) -> dict[str, str]:
        """Fields of a spec, those at their defaults left out."""
        given = {"alignment": self.alignment, "reference": self.reference, "conditioning": self.conditioning}
        defaults = ProtocolChoice()
        return {key: value for key, value in given.items() if value != getattr(defaults, key)}


def choose_protocol() -> ProtocolChoice:
    """The controls."""
    alignment = st.selectbox(
        "Levels are aligned by",
        ALIGNMENTS,
        format_func=_ALIGNMENTS.get,
        key="new_alignment",
        help="Equal log-SNR makes backbones comparable by the noise in the image. The others place each level where "
        "another quantity is equal: the position in the backbone's own schedule, the expected magnitude of the "
        "network's noise estimate, or the visible change of the image (SSIM).",
    )
    conditioning = st.selectbox(
        "Conditioning",
        list(_CONDITIONING),
        format_func=_CONDITIONING.get,
        key="new_conditioning",
        help="The level on which the network is conditioned. The paper's code conditions some backbones on another "
        "level than that of their input: choose it to reproduce the paper's numbers. For the other backbones both are "
        "the same.",
    )
    known = _references()
    with_curves = st.selectbox(
        "Reference",
        [None, *known],
        format_func=lambda name: known[name] if name else "None",
        key="new_reference",
        help="Another exploration, on the same kind of images, whose score magnitude and visible change were measured "
        "(stage Levels and cost). The alignments to it are also compared on the page Protocol.",
    )
    missing = ""
    if alignment in RELATIVE_ALIGNMENTS and with_curves is None:
        missing = "Choose the reference that levels are aligned to (More)."
    return ProtocolChoice(alignment, with_curves, conditioning, missing)


def _references() -> dict[str, str]:
    """Path -> title of every exploration that has alignment curves."""
    return {str(run.path): run.name for run in data.readable() if run.has_table("alignment_curves")}
