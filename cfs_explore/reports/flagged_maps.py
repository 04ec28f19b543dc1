"""The images that triage flags, each with the map of where its score comes from, as one zip (theory 22, 23)."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence

import numpy as np

from cfs_explore.charts import where_overlay as overlay
from cfs_explore.contracts import SCORE
from cfs_explore.figures.image_where import Looked, colours
from cfs_explore.figures.triage import Found
from cfs_explore.store import Run
from cfs_explore.store.cell_names import cell_names
from cfs_explore.wording import counted, format_value, percent

#: Images in one zip, those of the highest scores.
MOST = 200
#: Of a name of an image.
_LONGEST = 60


def flagged(found: Found) -> np.ndarray:
    """Positions in the set of the flagged images, the highest score first."""
    table = found.table[found.table["flagged"]]
    return found.rows[table.sort_values("score", ascending=False, kind="stable").index.to_numpy()]


def maps_zip(run: Run, found: Found, cells: Sequence[int], looked: Sequence[Looked], count: int) -> bytes:
    """A PNG of each image with its map, the numbers as maps.npz, and what they are as about.txt.

    Args:
        run: the exploration.
        found: what was flagged, and by which detector.
        cells: of it.
        looked: images and their maps, the highest score first.
        count: images that are flagged, of which these may be a part.

    Returns:
        The zip. Its npz holds score (A_p) and deviation (B_p), float32 (n, h, w), mean over the run's draws; slot_score
        (n,); image_id and name (n,); cells (k,), by name; size (2,), height and width of the images.
    """
    end = overlay.reach([where.part(SCORE) for _, where in looked])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for number, (image, where) in enumerate(looked, start=1):
            drawn = overlay.overlay_png(image.pixels, where.part(SCORE), SCORE, end)
            _add(archive, f"{number:03d}-{_safe(image.name)}-{image.image_id[:8]}.png", drawn)
        _add(archive, "maps.npz", _arrays(run, cells, looked))
        _add(archive, "about.txt", _about(run, found, cells, looked, count).encode())
    return buffer.getvalue()


def file_name(run: Run, found: Found) -> str:
    """What the zip is called."""
    return f"{_safe(run.path.name)}-{_safe(found.ood)}-flagged-maps.zip"


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """A member without the time of day: the same images give the same file."""
    archive.writestr(zipfile.ZipInfo(name), content)


def _arrays(run: Run, cells: Sequence[int], looked: Sequence[Looked]) -> bytes:
    names, height_width = cell_names(run), run.manifest.backbone.image_shape[1:]
    maps = np.stack([where.maps for _, where in looked])
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        score=maps[:, 0],
        deviation=maps[:, 1],
        slot_score=np.array([where.score for _, where in looked]),
        image_id=np.array([image.image_id for image, _ in looked], dtype=str),
        name=np.array([image.name for image, _ in looked], dtype=str),
        cells=np.array([names[cell] for cell in cells], dtype=str),
        size=np.array(height_width),
    )
    return buffer.getvalue()


def _about(run: Run, found: Found, cells: Sequence[int], looked: Sequence[Looked], count: int) -> str:
    names, left = cell_names(run), count - len(looked)
    lines = [
        f"{run.name}: {len(looked):,} of {counted(count, 'image')} of {found.ood} that {found.detector} flags, the "
        "highest score first.",
        f"Threshold {format_value(found.rule.threshold)} for a rate of {percent(found.rate, None)}; cells: "
        f"{', '.join(names[cell] for cell in cells)}; mean of {counted(run.draws, 'noise draw')}.",
        f"Pictures: what each position adds to the score. {colours(SCORE, [where for _, where in looked])}",
        "maps.npz: score is A_p, whose mean over positions is the slot score of a cell; deviation is B_p, about 1 on "
        "ID images (theory 22, 23).",
    ]
    if left:
        lines.append(f"Not in here: {left:,}, of lower scores or without their pixels on that computer.")
    return "\n".join(lines) + "\n"


def _safe(name: str) -> str:
    """A part of a file's name: ASCII letters, digits and a few signs, neither hidden nor long."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:_LONGEST].strip(".-") or "image"
