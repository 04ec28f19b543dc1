"""What the page of one image reads: the sets and their images, and one image's profiles."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import (
    Exceedance,
    cell_profile,
    detector_profile,
    exceedance,
    feature_profile,
    tap_columns,
)
from cfs_explore.diagnostics.channels import variance
from cfs_explore.store import Run
from cfs_explore.ui import data, detector_choice
from cfs_explore.ui.cell_panel import cell_label


class Image(NamedTuple):
    """One image of a run.

    Attributes:
        role, name: its set.
        image_id: its id.
        row: its first row in the set.
    """

    role: str
    name: str
    image_id: str
    row: int

    @property
    def own(self) -> int | None:
        """Its row in ID-test, where it is one of those images."""
        return self.row if self.role == "id_test" else None


class Profile(NamedTuple):
    """What an image's scores say: its cells (``cell_profile``), its detectors and the open cell, all cells at once."""

    cells: pd.DataFrame
    detectors: pd.DataFrame
    exceedance: Exceedance


def sets(run: Run) -> list[tuple[str, str]]:
    """Role and name of the sets that have scores, ID-test last."""
    return [*(("ood", name) for name in run.ood_names), ("id_test", run.id_test.name)]


@st.cache_resource(max_entries=24, show_spinner=False)
def names(_run: Run, digest: str, role: str, name: str) -> dict[str, str]:
    """Image id -> name of the image, in the order of the set; images of the same pixels stand there once."""
    rows = _run.images(role, name, columns=("image_id", "name")).drop_duplicates("image_id")
    return dict(zip(rows["image_id"], rows["name"], strict=True))


@st.cache_resource(max_entries=32, show_spinner=False)
def profile(_run: Run, digest: str, image: Image, cell: int) -> Profile:
    """The image among ID-test: every cell, the presets and the cell of this index."""
    id_scores = data.scores(_run, digest, "id_test", None)
    scores = data.scores(_run, digest, image.role, None if image.role == "id_test" else image.name)[image.row]
    chosen = {**detector_choice.preset_cells(_run), cell_label(_run, cell): [cell]}
    rows = [
        {"name": name, **detector_profile(id_scores, scores, detector_choice.as_cells(_run, cells), image.own)}
        for name, cells in chosen.items()
    ]
    return Profile(
        cell_profile(id_scores, scores, _run.levels, _run.taps, image.own),
        pd.DataFrame(rows),
        exceedance(id_scores, scores, image.own),
    )


def is_kept(run: Run, cell: int) -> bool:
    """Whether the snapshots of the cell were kept."""
    level, tap = divmod(cell, len(run.taps))
    return run.manifest.kept.get("level") == level and run.taps[tap].name in run.manifest.kept.get("taps", [])


def kept_cells(run: Run) -> list[int]:
    """Indices of the cells whose snapshots were kept."""
    return [index for index in range(len(run.levels) * len(run.taps)) if is_kept(run, index)]


@st.cache_resource(max_entries=32, show_spinner=False)
def features(_run: Run, digest: str, image: Image, cell: int) -> pd.DataFrame:
    """The pooled features of a kept cell (``feature_profile``), first draw, by the moments of ID-train."""
    level, tap = divmod(cell, len(_run.taps))
    name = _run.taps[tap].name
    columns, train = tap_columns(_run.taps)[name], _run.moments("id_train")
    snapshot = _run.snapshots(name, image.role, image.name)[image.row]
    return feature_profile(snapshot, train["mean"][level, columns], variance(train)[level, columns])
