"""What a survey found as short texts, for tables that people read."""

from __future__ import annotations

import pandas as pd

from ..wording import counted
from .survey import Survey

_SHOWN = 4


def summary(found: Survey) -> dict[str, str]:
    """Property -> what the set has of it, such as 'Native size' -> '90 % 32x32, 10 % 28x28'."""
    sizes, storage, colours = found.sizes(), found.storage(), found.colours()
    numbers = found.statistics().set_index("statistic")
    measured = numbers["count"].max() > 0
    return {
        "Images": images_text(found),
        "Native size": _shares(sizes["width"].astype(str) + "x" + sizes["height"].astype(str), sizes["count"]),
        "Codec": _shares(*_summed(storage, "format")),
        "Colour": _shares(colours["colour"], colours["count"]),
        "Colour mode": _shares(*_summed(storage, "mode")),
        "Classes": _classes(found.labels()),
        "Mean colour": _colour(numbers) if measured else "",
        "Brightness": _spread(numbers.loc["brightness"]) if measured else "",
        "Contrast": _spread(numbers.loc["contrast"]) if measured else "",
        "Unusable files": f"{len(found.unusable):,}",
        "Twice in the set": duplicates_text(found),
    }


#: Property of ``summary`` -> what it means.
EXPLAINED = {
    "Native size": "Width x height in pixels, before any resizing.",
    "Codec": "How the files are compressed. JPEG leaves traces that a detector can see.",
    "Colour": "Whether there is colour in the pixels, whatever the file's mode.",
    "Colour mode": "As stored: L is grey, RGB colour, RGBA colour with transparency, P a palette.",
    "Mean colour": "Mean red, green and blue of the images, 0..255.",
    "Brightness": "Mean luma, 0..255 (± standard deviation over the images).",
    "Contrast": "Standard deviation of luma within an image (± standard deviation over the images).",
    "Twice in the set": "Images with the very same pixels as another image of the set.",
}


def images_text(found: Survey) -> str:
    """'400', or '2,000 of 60,000, drawn at random'."""
    if not found.is_sample:
        return f"{len(found):,}"
    return f"{len(found):,} of {found.total:,}, drawn at random"


def duplicates_text(found: Survey) -> str:
    """'none', or '5 images in 2 groups'."""
    groups = found.duplicates()
    if not groups:
        return "none"
    return f"{counted(sum(map(len, groups)), 'image')} in {counted(len(groups), 'group')}"


def _summed(counts: pd.DataFrame, by: str) -> tuple[pd.Series, pd.Series]:
    summed = counts.groupby(by)["count"].sum().sort_values(ascending=False, kind="stable").reset_index()
    return summed[by], summed["count"]


def _shares(values: pd.Series, counts: pd.Series) -> str:
    """'all PNG', or '90 % PNG, 10 % JPEG, 3 more'."""
    if len(values) == 0:
        return ""
    if len(values) == 1:
        return f"all {values.iloc[0]}"
    shown = [f"{_percent(n / counts.sum())} {value}" for value, n in zip(values[:_SHOWN], counts[:_SHOWN], strict=True)]
    return ", ".join(shown) + (f", {len(values) - _SHOWN:,} more" if len(values) > _SHOWN else "")


def _percent(share: float) -> str:
    """Never '0 %' of something that is there, never '100 %' of something that is not all."""
    if share < 0.005:
        return "< 1 %"
    return f"{min(99, round(100 * share))} %"


def _classes(labels: pd.DataFrame) -> str:
    if not len(labels):
        return "no labels"
    names = [f"{label or '(none)'} ({count:,})" for label, count in zip(labels["label"], labels["count"], strict=True)]
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return f"{len(names):,}: {shown}"


def _colour(numbers: pd.DataFrame) -> str:
    return " / ".join(f"{numbers.loc[channel, 'mean']:.0f}" for channel in ("red", "green", "blue"))


def _spread(row: pd.Series) -> str:
    return f"{row['mean']:.0f} ± {row['std']:.0f}"
