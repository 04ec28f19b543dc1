"""The conditional gains over the noise levels: decoder given encoder, and encoder given decoder."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.marks import CLICKABLE, hovers, labelled_line, unfaded
from cfs_explore.charts.noise_lines import band, faint, line_chart, noise_axis
from cfs_explore.charts.theme import ROLE_COLOURS, palette
from cfs_explore.wording import format_estimate, format_value

#: Whose gain -> column, dash and marker.
_CURVES = {"decoder": ("gain_d", "solid", "circle"), "encoder": ("gain_e", "dash", "square")}


def gain_curve_chart(
    rows: pd.DataFrame, labels: Mapping[str, str], theme: str = "light", selected: int | None = None
) -> go.Figure:
    """Gain in squared Mahalanobis distance over the log-SNR, clean on the left, with 95 % bands.

    Args:
        rows: a row per level: level (position), lam, gain_d and gain_e with _lo and _hi; NaN leaves a gap.
        labels: what the legend calls the gain of the "decoder" and of the "encoder".
        selected: level to mark.

    A click on a marker reports its level as ``customdata``.
    """
    columns = [f"{name}{end}" for name, _, _ in _CURVES.values() for end in ("", "_lo", "_hi")]
    require_columns(rows, ("level", "lam", *columns), "gains over noise levels")
    rows = rows.sort_values("lam", ascending=False)
    fig = line_chart(theme, len(_CURVES), **CLICKABLE)
    for role, (name, dash, symbol) in _CURVES.items():
        fig.add_trace(band(rows, "lam", f"{name}_lo", f"{name}_hi", faint(ROLE_COLOURS[role])))
        estimates = zip(rows["lam"], *(rows[f"{name}{end}"] for end in ("", "_lo", "_hi")), strict=True)
        fig.add_trace(
            go.Scatter(
                x=rows["lam"].tolist(),
                y=rows[name].tolist(),
                name=labels[role],
                mode="lines+markers",
                line={"color": ROLE_COLOURS[role], "width": 2.5, "dash": dash},
                marker={"symbol": symbol, "size": 9, "color": ROLE_COLOURS[role]},
                customdata=[int(level) for level in rows["level"]],
                **hovers(
                    f"λ {format_value(lam, 1)}: {labels[role]}<br>G = {format_estimate(*estimate)}"
                    for lam, *estimate in estimates
                ),
                **unfaded(),
            )
        )
    if selected is not None:
        lam = float(rows.loc[rows["level"] == selected, "lam"].iloc[0])
        labelled_line(fig, lam, f"λ {format_value(lam, 1)} (chosen)", palette(theme), layer="below")
    fig.update_xaxes(**noise_axis(rows["lam"]))
    fig.update_yaxes(title_text="Gain G in D²", rangemode="tozero", showgrid=True, nticks=6, fixedrange=True)
    return fig
