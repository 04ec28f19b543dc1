"""Images that two sets share, pixel by pixel, and how to say it."""

from __future__ import annotations

import pandas as pd

from .survey import Survey

_SHOWN = 3


def compare(id_survey: Survey, ood_survey: Survey) -> list[tuple[str, str]]:
    """(OOD name, ID name) of the OOD images that are also in the ID set, by content; see ``shared_images``."""
    return shared_images(id_survey.images, ood_survey.images)


def shared_images(id_rows: pd.DataFrame, ood_rows: pd.DataFrame) -> list[tuple[str, str]]:
    """(OOD name, ID name) of every OOD image whose pixels are those of an ID image, in the OOD set's order.

    Args:
        id_rows, ood_rows: image_id and name. Where the ID set holds an image twice, its first name is given.
    """
    first = id_rows.drop_duplicates("image_id").set_index("image_id")["name"]
    there = ood_rows[ood_rows["image_id"].isin(first.index)]
    return list(zip(there["name"], first.loc[there["image_id"]], strict=True))


def overlap_warning(ood: str, pairs: list[tuple[str, str]], count: int) -> str:
    """One sentence about an OOD set of ``count`` images; '' where it shares none with the ID set."""
    if not pairs:
        return ""
    shown = ", ".join(f"{a} = {b}" if a != b else a for a, b in pairs[:_SHOWN])
    more = ", ..." if len(pairs) > _SHOWN else ""
    return (
        f"{ood}: {len(pairs):,} of {count:,} images are also in the ID set, pixel by pixel ({shown}{more}). No "
        "detector can tell these apart, which pulls the AUROC towards 0.5: take them out."
    )
