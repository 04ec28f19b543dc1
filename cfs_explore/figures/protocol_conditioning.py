"""The protocol page's conditioning: what the map loses under wrong conditioning (theory 1)."""

from __future__ import annotations

import pandas as pd

from cfs_explore.charts import short_tap_name
from cfs_explore.charts.conditioning_lines import PUBLISHED, conditioning_lines_chart
from cfs_explore.charts.signed_map import shared_reach, signed_map_chart
from cfs_explore.contracts import Tap
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import Kind, stage_rows
from cfs_explore.figures.options import Control
from cfs_explore.figures.protocol_tables import conditioning_summary, loss_verdicts, with_regions, with_taps
from cfs_explore.store import Run
from cfs_explore.wording import format_estimate, format_value


def variants(table: pd.DataFrame) -> list[str]:
    """Every wrong conditioning in the table ``conditioning``; pages open with the last."""
    return [name for name in table["variant"].unique() if name != "matched"]


def conditioning_label(name: str) -> str:
    """'2 too clean' for "lam + 2": the network is conditioned on a cleaner level than it sees."""
    if name == PUBLISHED:
        return "As published"
    _, sign, size = name.split()
    return f"{size} too {'clean' if sign == '+' else 'noisy'}"


def _labels(run: Run) -> dict[str, str]:
    known = variants(run.table("conditioning")) if run.has_table("conditioning") else []
    return {name: conditioning_label(name) for name in known}


CONDITIONING = Control(
    "protocol_told",
    "Conditioning",
    _labels,
    lambda run: next(reversed(_labels(run)), ""),
    "Log-SNR of the conditioning relative to that of the network's input. As published: the conditioning of the "
    "paper's code, where that differs for this backbone.",
    written="such as 'lam + 2'",
    former=("told",),
)


def losses(run: Run, choices: Choices) -> pd.DataFrame:
    """The OOD set's rows of the table ``conditioning``, with the taps' regions."""
    return with_regions(run, stage_rows(run, "conditioning", ood=choices.ood))


def loss_map(run: Run, choices: Choices, theme: str) -> Figure:
    """What every cell loses under one wrong conditioning."""
    ood, rows = choices.ood, losses(run, choices)
    variant = CONDITIONING.read(CONDITIONING.of(choices.options, run), run)
    cells = _tidy(run, rows[rows["variant"] == variant])
    found = loss_verdicts(cells)
    texts = [_hover(row, run.taps[row.tap_index]) for row in cells.itertuples()]
    reach = shared_reach(rows["loss"])
    wrong = conditioning_label(variant).lower() + ("" if variant == PUBLISHED else " (log-SNR)")
    return Figure(
        signed_map_chart(cells, "loss", texts, "AUROC lost", reach, theme, higher_is_better=False),
        cells[["tap", "lam", "told_lam", "loss", "loss_lo", "loss_hi", "auroc", "n_id", "n_ood"]],
        f"AUROC with true conditioning minus AUROC with conditioning {wrong}, cell by cell; OOD: {ood}; "
        f"{counts(run, cells, ood)}; one noise draw; ID-train conditioned alike, head fitted again. Above 0: wrong "
        f"conditioning costs AUROC. Ring: the paired 95 % interval includes 0. {found.summary('cells', 'clear of 0')}",
        f"Loss of AUROC with conditioning {wrong}: {format_value(cells['loss'].min())} to "
        f"{format_value(cells['loss'].max())}, median {format_value(cells['loss'].median())}.",
        file_stem(run, ood, "told", variant),
    )


def loss_by_offset(run: Run, choices: Choices, theme: str) -> Figure:
    """What encoder and decoder lose by the error of the conditioning."""
    ood, rows = choices.ood, losses(run, choices)
    summary = conditioning_summary(rows)
    return Figure(
        conditioning_lines_chart(rows, theme),
        summary,
        f"Median over the cells of a region, band from their 10th to 90th percentile; OOD: {ood}; "
        f"{counts(run, rows, ood)}. Conditioning beyond the backbone's range is set to its end.",
        "; ".join(
            f"{conditioning_label(row.variant)}, {row.region}: median loss {format_value(row.median)}"
            for row in summary.itertuples()
            if row.region in ("encoder", "decoder")
        ),
        file_stem(run, ood, "conditioning"),
    )


def _hover(row, tap: Tap) -> str:
    conditioned = "" if pd.isna(row.told_lam) else f", conditioned on λ {format_value(row.told_lam, 1)}"
    return (
        f"<b>{short_tap_name(tap.name)}</b> ({tap.region})<br>sees λ {format_value(row.lam, 1)}{conditioned}<br>"
        f"AUROC lost {format_estimate(row.loss, row.loss_lo, row.loss_hi)}<br>left {format_value(row.auroc)}"
    )


def _tidy(run: Run, cells: pd.DataFrame) -> pd.DataFrame:
    """One variant's cells with the columns of a signed map."""
    requested = [run.levels[k].requested for k in cells["level"]]
    whole = with_taps(run, cells).assign(requested=requested, lo=cells["loss_lo"], hi=cells["loss_hi"])
    return whole.reset_index(drop=True)


KINDS = {
    "protocol-told": Kind("AUROC lost by every cell under wrong conditioning", loss_map, ("ood",), (CONDITIONING,)),
    "protocol-conditioning": Kind("AUROC lost by the error of the conditioning", loss_by_offset, ("ood",)),
}
