"""Files of a run that stay valid outside and are changed inside."""

import io
import json

import numcodecs
import numpy as np
import pandas as pd

ODD = [None, True, -1, 0, 1, 2**31, 2**63, 1e308, -0.5, float("nan"), "", "x", "../x", "é" * 300, [], {}, [1], [[1, 2]]]
DTYPES = ["float32", "float64", "float16", "int64", "uint8", ">f4", "complex64"]


def bend_chunk(data: bytes, rng: np.random.Generator) -> bytes:
    """Another array in a well-formed chunk, or a well-formed chunk with another header or body."""
    size = int(rng.choice([0, 1, 7, 64, 4_000, 300_000]))
    values = (rng.normal(size=size) * rng.choice([0.0, 1.0, 1e300])).astype(rng.choice(["float64", "float16", "int64"]))
    if rng.random() < 0.2 and size:
        values[0] = 0
    kind = rng.integers(4)
    if kind == 0:
        codec = str(rng.choice(["zstd", "lz4", "zlib"]))
        return numcodecs.Blosc(cname=codec, shuffle=int(rng.integers(3))).encode(values)
    if kind == 1:
        return numcodecs.Zstd().encode(values.tobytes())
    bent = bytearray(data)
    if kind == 2 and len(bent) > 24:  # a number of the header or of the list of blocks
        place = 4 * int(rng.integers(0, 6))
        bent[place : place + 4] = int(rng.choice([0, 1, 16, len(bent), 2**31 - 1, 2**32 - 1])).to_bytes(4, "little")
    elif bent:  # bytes of the packed content
        for _ in range(int(rng.integers(1, 8))):
            bent[int(rng.integers(min(16, len(bent) - 1), len(bent)))] = int(rng.integers(256))
    return bytes(bent)


def bend_table(data: bytes, rng: np.random.Generator) -> bytes:
    frame = pd.read_parquet(io.BytesIO(data))
    for _ in range(int(rng.integers(1, 4))):
        if frame.columns.empty:
            break
        column = str(rng.choice(frame.columns))
        kind = rng.integers(8)
        if kind == 0:
            frame = frame.drop(columns=column)
        elif kind == 1:
            frame = frame.rename(columns={column: str(rng.choice(["x", "ood", "tap", "level", "é"]))})
        elif kind == 2:
            frame = frame.iloc[: int(rng.integers(0, len(frame) + 1))]
        elif kind == 3:
            frame = pd.concat([frame, frame], ignore_index=True)
        elif kind == 4:
            odd = ODD[int(rng.integers(len(ODD)))]
            frame[column] = [odd] * len(frame)
        elif kind == 5 and len(frame):
            frame[column] = frame[column].sample(frac=1, random_state=int(rng.integers(2**31))).to_numpy()
        elif kind == 6:
            frame[column] = rng.normal(size=len(frame)) * rng.choice([1.0, 1e308, np.nan])
        else:
            frame[column] = [b"\xff\x00"] * len(frame)
    frame = frame.loc[:, ~frame.columns.duplicated()]
    buffer = io.BytesIO()
    try:
        frame.to_parquet(buffer, index=bool(rng.integers(2)), row_group_size=int(rng.choice([1, 100])))
    except (ValueError, TypeError, OverflowError, NotImplementedError):
        return b"PAR1" + bytes(rng.integers(0, 256, 40, dtype=np.uint8)) + b"PAR1"
    return buffer.getvalue()


def bend_json(data: bytes, rng: np.random.Generator) -> bytes:
    content = json.loads(data)
    here = content
    for _ in range(6):
        keys = list(here) if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else []
        if not len(keys):
            break
        key = keys[int(rng.integers(len(keys)))]
        if isinstance(here[key], dict | list) and len(here[key]) and rng.random() < 0.8:
            here = here[key]
            continue
        kind = rng.integers(4)
        if kind == 0:
            del here[key]
        elif kind == 1 and isinstance(here[key], int | float):
            here[key] = here[key] * 2 + 1
        else:
            here[key] = ODD[int(rng.integers(len(ODD)))]
        break
    return json.dumps(content).encode()


def bend_arrays(data: bytes, rng: np.random.Generator) -> bytes:
    with np.load(io.BytesIO(data)) as content:
        arrays = {name: content[name] for name in content.files}
    name = str(rng.choice(list(arrays)))
    kind = rng.integers(5)
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        arrays[name] = np.zeros(tuple(rng.integers(0, 4, size=int(rng.integers(0, 4)))), dtype=rng.choice(DTYPES))
    elif kind == 2:
        arrays[name] = np.array(["x", "é"])
    elif kind == 3:
        arrays[name] = arrays[name][..., None]
    else:
        arrays = {f"{key}x": values for key, values in arrays.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def bend(name: str, data: bytes, rng: np.random.Generator) -> bytes:
    if "/c" in name and ".zarr" in name:
        return bend_chunk(data, rng)
    for ending, change in ((".parquet", bend_table), (".json", bend_json), (".npz", bend_arrays)):
        if name.endswith(ending):
            return change(data, rng)
    return data[: int(rng.integers(0, len(data) + 1))]


def some_bent(found: dict[str, bytes], rng: np.random.Generator) -> dict[str, bytes]:
    changed = dict(found)
    for name in rng.choice(sorted(found), int(rng.integers(1, 3)), replace=False):
        changed[str(name)] = bend(str(name), changed[str(name)], rng)
    return changed
