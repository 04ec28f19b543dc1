"""What more levels, more taps and other places of the levels change (theory 4)."""

from __future__ import annotations

from cfs_explore.studies.columns import DELONG, IMAGES, LOG_SNR, OOD, SHARE, SIZES, interval, number, text, whole
from cfs_explore.studies.diagnostic import ALL_SETS, Counts, Diagnostic, Table
from cfs_explore.studies.prediction import PAGE

#: Images per set, ID-train images, numbers of levels and shifts of lam of the ablation.
ABLATION_IMAGES, ABLATION_TRAIN, ABLATION_LEVELS, ABLATION_SHIFTS = 250, 1_000, (1, 2, 4), (-0.5, 0.0, 0.5)


def ablation_shifts(train: int) -> list[float]:
    """Shifts that take forwards: 0 is the map itself, if its statistics rest on no more ID-train images than theirs."""
    return [shift for shift in ABLATION_SHIFTS if shift or train > ABLATION_TRAIN]


def _forwards(counts: Counts) -> int:
    levels = max(count for count in ABLATION_LEVELS if count <= counts.levels)
    images = counts.measured(ABLATION_TRAIN, ABLATION_IMAGES)
    return images * len(ablation_shifts(counts.train)) * levels * counts.draws


_ABLATION = Table(
    "ablation",
    "a set of levels, set of taps, shift of the levels, and OOD set",
    (
        OOD,
        number("shift", "How far every level was moved", LOG_SNR),
        text("lams", "Log-SNRs of the levels as the backbone has them, falling, separated by commas"),
        whole("levels", "K: number of levels (4)", "levels"),
        text(
            "taps",
            "Which taps: `decoder`, `encoder`, `pair` (both), `four` (the next candidate of each side besides) or "
            "`all`",
        ),
        whole("n_taps", "L: number of taps (4)", "taps"),
        *interval(
            "auroc", "AUROC of CFS(K x L) by a single noise draw, mean over draws (4)", SHARE, DELONG, ("lo", "hi")
        ),
        number("sd", "Standard deviation of that AUROC over draws; NaN for one draw"),
        whole("draws", "Noise draws, each judged alone", "draws"),
        *SIZES,
        whole("n_train", "ID-train images behind the statistics", IMAGES),
    ),
)

ABLATION = Diagnostic(
    "ablation",
    "Ablation",
    "What more levels, more taps and other places of the levels change.",
    (_ABLATION,),
    page=PAGE,
    place=60,
    forwards=_forwards,
    reads=ALL_SETS,
)
