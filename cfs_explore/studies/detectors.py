"""Every other detector under the protocol of the map, against CFS, with what it costs (theory 19 to 21)."""

from __future__ import annotations

from cfs_explore.studies.columns import (
    DELONG,
    OOD,
    PAIRED,
    POSITION,
    SHARE,
    SIZES,
    interval,
    number,
    text,
    truth,
    whole,
)
from cfs_explore.studies.diagnostic import ALL_SETS, BUDGET, Counts, Diagnostic, Page, Table

#: Images of a set that the detectors read at most, of ID-train and of each scored set, where a spec does not say.
TRAIN, IMAGES = 256, 128
#: Without a budget: what a small run may take at least, in seconds at the map's speed and in forwards where that is
#: unknown, and how many forwards that may be at most.
SECONDS, LEAST, MOST = 60.0, 20_000, 200_000
#: Trained network and untrained copy (theory 18), as the tables name them.
NETWORKS = ("trained", "untrained")


def map_forwards(counts: Counts) -> int:
    """What the map took."""
    return sum((counts.train, *counts.scored)) * counts.levels * counts.draws


def allowed_forwards(counts: Counts) -> int:
    """At most: the budget is spent from the cheapest detector on.

    Without a budget of its own, a run may spend ``BUDGET`` times the map's forwards, or what ``SECONDS`` have room for
    at the map's speed (``LEAST`` where that is not known, ``MOST`` at most), whichever is more.
    """
    if counts.budget is not None:
        return int(counts.budget * map_forwards(counts) + 1e-6)  # 2.3 times 1,500 is 3,450, not a rounding below
    least = min(MOST, int(SECONDS / counts.seconds_per_forward)) if counts.seconds_per_forward else LEAST
    return max(int(BUDGET * map_forwards(counts)), least)


def budget_told(counts: Counts) -> str:
    """What the stage may spend and by which rule, to end a sentence: "at most 20,000 forwards, 3 times the map's"."""
    allowed, unit = allowed_forwards(counts), map_forwards(counts)
    times = f"{allowed / max(unit, 1):.4g} times"
    if counts.budget is not None or allowed == int(BUDGET * unit):
        return f"at most {allowed:,} forwards, {times} the map's"
    minute = ", a minute's or less" if counts.seconds_per_forward else ""
    return f"at most {allowed:,} forwards{minute}, which is more than {BUDGET:g} times the map's ({times})"


_DETECTOR = text("detector", "Name of the detector, as `cfs.detectors.create` takes it")
_NETWORK = text("network", "`trained`, or `untrained`: a copy with random weights (18)")
_COPY = whole("copy", "Which of the untrained copies, from 0; 0 for the trained network", POSITION, optional=True)
_COST = (
    whole("forwards", "Forwards per image, #F (19)", "forwards"),
    whole("jvps", "Jacobian-vector products per image, #J (19)", "products"),
    number("cost", "#F plus #J times the measured cost of one of them (19)", "forwards"),
    number("effective", "The same with each forward counted up to the last tap read (19)", "forwards"),
    number("ms", "Time per image, measured on ID-test in this run", "milliseconds"),
    whole("fit_forwards", "Forwards per ID-train image of the fit", "forwards"),
    whole("fit_jvps", "Jacobian-vector products per ID-train image of the fit", "products"),
)
_N_TRAIN = whole("n_train", "ID-train images that every detector is fitted on", "images")
_NOTE = text(
    "note", "Why there are no numbers, or what was done for this backbone (levels out of its reach); else empty"
)
_GAIN = "-1 to 1"

_FALSIFIER = Table(
    "falsifier",
    "a detector, network (each untrained copy by itself) and OOD set; all on the same images, with one noise draw and "
    "one ID-train subset (20)",
    (
        _DETECTOR,
        text("title", "What people call it"),
        text("kind", "`cfs` (a variant of CFS), `head` (another head on the same snapshots) or `rival`"),
        text("variant", "Whether it is the original or a named variant"),
        truth(
            "trajectory", "Whether it is a rival that reads an image at several levels; the claim is about these (21)"
        ),
        text("paper", "Where it was published"),
        _NETWORK,
        _COPY,
        *_COST,
        *interval("auroc", "AUROC of its score; ties count one half", SHARE, DELONG, ("lo", "hi")),
        *interval("aupr", "AUPR of its score, OOD positive", SHARE),
        *interval("fpr95", "False-positive rate at 95 % recall of OOD images", SHARE),
        *interval("to_pair", "AUROC minus that of CFS(1x2) (20)", _GAIN, PAIRED),
        *interval("to_decoder", "AUROC minus that of CFS-dec(1x1) (20)", _GAIN, PAIRED),
        *interval(
            "to_best",
            "AUROC minus that of the best CFS(K x L) of at most this cost, chosen on one half of the images and judged "
            "on the other (20)",
            _GAIN,
            PAIRED,
        ),
        number("best", "AUROC of that best CFS(K x L) on images that did not choose it", SHARE),
        whole("copies", "Untrained copies that the trained network is compared with (29)", "networks", optional=True),
        *interval(
            "untrained",
            "Mean AUROC of the untrained copies",
            SHARE,
            f"{DELONG}; spread of the copies, 29",
            optional=True,
        ),
        *interval(
            "to_untrained",
            "AUROC of the trained network minus that mean (18)",
            _GAIN,
            f"{PAIRED}; spread of the copies, 29; of one copy, the images' alone",
            optional=True,
        ),
        _NOTE,
        number("needed", "Budget that has room for it where this run's had none", "times the map", optional=True),
        _N_TRAIN,
        *SIZES,
        OOD,
    ),
)
_LEADS = Table(
    "leads",
    "a rival and OOD set: does it beat every variant of CFS? (21)",
    (
        _DETECTOR,
        text("title", "What people call it"),
        truth(
            "trajectory", "Whether it is a rival that reads an image at several levels; the claim is about these (21)"
        ),
        text("ahead_of", "The variant of CFS that it leads least, or trails most"),
        *interval(
            "lead",
            "Its AUROC minus that of the best variant",
            _GAIN,
            "simultaneous over the variants, the lower one also over the rivals; max-type bootstrap, theory 21",
        ),
        truth("saturated", "Whether both AUROCs are above 0.995, so that nothing can be compared (30)"),
        text("says", "Of the claim that no trajectory is needed: `falsified`, `supported` or `open` (21)"),
        *SIZES,
        OOD,
    ),
)
_WHERE = (
    text("role", "`id_train`, `id_test` or `ood`"),
    text("dataset", "Name of the set"),
    whole("row", "Position of the image in its set", "position"),
    text("image_id", "Of the image"),
)
_SCORES = Table(
    "detector_scores",
    "a detector, network and scored image",
    (_DETECTOR, _NETWORK, _COPY, *_WHERE, number("score", "Its score, higher = more OOD")),
)
_READINGS = Table(
    "detector_readings",
    "a feature that some detectors read of an image with the trained network, before any fit",
    (
        text("reading", "What was read; detectors that read the same share it"),
        text("detectors", "Names of the detectors that read it"),
        *_WHERE,
        text("feature", "Name and position of the feature"),
        number("value", "As the detector reads it"),
    ),
)

PAGE = Page("falsifier", "Falsifier", ":material/swords:", "Falsifier", "Trust")
DETECTORS = Diagnostic(
    "detectors",
    "Falsifier",
    "Whether a detector of trajectories, reconstructions or likelihoods beats a few snapshots, and at what cost.",
    (_FALSIFIER, _LEADS, _SCORES, _READINGS),
    page=PAGE,
    place=95,
    forwards=allowed_forwards,
    reads=ALL_SETS,
)
