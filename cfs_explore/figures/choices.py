"""What a figure is of: OOD set, cell, pair, detector, metric, options; the pages' defaults, or as given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cfs_explore.contracts import Cell, Tap
from cfs_explore.detectors.stored import measured_detectors
from cfs_explore.diagnostics import SIDES
from cfs_explore.errors import RunError
from cfs_explore.figures.detector import PRESETS, preset_cells
from cfs_explore.figures.options import Control
from cfs_explore.headlines.map import first_set
from cfs_explore.store import Run
from cfs_explore.store.cell_names import find_cell, find_level, find_tap

METRICS = {"auroc": "AUROC", "aupr": "AUPR", "fpr95": "FPR95"}
SCALES = ("ln s", "s")
OOD = Control(
    "ood",
    "OOD set",
    lambda run: {name: name for name in run.ood_names},
    lambda run: opening_set(run),
    help="Out-of-distribution images, to be separated from the in-distribution test images.",
    drawn="select",
    width=240,
    noun="OOD set",
)
METRIC = Control(
    "metric",
    "Metric",
    METRICS,
    help="AUROC: 0.5 is chance. AUPR: average precision, OOD positive. FPR95: ID images wrongly flagged when 95 % of "
    "the OOD images are caught; lower is better.",
)
SCALE = Control(
    "comp_scale",
    "Scale",
    {scale: scale for scale in SCALES},
    help="Scores s are right-skewed; their logarithms are closer to normal, which the separability D² assumes. AUROCs, "
    "bits and images caught are the same on both scales.",
)


@dataclass(frozen=True)
class Choices:
    """What the figures of a run are of.

    Attributes:
        ood: name of the OOD set.
        cell: its number in the map (``Run.cell``); where a figure is of one cell.
        level: position among the run's levels; where a figure is of one level.
        pair: positions among the run's taps, of the encoder's and the decoder's place; (t, t) in a run of one tap.
        cells: of the composed detector.
        cells_given: whether somebody chose them, even if they are the default.
        metric: of METRICS.
        scale: of SCALES.
        beside: other explorations, where a figure compares; those that options name where there are none.
        measured: name of another detector that the run measured, in the place of the cells; "" for none.
        options: what single pages' controls are set to, name -> value; each figure's are in ``catalogue``.
    """

    ood: str
    cell: int
    level: int
    pair: tuple[int, int]
    cells: tuple[int, ...]
    metric: str = "auroc"
    scale: str = "ln s"
    options: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[Run, ...] = ()
    cells_given: bool = False
    measured: str = ""


def choose(
    run: Run,
    *,
    ood: str | None = None,
    lam: float | None = None,
    tap: str | None = None,
    cell: str | None = None,
    pair: tuple[str, str] | None = None,
    metric: str = "auroc",
    scale: str = "ln s",
    detector: Sequence[str] = (),
    options: Mapping[str, str] | None = None,
) -> Choices:
    """The choices that most pages open with, except for those that are given.

    Args:
        run: the exploration.
        ood: name of an OOD set; by default the one whose map says most.
        lam: log-SNR of a level, as the pages write it, to one decimal, or as it was asked for.
        tap: full or short name, of the figures of one cell.
        cell: both by one name, as 'up1.res1@5'; instead of lam and tap.
        pair: two taps, of the figures that compare two.
        metric, scale: see ``Choices``.
        detector: a preset's name, or cells as 'up1.res1@5', whose slot scores are averaged; by default CFS(1x2).
            Or, for the figures of triage, the name of another detector that the run measured.
        options: see ``Choices``; checked where figures are made.

    Raises:
        RunError: naming what the run has instead.
    """
    run.entry("ood", ood)
    _one_of("metric", metric, list(METRICS))
    _one_of("scale", scale, list(SCALES))
    measured = detector[0] if len(detector) == 1 and detector[0] in measured_detectors(run) else ""
    cells = _cells(run, () if measured else detector)
    cell_level, cell_tap = default_cell(run)
    level = run.manifest.kept["level"]
    if cell is not None:
        if (lam, tap) != (None, None):
            raise RunError("Give a cell by its name, or by lam and tap, but not by both.")
        cell_level, cell_tap = run.cell(find_cell(run, cell))
        level = cell_level
    if lam is not None:
        cell_level = level = find_level(run, lam)
    if tap is not None:
        cell_tap = find_tap(run, tap)
    first, second = (find_tap(run, name) for name in pair or default_pair(run))
    return Choices(
        ood=ood or opening_set(run),
        cell=run.cell_number(cell_level, cell_tap),
        level=level,
        pair=(first, second),
        cells=tuple(cells),
        metric=metric,
        scale=scale,
        options=dict(options or {}),
        cells_given=bool(detector),
        measured=measured,
    )


def opening_set(run: Run) -> str:
    """The OOD set that pages open with: the one whose map says most."""
    return first_set(run.table("best_cell"), run.table("auroc_map"), run.ood_names)


def default_cells(run: Run) -> list[int]:
    """The CFS(1x2) preset as cell indices; the first cell of a run that has no preset."""
    return preset_cells(run).get(PRESETS[0], [0])


def default_cell(run: Run) -> Cell:
    """What pages open with."""
    return run.cell(default_cells(run)[-1])


def default_pair(run: Run) -> tuple[str, str]:
    """The published CFS(1x2) pair; without one, the first tap and the last on the other side of the bottleneck."""
    if "sparse_ed" in run.manifest.presets:
        encoder, decoder = run.manifest.presets["sparse_ed"]
        return encoder, decoder
    first = tap_order(run.taps, -1)[0]
    others = [tap for tap in tap_order(run.taps, 1) if tap != first]
    return first.name, others[0].name if others else first.name


def tap_order(taps: list[Tap], side: int) -> list[Tap]:
    """All taps, those on this side of the bottleneck (-1 encoder, 1 decoder) first, else in order of execution."""
    return sorted(taps, key=lambda tap: SIDES[tap.region] != side)


def _cells(run: Run, detector: Sequence[str]) -> list[int]:
    """The detector's cell indices."""
    if not detector:
        return default_cells(run)
    presets = preset_cells(run)
    if len(detector) == 1 and detector[0] in presets:
        return presets[detector[0]]
    try:
        return list(dict.fromkeys(find_cell(run, name) for name in detector))
    except RunError as error:
        known = ", ".join([*presets, *measured_detectors(run)]) or "none"
        raise RunError(f"{error} A detector is cells, or one by its name; {run.name} has: {known}.") from error


def _one_of(what: str, value: str, allowed: list[str]) -> None:
    if value not in allowed:
        raise RunError(f"The '{what}' of a figure must be one of {allowed}. Got {value!r} instead.")
