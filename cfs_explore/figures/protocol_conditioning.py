"""The protocol page's conditioning: what the map loses on wrong levels, and on labels or prompts (theory 1)."""

from __future__ import annotations

import re

import pandas as pd

from cfs_explore.charts import short_tap_name
from cfs_explore.charts.condition_dots import condition_dots_chart
from cfs_explore.charts.conditioning_lines import PUBLISHED, conditioning_lines_chart
from cfs_explore.charts.signed_map import shared_reach, signed_map_chart
from cfs_explore.contracts import Tap
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import PRESETS, preset_cells
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError, stage_rows
from cfs_explore.figures.options import Control
from cfs_explore.figures.protocol_tables import conditioning_summary, loss_verdicts, with_regions, with_taps
from cfs_explore.store import Run
from cfs_explore.studies.conditioning import is_condition
from cfs_explore.wording import format_estimate, format_value


def variants(table: pd.DataFrame) -> list[str]:
    """Every conditioning but the run's own in the table ``conditioning``; pages open with the last."""
    return [name for name in table["variant"].unique() if name != "matched"]


def conditioning_label(name: str) -> str:
    """'2 too clean' for "lam + 2": conditioned on a cleaner level than it sees; "Label 3" for "label 3"."""
    if name == PUBLISHED:
        return "As published"
    if is_condition(name):
        return name[0].upper() + name[1:]
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
    "paper's code, where that differs for this backbone. Label or prompt: the true level, and besides that class or "
    "text, in one forward without guidance.",
    written="such as 'lam + 2'",
    former=("told",),
)


def losses(run: Run, choices: Choices) -> pd.DataFrame:
    """The OOD set's rows of the table ``conditioning``, with the taps' regions."""
    return with_regions(run, stage_rows(run, "conditioning", ood=choices.ood))


def has_conditions(run: Run) -> bool:
    """Whether labels or prompts were compared."""
    return run.has_table("conditioning") and any(map(is_condition, variants(run.table("conditioning"))))


def own_condition(rows: pd.DataFrame) -> str:
    """What the network is conditioned on otherwise, of rows of the table: "the null class", "label 3"."""
    words = rows["condition"].iloc[0] if "condition" in rows else "conditioning of its own"
    return words if is_condition(words) else f"the {words}"


def published_cells(run: Run, rows: pd.DataFrame) -> pd.DataFrame:
    """What labels and prompts cost in the cells of the published pair, which nothing measured here has chosen.

    Args:
        run: the exploration.
        rows: of ``losses``.

    Returns:
        The rows of the labels and prompts in these cells, with the columns title, and about: which cell.

    Raises:
        NotMeasuredError: the run has no such pair, or compared no labels or prompts.
    """
    given = rows[rows["variant"].map(is_condition)]
    if given.empty:
        raise NotMeasuredError(
            f"{run.name} compared no labels or prompts. Name some under `conditioning_labels` or "
            "`conditioning_prompts` in the spec, and run its stage Conditioning again."
        )
    pair = [run.cell(number) for number in preset_cells(run).get(PRESETS[0], ())]
    if not pair:
        raise NotMeasuredError(
            f"{run.name} measured no encoder-decoder pair of the policy sparse_ed, whose cells this shows. The map "
            "above shows every cell."
        )
    cells = pd.DataFrame({"level": [cell.level for cell in pair], "tap": [run.taps[cell.tap].name for cell in pair]})
    found = given.merge(cells, on=["level", "tap"])
    about = [f"{short_tap_name(row.tap)} ({row.region}) at λ {format_value(row.lam, 1)}" for row in found.itertuples()]
    return found.assign(title=found["variant"].map(conditioning_label), about=about)


def loss_map(run: Run, choices: Choices, theme: str) -> Figure:
    """What every cell loses under one other conditioning."""
    ood, rows = choices.ood, losses(run, choices)
    variant = CONDITIONING.read(CONDITIONING.of(choices.options, run), run)
    cells = _tidy(run, rows[rows["variant"] == variant])
    found = loss_verdicts(cells)
    texts = [_hover(row, run.taps[row.tap_index]) for row in cells.itertuples()]
    reach = shared_reach(rows["loss"])
    against, wrong, costs = _words(variant, rows)
    return Figure(
        signed_map_chart(cells, "loss", texts, "AUROC lost", reach, theme, higher_is_better=False),
        cells[["tap", "lam", "told_lam", "loss", "loss_lo", "loss_hi", "auroc", "n_id", "n_ood"]],
        f"AUROC with {against} minus AUROC with {wrong}, cell by cell; OOD: {ood}; "
        f"{counts(run, cells, ood)}; one noise draw; ID-train conditioned alike, head fitted again. Above 0: {costs} "
        f"costs AUROC. Ring: the paired 95 % interval includes 0. {found.summary('cells', 'clear of 0')}",
        f"Loss of AUROC with {wrong}: {format_value(cells['loss'].min())} to "
        f"{format_value(cells['loss'].max())}, median {format_value(cells['loss'].median())}.",
        file_stem(run, ood, "told", re.sub(r"[^\w.+-]+", "-", variant)[:60]),
    )


def _words(variant: str, rows: pd.DataFrame) -> tuple[str, str, str]:
    """What a variant is compared with, what it is, and what costs where it does."""
    label = conditioning_label(variant)
    if is_condition(variant):
        return own_condition(rows), f"{variant} (one forward, no guidance)", "that conditioning"
    unit = "" if variant == PUBLISHED else " (log-SNR)"
    return "true conditioning", f"conditioning {label.lower()}{unit}", "wrong conditioning"


def loss_by_offset(run: Run, choices: Choices, theme: str) -> Figure:
    """What encoder and decoder lose by the error of the conditioning."""
    ood, rows = choices.ood, losses(run, choices)
    rows = rows[~rows["variant"].map(is_condition)]
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


def loss_by_condition(run: Run, choices: Choices, theme: str) -> Figure:
    """What each label or prompt costs in the cells of the published pair."""
    ood, rows = choices.ood, losses(run, choices)
    cells = published_cells(run, rows)
    return Figure(
        condition_dots_chart(cells, theme),
        cells[["variant", "tap", "region", "lam", "loss", "loss_lo", "loss_hi", "auroc", "n_id", "n_ood"]],
        f"AUROC with {own_condition(rows)} minus AUROC with each label or prompt, in the cells of {PRESETS[0]}; "
        f"OOD: {ood}; {counts(run, cells, ood)}; one noise draw, one forward without guidance; ID-train conditioned "
        "alike. Paired 95 % intervals, each for itself.",
        "; ".join(
            f"{row.title}, {row.region}: {format_estimate(row.loss, row.loss_lo, row.loss_hi)}"
            for row in cells.itertuples()
        ),
        file_stem(run, ood, "labels"),
    )


def _hover(row, tap: Tap) -> str:
    same = pd.isna(row.told_lam) or is_condition(row.variant)
    conditioned = "" if same else f", conditioned on λ {format_value(row.told_lam, 1)}"
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
    "protocol-told": Kind("AUROC lost by every cell under another conditioning", loss_map, ("ood",), (CONDITIONING,)),
    "protocol-conditioning": Kind("AUROC lost by the error of the conditioning", loss_by_offset, ("ood",)),
    "protocol-labels": Kind("AUROC lost by label or prompt", loss_by_condition, ("ood",), applies=has_conditions),
}
