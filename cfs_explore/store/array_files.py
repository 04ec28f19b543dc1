"""The files of a run's zarr arrays: which must be there, and whether each is what a decoder may be given.

A decoder believes the headers that it reads, and a chunk that is not there reads as zeros: so what the manifest
promises is compared with the files first. Runs and imports are read through the same checks.
"""

from __future__ import annotations

import itertools
import json
import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cfs_explore.errors import RunError
from cfs_explore.store.manifest import Manifest

MAX_CHUNK_BYTES, MAX_CHUNKS = 256 * 2**20, 1_000_000
MOMENT_KEYS = ("mean", "m2", "m2_within")
_BLOSC_ZSTD, _BLOSC_STORED = 4, 0x2
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class ArrayFiles:
    """An array as the manifest promises it.

    Attributes:
        name: its folder in the run directory, "moments.zarr/mean".
        shape, dtype: of its values.
        finite: whether all of them are finite numbers.
        zero: rows (of the first axis) that are zeros, and that older versions wrote no chunks for.
        at_least_zero: whether none of them is below 0.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    finite: bool = True
    zero: frozenset[int] | range = field(default=frozenset())
    at_least_zero: bool = False

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.itemsize

    @property
    def itemsize(self) -> int:
        return np.dtype(self.dtype).itemsize

    def may_lack(self, index: tuple[int, ...], chunk: Sequence[int]) -> bool:
        """Whether the chunk at this place of the grid holds zeros alone."""
        if not self.shape:
            return 0 in self.zero
        rows = range(index[0] * chunk[0], min((index[0] + 1) * chunk[0], self.shape[0]))
        return all(row in self.zero for row in rows)

    def places(self, chunk: Sequence[int], rows: slice = slice(None)) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name within the folder, and place in the grid, of every chunk that holds some of the rows."""
        grid = [range(math.ceil(n / size)) for n, size in zip(self.shape, chunk, strict=True)]
        if grid:
            start, stop, _ = rows.indices(self.shape[0])
            grid[0] = range(start // chunk[0], math.ceil(stop / chunk[0]))
        for index in itertools.product(*grid):
            yield "/".join(map(str, ("c", *index))), index


def promised_arrays(run: Path, manifest: Manifest) -> dict[str, ArrayFiles]:
    """Every array of a run, by name."""
    levels, taps, sets = len(manifest.levels), manifest.tap_list(), manifest.sets
    images, scored = sum(s.count for s in sets), sum(s.count for s in sets if s.score_start >= 0)
    width = {tap.name: 2 * tap.channels for tap in taps}
    moments = (len(sets), levels, sum(width.values()))
    zero = {
        "m2": frozenset(i for i, s in enumerate(sets) if s.samples == 1),
        "m2_within": frozenset(i for i, s in enumerate(sets) if s.samples == s.count),
    }
    left_out = _rows_left_out(manifest)
    found = [
        ArrayFiles("scores.zarr", (scored, manifest.draws, levels, len(taps)), "float32"),
        ArrayFiles("moments.zarr/count", (len(sets),), "int64", at_least_zero=True),
        *(
            ArrayFiles(
                f"moments.zarr/{k}", moments, "float64", zero=zero.get(k, frozenset()), at_least_zero=k != "mean"
            )
            for k in MOMENT_KEYS
        ),
        *(
            ArrayFiles(f"snapshots.zarr/{tap}", (images, width.get(tap, 0)), "float16", finite=False, zero=left_out)
            for tap in manifest.kept.get("taps", [])
        ),
    ]
    pairs = "moments.zarr/pairs/zarr.json"
    if pairs in manifest.files or (run / pairs).is_file():  # runs of the first versions have none
        single = all(s.count == 1 for s in sets if s.role == "id_test")
        none = frozenset(range(levels)) if single else frozenset()
        found += [
            ArrayFiles("moments.zarr/pair_squares", (levels, len(taps)), "float64", zero=none, at_least_zero=True),
            ArrayFiles("moments.zarr/pairs", (), "int64", zero=none, at_least_zero=True),
        ]
    return {array.name: array for array in found}


def _rows_left_out(manifest: Manifest) -> range | frozenset[int]:
    """Rows of snapshots that were removed to make the run smaller."""
    train = next((s for s in manifest.sets if s.role == "id_train"), None)
    if train is None or "id_train" not in manifest.kept.get("without", []):
        return frozenset()
    return range(train.start, train.start + train.count)


def read_metadata(path: Path, array: ArrayFiles) -> tuple[tuple[int, ...], dict]:
    """The chunks' shape, and the whole content of ``zarr.json`` in this project's own words.

    Raises:
        RunError: it is missing, or another one than the manifest promises.
    """
    where = f"{array.name}/zarr.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        chunk = content["chunk_grid"]["configuration"]["chunk_shape"]
        codec = content["codecs"][1]
        name, settings = codec["name"], codec["configuration"]
    except FileNotFoundError as error:
        raise RunError(f"{where} is missing.") from error
    except (OSError, ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise RunError(f"{where} describes no array as this project writes them ({error!r:.100}).") from error
    if not isinstance(chunk, list) or len(chunk) != len(array.shape) or not all(type(n) is int for n in chunk):
        raise RunError(f"{where}: chunk_shape must be {len(array.shape)} whole numbers.")
    if not all(1 <= n <= whole for n, whole in zip(chunk, array.shape, strict=True)):
        raise RunError(f"{where}: chunk_shape {chunk} does not lie within the shape {array.shape}.")
    if math.prod(chunk) * array.itemsize > MAX_CHUNK_BYTES:
        raise RunError(f"{where}: a chunk of {chunk} takes more than {MAX_CHUNK_BYTES:,} bytes.")
    if math.prod(math.ceil(n / size) for n, size in zip(array.shape, chunk, strict=True)) > MAX_CHUNKS:
        raise RunError(f"{where}: the chunks {chunk} are too small for an array of {array.shape}.")
    if name not in ("blosc", "zstd") or not _is_usual(name, settings, array.itemsize):
        raise RunError(f"{where}: codecs: allowed are bytes, then blosc with zstd, or zstd, as this project writes.")
    ours = _metadata(array, chunk, name, settings)
    for key in sorted({*content, *ours}):
        if content.get(key, ours.get(key)) != ours.get(key):
            raise RunError(f"{where}: {key}: this run needs {str(ours.get(key))[:120]}.")
    return tuple(chunk), ours


def _metadata(array: ArrayFiles, chunk: list[int], codec: str, settings: dict) -> dict:
    """``zarr.json`` of an array as this project writes it."""
    return {
        "shape": list(array.shape),
        "data_type": array.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": codec, "configuration": settings},
        ],
        "attributes": {},
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }


def _is_usual(name: str, settings: object, itemsize: int) -> bool:
    """Whether a codec's settings are ones that this project writes."""
    if not isinstance(settings, dict):
        return False
    if name == "zstd":
        level, checksum = settings.get("level"), settings.get("checksum")
        return set(settings) == {"level", "checksum"} and type(level) is int and -7 <= level <= 22 and checksum is False
    rest = {key: value for key, value in settings.items() if key != "clevel"}
    usual = {"typesize": itemsize, "cname": "zstd", "shuffle": "shuffle", "blocksize": 0}
    clevel = settings.get("clevel")
    return rest == usual and type(rest["typesize"]) is int and type(clevel) is int and 0 <= clevel <= 9


def check_chunk(path: Path, array: ArrayFiles, metadata: dict) -> None:
    """Whether a chunk's own headers fit its file and the array: the decoder will believe them.

    Raises:
        FileNotFoundError: it is not there. RunError: it is damaged.
    """
    nbytes = math.prod(metadata["chunk_grid"]["configuration"]["chunk_shape"]) * array.itemsize
    codec, size = metadata["codecs"][1]["name"], path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        if codec == "zstd":
            stated = _zstd_bytes(head + file.read(2))
        else:
            stated = _blosc_bytes(head, size, array.itemsize)
            fits = stated == nbytes and _blosc_blocks_lie_inside(head, file.read(4 * _blosc_blocks(head)), size)
            stated = stated if fits else None
    if stated != nbytes:
        name = f"{array.name}/{path.relative_to(path.parents[len(array.shape)]).as_posix()}"
        raise RunError(f"{name} is not a chunk of {nbytes:,} bytes packed with {codec}; it is damaged.")


def _blosc_bytes(head: bytes, size: int, itemsize: int) -> int | None:
    """Unpacked bytes of a blosc chunk whose header fits the file; None where it does not."""
    if len(head) < 16:
        return None
    version, _, flags, typesize, nbytes, block, packed = struct.unpack("<BBBBIII", head[:16])
    packs = flags >> 5 == _BLOSC_ZSTD or flags & _BLOSC_STORED
    return nbytes if version == 2 and packs and typesize == itemsize and packed == size and block <= nbytes else None


def _blosc_blocks(head: bytes) -> int:
    """How many blocks a blosc chunk lists behind its header; one that is stored as it is lists none."""
    flags, nbytes, block = head[2], *struct.unpack("<II", head[4:12])
    return 0 if flags & _BLOSC_STORED or not block else math.ceil(nbytes / block)


def _blosc_blocks_lie_inside(head: bytes, listed: bytes, size: int) -> bool:
    """Whether a blosc chunk's blocks begin behind their list and before the end of the file."""
    count = _blosc_blocks(head)
    if not count:
        return bool(head[2] & _BLOSC_STORED) and size == 16 + struct.unpack("<I", head[4:8])[0]
    if len(listed) != 4 * count:
        return False
    starts = np.frombuffer(listed, dtype="<i4")
    return bool(((starts >= 16 + len(listed)) & (starts <= size - 4)).all())


def _zstd_bytes(head: bytes) -> int | None:
    """Unpacked size in bytes that a zstd frame's header states; None where it states none."""
    if len(head) < 6 or head[:4] != _ZSTD_MAGIC:
        return None
    kind, single, dictionary = head[4] >> 6, head[4] >> 5 & 1, head[4] & 3
    width = (single, 2, 4, 8)[kind]
    start = 5 + (1 - single)
    field = head[start : start + width]
    if dictionary or not width or len(field) < width:
        return None
    return int.from_bytes(field, "little") + 256 * (width == 2)
