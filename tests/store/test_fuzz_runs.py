"""Files that are valid outside and wrong inside: runs, work and imports are read as they are, or end with CFSError.

Each case changes one or two files of a finished run: arrays of other values, shapes and types in well-formed chunks,
tables with other columns, types and rows in well-formed Parquet, other values in JSON, npz of other arrays, bytes.
CI runs a few cases; ``FUZZ_CASES=1200 pytest tests/store/test_fuzz_runs.py`` runs so many of each kind, and
``FUZZ_SEED`` moves where they begin.
"""

import hashlib
import io
import json
import os
import shutil
import zipfile

import numcodecs
import numpy as np
import pandas as pd
import pytest
from bent_files import bend_arrays, some_bent

from cfs_explore.errors import CFSError
from cfs_explore.explorations import bundles
from cfs_explore.store import SetWork, open_run

CASES, SEED = int(os.environ.get("FUZZ_CASES", "60")), int(os.environ.get("FUZZ_SEED", "0"))


def with_new_digests(changed: dict[str, bytes]) -> dict[str, bytes]:
    """The files with a manifest that lists their new digests, as whoever changes them can write it."""
    try:
        manifest = dict(json.loads(changed["manifest.json"]))
    except (ValueError, KeyError, TypeError):
        return changed
    files = {name: data for name, data in changed.items() if name not in ("manifest.json", "spec.yaml")}
    digests = {name: [len(data), hashlib.blake2b(data, digest_size=16).hexdigest()] for name, data in files.items()}
    return changed | {"manifest.json": json.dumps(manifest | {"files": digests}).encode()}


def read_all(path) -> None:
    run = open_run(path)
    for entry in run.manifest.sets:
        which = entry.role, entry.name
        assert len(run.images(*which)) == entry.count
        run.moments(*which)
        if entry.score_start >= 0:
            assert run.scores(*which).shape[0] == entry.count
        for tap in run.manifest.kept.get("taps", []):
            run.snapshots(tap, *which)
    for table in sorted((path / "tables").glob("*.parquet")):
        run.table(table.stem)
    run.pair_squares()


@pytest.fixture(scope="module")
def with_digests(tiny_zip) -> dict[str, bytes]:
    with zipfile.ZipFile(tiny_zip) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


@pytest.mark.filterwarnings("ignore")
def test_a_bent_run_is_read_or_refused(with_digests, without_digests, tmp_path):
    for number in range(SEED, SEED + CASES):
        rng = np.random.default_rng([1, number])
        changed = some_bent(with_digests if number % 2 else without_digests, rng)
        changed = with_new_digests(changed) if number % 3 else changed
        home = tmp_path / "run"
        for name, data in changed.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes(data)
        try:
            read_all(home)
        except CFSError:
            pass
        except Exception as error:
            raise AssertionError(f"case {number}") from error
        shutil.rmtree(home)


@pytest.mark.filterwarnings("ignore")
def test_a_bent_import_is_taken_or_refused(with_digests, without_digests, runs, tmp_path):
    for number in range(SEED, SEED + CASES):
        rng = np.random.default_rng([2, number])
        changed = some_bent(with_digests if number % 3 == 0 else without_digests, rng)
        changed = with_new_digests(changed) if number % 2 else changed
        with zipfile.ZipFile(tmp_path / "sent.zip", "w") as archive:
            for name, data in changed.items():
                archive.writestr(name, data)
        try:
            run = bundles.import_zip(tmp_path / "sent.zip", trusted=True)
            read_all(run)
            shutil.rmtree(run)
        except CFSError:
            pass
        except Exception as error:
            raise AssertionError(f"case {number}") from error
        assert not runs.exists() or list(runs.iterdir()) == []


@pytest.mark.filterwarnings("ignore")
def test_bent_work_is_manifest(tmp_path):
    work = SetWork(tmp_path / "set")
    for index in range(3):
        sums = {"count": np.int64(2 * index + 2), "mean": np.ones((1, 4)), "m2": np.ones((1, 4))}
        work.finish_shard(index, {"rows": np.arange(2) + 2 * index, "scores": np.ones((2, 1, 1, 1))}, sums)
    work.keep_block(0, np.ones((1, 1, 2, 4), dtype=np.float32))
    whole = {path.relative_to(work.folder).as_posix(): path.read_bytes() for path in work.folder.rglob("*.npz")}
    for number in range(SEED, SEED + CASES):
        rng = np.random.default_rng([3, number])
        name = str(rng.choice(sorted(whole)))
        bent = bend_arrays(whole[name], rng)
        for other, data in whole.items():
            (work.folder / other).parent.mkdir(parents=True, exist_ok=True)
            (work.folder / other).write_bytes(bent if other == name else data)
        try:
            damaged = work.damaged_shards()
            if bent == whole[name]:
                assert damaged == [] and work.shards_done() == 3
            elif name == "moments.npz":
                assert work.shards_done() == 0
            elif name.startswith("shards"):
                assert damaged == [int(name[7:13])]
            work.has_block(0)
        except Exception as error:
            raise AssertionError(f"case {number}") from error


def _table(name: str, change):
    def bent(files: dict[str, bytes]) -> dict[str, bytes]:
        frame, buffer = change(pd.read_parquet(io.BytesIO(files[name]))), io.BytesIO()
        frame.to_parquet(buffer)
        return files | {name: buffer.getvalue()}

    return bent


def _chunk(name: str, value: float):
    def bent(files: dict[str, bytes]) -> dict[str, bytes]:
        folder = name.partition("/c/")[0]
        metadata = json.loads(files[f"{folder}/zarr.json"])
        zstd, dtype = metadata["codecs"][1]["name"] == "zstd", np.dtype(metadata["data_type"])
        codec = numcodecs.Zstd() if zstd else numcodecs.Blosc(cname="zstd", shuffle=1)
        values = np.frombuffer(codec.decode(files[name]), dtype).copy()
        values[:] = value
        return files | {name: bytes(codec.encode(values.tobytes() if zstd else values))}

    return bent


def _manifest(change):
    return lambda files: files | {"manifest.json": json.dumps(change(json.loads(files["manifest.json"]))).encode()}


#: What is wrong -> the change, and what the message names.
WRONG = {
    "a column is gone": (_table("tables/detectors.parquet", lambda f: f.drop(columns="name")), "no column name"),
    "text for numbers": (_table("tables/auroc_map.parquet", lambda f: f.astype({"lam": str})), "lam: wrong type"),
    "categories": (_table("tables/heads.parquet", lambda f: f.astype({"head": "category"})), "head: wrong type"),
    "an area above 1": (_table("tables/auroc_map.parquet", lambda f: f.assign(auroc=1.5)), "auroc: allowed is 0 to 1"),
    "a cell outside": (_table("tables/best_cell.parquet", lambda f: f.assign(cell_index=10**6)), "cells are 0 to"),
    "a row twice": (_table("tables/heads.parquet", lambda f: pd.concat([f, f])), "same row twice"),
    "half of the map": (_table("tables/auroc_map.parquet", lambda f: f.iloc[::2]), "must have"),
    "a negative width": (_table("images.parquet", lambda f: f.assign(width=-1)), "width"),
    "another count": (_chunk("moments.zarr/count/c/0", 3), "counts 3 samples"),
    "a mean of NaN": (_chunk("moments.zarr/mean/c/0/0/0", np.nan), "not finite numbers"),
    "negative squares": (_chunk("moments.zarr/m2/c/0/0/0", -1), "below 0"),
    "scores of infinity": (_chunk("scores.zarr/c/0/0/0/0", np.inf), "not finite numbers"),
    "negative draws": (_manifest(lambda m: m | {"draws": -1}), "draws: allowed is"),
    "a million workers": (
        _manifest(lambda m: m | {"workers": {"count": 10**6, "threads": 1}}),
        r"workers\.count: .*4096",
    ),
    "a million threads": (
        _manifest(lambda m: m | {"workers": {"count": 1, "threads": 10**6}}),
        r"workers\.threads: .*4096, got 1000000",
    ),
    "a negative speed": (
        _manifest(lambda m: m | {"workers": {"count": 1, "threads": 1, "alone": -1.0}}),
        r"workers\.alone",
    ),
    "NaN seconds": (_manifest(lambda m: m | {"seconds_per_forward": float("nan")}), "seconds_per_forward"),
    "a NaN level": (_manifest(lambda m: m | {"levels": [m["levels"][0] | {"lam": float("nan")}] * 2}), "lam"),
    "a negative start": (
        _manifest(lambda m: m | {"sets": [s | {"start": -s["start"]} for s in m["sets"]]}),
        "sets.start",
    ),
    "lists for taps": (_manifest(lambda m: m | {"kept": m["kept"] | {"taps": [["x"]]}}), "kept.taps"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_digests_of_its_own_cannot_hide(kind, with_digests, tmp_path):
    """Well-formed files with wrong values, whose digests in the manifest fit."""
    change, named = WRONG[kind]
    for name, data in with_new_digests(change(with_digests)).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with pytest.raises(CFSError, match=named) as caught:
        read_all(tmp_path)
    assert len(str(caught.value)) < 2_000
