"""What a step of the tour consists of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cfs_explore.store import Run


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        page: name of its file in pages/, which is its address.
        place: how the navigation calls the page.
        title: what the step is about.
        query: how the page is opened, besides ``run`` and ``tour``.
        predict: a question before that. answers: to choose from. right: the one that the exploration gives.
        do: what to do; labels of the page stand between two asterisks on either side.
        act: key of the address, and its value when that is done; ">=1" means that much or more, "" any other than in
            ``query``. None where nothing in the address tells.
        target: of the page, what is to be looked at, as a CSS selector.
        see: what is then to be seen, and why.
        words: terms of the glossary that the step uses, as they stand in it -> their entry.
        facts: fills the names in braces of all these texts.
    """

    page: str
    place: str
    title: str
    query: Mapping[str, str]
    predict: str
    answers: tuple[str, ...]
    right: str
    do: str
    act: tuple[str, str] | None
    target: str
    see: str
    words: Mapping[str, str]
    facts: Callable[[Run], dict[str, str]]
