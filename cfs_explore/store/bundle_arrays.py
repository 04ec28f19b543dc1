"""Whether the zarr arrays of a run that came from elsewhere are those that its manifest promises.

Nothing is decoded before the sizes that its own headers claim are known to be right: no header makes a reader ask for
memory beyond what the counts of the run explain.
"""

from __future__ import annotations

import itertools
import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr

from cfs_explore.errors import RunError
from cfs_explore.store.files import write_json
from cfs_explore.store.manifest import Manifest

MAX_CHUNK_BYTES, MAX_ARRAY_BYTES = 256 * 2**20, 8 * 2**30
#: All arrays together may be this many times as large as their files, beyond ``_FREE_BYTES``: zeros take no room.
_MAX_RATIO, _FREE_BYTES = 64, 64 * 2**20
_BLOSC_ZSTD, _BLOSC_STORED = 4, 0x2
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_GROUP = {"attributes": {}, "zarr_format": 3, "node_type": "group"}
_DAMAGE = (OSError, ValueError, TypeError, KeyError, IndexError, RuntimeError, MemoryError, OverflowError)


@dataclass(frozen=True)
class _Expected:
    """An array as the manifest promises it: where, its shape and type, and whether all values are finite numbers."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    finite: bool = True

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def check_arrays(run: Path, manifest: Manifest) -> None:
    """Check scores.zarr, moments.zarr and snapshots.zarr.

    Raises:
        RunError: naming the file.
    """
    arrays = _expected(run, manifest)
    stored = sum(path.stat().st_size for store in run.glob("*.zarr") for path in store.rglob("*") if path.is_file())
    promised = sum(array.nbytes for array in arrays)
    if promised > min(_FREE_BYTES + _MAX_RATIO * stored, MAX_ARRAY_BYTES):
        raise RunError(f"manifest.json promises arrays of {promised:,} bytes, but the files hold {stored:,}.")
    known = {array.name for array in arrays}
    for path in run.glob("*.zarr/**/zarr.json"):
        name = path.parent.relative_to(run).as_posix()
        if name not in known and name not in ("moments.zarr", "snapshots.zarr"):
            raise RunError(f"{name}/zarr.json belongs to no array of this run.")
    for array in arrays:
        _check_files(run / array.name, array)
        _check_values(run / array.name, array)
    if "snapshots.zarr" in {path.name for path in run.glob("*.zarr")}:
        write_json(run / "snapshots.zarr" / "zarr.json", _GROUP)
    _check_moments(run, manifest)


def _expected(run: Path, manifest: Manifest) -> list[_Expected]:
    levels, taps, sets = len(manifest.levels), manifest.tap_list(), manifest.sets
    images, scored = sum(s.count for s in sets), sum(s.count for s in sets if s.score_start >= 0)
    features = sum(2 * tap.channels for tap in taps)
    width = {tap.name: 2 * tap.channels for tap in taps}
    found = [
        _Expected("scores.zarr", (scored, manifest.draws, levels, len(taps)), "float32"),
        _Expected("moments.zarr/count", (len(sets),), "int64"),
        *(_Expected(f"moments.zarr/{key}", (len(sets), levels, features), "float64") for key in _MOMENT_KEYS),
        *(
            _Expected(f"snapshots.zarr/{tap}", (images, width[tap]), "float16", finite=False)
            for tap in manifest.kept["taps"]
        ),
    ]
    if (run / "moments.zarr" / "pairs").exists():  # runs of the first versions have none
        found += [
            _Expected("moments.zarr/pair_squares", (levels, len(taps)), "float64"),
            _Expected("moments.zarr/pairs", (), "int64"),
        ]
    return found


_MOMENT_KEYS = ("mean", "m2", "m2_within")


def _check_files(folder: Path, array: _Expected) -> None:
    """Metadata as this project writes it, chunks where the metadata says, each of the size that it says."""
    chunk, codec = _check_metadata(folder / "zarr.json", array)
    grid = [range(math.ceil(n / size)) for n, size in zip(array.shape, chunk, strict=True)]
    if math.prod(map(len, grid)) > 1_000_000:
        raise RunError(f"{array.name}/zarr.json: the chunks {chunk} are too small for an array of {array.shape}.")
    places = {"/".join(map(str, ("c", *index))) for index in itertools.product(*grid)}
    nbytes = math.prod(chunk) * np.dtype(array.dtype).itemsize
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != "zarr.json":
            if name not in places:
                raise RunError(f"{array.name}/{name} is outside the array, whose shape is {array.shape}.")
            _check_chunk(path, f"{array.name}/{name}", codec, nbytes, np.dtype(array.dtype).itemsize)


def _check_metadata(path: Path, array: _Expected) -> tuple[tuple[int, ...], str]:
    """The chunks' shape and the codec's name; the file is written anew."""
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
    itemsize = np.dtype(array.dtype).itemsize
    if not isinstance(chunk, list) or len(chunk) != len(array.shape) or not all(type(n) is int for n in chunk):
        raise RunError(f"{where}: chunk_shape must be {len(array.shape)} whole numbers.")
    if not all(1 <= n <= whole for n, whole in zip(chunk, array.shape, strict=True)):
        raise RunError(f"{where}: chunk_shape {chunk} does not lie within the shape {array.shape}.")
    if math.prod(chunk) * itemsize > MAX_CHUNK_BYTES:
        raise RunError(f"{where}: a chunk of {chunk} takes more than {MAX_CHUNK_BYTES:,} bytes.")
    if name not in ("blosc", "zstd") or not _is_usual(name, settings, itemsize):
        raise RunError(f"{where}: codecs: allowed are bytes, then blosc with zstd, or zstd, as this project writes.")
    ours = {
        "shape": list(array.shape),
        "data_type": array.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": name, "configuration": settings},
        ],
        "attributes": {},
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }
    for key in sorted({*content, *ours}):
        if content.get(key, ours.get(key)) != ours.get(key):
            raise RunError(f"{where}: {key}: this run needs {str(ours.get(key))[:120]}.")
    write_json(path, ours)
    return tuple(chunk), name


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


def _check_chunk(path: Path, name: str, codec: str, nbytes: int, itemsize: int) -> None:
    """The header that the decoder will believe."""
    with path.open("rb") as file:
        head = file.read(18)
    size = path.stat().st_size
    told = _blosc_bytes(head, size, itemsize) if codec == "blosc" else _zstd_bytes(head)
    if told != nbytes:
        raise RunError(f"{name} is no chunk of {nbytes:,} bytes packed with {codec}; it is damaged.")


def _blosc_bytes(head: bytes, size: int, itemsize: int) -> int | None:
    """Unpacked bytes of a blosc chunk whose header fits the file; None where it does not."""
    if len(head) < 16:
        return None
    version, _, flags, typesize, nbytes, block, packed = struct.unpack("<BBBBIII", head[:16])
    packs = flags >> 5 == _BLOSC_ZSTD or flags & _BLOSC_STORED
    return nbytes if version == 2 and packs and typesize == itemsize and packed == size and block <= nbytes else None


def _zstd_bytes(head: bytes) -> int | None:
    """Unpacked bytes that a zstd frame's header tells; None where it tells none."""
    if len(head) < 6 or head[:4] != _ZSTD_MAGIC:
        return None
    kind, single, dictionary = head[4] >> 6, head[4] >> 5 & 1, head[4] & 3
    width = (single, 2, 4, 8)[kind]
    start = 5 + (1 - single)
    field = head[start : start + width]
    if dictionary or not width or len(field) < width:
        return None
    return int.from_bytes(field, "little") + 256 * (width == 2)


def _check_values(folder: Path, array: _Expected) -> None:
    """Decode everything once, block by block."""
    try:
        opened = zarr.open_array(str(folder), mode="r")
        step = opened.chunks[0] if array.shape else 1
        for start in range(0, array.shape[0] if array.shape else 1, step):
            block = opened[start : start + step] if array.shape else opened[()]
            if array.finite and not np.isfinite(block).all():
                raise RunError(f"{array.name} holds values that are no finite numbers.")
    except _DAMAGE as error:
        raise RunError(f"{array.name} cannot be read ({error!s:.200}). It is damaged.") from error


def _check_moments(run: Path, manifest: Manifest) -> None:
    """Which features and sets the moments are of; the counts; and the group's file, written anew."""
    columns, stop = {}, 0
    for tap in manifest.tap_list():
        columns[tap.name] = [stop, stop + 2 * tap.channels]
        stop += 2 * tap.channels
    ours = {"columns": columns, "sets": [[entry.role, entry.name] for entry in manifest.sets]}
    path = run / "moments.zarr" / "zarr.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["attributes"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RunError("moments.zarr/zarr.json is no zarr group.") from error
    if told != ours:
        raise RunError("moments.zarr/zarr.json: its columns or sets are not those of manifest.json.")
    write_json(path, {**_GROUP, "attributes": ours})
    group = zarr.open_group(str(run / "moments.zarr"), mode="r")
    if group["count"][:].tolist() != [entry.samples for entry in manifest.sets]:
        raise RunError("moments.zarr/count differs from sets.samples in manifest.json.")
    for key in ("m2", "m2_within"):
        if any((group[key][index] < 0).any() for index in range(len(manifest.sets))):
            raise RunError(f"moments.zarr/{key} has negative sums of squares.")
