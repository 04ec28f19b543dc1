"""Which images of a set belong together: by its spec, else by its source (theory 28)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cfs_explore.spec import ImageSet, NamePart

#: In front of the names of rows of a table with images: the row's number.
_ROW = re.compile(r"\d{6,}/")


def with_groups(rows: pd.DataFrame, images: ImageSet, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Rows of a prepared set with the column ``group``, text that is missing where an image is alone.

    Args:
        rows: with name, label, and the group that the source gave.
        images: whose ``group`` takes precedence.
        names: of the rows, as ``bare_names`` gives them of the whole set; None: these rows are the whole set.
    """
    if images.group is None:
        groups = list(rows["group"])
    elif images.group == "class":
        groups = list(rows["label"])
    else:
        groups = [_part(name, images.group) for name in names or bare_names(list(rows["name"]))]
    return rows.assign(group=pd.Series([group or None for group in groups], index=rows.index, dtype="str"))


def group_count(rows: pd.DataFrame) -> int | None:
    """How many groups the images form, each that is alone counting as one; None where all are alone."""
    named = rows["group"].dropna()
    count = named.nunique() + len(rows) - len(named)
    return None if count == len(rows) else count


def group_notes(id_test: tuple[str, pd.DataFrame], oods: list[tuple[str, pd.DataFrame]]) -> list[str]:
    """What a reader should know of the groups of prepared sets, in one sentence or two; none where all are alone.

    Args:
        id_test, oods: name and rows (image_id, group) of each set.
    """
    originals = {*id_test[1]["image_id"], *id_test[1]["group"].dropna()}
    several, shared, single = [], [], []
    for place, (name, rows) in enumerate([id_test, *oods]):
        count, copies = group_count(rows), int(rows["group"].isin(originals).sum()) if place else 0
        if count is not None:
            several.append(f"{name} has {len(rows):,} images of {count:,} groups")
        if copies:
            shared.append(f"{copies:,} of {len(rows):,} in {name}")
        if count == 1:
            single.append(name)
    facts = [*several, *(["images that belong to one of ID-test: " + ", ".join(shared)] if shared else [])]
    notes = [f"Intervals count the images of a group together: {'; '.join(facts)}."] if facts else []
    return notes + [f"{name}: all images are one group, so no interval holds; check `group`." for name in single]


def split_by_group(groups: pd.Series, n_first: int, rng: np.random.Generator) -> np.ndarray:
    """About ``n_first`` images at random, groups whole.

    Args:
        groups: of the images, missing where one is alone; at least two groups.

    Returns:
        Positions of the images, rising: those of at least one group, never all.
    """
    alone = pd.Series([f"\0{place}" for place in range(len(groups))], index=groups.index)
    codes = pd.factorize(groups.astype(object).where(groups.notna(), alone))[0]
    order = rng.permutation(codes.max() + 1)
    sizes = np.cumsum(np.bincount(codes)[order])
    parts = int(np.clip(np.abs(sizes - n_first).argmin() + 1, 1, len(order) - 1))
    return np.flatnonzero(np.isin(codes, order[:parts]))


def _part(name: str, rule: NamePart) -> str:
    """The part of a name before the separator, "" where it has none."""
    end = rule.before_first or rule.before_last
    text = name if "/" in end else name.rsplit("/", 1)[-1]
    before, found, _ = text.partition(end) if rule.before_first else text.rpartition(end)
    return before if found else ""


def bare_names(names: list[str]) -> list[str]:
    """Names of a whole set without the numbers of rows in front, where all have one and no two the same."""
    heads = [match.group() for name in names if (match := _ROW.match(name))]
    return [_ROW.sub("", name, count=1) for name in names] if len(set(heads)) == len(names) else names
