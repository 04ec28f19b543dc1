"""The page Training's figures: the map of a kept step, what is still to come, numbers over the steps (theory 38)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from cfs_explore.charts import alt_text, auroc_map_chart, map_caption, short_tap_name
from cfs_explore.charts.excess_map import REACH
from cfs_explore.charts.signed_map import signed_alt, signed_map_chart
from cfs_explore.charts.training_lines import training_lines_chart
from cfs_explore.diagnostics.verdicts import verdicts
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import PRESETS
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import Kind, stage_rows
from cfs_explore.figures.options import Control
from cfs_explore.store import Run
from cfs_explore.studies.training import TRAINING
from cfs_explore.wording import counted, format_estimate, format_value


def _steps(run: Run) -> dict[int, str]:
    """Steps that were measured -> what the slider calls them."""
    if not run.has_table("training_steps"):
        return {}
    return {int(step): f"{step:,}" for step in sorted(set(run.table("training_steps")["step"]))}


STEP = Control(
    "training_step",
    "Steps of the training",
    _steps,
    help="Weights that the training kept on its way, from the first ones (0) to the run's own network, the last.",
    drawn="slider",
    written="STEP",
    noun="step of its training",
)
#: Series of the lines -> what the legend calls it.
_AUROCS = {
    "best": "Best cell, honest",
    "pair": PRESETS[0],
    "mean": "Mean of all cells",
    "copies": "Untrained copies, mean",
}
_EXCESSES = {
    "best": "Best cell over that of step 0",
    "mean": "Mean of all cells over step 0",
    "copies": "Mean of all cells over untrained copies",
}


def chosen_step(run: Run, choices: Choices) -> int:
    """The step that is chosen; the first weights where none is."""
    return int(STEP.read(STEP.of(choices.options, run), run))


def steps_of(run: Run, choices: Choices) -> pd.DataFrame:
    """Rows of ``training_steps`` of the OOD set, by step.

    Raises:
        NotMeasuredError: the run has none.
    """
    return stage_rows(run, "training_steps", ood=choices.ood).sort_values("step").reset_index(drop=True)


def map_of_step(run: Run, choices: Choices, theme: str) -> Figure:
    """The map of the chosen step, its highest cell marked."""
    steps = steps_of(run, choices)
    step = chosen_step(run, choices)
    cells, row = _cells(run, choices, step), steps[steps["step"] == step].iloc[0]
    highest = run.cell_number(row["level"], row["tap_index"])
    shown = cells.rename(columns={"lo": "auroc_lo", "hi": "auroc_hi"})
    where = f"{short_tap_name(row['tap'])} ({row['region']}) at λ {format_value(row['lam'], 1)}"
    network = {"weights": _network(row), "one": "noise draw", "head": "diagonal"}
    return Figure(
        auroc_map_chart(shown, "auroc", (), theme, best=highest),
        _telling_first(shown, "auroc", "auroc_lo", "auroc_hi"),
        f"{map_caption(shown, 'auroc', choices.ood, network)} Star: the highest cell, {where}, "
        f"{format_value(row['highest'])} on all images (chosen on them, so biased upwards).",
        f"{_network(row)[0].upper()}{_network(row)[1:]}. {alt_text(shown, 'auroc')}",
        file_stem(run, choices.ood, "training", f"step{step}"),
    )


def still_to_come(run: Run, choices: Choices, theme: str) -> Figure:
    """Map of what the run's own network has above the chosen step."""
    steps = steps_of(run, choices)
    step, last = chosen_step(run, choices), int(steps["step"].iloc[-1])
    cells = _cells(run, choices, step)
    own = cells["auroc"] + cells["to_come"]
    found = verdicts(cells["to_come"], cells["to_come_lo"], cells["to_come_hi"], arms=(own, cells["auroc"]))
    shown = cells.drop(columns=["lo", "hi"]).rename(columns={"to_come_lo": "lo", "to_come_hi": "hi"})
    shown = shown.assign(own=own, survives=found.survives)
    texts = [_hover(cell, step, last) for cell in shown.to_dict("records")]
    return Figure(
        signed_map_chart(shown, "to_come", texts, "AUROC still to come", REACH, theme),
        _telling_first(shown, "to_come", "lo", "hi"),
        f"AUROC of the run's own network, after {counted(last, 'step')}, minus that after {counted(step, 'step')}, "
        f"cell by cell; OOD: {choices.ood}; {counts(run, cells, choices.ood)}; one noise draw on both "
        "sides; diagonal head. Above 0: training still adds. Ring: the paired 95 % interval includes 0. "
        f"{found.summary('cells', 'clear of 0')}",
        signed_alt(shown, "to_come", f"{len(shown):,} cells", f"step {step:,}", "the last step", "The last step"),
        file_stem(run, choices.ood, "training", f"step{step}", "to-come"),
    )


def lines(run: Run, choices: Choices, theme: str) -> Figure:
    """AUROC of best cell, CFS(1x2) and the mean over cells, over the steps."""
    steps, copies = steps_of(run, choices), copies_of(run, choices.ood)
    rows = [
        *_series(steps, "best", "best", _AUROCS, place=True),
        *_series(steps, "pair", "pair", _AUROCS),
        *_series(steps, "mean", "mean", _AUROCS),
        *(_level(steps, copies, _AUROCS) if copies else []),
    ]
    frame = pd.DataFrame(rows).dropna(subset=["value"])
    told = _copies_told(copies, "Untrained copies") if copies else ""
    return Figure(
        training_lines_chart(frame, _AUROCS, "AUROC", 0.5, chosen_step(run, choices), theme),
        _wide(steps, copies),
        f"AUROC over the steps of the training; OOD: {choices.ood}; {counts(run, steps, choices.ood)}; one noise draw; "
        f"95 % CI. Best cell: each step's own, picked on one half of the images and judged on the other. {PRESETS[0]}: "
        f"at the cells of the run's own network. {told}Dotted: chance; upright line: the chosen step.",
        _lines_alt(steps, "best", "AUROC of the best cell"),
        file_stem(run, choices.ood, "training", "auroc"),
    )


def excess(run: Run, choices: Choices, theme: str) -> Figure:
    """What is above the first weights, over the steps."""
    steps, copies = steps_of(run, choices), copies_of(run, choices.ood)
    rows = [
        *_series(steps, "best", "best_excess", _EXCESSES),
        *_series(steps, "mean", "excess", _EXCESSES),
        *(_over_copies(steps, copies) if copies else []),
    ]
    frame = pd.DataFrame(rows).dropna(subset=["value"])
    told = _copies_told(copies, "Over untrained copies") if copies else ""
    return Figure(
        training_lines_chart(frame, _EXCESSES, "Excess AUROC", 0.0, chosen_step(run, choices), theme),
        _wide(steps, copies),
        f"AUROC minus that of the first weights, over the steps of the training; OOD: {choices.ood}; "
        f"{counts(run, steps, choices.ood)}; one noise draw; paired 95 % intervals, each step by itself. Best cell: "
        f"each side's own, best against best. {told}Dotted: no difference; upright line: the chosen step.",
        _lines_alt(steps, "excess", "Mean AUROC over all cells minus that of the first weights"),
        file_stem(run, choices.ood, "training", "excess"),
    )


def copies_of(run: Run, ood: str) -> dict[str, float]:
    """Of the untrained copies in the table ``controls``: mean AUROC over cells and copies, SD over copies, how many.

    Empty where the run has none, or of other images.
    """
    if not run.has_table("controls"):
        return {}
    table = run.table("controls")
    table = table[(table["ood"] == ood) & (table["control"] == "untrained")]
    steps = run.table("training_steps")
    sizes = steps.loc[steps["ood"] == ood, ["n_id", "n_ood"]].iloc[0]
    table = table[(table["n_id"] == sizes["n_id"]) & (table["n_ood"] == sizes["n_ood"])]
    if table.empty:
        return {}
    means = table.groupby("seed")["auroc"].mean()
    return {"mean": float(means.mean()), "sd": float(means.std()), "copies": len(means)}


def _cells(run: Run, choices: Choices, step: int) -> pd.DataFrame:
    return stage_rows(run, "training_map", ood=choices.ood, step=step)


def _network(row: pd.Series) -> str:
    own = ", the run's own" if row["own"] else ", the first weights" if row["step"] == 0 else ""
    return f"after {counted(int(row['step']), 'step')} of training{own}"


def _telling_first(cells: pd.DataFrame, *values: str) -> pd.DataFrame:
    first = ["step", "tap", "lam", *values]
    return cells[first + [name for name in cells if name not in first]]


def _hover(cell: Mapping, step: int, last: int) -> str:
    return (
        f"<b>Still to come {format_estimate(cell['to_come'], cell['lo'], cell['hi'])}</b><br>"
        f"step {last:,}: {format_value(cell['own'])}, step {step:,}: {format_value(cell['auroc'])}<br>{cell['tap']}<br>"
        f"{cell['region']} · λ {format_value(cell['lam'], 2)}<br>"
        f"n = {format_value(cell['n_id'], 0)} ID, {format_value(cell['n_ood'], 0)} OOD"
    )


def _series(
    steps: pd.DataFrame, series: str, column: str, names: Mapping[str, str], *, place: bool = False
) -> list[dict]:
    """Rows of a line of the chart; with ``place`` the hover says where the step's highest cell is."""
    rows = []
    for row in steps.to_dict("records"):
        value, lo, hi = (float(row[f"{column}{end}"]) for end in ("", "_lo", "_hi"))
        where = f"<br>highest: {short_tap_name(row['tap'])} ({row['region']}) @ λ {format_value(row['lam'], 1)}"
        hover = (
            f"<b>{names[series]}</b>, step {row['step']:,}<br>{format_estimate(value, lo, hi)}{where if place else ''}"
            f"<br>n = {row['n_id']:,} ID, {row['n_ood']:,} OOD"
        )
        rows.append({"series": series, "step": int(row["step"]), "value": value, "lo": lo, "hi": hi, "hover": hover})
    return rows


def _level(steps: pd.DataFrame, copies: Mapping[str, float], names: Mapping[str, str]) -> list[dict]:
    """The untrained copies' mean at every step: a level line."""
    hover = f"<b>{names['copies']}</b><br>{format_value(copies['mean'])}, SD over copies {format_value(copies['sd'])}"
    facts = {"series": "copies", "value": copies["mean"], "lo": float("nan"), "hi": float("nan"), "hover": hover}
    return [facts | {"step": int(step)} for step in steps["step"]]


def _over_copies(steps: pd.DataFrame, copies: Mapping[str, float]) -> list[dict]:
    """The mean over cells minus that of the untrained copies, of which no interval is known."""
    rows = []
    for row in steps.to_dict("records"):
        value = float(row["mean"] - copies["mean"])
        hover = f"<b>{_EXCESSES['copies']}</b>, step {row['step']:,}<br>{format_value(value)}"
        missing = {"lo": float("nan"), "hi": float("nan")}
        rows.append({"series": "copies", "step": int(row["step"]), "value": value, "hover": hover} | missing)
    return rows


def _copies_told(copies: Mapping[str, float], what: str) -> str:
    spread = f", SD {format_value(copies['sd'])}" if copies["copies"] > 1 else ""
    return f"{what}: n = {copies['copies']:,}, mean over all cells, the same images{spread}; no interval. "


def _wide(steps: pd.DataFrame, copies: Mapping[str, float]) -> pd.DataFrame:
    """The table behind the lines."""
    over = steps["mean"] - copies["mean"] if copies else float("nan")
    return steps.assign(over_untrained=over, untrained_sd=copies.get("sd", float("nan")))


def _lines_alt(steps: pd.DataFrame, column: str, what: str) -> str:
    first, last = (
        f"{format_estimate(row[column], row[f'{column}_lo'], row[f'{column}_hi'])} at step {int(row['step']):,}"
        for row in (steps.iloc[0], steps.iloc[-1])
    )
    return f"{what} over {len(steps)} steps of the training: {first}, {last}."


def _applies(run: Run) -> bool:
    return run.has_table("training_steps") or TRAINING.applies(run.counts)


_SET = ("ood",)
KINDS = {
    "training-map": Kind("The map after some steps of the training", map_of_step, _SET, (STEP,), _applies),
    "training-to-come": Kind("What the training still adds after some steps", still_to_come, _SET, (STEP,), _applies),
    "training-auroc": Kind("AUROC over the steps of the training", lines, _SET, (STEP,), _applies),
    "training-excess": Kind("Excess over the first weights along the training", excess, _SET, (STEP,), _applies),
}
