"""Where in an image the score comes from, judged where the truth is known (theory 22 to 24)."""

from __future__ import annotations

from cfs_explore.studies.columns import (
    CELL,
    DELONG,
    LAM,
    LEVEL,
    N_ID,
    N_OOD,
    OOD,
    PAIRED,
    REGION,
    SHARE,
    TAP,
    TAP_INDEX,
    interval,
    number,
    text,
    whole,
)
from cfs_explore.studies.controls import CONTROL_TRAIN
from cfs_explore.studies.diagnostic import ALL_SETS, Counts, Diagnostic, Page, Table

#: Images of a set at most; the untrained copy's seed, one of those of the controls.
WHERE_IMAGES, UNTRAINED_SEED = 64, 0
#: Side of a planted patch as a share of the image's.
PATCH_SHARE = 3 / 8
#: What the trained network's best cell is compared with; ``input tap`` where the run has taps of that region.
CONTROLS = ("untrained", "input tap", "pixels")
#: Side of the grid on which maps of larger images are judged.
JUDGED_SIDE = 64


def planted_images(test: int, ood: int) -> int:
    """How many images of an OOD set are judged."""
    return min(WHERE_IMAGES, test, ood)


def _forwards(counts: Counts) -> int:
    """Of both networks on every set; of the untrained copy on ID-train, for its statistics, and on clean ID images."""
    judged = sum(planted_images(counts.test, ood) for ood in counts.ood)
    return counts.levels * (2 * judged + min(counts.train, CONTROL_TRAIN) + min(counts.test, WHERE_IMAGES))


_PART = text("part", "`score`, A_p, which the slot score is the mean of (22), or `deviation`, B_p (23)")
_TRUTH = text("truth", "What is to be found: a `patch` of an OOD image in an ID image, or what a `mask` marks (24)")
_SIDE = whole("side", "Side of the patch; 0 where masks are the truth", "pixels")
_MARKED = number("share", "Share of the pixels that are marked", SHARE)
_FOUND = (
    N_ID._replace(meaning="ID-test images that `detection` compares with"),
    N_OOD._replace(meaning="Images with something to find: ID-test images with a patch, or OOD images with masks"),
)
_FACTS = (_TRUTH, _SIDE, _MARKED, *_FOUND)
_CLUSTERED = f"{DELONG}, images being what is independent"
_JACKKNIFE = "the bootstrap over images to first order, theory 27"


def _aupro(of: str):
    return interval("aupro", f"AUPRO of {of}: area under the per-region overlap up to FPR 0.3", SHARE, _JACKKNIFE)


_LOCALISATION = Table(
    "localisation",
    "a cell of either network, part of the map, and OOD set; NaN where a tap's map is 1 x 1, with nothing to localise",
    (
        OOD,
        text("network", "`trained`, or `untrained`: the copy with random weights of seed 0"),
        _PART,
        *CELL,
        *interval(
            "auroc",
            "Pixel AUROC of the map: marked above unmarked pixels of all images",
            SHARE,
            _CLUSTERED,
            ("lo", "hi"),
        ),
        *_aupro("the map"),
        *interval(
            "detection",
            "AUROC of the slot score (3): images with a patch against the same images without; with masks, OOD against "
            "ID-test images; one noise draw",
            SHARE,
            DELONG,
        ),
        *_FACTS,
    ),
)
_HALVES = "picked on one half of the images and judged on the other; mean over splits (30)"
_BEST = Table(
    "localisation_best",
    "a control, part of the map, and OOD set; NaN below four images (or groups)",
    (
        text(
            "control",
            "`untrained` (the copy's best cell), `input tap` (the best of the taps of the region input), or `pixels` "
            "(squared z-scores of the image itself, averaged over channels)",
        ),
        _PART,
        LEVEL._replace(meaning="Level of the cell that is best on all images"),
        LAM,
        TAP_INDEX._replace(meaning="Tap of the cell that is best on all images, from 0"),
        TAP,
        REGION,
        *interval("trained", f"Pixel AUROC of the trained network's cell that is best, {_HALVES}", SHARE, _CLUSTERED),
        *interval(
            "auroc",
            f"Pixel AUROC of the control's cell that is best, {_HALVES}; on all images where it has one",
            SHARE,
            _CLUSTERED,
        ),
        *interval("excess", "`trained` minus `auroc`", "-1 to 1", PAIRED, ("lo", "hi")),
        number("p", "Two-sided p of no difference", SHARE),
        OOD,
        *_FACTS,
    ),
)
_PIXELS = Table(
    "localisation_pixels",
    "an OOD set; of its images' squared z-scores per pixel against ID-train, without any network",
    (
        OOD,
        *interval("auroc", "Pixel AUROC of the z-scores", SHARE, _CLUSTERED, ("lo", "hi")),
        *_aupro("the z-scores"),
        whole("n_train", "ID-train images that a pixel's mean and variance rest on", "images"),
        *_FACTS,
    ),
)

PAGE = Page("where", "Where", ":material/filter_center_focus:", "Where in the image")
WHERE = Diagnostic(
    "where",
    "Where",
    "Which cells find a planted patch in the image, beside an untrained copy, the input and the plain pixels.",
    (_LOCALISATION, _BEST, _PIXELS),
    page=PAGE,
    place=25,
    forwards=_forwards,
    reads=ALL_SETS,
)
