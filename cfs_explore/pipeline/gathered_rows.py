"""What a run knows of the images of a set, written a part at a time: thumbnails never lie in memory together."""

from __future__ import annotations

from array import array

import numpy as np
import pandas as pd

from cfs_explore.images.prepare import COLUMNS
from cfs_explore.pipeline.grouping import bare_names, with_groups
from cfs_explore.spec import ImageSet
from cfs_explore.store import SetWork
from cfs_explore.store.files import remove
from cfs_explore.store.long_tables import PART, read_long_table, write_long_table


class GatheredRows:
    """The rows of a set's images as they are read; a context manager, which leaves ``SetWork.rows_path`` alone.

    Args:
        work: of the set.

    Attributes:
        names: of the images.
    """

    def __init__(self, work: SetWork):
        self.names: list[str] = []
        self._work, self._aside = work, work.folder / "rows.gathered"
        self._places, self._part = array("q"), []

    def __enter__(self) -> GatheredRows:
        self._file = write_long_table(self._aside, flush=False)
        self._add = self._file.__enter__()
        return self

    def __exit__(self, *exception) -> None:
        if self._file is not None:
            self._file.__exit__(*exception)
        remove(self._aside)

    @property
    def places(self) -> np.ndarray:
        """Of the images in their source, int64 (n,)."""
        return np.array(self._places, dtype=np.int64)

    def keep(self, place: int, row: tuple) -> None:
        """Take the row of one more image, in the order of ``images.prepare.COLUMNS``."""
        self._places.append(place)
        self._part.append(row)
        self.names.append(row[COLUMNS.index("name")])
        if len(self._part) == PART:
            self._flush()

    def write(self, images: ImageSet) -> None:
        """Write ``SetWork.rows_path``, with the groups of the images (theory 28)."""
        self._flush()
        self._file, file = None, self._file
        file.__exit__(None, None, None)
        names, start = bare_names(self.names), 0
        with write_long_table(self._work.rows_path) as add:
            for rows in read_long_table(self._aside):
                add(with_groups(rows, images, names[start : start + len(rows)]))
                start += len(rows)

    def _flush(self) -> None:
        """Write what has come since."""
        if self._part:
            rows = pd.DataFrame(self._part, columns=list(COLUMNS))
            self._add(rows.astype({"group": "str"}))
            self._part = []


def copy_rows(whole: SetWork, part: SetWork, chosen: np.ndarray) -> None:
    """Write the rows of some images of a set, at rising places ``chosen``, as those of another."""
    start = 0
    with write_long_table(part.rows_path) as add:
        for rows in whole.row_parts():
            first, last = np.searchsorted(chosen, (start, start + len(rows)))
            found = rows.iloc[chosen[first:last] - start]
            start += len(rows)
            if len(found):
                add(found)
