"""Work in progress of one image set: inputs, shards and running moments, so that a killed run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from cfs_explore.store.files import load_arrays, save_arrays


@dataclass(frozen=True)
class SetWork:
    """Files of one set under ``<run>/work/<key>/``.

    A shard counts as done once ``moments.npz`` says so; that file is replaced after the shard is in place, so a
    run that is killed between the two repeats one shard and gets the same numbers.
    """

    folder: Path

    @property
    def inputs_path(self) -> Path:
        return self.folder / "inputs.npy"

    @property
    def rows_path(self) -> Path:
        return self.folder / "rows.parquet"

    @property
    def skipped_path(self) -> Path:
        return self.folder / "skipped.parquet"

    @property
    def prepared(self) -> bool:
        return self.rows_path.is_file()

    def rows(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """One row per image, in order: image_id, name, label, format, mode, width, height, thumbnail."""
        return pd.read_parquet(self.rows_path, columns=columns)

    def count(self) -> int:
        """Number of images."""
        return pq.read_metadata(self.rows_path).num_rows

    def skipped(self) -> pd.DataFrame:
        """Files that could not be used: name, reason."""
        if self.skipped_path.is_file():
            return pd.read_parquet(self.skipped_path)
        return pd.DataFrame({"name": [], "reason": []}, dtype=str)

    def inputs(self) -> np.ndarray:
        """uint8 (n, C, H, W), memory-mapped."""
        return np.load(self.inputs_path, mmap_mode="r", allow_pickle=False)

    def shards_done(self) -> int:
        moments = self.moments()
        return 0 if moments is None else int(moments["shards"])

    def moments(self) -> dict[str, np.ndarray] | None:
        """Running moments: shards, count, mean, m2, m2_within; None before the first shard."""
        path = self.folder / "moments.npz"
        return load_arrays(path) if path.is_file() else None

    def finish_shard(self, index: int, arrays: dict[str, np.ndarray], moments: dict[str, np.ndarray]) -> None:
        """Store shard ``index``, then the moments of all shards up to and including it."""
        save_arrays(self._shard_path(index), arrays)
        save_arrays(self.folder / "moments.npz", {**moments, "shards": np.int64(index + 1)})

    def shards(self):
        """The arrays of every finished shard, in order."""
        for index in range(self.shards_done()):
            yield load_arrays(self._shard_path(index))

    def _shard_path(self, index: int) -> Path:
        return self.folder / "shards" / f"{index:06d}.npz"
