"""``cfs.score_map``: where in an image the score of a cell, or of a composed detector, comes from (theory 22, 23)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import PARTS, SCORE, Cell
from cfs_explore.errors import BackboneError, CFSError
from cfs_explore.pipeline.match import as_conditioned, conditioning_levels
from cfs_explore.readings.arrays import blocks, check_images, images_at_once, number_of_draws
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.score_maps import ScoreMaps, at_size
from cfs_explore.readings.tap_maps import map_sides
from cfs_explore.scoring import feature_columns
from cfs_explore.spec import RunSpec
from cfs_explore.store import Run
from cfs_explore.store.cell_names import find_cell, find_level, find_tap


def score_map(
    backbone: Backbone,
    image: np.ndarray,
    run: Run,
    cells: Sequence[tuple[str, float] | str],
    *,
    part: str = SCORE,
    draws: int | None = None,
    noise: np.ndarray | None = None,
    ids: Sequence[str] | None = None,
    batch_size: int | None = None,
    precision: str = "fp32",
) -> np.ndarray:
    """Where in an image a score comes from, from the moments that the run has (theory 22, 23).

    Args:
        backbone: the run's own, from ``load_backbone``.
        image: float (C, H, W) in [-1, 1], or a set of them, (n, C, H, W).
        run: finished; its ID-train statistics, levels, seed and conditioning are used.
        cells: one or more cells of the run, ("up_blocks.1.resnets.1", 5.0) or "up1.res1@5": a tap by its full or short
            name, and a log-SNR. Several make a composed detector.
        part: "score" gives A_p: its mean over positions is the slot score, and below 0 a position speaks for ID.
            "deviation" gives B_p, the squared distance of a position from ID-train: about 1 on ID images.
        draws: noise draws; None means the run's own, or as many as ``noise`` has.
        noise: given noise (draws, n, *input_shape) instead of the run's; n = 1 for one image.
        ids: image ids that key the noise; None derives them from the pixels, as ``extract`` does.
        batch_size, precision: of the forwards, as in ``extract``.

    Returns:
        float32 (draw, h, w) for an image and (image, draw, h, w) for a set. One cell: h x w is the tap's map, for
        tokens their grid. Several: the mean of their maps, bilinear at the image's size.

    Raises:
        BackboneError: it is not the run's, or does not fit the images. RunError: the run has no such cell.
        CFSError: no cell or one twice, an unknown part, or ids, draws or noise that do not fit.
    """
    if part not in PARTS:
        raise CFSError(f"part must be one of {', '.join(PARTS)}. Got {part!r} instead.")
    if backbone.fingerprint != run.manifest.backbone.fingerprint:
        raise BackboneError(
            f"{backbone.name} is not the backbone of {run.name}, whose statistics belong to "
            f"{run.manifest.backbone.name}. Load that one: its place is in the run's spec.yaml."
        )
    image = np.asarray(image, dtype=np.float32)
    noise = None if noise is None else np.asarray(noise, dtype=np.float32)
    images = check_images(image[None] if image.ndim == 3 else image, backbone)
    chosen = [] if isinstance(cells, str) else [find(run, cell) for cell in cells]
    if not chosen or len(set(chosen)) < len(chosen):
        raise CFSError(f"cells must be a list of one or more, no two alike. Got {cells!r} instead.")
    spec = RunSpec.parse(run.path / "spec.yaml")
    maps = cell_maps(
        run,
        as_conditioned(spec, backbone),
        spec,
        images,
        ids,
        chosen,
        draws=draws,
        noise=noise,
        batch_size=batch_size,
        precision=precision,
    )
    maps = [of_cell[:, :, PARTS.index(part)] for of_cell in maps]
    found = maps[0] if len(maps) == 1 else together(maps, images.shape[2:])
    return found[0] if image.ndim == 3 else found


def cell_maps(
    run: Run,
    backbone: Backbone,
    spec: RunSpec,
    images: np.ndarray,
    ids: Sequence[str] | None,
    cells: Sequence[Cell],
    *,
    draws: int | None = None,
    noise: np.ndarray | None = None,
    batch_size: int | None = None,
    precision: str = "fp32",
) -> list[np.ndarray]:
    """A_p and B_p of cells, each in the size of its tap: float32 (image, draw, 2, h, w) per cell, ``PARTS``.

    Args:
        run: whose ID-train moments are used.
        backbone: the run's own, conditioned as its spec says.
        spec: of the run.
        images: float32 (n, *image_shape) in [-1, 1].
        ids: of the images; with the run's seed they key the noise. None derives them from the pixels.
        cells: of the run.
        draws, noise, batch_size, precision: as of ``score_map``.
    """
    positions = sorted({cell.level for cell in cells})
    levels = [run.levels[k] for k in positions]
    taps = [run.taps[t] for t in sorted({cell.tap for cell in cells})]
    columns = feature_columns(run.taps)
    features = np.concatenate([np.arange(columns[tap.name].start, columns[tap.name].stop) for tap in taps])
    sides = map_sides(backbone, taps, levels[0])
    reader = Reader(
        backbone,
        ScoreMaps(levels, taps, run.moments("id_train").at(positions, features), sides),
        batch_size=batch_size,
        precision=precision,
        conditioning=conditioning_levels(spec, backbone, levels),
    )
    draws = number_of_draws(run.draws if draws is None and noise is None else draws, noise)
    found = [np.empty((len(images), draws, 2, *sides[run.taps[cell.tap].name]), np.float32) for cell in cells]
    for part, block in blocks(reader, images, draws, spec.seed, noise, ids, images_at_once(reader, draws)):
        for cell, of_cell in zip(cells, found, strict=True):
            tap, shape = run.taps[cell.tap].name, of_cell.shape[3:]
            for place, name in enumerate(PARTS):
                values = block[positions.index(cell.level), ..., reader.columns[f"{name} {tap}"]]
                of_cell[part, :, place] = values.swapaxes(0, 1).reshape(-1, draws, *shape)
    return found


def together(maps: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """The mean of several cells' maps (..., h, w) at one size (H, W): that of a composed detector."""
    return np.mean([at_size(of_cell, size) for of_cell in maps], axis=0, dtype=np.float32)


def find(run: Run, cell: tuple[str, float] | str) -> Cell:
    """A cell by its name, or by a tap and a log-SNR.

    Raises:
        RunError: the run has none of that name. CFSError: it is neither.
    """
    if isinstance(cell, str):
        return run.cell(find_cell(run, cell))
    try:
        tap, lam = cell
        return Cell(find_level(run, float(lam)), find_tap(run, str(tap)))
    except (TypeError, ValueError):
        raise CFSError(f"A cell is a name such as 'up1.res1@5', or (tap, log-SNR). Got {cell!r} instead.") from None
