"""Under More: where the levels are placed, and the conditioning (theory 1)."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from cfs_explore.levels import ALIGNMENTS, RELATIVE_ALIGNMENTS
from cfs_explore.studies.conditioning import MOST_CONDITIONS
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
    """How levels become the backbone's own, and the labels or prompts that are compared (``conditions``).

    ``missing`` is what is still to be chosen, "" for nothing.
    """

    alignment: str = "logsnr"
    reference: str | None = None
    conditioning: str = "matched"
    missing: str = ""
    conditions: tuple[int | str, ...] = ()

    def fields(self) -> dict[str, object]:
        """Fields of a spec, those at their defaults left out."""
        given = {"alignment": self.alignment, "reference": self.reference, "conditioning": self.conditioning}
        defaults = ProtocolChoice()
        fields: dict[str, object] = {key: value for key, value in given.items() if value != getattr(defaults, key)}
        for kind, of in (("labels", int), ("prompts", str)):
            if wanted := [each for each in self.conditions if isinstance(each, of)]:
                fields[f"conditioning_{kind}"] = wanted
        return fields


def choose_protocol(condition: str) -> ProtocolChoice:
    """The controls.

    Args:
        condition: what the network is conditioned on besides its level, as of ``Backbone``; "" where that is not known.
    """
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
    conditions, unread = _conditions(condition)
    return ProtocolChoice(alignment, with_curves, conditioning, missing or unread, conditions)


def _conditions(own: str) -> tuple[tuple[int | str, ...], str]:
    """Labels or prompts to compare, of a network with classes or text; and what is to be corrected, "" for nothing."""
    if not own:
        return (), ""
    about = (
        f"Up to {MOST_CONDITIONS} that the diagnostic Conditioning compares with the {own}, on which the network is "
    )
    about += "conditioned otherwise: one forward each, without guidance, at the cost of a level offset."
    if "prompt" in own:
        text = st.text_area("Prompts to compare", key="new_prompts", help=f"{about} A line each.", height=80)
        return tuple(line.strip() for line in text.splitlines() if line.strip()), ""
    text = st.text_input("Labels to compare", key="new_labels", placeholder="3, 7", help=about)
    words = text.replace(",", " ").split()
    if all(word.isdecimal() and len(word) < 8 for word in words):
        return tuple(map(int, words)), ""
    return (), "Labels to compare are whole numbers with commas between them, such as 3, 7 (More)."


def _references() -> dict[str, str]:
    """Path -> title of every exploration that has alignment curves."""
    return {str(run.path): run.name for run in data.readable() if run.has_table("alignment_curves")}
