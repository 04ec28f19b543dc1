"""An imported run whose tables contradict its scores is refused."""

import io
import time

import numpy as np
import pandas as pd
import pytest

from cfs_explore.explorations import bundles
from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run
from cfs_explore.store.bundle_numbers import check_numbers


def changed(members: dict[str, bytes], name: str, change) -> dict[str, bytes]:
    frame = pd.read_parquet(io.BytesIO(members[name]))
    buffer = io.BytesIO()
    change(frame)
    frame.to_parquet(buffer, index=False)
    return members | {name: buffer.getvalue()}


def better(frame: pd.DataFrame) -> None:
    frame["auroc"] = np.minimum(1.0, frame["auroc"] + 1e-6)


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("auroc_map", lambda f: better(f.iloc[:1]) or f.__setitem__("auroc", 1 - f["auroc"]), r"scores\.zarr gives"),
        ("auroc_map", lambda f: f.__setitem__("auroc", f["auroc"] - 1e-8), r"scores\.zarr gives"),
        ("auroc_map", lambda f: f.__setitem__("auroc", np.nan), r"scores\.zarr gives"),
        ("auroc_map", lambda f: f.__setitem__("n_id", 9_999), "counts 9,999 and 7 images for bright"),
        ("detectors", lambda f: f.__setitem__("n_ood", 1), "tables/detectors.parquet counts"),
        ("best_cell", lambda f: f.__setitem__("n_ood", 8), "tables/best_cell.parquet counts"),
        ("detectors", lambda f: f.__setitem__("auroc", 0.999), "for its cell"),
    ],
)
def test_a_table_that_contradicts_the_scores(table, change, message, members, refused):
    import re

    assert re.search(message, refused(changed(members, f"tables/{table}.parquet", change)))


def test_the_bundles_agree_and_the_check_is_quick():
    run = open_run(BUNDLES / "digits")
    began = time.process_time()
    check_numbers(run.path, run.manifest, np.random.default_rng(0))
    assert time.process_time() - began < 20  # not minutes; how fast is for benchmarks


def test_what_export_wrote_is_taken(tiny_zip, runs):
    assert bundles.import_zip(tiny_zip, trusted=True).is_dir()
