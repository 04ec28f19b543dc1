"""Work in progress of one image set: inputs, shards and running moments, so that a killed run goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from cfs_explore.errors import DamageError
from cfs_explore.store.digests import content_digest, known_digest
from cfs_explore.store.files import (
    BAD_ARRAYS,
    BAD_TABLE,
    load_arrays,
    read_table,
    remove,
    save_arrays,
    write_aside,
    write_json,
)
from cfs_explore.store.image_rows import image_columns, read_image_parts, read_image_rows

#: Among the arrays of moments: a digest of the others.
_STAMP = "stamp"
#: The files of a prepared set.
_PREPARED = ("inputs.npy", "places.npy", "reading.json", "rows.parquet", "skipped.parquet", "notes.parquet")
#: Those of them that decide the pixels.
_OF_PIXELS = ("inputs.npy", "reading.json")


@dataclass(frozen=True)
class SetWork:
    """Files of one set under ``<run>/work/<key>/``.

    A shard counts as done once ``moments.npz`` says so; that file is replaced after the shard is in place, so a
    run that is killed between the two repeats one shard and gets the same numbers.

    A shard holds some rows of the set, in any order of the set's; its array "rows" says which, rising.

    The pixels are in ``inputs.npy``, or, of a set too large for that, read from its source again by what
    ``reading.json`` and ``places.npy`` say.

    What was written is compared with a digest when a run goes on (``is_whole``, ``damaged_shards``): a damaged file
    is made again. One that is damaged later ends with ``DamageError``.
    """

    folder: Path

    @property
    def inputs_path(self) -> Path:
        return self.folder / "inputs.npy"

    @property
    def places_path(self) -> Path:
        return self.folder / "places.npy"

    @property
    def reading_path(self) -> Path:
        return self.folder / "reading.json"

    @property
    def rows_path(self) -> Path:
        return self.folder / "rows.parquet"

    @property
    def skipped_path(self) -> Path:
        return self.folder / "skipped.parquet"

    def note_prepared(self) -> None:
        """Say that the set is prepared, with digests of its files. Shards of other images are forgotten."""
        found = {name: content_digest(path) for name in _PREPARED if (path := self.folder / name).is_file()}
        before = self._recorded() or {}
        if self.moments_path.is_file() and any(before.get(name) != found.get(name) for name in _OF_PIXELS):
            self.forget_shards()
        write_json(self._digests_path, found)

    def is_whole(self) -> bool:
        """Whether the files of a prepared set are those that were written; False where nothing says so."""
        recorded = self._recorded()
        if recorded is None or "rows.parquet" not in recorded:
            return False
        try:
            return all(known_digest(self.folder / name) == digest for name, digest in recorded.items())
        except OSError:
            return False

    def _recorded(self) -> dict[str, str] | None:
        try:
            recorded = json.loads(self._digests_path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return {name: recorded[name] for name in _PREPARED if name in recorded} if isinstance(recorded, dict) else None

    @property
    def notes_path(self) -> Path:
        return self.folder / "notes.parquet"

    @property
    def _digests_path(self) -> Path:
        return self.folder / "prepared.json"

    def rows(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """One row per image, in order: ``images.prepare.COLUMNS``."""
        with _or_damage(self.rows_path):
            return read_image_rows(self.rows_path, columns)

    def row_columns(self) -> list[str]:
        """The columns of ``rows``."""
        with _or_damage(self.rows_path):
            return image_columns(self.rows_path)

    def row_parts(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """``rows``, some of them at a time."""
        with _or_damage(self.rows_path):
            yield from read_image_parts(self.rows_path, columns)

    def count(self) -> int:
        """Number of images."""
        with _or_damage(self.rows_path):
            return pq.read_metadata(self.rows_path).num_rows

    def skipped(self) -> pd.DataFrame:
        """Files that could not be used: name, reason."""
        if self.skipped_path.is_file():
            with _or_damage(self.skipped_path):
                return read_table(self.skipped_path)
        return pd.DataFrame({"name": [], "reason": []}, dtype=str)

    def notes(self) -> list[str]:
        """How the set was read where that had to be decided, a sentence each."""
        if not self.notes_path.is_file():
            return []
        with _or_damage(self.notes_path):
            return list(read_table(self.notes_path)["note"])

    def has_pixels(self) -> bool:
        """Whether they are here, or it is said how they are read again; not so where another run measured the set."""
        return any((self.folder / name).is_file() for name in _OF_PIXELS)

    def inputs(self) -> np.ndarray:
        """uint8 (n, C, H, W), memory-mapped."""
        with _or_damage(self.inputs_path):
            return np.load(self.inputs_path, mmap_mode="r", allow_pickle=False)

    def reading(self) -> tuple[dict, np.ndarray]:
        """How the pixels are read again: facts as ``write_reading`` took them, and each image's place in its source."""
        with _or_damage(self.reading_path):
            facts = json.loads(self.reading_path.read_text(encoding="utf-8"))
        with _or_damage(self.places_path):
            return facts, np.load(self.places_path, allow_pickle=False)

    def write_reading(self, facts: dict, places: np.ndarray) -> None:
        """Say how the pixels are read again, in the place of ``inputs.npy``."""
        remove(self.inputs_path)
        with write_aside(self.places_path) as partial, partial.open("wb") as file:
            np.save(file, places)
        write_json(self.reading_path, facts)

    def forget_reading(self) -> None:
        """The pixels are in ``inputs.npy`` from now on."""
        remove(self.reading_path)
        remove(self.places_path)

    @property
    def moments_path(self) -> Path:
        return self.folder / "moments.npz"

    def shards_done(self) -> int:
        moments = self.moments()
        return 0 if moments is None else int(moments["shards"])

    def moments(self) -> dict[str, np.ndarray] | None:
        """Running moments: shards, count, mean, m2, m2_within; None before the first shard."""
        if not self.moments_path.is_file():
            return None
        with _or_damage(self.moments_path):
            sums = load_arrays(self.moments_path)
            if str(sums.pop(_STAMP)) != _stamp(sums):
                raise ValueError("its content is not what was written")
            return sums

    def finish_shard(self, index: int, arrays: dict[str, np.ndarray], moments: dict[str, np.ndarray]) -> None:
        """Store shard ``index``, "rows" among its arrays, then the moments of all shards up to and including it."""
        digests = self._digests()[:index]
        save_arrays(self._shard_path(index), arrays)
        digests.append(content_digest(self._shard_path(index)))
        self.write_moments(moments | {"shards": np.int64(index + 1), "digests": np.array(digests)})

    def damaged_shards(self) -> list[int]:
        """Finished shards whose files are not those that were written.

        Where the moments themselves are damaged, or speak of none of these files, everything that was measured is
        forgotten: no shard counts then.
        """
        try:
            digests, done = self._digests(), self.shards_done()
        except (DamageError, *BAD_ARRAYS):
            self.forget_shards()
            return []
        damaged = [index for index in range(done) if index >= len(digests) or not self._is(index, digests[index])]
        if done and len(damaged) == done:
            self.forget_shards()
            return []
        return damaged

    def mend_shard(self, index: int, arrays: dict[str, np.ndarray]) -> None:
        """Put a shard that was measured again in its place; the moments have it already."""
        digests = self._digests()
        save_arrays(self._shard_path(index), arrays)
        digests[index] = content_digest(self._shard_path(index))
        self.write_moments(self.moments() | {"digests": np.array(digests)})

    def _digests(self) -> list[str]:
        sums = self.moments()
        return [] if sums is None else sums.get("digests", np.empty(0, dtype=str)).tolist()

    def _is(self, index: int, digest: str) -> bool:
        try:
            return content_digest(self._shard_path(index)) == digest
        except OSError:
            return False

    def write_moments(self, moments: dict[str, np.ndarray]) -> None:
        """Replace the running moments, ``shards`` among them."""
        arrays = {name: np.asarray(values) for name, values in moments.items()}
        save_arrays(self.moments_path, arrays | {_STAMP: np.array(_stamp(arrays))})

    def shards(self, *keys: str, count: int | None = None) -> Iterator[dict[str, np.ndarray]]:
        """These arrays of the finished shards, or of the first ``count`` of them, in their order; no key means all."""
        for index in range(self.shards_done() if count is None else count):
            with _or_damage(self._shard_path(index)):
                arrays = load_arrays(self._shard_path(index), keys)
            yield arrays

    def measured(self, count: int | None = None) -> np.ndarray:
        """Rows of the set in the finished shards, or in the first ``count`` of them, rising."""
        parts = [shard["rows"] for shard in self.shards("rows", count=count)]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)

    def keep_block(self, index: int, block: np.ndarray) -> None:
        """Set the snapshots of a shard aside until ``drop_blocks``."""
        save_arrays(self._block_path(index), {"shard": np.int64(index), "block": block})

    def has_block(self, index: int) -> bool:
        """Whether the snapshots of a shard are aside, and whole."""
        try:
            return int(load_arrays(self._block_path(index))["shard"]) == index
        except (TypeError, *BAD_ARRAYS):
            return False

    def blocks(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """The snapshots of these shards that were set aside."""
        for index in indices:
            with _or_damage(self._block_path(index)):
                block = load_arrays(self._block_path(index))["block"]
            yield block

    def drop_blocks(self) -> None:
        """Forget all snapshots that were set aside."""
        remove(self.folder / "blocks")

    def forget_shards(self) -> None:
        """Forget everything that was measured; the prepared images stay."""
        for name in ("moments.npz", "shards", "blocks"):
            remove(self.folder / name)

    def _shard_path(self, index: int) -> Path:
        return self.folder / "shards" / f"{index:06d}.npz"

    def _block_path(self, index: int) -> Path:
        return self.folder / "blocks" / f"{index:06d}.npz"


def _stamp(arrays: Mapping[str, np.ndarray]) -> str:
    """Digest of named arrays."""
    digest = hashlib.blake2b(digest_size=16)
    for name, values in sorted(arrays.items()):
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


@contextlib.contextmanager
def _or_damage(path: Path) -> Iterator[None]:
    """Around reading: a damaged file is named."""
    try:
        yield
    except (*BAD_ARRAYS, *BAD_TABLE) as error:
        raise DamageError(
            f"{path} is damaged or missing ({' '.join(str(error).split())[:200]}). Start the run again: it makes that "
            "part again and continues."
        ) from error
