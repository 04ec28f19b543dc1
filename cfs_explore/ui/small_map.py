"""A map as a small picture, a typical ID and OOD image beside it: cheap to draw, in the page's own colours and type."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cfs_explore.charts import alt_text
from cfs_explore.charts.colour_scale import diverging_colour
from cfs_explore.charts.map_grid import MapGrid, map_grid
from cfs_explore.charts.map_heatmap import REGION_LABELS
from cfs_explore.charts.theme import REGION_COLOURS
from cfs_explore.errors import CFSError
from cfs_explore.figures.map import headline, opening
from cfs_explore.figures.probe import typical
from cfs_explore.headlines.map import best_cell_of
from cfs_explore.store import Run
from cfs_explore.ui import data

#: Regions too narrow for their name on a small map.
_UNNAMED = ("input", "middle", "output")
#: A cell is this many pixels wide, a gap between regions one.
_CELL_PX = 2
_STYLE = """
<style>
.cfs-glance {display: flex; flex-wrap: wrap; gap: 0.75rem 1.25rem; align-items: center; margin: 0.25rem 0;}
.cfs-glance figure {margin: 0; flex: 0 0 auto; width: 76px;}
.cfs-glance figure img {width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated;
  border-radius: 4px; background: rgba(128, 128, 128, .15); display: block;}
.cfs-glance figcaption {font-size: 12px; line-height: 1.3; margin-top: 4px; color: light-dark(#5A6270, #A3ABB9);
  overflow-wrap: anywhere;}
.cfs-glance figcaption div {display: inline; color: light-dark(#1D232E, #E9ECF1); font-weight: 600;}
.cfs-glance.large figure {width: 128px;}
.cfs-glance.large figcaption {font-size: 13px;}
.cfs-smallmap {flex: 1 1 220px; min-width: min(100%, 220px); font-size: 12px; line-height: 1.3;
  color: light-dark(#5A6270, #A3ABB9);}
.large .cfs-smallmap {flex-basis: 420px; font-size: 13px;}
.cfs-smallmap .regions, .cfs-smallmap .cells {position: relative;}
.cfs-smallmap .regions {height: 1.75em;}
.cfs-smallmap .regions > div {position: absolute; top: 0; height: 100%; border-bottom: 4px solid; overflow: visible;
  white-space: nowrap; box-sizing: border-box;}
.cfs-smallmap .regions > div > div {color: light-dark(#5A6270, #A3ABB9);}
.cfs-smallmap .cells {margin-top: 3px; height: 88px;}
.large .cfs-smallmap .cells {height: 216px;}
.cfs-smallmap .cells img {width: 100%; height: 100%; image-rendering: pixelated; display: block;}
.cfs-smallmap .star {position: absolute; transform: translate(-50%, -50%); font-size: 14px; line-height: 1;
  color: #FFFFFF; -webkit-text-stroke: 3px #1D232E; paint-order: stroke;}
.large .cfs-smallmap .star {font-size: 22px;}
.cfs-smallmap .ends {display: flex; justify-content: space-between; margin-top: 2px;}
</style>
"""
_STAR = '<div class="star" style="left:{x:.2f}%;top:{y:.2f}%">★</div>'


@dataclass(frozen=True)
class Glance:
    """A run at a glance.

    Attributes:
        ood: the set whose map says most.
        headline: Markdown; what its map says.
        pictures: HTML: an ID and an OOD image, where the run holds them, and the map.
        large: the same, larger.
    """

    ood: str
    headline: str
    pictures: str
    large: str


@data.kept(max_entries=64)
def glance(run: Run) -> Glance:
    """What the start page shows of a run; nothing is looked for outside it."""
    view = opening(run)
    inner = "".join([*_images(run, view.ood, view.cell), _map(run, view.ood)])
    return Glance(
        view.ood,
        headline(run, view.ood),
        f'{_STYLE}<div class="cfs-glance">{inner}</div>',
        f'{_STYLE}<div class="cfs-glance large">{inner}</div>',
    )


def _images(run: Run, ood: str, cell: int) -> list[str]:
    """An image of ID-test and one of the OOD set, each with the median score of its set in the cell; or none."""
    level, tap = run.cell(cell)
    figures = []
    for kind, entry in (("ID", run.id_test), ("OOD", run.entry("ood", ood))):
        if not entry.thumbnails:
            return []
        name = None if kind == "ID" else ood
        try:
            place = typical(run, entry.role, name, level, tap)
            png = run.images(entry.role, name, columns=("thumbnail",))["thumbnail"].iloc[place]
        except CFSError:  # the card does without; the map page says what is wrong
            return []
        called = html.escape(entry.name, quote=True)
        source = base64.b64encode(png).decode()
        figures.append(
            f'<figure><img src="data:image/png;base64,{source}" alt="A typical image of {called}">'
            f"<figcaption><div>{kind}</div> {called}</figcaption></figure>"
        )
    return figures


def _map(run: Run, ood: str) -> str:
    """Regions above, cells with a star on the best one, and the ends of the axis of noise in words."""
    frame = run.auroc_map(ood)
    grid = map_grid(frame, "auroc")
    left, width = grid.x[0] - 0.5, grid.span
    regions = []
    for group in grid.groups:
        start, stop = grid.x[group.first] - 0.5, grid.x[group.last] + 0.5
        name = "" if group.region in _UNNAMED else f"<div>{REGION_LABELS[group.region]}</div>"
        regions.append(
            f'<div style="left:{100 * (start - left) / width:.2f}%;width:{100 * (stop - start) / width:.2f}%;'
            f'border-color:{REGION_COLOURS[group.region]}">{name}</div>'
        )
    star, best = "", best_cell_of(ood, run.table("best_cell"))
    if best is not None:
        row, column = np.argwhere(grid.index == best)[0]
        star = _STAR.format(x=100 * (grid.x[column] - left) / width, y=100 * (row + 0.5) / len(grid.lams))
    about = html.escape(f"{ood}. {alt_text(frame)}", quote=True)
    source = base64.b64encode(_png(grid)).decode()
    return (
        f'<div class="cfs-smallmap" role="img" aria-label="{about}"><div class="regions">{"".join(regions)}</div>'
        f'<div class="cells"><img src="data:image/png;base64,{source}" alt="">{star}</div>'
        '<div class="ends"><div>more noise ↓</div><div>deeper layers →</div></div></div>'
    )


def _png(grid: MapGrid) -> bytes:
    """The cells in the colours of the large map; what was not measured is clear."""
    picture = np.zeros((len(grid.lams), round(grid.span * _CELL_PX), 4), np.uint8)
    for (row, column), value in np.ndenumerate(grid.values):
        if np.isfinite(value):
            start = round((grid.x[column] - grid.x[0]) * _CELL_PX)
            colour = bytes.fromhex(diverging_colour(2 * (value - 0.5))[1:])
            picture[row, start : start + _CELL_PX] = (*colour, 255)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
