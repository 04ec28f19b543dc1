"""The part of a spec that says which labels or prompts the stage of the conditioning compares (theory 1)."""

from __future__ import annotations

from typing import Annotated

import pydantic

from cfs_explore.studies.conditioning import MOST_CONDITIONS

#: The largest label that a spec may name; which ones a network has, only it can say.
_LARGEST = 1_000_000


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a prompt is one line of printable characters")
    return text


Label = Annotated[int, pydantic.Field(strict=True, ge=0, le=_LARGEST)]
Prompt = Annotated[
    str,
    pydantic.StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=200),
    pydantic.AfterValidator(_one_line),
]
#: Each measured like the map's own conditioning, so that many would cost many times as much.
Labels = Annotated[list[Label], pydantic.Field(max_length=MOST_CONDITIONS)]
Prompts = Annotated[list[Prompt], pydantic.Field(max_length=MOST_CONDITIONS)]


def fit_conditions(wanted: list[int | str], info: pydantic.ValidationInfo) -> list[int | str]:
    """The labels or prompts as they are; ValueError where one is there twice, or what else the spec says forbids them.

    Args:
        wanted: of the field.
        info: the fields before it.
    """
    twice = [each for each in dict.fromkeys(wanted) if wanted.count(each) > 1]
    if twice:
        raise ValueError(f"has {twice[0]!r:.80} twice; give each once")
    if not wanted:
        return wanted
    if info.field_name == "conditioning_prompts" and info.data.get("conditioning_labels"):
        raise ValueError("a network has classes or takes text: give `conditioning_labels` or prompts, not both")
    if info.data.get("conditioning") == "published" or info.data.get("conditioning_offset"):
        raise ValueError(
            "needs a network that is conditioned on its true level: leave `conditioning` and `conditioning_offset` out"
        )
    return wanted
