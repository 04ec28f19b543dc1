"""What the map loses when the network is conditioned on a wrong level, a class or a text (theory 1)."""

from __future__ import annotations

from cfs_explore.studies.columns import LAM, LEVEL, LOG_SNR, OOD, PAIRED, SIZES, TAP, auroc, interval, number, text
from cfs_explore.studies.diagnostic import ALL_SETS, Counts, Diagnostic, Table
from cfs_explore.studies.levels import PAGE

#: Images of ID-train, and of each scored set, that are measured again under wrong conditioning; offsets of
#: the conditioning from the true level, in log-SNR.
CONDITIONING_TRAIN, CONDITIONING_IMAGES, OFFSETS = 500, 150, (-2.0, -1.0, 1.0, 2.0)
#: Labels or prompts of a run at most; each costs what the true conditioning does.
MOST_CONDITIONS = 8
_LABEL, _PROMPT = "label ", "prompt: "


def condition_name(given: int | str) -> str:
    """The variant of a label or a prompt: "label 3", "prompt: a photo of a cat"."""
    return f"{_PROMPT}{given}" if isinstance(given, str) else f"{_LABEL}{given}"


def is_condition(variant: str) -> bool:
    """Whether a variant is that of a label or a prompt, on the true level."""
    return variant.startswith((_LABEL, _PROMPT))


def variant_count(counts: Counts) -> int:
    """How many conditionings are measured: the true one, the offsets, the published one, and labels or prompts."""
    return len(OFFSETS) + 2 + counts.conditions


def _forwards(counts: Counts) -> int:
    """With the published conditioning, which only some backbones have; for the others it counts as done."""
    return counts.measured(CONDITIONING_TRAIN, CONDITIONING_IMAGES) * counts.levels * variant_count(counts)


_CONDITIONING = Table(
    "conditioning",
    "a cell under a variant of the conditioning, and OOD set, on one noise draw",
    (
        text(
            "variant",
            "Conditioning: `matched` (on the true level), with an offset as `lam - 2`, `published`; or on the true "
            "level and on a class or text, as `label 3` or `prompt: a cat`, without guidance",
        ),
        number("offset", "Conditioning level minus true level; NaN for `published`, 0 for labels and prompts", LOG_SNR),
        text(
            "condition",
            "What the network is conditioned on besides its level, but for labels and prompts, such as `null class`; "
            "empty for a network without classes and text",
            optional=True,
        ),
        OOD,
        LEVEL,
        LAM,
        number("told_lam", "Log-SNR that the network is conditioned on; NaN for `published`", LOG_SNR),
        TAP,
        *auroc("the cell's slot score (3), with statistics of ID-train under the same conditioning"),
        *interval("loss", "AUROC under `matched` minus `auroc`, on the same images", "-1 to 1", PAIRED),
        *SIZES,
    ),
)

CONDITIONING = Diagnostic(
    "conditioning",
    "Conditioning",
    "What the map loses under wrong conditioning.",
    (_CONDITIONING,),
    page=PAGE,
    place=90,
    forwards=_forwards,
    reads=ALL_SETS,
)
