"""ROC curves: OOD images caught against ID images wrongly flagged."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.marks import hovers
from cfs_explore.charts.theme import new_chart, palette, series_colour
from cfs_explore.wording import format_value

_SIDE_PX = 320
_LEGEND_ROW_PX = 20
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def roc_chart(curves: pd.DataFrame, theme: str = "light") -> go.Figure:
    """ROC curves, OOD positive, with the chance diagonal and the 95 % recall at which FPR95 is read.

    Args:
        curves: columns fpr, tpr (0..1, in curve order); with several curves also series (name; 'encoder',
            'decoder', 'control', 'id' and 'ood' take their role's colour) and auroc_text (one text per
            series, for the legend).
    """
    require_columns(curves, ("fpr", "tpr"), "ROC curve")
    colours = palette(theme)
    top = 12 + (_LEGEND_ROW_PX * curves["series"].nunique() if "series" in curves else 0)
    quiet = {"color": colours.muted, "width": 1, "dash": "dot"}
    axis = {
        "range": [-0.01, 1.01],
        "tickvals": [0, 0.25, 0.5, 0.75, 1],
        "ticktext": ["0", "0.25", "0.5", "0.75", "1"],
        "showgrid": True,
        "constrain": "domain",
    }
    fig = new_chart(  # at once: part by part, plotly checks the whole each time
        theme,
        height=_SIDE_PX + top + 48,
        meta={"kind": "square"},
        margin={"l": 56, "r": 76, "t": top, "b": 48},
        hovermode="closest",
        legend={"x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom", "traceorder": "normal"},
        xaxis={**axis, "constraintoward": "left", "title": {"text": "ID images wrongly flagged (FPR)"}},
        yaxis={**axis, "scaleanchor": "x", "title": {"text": "OOD images caught (TPR)"}},
        shapes=[
            {"type": "line", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "line": quiet},
            {"type": "line", "x0": 0, "y0": 0.95, "x1": 1.01, "y1": 0.95, "line": quiet},
        ],
        annotations=[
            {
                "x": 1.01,
                "y": 0.95,
                "xanchor": "left",
                "xshift": 4,
                "text": "95 % recall",
                "font": {"size": 11, "color": colours.muted},
            }
        ],
    )
    named = curves if "series" in curves else curves.assign(series="ROC")
    traces = []
    for position, (name, curve) in enumerate(named.groupby("series", sort=False)):
        text = f" {curve['auroc_text'].iloc[0]}" if "auroc_text" in curve else ""
        traces.append(
            go.Scatter(
                x=curve["fpr"].tolist(),
                y=curve["tpr"].tolist(),
                name=f"{name}{text}",
                mode="lines",
                line={
                    "color": series_colour(str(name), position),
                    "width": 2,
                    "dash": _DASHES[position % len(_DASHES)],
                },
                showlegend="series" in curves or bool(text),
                **hovers(
                    f"<b>{name}</b><br>caught {format_value(caught)}<br>ID flagged {format_value(flagged)}"
                    for caught, flagged in zip(curve["tpr"], curve["fpr"], strict=True)
                ),
            )
        )
    return fig.add_traces(traces)
