"""What the images page says in one sentence: whether OOD images have ID images for neighbours in snapshot space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cfs_explore.wording import format_estimate, format_value


class Mixed(Protocol):
    """Share of OOD images whose nearest other image is an ID image, its interval, and what a random mix would give."""

    share: float
    lo: float
    hi: float
    chance: float
    n_ood: int


def images_headline(sets: Mapping[str, Mixed], id_name: str) -> str:
    """Markdown: how mixed each OOD set is with the ID images; of more than two sets, the most and the least mixed.

    Args:
        sets: OOD set -> its mixing; empty where none is chosen. Names are safe in Markdown.
        id_name: of the ID set.
    """
    if not sets:
        return f"Only **{id_name}** is shown: choose an OOD set to see whether its images lie among the ID images."
    if len(sets) <= 2:
        return " ".join(_sentence(name, mixed) for name, mixed in sets.items())
    order = sorted(sets, key=lambda name: sets[name].share - sets[name].chance)
    return (
        f"Of {len(sets)} OOD sets, **{order[-1]}** lies most among the ID images and **{order[0]}** least. "
        f"{_sentence(order[-1], sets[order[-1]])} {_sentence(order[0], sets[order[0]])}"
    )


def _sentence(name: str, mixed: Mixed) -> str:
    chance = f"{format_value(mixed.chance)} in a random mix"
    if mixed.lo > mixed.chance:
        verdict = f"more than {chance}: they lie **scattered among** the ID images"
    elif mixed.hi >= mixed.chance:
        verdict = f"not distinguishable from {chance}: they may **mix like ID images**"
    elif mixed.hi < mixed.chance / 2:
        verdict = f"less than half of {chance}: they lie **apart**"
    else:
        verdict = f"less than {chance}: they mix **in part** with the ID images"
    share = format_estimate(mixed.share, mixed.lo, mixed.hi)
    subject = f"the share of its {mixed.n_ood:,} images whose nearest neighbour is an ID image"
    return f"**{name}**: {subject} is **{share}**, {verdict}."
