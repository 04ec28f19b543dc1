"""The diagnostic stages that follow a map: what each answers, which tables it writes, and what it costs in forwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: Images of a set that a control measures again at most: ID-train, and each scored set.
CONTROL_TRAIN, CONTROL_IMAGES = 2_000, 500
#: Random initialisations of the untrained control: enough to tell their spread (theory 18, 29).
UNTRAINED_SEEDS = (0, 1, 2, 3, 4)
#: ID-test images, draws and log-SNRs (as far as the backbone reaches) of the local law (theory 15).
LOCAL_IMAGES, LOCAL_DRAWS, LOCAL_STEP, LOCAL_LOWEST = 128, 5, 1.0, 0.0
#: ID-train images that become each proxy, and the kinds of proxy (theory 17).
PROXY_IMAGES = 250
PROXIES = ("blur", "noise", "jpeg", "colour", "shuffle", "flip", "mix")
#: Images per set, ID-train images, numbers of levels and shifts of lam of the ablation.
ABLATION_IMAGES, ABLATION_TRAIN, ABLATION_LEVELS, ABLATION_SHIFTS = 250, 1_000, (1, 2, 4), (-0.5, 0.0, 0.5)

#: ID-train images of the alignment curves, their step in log-SNR, and the lowest one (or the backbone's own lowest).
ALIGNMENT_IMAGES, CURVE_STEP, CURVE_LOWEST = 64, 0.5, -8.0
#: Pictures of corrupted images: of ID-test, and of each OOD set.
PICTURES, OOD_PICTURES = 4, 1
#: Images of ID-train, and of each scored set, that are measured again under every alignment; the shifts of log-SNR.
VARIANT_TRAIN, VARIANT_IMAGES, VARIANT_SHIFTS = 1_000, 250, (-0.5, 0.5)
#: Images of ID-train, and of each scored set, that are measured again under wrong conditioning; what the network is
#: told beyond the truth, in log-SNR.
CONDITIONING_TRAIN, CONDITIONING_IMAGES, OFFSETS = 500, 150, (-2.0, -1.0, 1.0, 2.0)


@dataclass(frozen=True)
class Counts:
    """What decides a stage's cost: images of each set, levels and draws of the map, the reachable log-SNRs.

    Attributes:
        reference: whether there is another run to align to.
    """

    train: int
    test: int
    ood: tuple[int, ...]
    levels: int
    draws: int
    highest: float
    lowest: float = CURVE_LOWEST
    reference: bool = False

    @property
    def scored(self) -> tuple[int, ...]:
        return (self.test, *self.ood)


@dataclass(frozen=True)
class Stage:
    """One diagnostic.

    Attributes:
        name: in specs and on the command line.
        title: what a person reads.
        question: what it answers.
        tables: names of the tables it writes.
        forwards: backbone forwards that it needs beyond the map's.
        reads: roles of the sets whose images it reads again.
        shows: whether it also reads images of every set whose pictures the run may hold.
    """

    name: str
    title: str
    question: str
    tables: tuple[str, ...]
    forwards: Callable[[Counts], int]
    reads: tuple[str, ...] = ()
    shows: bool = False


def local_lams(highest: float) -> list[float]:
    """Log-SNRs of the local law, clean to noisy, from the highest reachable one down."""
    top = int(highest - LOCAL_LOWEST)
    return [highest, *(LOCAL_LOWEST + LOCAL_STEP * i for i in range(top, -1, -1) if LOCAL_LOWEST + i < highest - 0.25)]


def _stability(counts: Counts) -> int:
    n, fine = min(counts.test, LOCAL_IMAGES), len(local_lams(counts.highest))
    return n * (fine * LOCAL_DRAWS + 3 * counts.levels - 1)


def _prediction(counts: Counts) -> int:
    return (len(PROXIES) + 1) * min(counts.train, PROXY_IMAGES) * counts.levels


def _controls(counts: Counts) -> int:
    images = min(counts.train, CONTROL_TRAIN) + sum(min(n, CONTROL_IMAGES) for n in counts.scored)
    return (len(UNTRAINED_SEEDS) + 1) * images * counts.levels


def ablation_shifts(train: int) -> list[float]:
    """Shifts that take forwards: 0 is the map itself, if its statistics rest on no more ID-train images than theirs."""
    return [shift for shift in ABLATION_SHIFTS if shift or train > ABLATION_TRAIN]


def _ablation(counts: Counts) -> int:
    images = min(counts.train, ABLATION_TRAIN) + sum(min(n, ABLATION_IMAGES) for n in counts.scored)
    levels = max(count for count in ABLATION_LEVELS if count <= counts.levels)
    return images * len(ablation_shifts(counts.train)) * levels * counts.draws


def curve_lams(lowest: float, highest: float) -> list[float]:
    """Log-SNRs of the alignment curves, clean to noisy, ends included."""
    lowest = max(lowest, min(CURVE_LOWEST, highest))
    steps = math.ceil((highest - lowest) / CURVE_STEP - 1e-9)
    return [highest - CURVE_STEP * i for i in range(steps)] + [lowest]


def _levels(counts: Counts) -> int:
    return min(counts.train, ALIGNMENT_IMAGES) * len(curve_lams(counts.lowest, counts.highest))


def _alignment(counts: Counts) -> int:
    images = min(counts.train, VARIANT_TRAIN) + sum(min(n, VARIANT_IMAGES) for n in counts.scored)
    variants = 2 + len(VARIANT_SHIFTS) + (2 if counts.reference else 0)  # logsnr and uniform_t; those by a reference
    return images * counts.levels * variants


def _conditioning(counts: Counts) -> int:
    """With the published conditioning, which only some backbones have; for the others it counts as done."""
    images = min(counts.train, CONDITIONING_TRAIN) + sum(min(n, CONDITIONING_IMAGES) for n in counts.scored)
    return images * counts.levels * (len(OFFSETS) + 2)


def _none(counts: Counts) -> int:
    return 0


_ALL_SETS = ("id_train", "id_test", "ood")

#: By name, in the order in which they run: those without forwards first.
STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(
            "complementarity",
            "Complementarity",
            "What encoder and decoder add to each other, and what averaging any two taps is worth.",
            ("complementarity", "pair_gain"),
            _none,
        ),
        Stage(
            "separation",
            "Separation",
            "What makes the scores separate: mean shift or variance, in which channels, and what other heads find.",
            ("separation", "top_channels", "cell_heads"),
            _none,
        ),
        Stage(
            "stability",
            "Stability",
            "How much of a snapshot survives the noise, up to which level, and why.",
            ("stability", "local_law", "drift"),
            _stability,
            ("id_test",),
        ),
        Stage(
            "prediction",
            "Prediction",
            "Whether the right cell can be found without OOD images, and what a wrong choice costs.",
            ("proxies", "prediction", "regret"),
            _prediction,
            ("id_train",),
        ),
        Stage(
            "controls",
            "Controls",
            "What the trained backbone adds to untrained copies, to re-encoded images and to plain pixel statistics.",
            ("controls", "excess", "best_excess", "image_statistics"),
            _controls,
            _ALL_SETS,
        ),
        Stage(
            "ablation",
            "Ablation",
            "What more levels, more taps and other places of the levels change.",
            ("ablation",),
            _ablation,
            _ALL_SETS,
        ),
        Stage(
            "levels",
            "Levels and cost",
            "Where the levels stand on this backbone, what they look like, and what a forward to each tap costs.",
            ("alignment_curves", "level_pictures", "cost"),
            _levels,
            ("id_train",),
            shows=True,
        ),
        Stage(
            "alignment",
            "Alignment",
            "How much the map hangs on where its levels are put.",
            ("alignment_levels", "alignment_maps", "sensitivity"),
            _alignment,
            _ALL_SETS,
        ),
        Stage(
            "conditioning",
            "Conditioning",
            "What the map loses when the network is told a wrong level.",
            ("conditioning",),
            _conditioning,
            _ALL_SETS,
        ),
    )
}

#: The stages that need no forwards: they take seconds, and follow the map unless a spec asks for something else.
STANDARD = tuple(name for name, stage in STAGES.items() if stage.forwards is _none)
#: A word for a set of stages, as a spec says it -> their names, in their order.
WORDS: dict[str, tuple[str, ...]] = {"map": (), "standard": STANDARD, "all": tuple(STAGES)}


def named_stages(asked: str | Sequence[str]) -> list[str]:
    """Names of the stages that a word of ``WORDS`` stands for, or those of a list, in their order."""
    chosen = WORDS[asked] if isinstance(asked, str) else asked
    return [name for name in STAGES if name in chosen]


def with_forwards(counts: Counts, names: Sequence[str]) -> list[str]:
    """Those of these stages that need forwards on a run of this size."""
    return [name for name in names if STAGES[name].forwards(counts)]
