"""What the map loses when the network is conditioned on a wrong level (theory 1)."""

from __future__ import annotations

from cfs_explore.studies.columns import LAM, LEVEL, LOG_SNR, OOD, PAIRED, SIZES, TAP, auroc, interval, number, text
from cfs_explore.studies.diagnostic import ALL_SETS, Counts, Diagnostic, Table
from cfs_explore.studies.levels import PAGE

#: Images of ID-train, and of each scored set, that are measured again under wrong conditioning; offsets of
#: the conditioning from the true level, in log-SNR.
CONDITIONING_TRAIN, CONDITIONING_IMAGES, OFFSETS = 500, 150, (-2.0, -1.0, 1.0, 2.0)


def _forwards(counts: Counts) -> int:
    """With the published conditioning, which only some backbones have; for the others it counts as done."""
    return counts.measured(CONDITIONING_TRAIN, CONDITIONING_IMAGES) * counts.levels * (len(OFFSETS) + 2)


_CONDITIONING = Table(
    "conditioning",
    "a cell under a variant of the conditioning, and OOD set, on one noise draw",
    (
        text("variant", "Conditioning: `matched` (on the true level), with an offset as `lam - 2`, or `published`"),
        number("offset", "Conditioning level minus true level; NaN for `published`", LOG_SNR),
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
