"""What the names in an EDM snapshot stand for: tensors, numbers, containers, and inert records of everything else."""

from __future__ import annotations

import math
import re
import struct
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cfs_explore.backbones.restricted_pickle import read_nested
from cfs_explore.backbones.restricted_values import Budget, Name, Record, Tables, Window, refuse

_CLASSES = re.compile(r"torch\.nn\.modules\.\w+\.\w+|dnnlib(\.util)?\.EasyDict|numpy\.ndarray")
_NOTHING = re.compile(r"(?!)")

_STORAGES = {
    "torch.FloatStorage": torch.float32,
    "torch.DoubleStorage": torch.float64,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}
_STORAGE_CLASSES = re.compile("|".join(map(re.escape, _STORAGES)))

#: First value of a stream of ``torch.save`` from before its zip files, still used for storages inside pickles.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C

_NUMBERS = re.compile(r"[<>|=]?([fiu][1248]|b1)")
_MAX_DIMENSIONS = 8


@dataclass(frozen=True)
class _Storage:
    """The numbers behind tensors, (n,)."""

    values: torch.Tensor


def snapshot_tables(budget: Budget) -> Tables:
    """The names of a snapshot by EDM's training, in the versions of numpy and torch that wrote some."""

    def counted(make):
        def from_items(items: Any = ()) -> Any:
            if not isinstance(items, list | tuple | set):
                raise TypeError("no list of items")
            budget.spend(64 * len(items))
            return make(items)

        return from_items

    calls = {
        "collections.OrderedDict": counted(_pairs),
        "torch.Size": counted(tuple),
        "torch.storage._load_from_bytes": lambda data: _read_storage(data, budget),
        "torch._utils._rebuild_tensor": lambda *view: _tensor(budget, *view),
        "torch._utils._rebuild_tensor_v2": lambda storage, offset, size, stride, *_: _tensor(
            budget, storage, offset, size, stride
        ),
        "torch._utils._rebuild_parameter": lambda data, *_: _checked_tensor(data),
        "torch_utils.persistence._reconstruct_persistent_obj": _persistent_object,
    }
    calls |= {f"{module}.{name}": counted(_elements) for module in ("builtins", "__builtin__")
              for name in ("set", "frozenset")}  # fmt: skip
    calls["numpy.dtype"] = lambda *arguments: Record("numpy.dtype", arguments=arguments)
    for core in ("numpy.core", "numpy._core"):
        calls[f"{core}.multiarray.scalar"] = _number
        calls[f"{core}.multiarray._reconstruct"] = lambda *_: Record("numpy.ndarray")
        calls[f"{core}.numeric._frombuffer"] = lambda *_: Record("numpy.ndarray")
    return Tables(calls, _CLASSES)


def _pairs(items: list) -> dict:
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in items):
        raise TypeError("no list of names and values")
    return dict(items)


def _elements(items: list) -> set:
    if not all(isinstance(item, str) for item in items):
        raise TypeError("no list of names")
    return set(items)


def _persistent_object(meta: Any) -> Record:
    """The recorded class name and state; the source code beside them is dropped unread."""
    if not isinstance(meta, dict) or not isinstance(meta.get("state"), dict):
        raise TypeError("no description of an object")
    if not isinstance(meta.get("class_name"), str):
        raise TypeError("no class name")
    return Record(meta["class_name"], meta["state"])


def _number(dtype: Any, data: Any) -> float | int | bool:
    """A numpy scalar of a plain numeric type."""
    if not isinstance(dtype, Record) or dtype.kind != "numpy.dtype" or not isinstance(data, bytes):
        raise TypeError("no numpy number")
    kind = dtype.arguments[0] if dtype.arguments else None
    order = dtype.state[1] if isinstance(dtype.state, tuple) and len(dtype.state) > 1 else "<"
    if not isinstance(kind, str) or not _NUMBERS.fullmatch(kind) or order not in ("<", ">", "|", "="):
        raise TypeError("no plain numeric type")
    return np.frombuffer(data, dtype=np.dtype(kind).newbyteorder(order), count=1)[0].item()


def _checked_tensor(data: Any) -> torch.Tensor:
    if not isinstance(data, torch.Tensor):
        raise TypeError("no tensor")
    return data


def _tensor(budget: Budget, storage: Any, offset: Any, size: Any, stride: Any) -> torch.Tensor:
    """A view of a storage that stays inside it and is no larger than it."""
    if not isinstance(storage, _Storage) or not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise TypeError("no storage, size and stride")
    if len(size) != len(stride) or len(size) > _MAX_DIMENSIONS:
        raise ValueError("size and stride do not agree")
    if not all(type(n) is int and 0 <= n < 2**40 for n in (offset, *size, *stride)):
        raise ValueError("sizes must be whole numbers of reasonable size")
    count, available = math.prod(size), len(storage.values)
    reach = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1 if count else offset
    if count > available or reach > available:
        raise ValueError(f"a tensor of {count:,} numbers in a storage of {available:,}")
    budget.spend(count * storage.values.element_size())
    return storage.values.as_strided(size, stride, offset)


def _read_storage(data: Any, budget: Budget) -> _Storage:
    """The storage in a stream that ``torch.save`` nested in the pickle."""
    if not isinstance(data, bytes | memoryview):
        raise TypeError("no bytes")
    if data[:2] == b"PK":
        raise ValueError("a zip file where torch writes a plain stream")
    stream = Window(memoryview(data))
    described: dict[str, tuple[torch.dtype, int]] = {}

    def persistent(key: Any) -> Record:
        if not isinstance(key, tuple) or len(key) != 6 or key[0] != "storage" or key[5] is not None:
            refuse("describes a storage in an unknown way")
        _, made, name, _, count, _ = key
        if not isinstance(made, Name) or not isinstance(name, str) or type(count) is not int or count < 0:
            refuse("describes a storage in an unknown way")
        described[name] = (_STORAGES[made.full], count)
        return Record("storage", name)

    tables = Tables({}, _STORAGE_CLASSES, persistent)
    plain = Tables({}, _NOTHING)
    magic, _, system = (read_nested(stream, plain, budget) for _ in range(3))
    found, keys = read_nested(stream, tables, budget), read_nested(stream, plain, budget)
    if magic != _LEGACY_MAGIC or not isinstance(found, Record) or keys != [found.state] or len(described) != 1:
        raise ValueError("no single storage")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("numbers of another byte order")
    dtype, count = described[found.state]
    rest = stream.rest()
    if len(rest) != 8 + count * dtype.itemsize or struct.unpack("<q", rest[:8])[0] != count:
        raise ValueError(f"a storage of {count:,} numbers with {max(len(rest) - 8, 0):,} bytes of them")
    budget.spend(len(rest) - 8)
    if not count:
        return _Storage(torch.empty(0, dtype=dtype))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given buffer is not writable")
        return _Storage(torch.frombuffer(rest[8:], dtype=dtype))  # without a copy: whoever keeps weights copies them
