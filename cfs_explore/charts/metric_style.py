"""How each metric is named and coloured: its label, its better direction, and what chance gives."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from cfs_explore.charts.errors import FigureDataError


@dataclass(frozen=True)
class MetricStyle:
    """A metric's presentation. ``chance`` is fixed, or None where it is the share of the positive class; the colour
    scale is neutral there, and says so as ``neutral_name``.
    """

    key: str
    label: str
    higher_is_better: bool = True
    chance: float | None = None
    positive: str = "n_ood"
    neutral_name: str = "chance"

    def neutral(self, frame: pd.DataFrame) -> float:
        """Value of an uninformative score: 0.5 (AUROC), 0.95 (FPR95), prevalence of the positives (AUPR)."""
        if self.chance is not None:
            return self.chance
        n_id, n_ood = float(frame["n_id"].max()), float(frame["n_ood"].max())
        return {"n_id": n_id, "n_ood": n_ood}[self.positive] / (n_id + n_ood)


METRICS = {
    "auroc": MetricStyle("auroc", "AUROC", chance=0.5),
    "aupr": MetricStyle("aupr", "AUPR"),
    "aupr_id": MetricStyle("aupr_id", "AUPR (ID positive)", positive="n_id"),
    "fpr95": MetricStyle("fpr95", "FPR95", higher_is_better=False, chance=0.95),
    "mean_share": MetricStyle("mean_share", "Share of mean shift", chance=0.5, neutral_name="both alike"),
}


def metric_style(metric: str) -> MetricStyle:
    """Style of 'auroc', 'aupr', 'aupr_id', 'fpr95', or 'mean_share' (theory 10)."""
    if metric not in METRICS:
        raise FigureDataError(f"The 'metric' of a figure must be one of {list(METRICS)}. Got {metric!r} instead.")
    return METRICS[metric]
