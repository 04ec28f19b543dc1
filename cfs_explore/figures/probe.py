"""The probe page's figures of a tap, made of what it has seen: images among ID scores, and z-scores (theory 3).

By name, they load the run's backbone and show it two images; torch loads then, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cfs_explore.charts import short_tap_name
from cfs_explore.charts.score_marks import score_marks_chart
from cfs_explore.charts.z_bars import z_bars_chart
from cfs_explore.contracts import Level
from cfs_explore.diagnostics import histogram
from cfs_explore.errors import RunError
from cfs_explore.figures.backbone import backbone_of, measured_image
from cfs_explore.figures.choices import Choices, default_cell
from cfs_explore.figures.figure import Figure, file_stem
from cfs_explore.figures.needs import Kind
from cfs_explore.figures.options import Control
from cfs_explore.figures.probe_where import where
from cfs_explore.headlines.probe import format_score
from cfs_explore.scoring import mean_over_draws
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_value

if TYPE_CHECKING:
    from cfs_explore.probe.inputs import ProbeImage
    from cfs_explore.probe.seen import TapView

#: Draws that can be looked at, the run's own first; where a run has more, all of its own.
DRAWS = 20
_WHICH = "id, name or position"
IMAGE_A = Control("probe_a", "Image of ID-test (default: the one of median score)", written=_WHICH, former=("a",))
IMAGE_B = Control("probe_b", "Image of the OOD set (default: the one of median score)", written=_WHICH, former=("b",))
NOISE = Control(
    "probe_draw",
    "Noise draw; the run's own come first",
    lambda run: {draw: str(draw) for draw in range(draws(run))},
    default=0,
    written="0 to 19, or to as many as the run has",
    former=("noise",),
)

_BINS = 40
#: Image -> role.
_ROLES = {"A": "id", "B": "ood"}


def draws(run: Run) -> int:
    """How many noise draws can be looked at."""
    return max(run.draws, DRAWS)


def id_bins(run: Run, level: int, tap: int) -> tuple[pd.DataFrame, bool]:
    """Histogram of a cell's ID scores: left, right, id (share); and whether its bins are even in ln(score)."""
    of_id = run.scores("id_test", level=level)[:, :, 0, tap].ravel()
    log = bool(of_id.min() > 0)
    return histogram(of_id, of_id, bins=_BINS, log=log)[["left", "right", "id"]], log


def scores_caption(run: Run, reference: Level) -> str:
    """What slot scores are shown among: the ID-test images at a measured level."""
    return (
        f"Slot scores of single noise draws. Grey: {run.id_test.count:,} ID-test images × "
        f"{counted(run.draws, 'draw')} at λ = {format_value(reference.lam, 2)}."
    )


def z_caption(run: Run, reference: Level) -> str:
    """What z-scores are measured with: ID-train's statistics at a measured level."""
    return (
        f"z = (feature − μ) / √v, μ and v of {run.entry('id_train').samples:,} ID-train snapshots at "
        f"λ = {format_value(reference.lam, 2)}; the mean of z² over both rows is the slot score."
    )


def scores(run: Run, view: TapView, level: int, roles: Mapping[str, str], theme: str) -> Figure:
    """Slot scores of the images at a tap on the histogram of the ID-test images.

    Args:
        run: the exploration.
        view: what the tap made of the images.
        level: position of the measured level of the ID scores.
        roles: what each image is called -> "id" or "ood".
        theme: "light" or "dark".
    """
    tap, values = view.tap, view.score.astype(float)
    texts = [f"{name} {format_score(score)}" for name, score in zip(roles, values, strict=True)]
    images = pd.DataFrame({"image": list(roles), "role": list(roles.values()), "score": values, "text": texts})
    bins, log = run.derived(id_bins, level, run.taps.index(tap))
    return Figure(
        score_marks_chart(bins, images, theme, log=log),
        images[["image", "score"]],
        scores_caption(run, run.levels[level]),
        f"Slot scores {', '.join(texts)} on the histogram of {run.id_test.count:,} ID-test images at "
        f"{short_tap_name(tap.name)}.",
        file_stem(run, "probe", tap.name, "score"),
    )


def z_scores(run: Run, view: TapView, level: int, roles: Mapping[str, str], theme: str) -> Figure:
    """z-scores of a tap's channels in each image; as of ``scores``, the level being that of ID-train's statistics."""
    tap, table = view.tap, view.z_table(list(roles))
    largest = table.loc[table["z"].abs().idxmax()]
    return Figure(
        z_bars_chart(table, roles, theme),
        table,
        z_caption(run, run.levels[level]),
        f"z-scores of {tap.channels} channels' means and standard deviations; the largest is "
        f"{format_value(largest['z'], 1)}, image {largest['image']}, channel {largest['channel']}.",
        file_stem(run, "probe", tap.name, "z"),
    )


def typical(run: Run, role: str, name: str | None, level: int, tap: int) -> int:
    """Position of the image whose score in a cell is the median of its set."""
    means = mean_over_draws(run.scores(role, name)[:, :, level, tap], np.float32)
    return int(np.argsort(means, kind="stable")[(len(means) - 1) // 2])


def _find(run: Run, role: str, name: str | None, option: Control, choices: Choices) -> ProbeImage:
    """The image that is named, or the typical one; with the pixels that the run measured."""
    entry, asked = run.entry(role, name), option.of(choices.options)
    rows = run.images(role, name, columns=("image_id", "name", "label", "thumbnail"))
    fits = (rows["image_id"] == asked) | (rows["name"] == asked)
    if not fits.any() and asked.isascii() and asked.isdigit():  # as the page's address tells it
        fits = pd.Series(range(len(rows))) == int(asked)
    if asked and not fits.any():
        raise RunError(f"{entry.name} has no image with the id or name {asked!r}.")
    position = fits.to_numpy().argmax() if asked else typical(run, role, name, *default_cell(run))
    return measured_image(run, entry, rows.iloc[position])


def _seen(run: Run, choices: Choices, theme: str, *, make: Callable[..., Figure], of: Callable, side: int) -> Figure:
    """The figure of what one of the pair's taps makes of both images at the level, in the run's backbone."""
    draw = NOISE.number(choices.options, (0, draws(run) - 1))
    probe = backbone_of(run)
    images = [_find(run, "id_test", None, IMAGE_A, choices), _find(run, "ood", choices.ood, IMAGE_B, choices)]
    lam = next(lam for lam, level in probe.levels.items() if level == run.levels[choices.level])
    tap = run.taps[choices.pair[side]].name
    seen = probe.see(images, lam, draw, [tap])
    return make(run, seen.taps[tap], of(seen), _ROLES, theme)


#: What of a tap is shown: title, figure, and what of ``Seen`` it takes beside the tap's view.
MAKERS = {
    "where": ("Where in two images the scores come from", where, lambda seen: seen),
    "score": ("Slot scores of two images", scores, attrgetter("position")),
    "z": ("z-scores of two images", z_scores, attrgetter("position")),
}
_OPTIONS = (IMAGE_A, IMAGE_B, NOISE)
KINDS = {
    f"probe-{word}-{what}": Kind(
        f"{title} at the pair's {word} tap",
        partial(_seen, make=make, of=of, side=side),
        ("ood", "level", "pair"),
        _OPTIONS,
    )
    for side, word in enumerate(("encoder", "decoder"))
    for what, (title, make, of) in MAKERS.items()
}
