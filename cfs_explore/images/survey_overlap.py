"""Images that two sets share, pixel by pixel, and how to say it."""

from __future__ import annotations

import pandas as pd

from ..wording import counted
from .survey import Survey

_SHOWN = 3


def compare(id_survey: Survey, ood_survey: Survey) -> list[tuple[str, str]]:
    """(OOD name, ID name) of the OOD images that are also in the ID set, by content; see ``shared_images``."""
    return shared_images(id_survey.images, ood_survey.images)


def shared_images(id_rows: pd.DataFrame, ood_rows: pd.DataFrame) -> list[tuple[str, str]]:
    """(OOD name, ID name) of every OOD image whose pixels are those of an ID image, in the OOD set's order.

    Args:
        id_rows, ood_rows: content_id and name. Where the ID set holds an image twice, its first name is given.
    """
    first = id_rows.drop_duplicates("content_id").set_index("content_id")["name"]
    there = ood_rows[ood_rows["content_id"].isin(first.index)]
    return list(zip(there["name"], first.loc[there["content_id"]], strict=True))


def overlap_warning(ood: str, pairs: list[tuple[str, str]], count: int, *, sampled: bool = False) -> str:
    """One sentence about an OOD set; '' where it shares none with the ID set.

    Args:
        ood: its name.
        pairs: see ``compare``.
        count: images of the set that were compared; ``sampled``: not all of it.
    """
    if not pairs:
        return ""
    if len(pairs) == count:
        return (
            f"{ood}: every image{' that was looked at' * sampled} is also in the ID set, pixel by pixel. No detector "
            "can tell these apart, so the map will say nothing: give images that are not in the ID set."
        )
    shown = ", ".join(f"{a} = {b}" if a != b else a for a, b in pairs[:_SHOWN])
    more = ", ..." if len(pairs) > _SHOWN else ""
    return (
        f"{ood}: {len(pairs):,} of {counted(count, 'image')}{' that were looked at' * sampled} are also in the ID set, "
        f"pixel by pixel ({shown}{more}). No detector can tell these apart, which pulls the AUROC towards "
        "0.5: take them out."
    )
