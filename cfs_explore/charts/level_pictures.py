"""What the network sees: a few images, clean and at every level, side by side (theory 1)."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from PIL import Image

from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.charts.map_grid import lam_labels
from cfs_explore.charts.marks import click_layer, layout_image
from cfs_explore.charts.theme import new_chart, palette, text_px
from cfs_explore.wording import format_value

#: Position of the clean image among the levels.
CLEAN = -1
#: Pictures with no longer side than this are enlarged, as browsers would blur their pixels.
_SMALL_SIDE, _ENLARGED_SIDE = 96, 160
#: A picture's share of its cell.
_FILL = 0.94
#: The cells' side where there is room, and the width that the gaps and labels are made for: the narrowest.
_MOST_CELL_PX, _ROOM_PX, _NARROW_PX = 84, 760, 400
_LABEL_PX, _ROW_LABEL_PX = 11, 17
_MARGIN = {"l": 4, "r": 8, "t": 28, "b": 6}


def level_pictures_chart(pictures: pd.DataFrame, theme: str = "light") -> go.Figure:
    """A row of pictures per image, the clean one first, then the levels from clean to noisy.

    Args:
        pictures: a row per picture: row (the image's label; rows keep the table's order), level (position, -1 for the
            clean image), lam (log-SNR; NaN for the clean one), png (bytes of a PNG file).
    """
    require_columns(pictures, ("row", "level", "lam", "png"), "pictures of the levels")
    if pictures.duplicated(["row", "level"]).any():
        raise FigureDataError("The table for the pictures of the levels has several pictures for one row and level.")
    levels = pictures.drop_duplicates("level").sort_values("level")
    columns = {level: k for k, level in enumerate(levels["level"])}
    rows = {name: k for k, name in enumerate(pictures["row"].unique())}
    gap = _ROW_LABEL_PX / (_NARROW_PX / len(columns))
    placed = pictures.assign(
        x=pictures["level"].map(columns), y=pictures["row"].map(rows) * (1 + gap) + gap + 0.5
    ).reset_index(drop=True)
    total = len(rows) * (1 + gap)
    cell = min(_MOST_CELL_PX, _ROOM_PX / len(columns))
    fig = new_chart(
        theme,
        height=round(cell * total + _MARGIN["t"] + _MARGIN["b"]),
        # Square cells, so a page in print gives them a map's height; the colour axis that goes with it has no bar.
        meta={"kind": "map", "span": len(columns), "rows": total},
        coloraxis={"showscale": False},
        margin=_MARGIN,
        hovermode="closest",
        hoverdistance=60,
        showlegend=False,
    )
    fig.add_trace(_hover_layer(placed))
    names = [_row_name(name, k * (1 + gap) + gap, palette(theme).muted) for name, k in rows.items()]
    fig.update_layout(images=[_image(picture) for picture in placed.to_dict("records")], annotations=names)
    _lay_out_axes(fig, _column_labels(levels), total)
    return fig


def enlarged(png: bytes) -> bytes:
    """A PNG file whose pixels stay squares in a browser: a small picture enlarged by a whole number."""
    image = Image.open(io.BytesIO(png))
    if max(image.size) >= _SMALL_SIDE:
        return png
    factor = math.ceil(_ENLARGED_SIDE / max(image.size))
    buffer = io.BytesIO()
    image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def _column_labels(levels: pd.DataFrame) -> list[str]:
    """'clean', 'λ 9.0', ...; every second (or third) where all would touch on a narrow screen."""
    noisy = levels.loc[levels["level"] != CLEAN, "lam"].tolist()
    labels = ["clean"] * (len(noisy) < len(levels)) + [f"λ {text}" for text in (lam_labels(noisy) if noisy else [])]
    widest = max(text_px(label, _LABEL_PX) for label in labels) + 4
    step = math.ceil(widest / (_NARROW_PX / len(labels)))
    return [label if k % step == 0 else "" for k, label in enumerate(labels)]


def _row_name(name: str, top: float, colour: str) -> dict:
    place = {"x": -_FILL / 2, "xref": "x", "xanchor": "left", "xshift": -2, "y": top, "yref": "y", "yanchor": "bottom"}
    return {**place, "yshift": -2, "text": str(name), "font": {"size": 12, "color": colour}}


def _image(picture: dict) -> dict:
    place = {"x": picture["x"], "xanchor": "center", "y": picture["y"], "yanchor": "middle"}
    return layout_image(enlarged(picture["png"]), sizex=_FILL, sizey=_FILL, sizing="contain", **place)


def _hover_layer(placed: pd.DataFrame) -> go.Scatter:
    lams = [f"λ {format_value(lam, 2)}" for lam in placed["lam"]]
    texts = ["clean" if level == CLEAN else text for level, text in zip(placed["level"], lams, strict=True)]
    hovers = [f"<b>{name}</b><br>{text}" for name, text in zip(placed["row"], texts, strict=True)]
    return click_layer(placed["x"].tolist(), placed["y"].tolist(), hovers)


def _lay_out_axes(fig: go.Figure, labels: Sequence[str], total: float) -> None:
    """Square cells, packed to the upper left whatever the width."""
    fig.update_xaxes(
        range=[-0.5, len(labels) - 0.5],
        side="top",
        tickvals=list(range(len(labels))),
        ticktext=list(labels),
        tickangle=0,
        tickfont={"size": _LABEL_PX},
        fixedrange=True,
        constrain="domain",
        constraintoward="left",
    )
    fig.update_yaxes(
        range=[total, 0],
        showticklabels=False,
        fixedrange=True,
        scaleanchor="x",
        constrain="domain",
        constraintoward="top",
    )
