"""What a level shares with another inside the network, and what reusing the encoder costs (theory 34)."""

from __future__ import annotations

from cfs_explore.studies.columns import (
    IMAGES,
    LAM,
    LEVEL,
    LOG_SNR,
    POSITION,
    REQUESTED,
    SHARE,
    TAP_FACTS,
    Column,
    interval,
    number,
    text,
    whole,
)
from cfs_explore.studies.diagnostic import Counts, Diagnostic, Table
from cfs_explore.studies.stability import PAGE

#: ID-test images whose whole maps are compared; fewer where a network's maps are large.
SHARING_IMAGES = 64


def sharing_forwards(images: int, levels: int) -> int:
    """Forwards of the maps, once at every level, and of the reuse: once at every level and for every ordered pair."""
    return images * levels * (1 + levels)


def _forwards(counts: Counts) -> int:
    """Of one pass over the maps; where they are too large for it, the taps are read in several."""
    return sharing_forwards(min(counts.test, SHARING_IMAGES), counts.levels)


def _other(prefix: str, what: str) -> tuple[Column, ...]:
    return (
        whole(f"{prefix}level", f"Level {what}, from 0, the cleanest first", POSITION),
        number(f"{prefix}lam", f"Log-SNR of the level {what}, as the backbone has it (1)", LOG_SNR),
        number(f"{prefix}requested", f"Log-SNR of the level {what}, as the spec asks for it (1)", LOG_SNR),
    )


_ON_LOGARITHM = "normal on the logarithm, over images"
_ON_1_CKA = "normal on the logarithm of 1 - cka; bootstrap over images or their groups"
_N_ID = whole("n_id", "ID-test images that were read again", IMAGES)

_SHARING = Table(
    "sharing",
    "a tap at a pair of levels of the map, each pair once, on one noise draw; neighbours are those where `other_level` "
    "is `level` + 1",
    (
        *TAP_FACTS,
        LEVEL,
        LAM,
        REQUESTED,
        *_other("other_", "it is compared with, the noisier one"),
        *interval("delta", "Mean squared difference of the tap's maps at both levels (34)", "", _ON_LOGARITHM),
        *interval(
            "delta_rel",
            "Squared difference of the maps over the mean of their squared lengths, mean over images (34)",
            "0 to 4",
            _ON_LOGARITHM,
        ),
        *interval("cosine", "Cosine between the maps, mean over images (34)", "-1 to 1", "as of 1 - cosine"),
        number(
            "cka", "Linear centred kernel alignment of the maps over images; with few images it is high (34)", SHARE
        ),
        number("cka_lo", f"Lower 95 % limit of `cka` ({_ON_1_CKA})", SHARE, optional=True),
        number("cka_hi", f"Upper 95 % limit of `cka` ({_ON_1_CKA})", SHARE, optional=True),
        _N_ID,
    ),
)
_REUSE = Table(
    "reuse",
    "an ordered pair of levels, on one noise draw",
    (
        LEVEL,
        LAM,
        REQUESTED,
        *_other("encoder_", "whose encoder is used again"),
        *interval(
            "error",
            "Squared change of the noise estimate at `level` over its squared length when all that the decoder takes "
            "from encoder and middle is that of `encoder_level` (34)",
            "",
            _ON_LOGARITHM,
            ("lo", "hi"),
        ),
        number("saved", "Share of a forward's work that is not done again", SHARE),
        _N_ID,
        text("note", "Why the network does not allow it; else empty"),
    ),
)

SHARING = Diagnostic(
    "sharing",
    "Sharing",
    "How much of what the network computes a level shares with the next, and what reusing its encoder costs.",
    (_SHARING, _REUSE),
    page=PAGE,
    place=35,
    forwards=_forwards,
    reads=("id_test",),
)
