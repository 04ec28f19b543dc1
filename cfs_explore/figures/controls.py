"""The controls page's figures: excess over controls, best against best, image statistics, re-encoding, seeds (18)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from cfs_explore.charts import (
    control_dots_chart,
    excess_alt,
    excess_map_chart,
    reencoding_chart,
    seed_spread_chart,
)
from cfs_explore.diagnostics.verdicts import Verdicts, verdicts
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import PRESETS
from cfs_explore.figures.figure import Figure, counts, file_stem
from cfs_explore.figures.needs import Kind, NotMeasuredError, stage_rows
from cfs_explore.figures.options import Control
from cfs_explore.store import Run
from cfs_explore.wording import counted, format_value

#: Control with a map of its own -> what it is called.
CONTROLS = {"untrained": "Untrained copies", "re-encoded": "Re-encoded images"}
#: The controls have one draw; averaging more on the trained side alone would count as the backbone's merit.
DRAWS = {"one": "One, like the controls", "map": "All, as in the map"}
CONTROL = Control(
    "controls_against",
    "Trained backbone minus",
    CONTROLS,
    help="Untrained copies: the same network with random weights. What they achieve does not come from training. "
    "Re-encoded images: the trained network after all images went through the same resizing and JPEG. What is "
    "lost then may have been codec or resolution, not content.",
    former=("control",),
)
ON_TRAINED_SIDE = Control(
    "controls_draws",
    "Noise draws on the trained side",
    DRAWS,
    help="The map averages all noise draws of an image, which alone raises AUROC where noise is strong; the controls "
    "have only the first. One draw on both sides is the fair comparison.",
    drawn="radio",
    former=("draws",),
)
#: Image statistic -> what it is called.
STATISTIC_NAMES = {
    "mean": "Brightness",
    "contrast": "Contrast",
    "colourfulness": "Colourfulness",
    "sharpness": "Sharpness",
    "complexity": "Complexity (PNG size)",
    "blockiness": "JPEG blockiness",
    "all": "All together",
}
#: Row of the comparison -> what it is called; in this order.
_ROW_NAMES = {
    "untrained": "Best cell, untrained",
    "re-encoded": "Best cell, re-encoded images",
    "statistics": "All image statistics",
    "best statistic": "Best single image statistic",
    "input tap": "Input tap (depth 0)",
}


def draws_of(run: Run, choices: Choices) -> int:
    """How many draws the trained side averages."""
    return 1 if ON_TRAINED_SIDE.of(choices.options) == "one" else run.draws


def reencoded_cells(run: Run, choices: Choices) -> pd.DataFrame:
    """Every cell after re-encoding against before, one draw on both sides."""
    return stage_rows(run, "excess", ood=choices.ood, control="re-encoded", draws=1)


def excess_map(run: Run, choices: Choices, theme: str) -> Figure:
    """Map of what the trained backbone gains over a control."""
    ood, control, draws = choices.ood, CONTROL.of(choices.options), draws_of(run, choices)
    cells = stage_rows(run, "excess", ood=ood, control=control, draws=draws)
    seeds = stage_rows(run, "controls", ood=ood)["seed"].nunique()
    against = f"the mean of {seeds} untrained copies" if control == "untrained" else "itself on re-encoded images"
    noise = "one noise draw on both sides" if draws == 1 else f"mean of {draws} noise draws, control: one"
    spread = ", which counts the spread of the copies," if seeds > 1 and control == "untrained" else ""
    found = _verdicts(cells)
    cells = cells.assign(survives=found.survives)
    first = ["tap", "lam", "excess", "lo", "hi", "p", "survives", "trained", "control_auroc", "seed_sd"]
    return Figure(
        excess_map_chart(cells, theme),
        cells[first + [name for name in cells if name not in first]],
        f"AUROC of the trained backbone minus that of {against}, cell by cell; OOD: {ood}; {counts(run, cells, ood)}; "
        f"{noise}; diagonal head. Above 0: the trained backbone does better. Ring: the paired 95 % interval{spread} "
        f"includes 0. {found.summary('cells', 'clear of 0')}",
        excess_alt(cells, CONTROLS[control].lower()),
        file_stem(run, ood, "excess", control),
    )


def comparison(run: Run, choices: Choices, theme: str) -> Figure:
    """The backbone and its controls on one line, best against best."""
    ood, best = choices.ood, stage_rows(run, "best_excess", ood=choices.ood)
    rows = _comparison_rows(run, ood, best, draws_of(run, choices))
    pair = rows[rows["kind"] == "preset"]
    published = f"CFS(1x2): the published pair as on the map page, {counts(run, pair, ood)}. " if len(pair) else ""
    return Figure(
        control_dots_chart(rows, theme),
        rows.drop(columns="kind"),
        "Each best cell or statistic is picked on one half of the images and judged on the other (mean over 500 random "
        f"halvings, 95 % CI); {counts(run, best, ood)}; one noise draw unless stated. {published}Dashed: the trained "
        "best cell; dotted, where in view: chance.",
        "; ".join(f"{row['name']}: AUROC {format_value(row['auroc'])}" for row in rows.to_dict("records")),
        file_stem(run, ood, "controls"),
    )


def statistics(run: Run, choices: Choices, theme: str) -> Figure:
    """AUROC of plain image statistics, the highest first."""
    ood, table = choices.ood, stage_rows(run, "image_statistics", ood=choices.ood)
    known = table[table["auroc"].notna()].sort_values("auroc", ascending=False)
    if known.empty:
        raise NotMeasuredError("No image statistic differs between any two images of these sets.")
    rows = known.assign(
        name=known["statistic"].map(STATISTIC_NAMES),
        kind=["statistics" if name == "all" else "best statistic" for name in known["statistic"]],
    )
    return Figure(
        control_dots_chart(rows, theme),
        table[["statistic", "auroc", "lo", "hi", "n_id", "n_ood", "note"]],
        "AUROC of plain statistics of the prepared images, each scored by its squared z-score against ID-train; "
        f"OOD: {ood}; {counts(run, table, ood)}; 95 % CI. Below 0.5: OOD images lie closer to the ID-train mean "
        "than ID-test images do.",
        "; ".join(
            f"{row.name}: AUROC {format_value(row.auroc)}" for row in rows[["name", "auroc"]].itertuples(index=False)
        ),
        file_stem(run, ood, "statistics"),
    )


def reencoding(run: Run, choices: Choices, theme: str) -> Figure:
    """AUROC after re-encoding against before."""
    ood, cells = choices.ood, reencoded_cells(run, choices)
    found = _verdicts(cells)
    return Figure(
        reencoding_chart(cells, theme),
        cells[["tap", "lam", "trained", "control_auroc", "excess", "lo", "hi", "p", "n_id", "n_ood"]],
        f"Each point is a cell; OOD: {ood}; {counts(run, cells, ood)}; one noise draw on both sides. Re-encoded: all "
        "images, ID-train included, shrunk to 3/4 and back (bilinear), then JPEG at quality 85; the head is fitted "
        f"again. {found.summary('cells', 'clear of the diagonal')}",
        f"AUROC after re-encoding against before, {len(cells):,} cells; median loss "
        f"{format_value(cells['excess'].median())}.",
        file_stem(run, ood, "reencoding"),
    )


def seed_spread(run: Run, choices: Choices, theme: str) -> Figure:
    """Every untrained copy beside the trained backbone along the taps of one level."""
    ood, level = choices.ood, choices.level
    copies = stage_rows(run, "controls", ood=ood, control="untrained")
    spread = copies.groupby(["level", "tap_index"])["auroc"].std()
    trained, shown = (frame[frame["level"] == level] for frame in (run.auroc_map(ood), copies))
    several = f"; median SD over seeds, all cells: {format_value(spread.median())}" if spread.notna().any() else ""
    return Figure(
        seed_spread_chart(trained, shown, theme),
        shown[["seed", "tap", "lam", "auroc", "lo", "hi", "n_id", "n_ood"]],
        f"AUROC of {shown['seed'].nunique()} untrained copies (one noise draw) and of the trained backbone as in the "
        f"map (mean of {counted(run.draws, 'draw')}), at λ = {format_value(run.levels[level].lam, 1)}; OOD: {ood}; "
        f"{counts(run, shown, ood)}; bars: 95 % CI{several}. Dotted: chance.",
        f"AUROC along {trained['tap'].nunique()} taps: trained {format_value(trained['auroc'].min(), 2)} to "
        f"{format_value(trained['auroc'].max(), 2)}, untrained {format_value(shown['auroc'].min(), 2)} to "
        f"{format_value(shown['auroc'].max(), 2)}.",
        file_stem(run, ood, "seeds"),
    )


def _verdicts(cells: pd.DataFrame) -> Verdicts:
    """On "nothing changes" of every cell of the table ``excess``."""
    return verdicts(cells["excess"], cells["lo"], cells["hi"], arms=(cells["trained"], cells["control_auroc"]))


def _comparison_rows(run: Run, ood: str, best: pd.DataFrame, draws: int) -> pd.DataFrame:
    """Rows of the comparison, the trained best cell with ``draws`` first.

    Columns: name, auroc, lo, hi, excess of the trained best cell over it with limits, n_id, n_ood, kind, note.
    """
    too_few = "too few images"
    rows = []
    for count in sorted(set(best["draws"]), key=lambda each: each != draws):
        row = best[best["draws"] == count].iloc[0]
        values = {"auroc": row["trained"], "lo": row["trained_lo"], "hi": row["trained_hi"]}
        name = "Best cell, trained" + (f", {count} draws" if count > 1 else "")
        rows.append({"name": name, "kind": "trained", "note": too_few, **_sizes(row), **values})
    rows += _published(run, ood)
    controls = {row["control"]: row for row in best[best["draws"] == draws].to_dict("records")}
    for kind, name in _ROW_NAMES.items():
        if kind in controls:
            row = controls[kind]
            values = {"auroc": row["auroc"], "lo": row["auroc_lo"], "hi": row["auroc_hi"]}
            gain = {"excess": row["excess"], "excess_lo": row["lo"], "excess_hi": row["hi"]}
            rows.append({"name": name, "kind": kind, "note": too_few, **_sizes(row), **values, **gain})
        elif kind == "input tap":
            rows.append({"name": name, "kind": kind, "note": "not measured in this run", "auroc": float("nan")})
    columns = ["name", "auroc", "lo", "hi", "excess", "excess_lo", "excess_hi", "n_id", "n_ood", "kind", "note"]
    return pd.DataFrame(rows).reindex(columns=columns).astype({"n_id": "Int64", "n_ood": "Int64"})


def _published(run: Run, ood: str) -> list[dict]:
    """The pair CFS(1x2), where the run has it."""
    detectors = run.table("detectors")
    if detectors.empty:
        return []
    pair = detectors[(detectors["ood"] == ood) & (detectors["name"] == PRESETS[0])]
    name = f"{PRESETS[0]}, trained" + (f", {run.draws} draws" if run.draws > 1 else "")
    return [
        {"name": name, "kind": "preset", "note": "", **_sizes(row), **{key: row[key] for key in ("auroc", "lo", "hi")}}
        for row in pair.to_dict("records")
    ]


def _sizes(row: Mapping) -> dict[str, int]:
    return {"n_id": row["n_id"], "n_ood": row["n_ood"]}


_SET = ("ood",)
KINDS = {
    "controls-excess": Kind(
        "Excess AUROC of the trained backbone over a control", excess_map, _SET, (CONTROL, ON_TRAINED_SIDE)
    ),
    "controls-comparison": Kind(
        "The backbone and its controls, best cell against best cell", comparison, _SET, (ON_TRAINED_SIDE,)
    ),
    "controls-statistics": Kind("AUROC of plain image statistics", statistics, _SET),
    "controls-reencoding": Kind("AUROC of every cell before and after re-encoding", reencoding, _SET),
    "controls-seeds": Kind(
        "Untrained copies of several seeds along the taps of a level", seed_spread, ("ood", "level")
    ),
}
