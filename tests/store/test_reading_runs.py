"""A run directory assembled from known shards reads back row by row; a damaged one says what is wrong."""

import json

import numpy as np
import pandas as pd
import pytest

from cfs_explore.errors import RunError
from cfs_explore.store import Manifest, Part, SetEntry, SetWork, assemble, find_runs, open_run, write_json, write_table

COLUMNS = {"early": slice(0, 4), "late": slice(4, 6)}
SETS = [("ID", "id_train", 7), ("ID", "id_test", 4), ("cats", "ood", 5), ("dogs", "ood", 1)]


def scores_of(name: str, role: str, count: int) -> np.ndarray:
    seed = len(name) * 100 + len(role)
    return np.random.default_rng(seed).random((count, 3, 2, 2)).astype(np.float32)  # (image, draw, level, tap)


@pytest.fixture
def run(tmp_path):
    """Four sets in shards of three images; kept snapshots of the tap "late"."""
    home, entries, parts, start, score_start = tmp_path / "made", [], [], 0, 0
    for i, (name, role, count) in enumerate(SETS):
        work, scored = SetWork(home / "work" / str(i)), role != "id_train"
        rows = {"image_id": [f"{i}-{j}" for j in range(count)], "name": [f"n{j}" for j in range(count)]}
        rows |= {"label": "x", "format": "PNG", "mode": "L", "width": 8, "height": 8, "thumbnail": b"png"}
        write_table(work.rows_path, pd.DataFrame(rows))
        order = np.random.default_rng(i).permutation(count)  # shards hold scattered rows
        for index, first in enumerate(range(0, count, 3)):
            part = np.sort(order[first : first + 3])
            kept = part[:, None] * [1.0, 10.0] + i
            arrays = {"rows": part, "kept.late": kept}
            arrays |= {"scores": scores_of(name, role, count)[part]} if scored else {}
            sums = {key: np.full((2, 6), i + 0.5) for key in ("mean", "m2", "m2_within")}
            work.finish_shard(index, arrays, sums | {"count": np.int64(3 * (first + len(part)))})
        entry = SetEntry(
            name=name, role=role, count=count, start=start, samples=3 * count, score_start=score_start if scored else -1
        )
        entries, parts = [*entries, entry], [*parts, Part(entry, work, work.shards_done())]
        start, score_start = start + count, score_start + (count if scored else 0)
    assemble(home, parts, COLUMNS, {"late": 2})
    write_json(home / "manifest.json", manifest(entries))
    return open_run(home)


def manifest(entries) -> dict:
    level = {"requested": 5.0, "lam": 4.9, "a": 0.9, "b": 0.1, "native": 21.0}
    tap = {"region": "encoder", "depth": 0.5, "resolution": 8, "channels": 2, "kind": "resnet"}
    return {
        "name": "made", "created": "2026-01-01T00:00:00+00:00", "spec": {}, "versions": {},
        "precision": "fp32", "device": "cpu",
        "draws": 3, "levels": [level, level | {"native": 30.0}], "presets": {}, "warnings": [], "timings": {},
        "taps": [tap | {"name": "early"}, tap | {"name": "late", "channels": 1}],
        "sets": [entry.model_dump() for entry in entries], "kept": {"level": 0, "taps": ["late"]},
        "backbone": {
            "name": "b", "family": "unet2d", "path": "p", "fingerprint": "f", "parameters": 1,
            "image_shape": [1, 8, 8], "reach": [-9.0, 9.0],
        },
    }  # fmt: skip


def test_scores_of_each_set_and_level(run):
    for name, role, count in SETS[1:]:
        expected = scores_of(name, role, count)
        assert np.array_equal(run.scores(role, name), expected)
        assert np.array_equal(run.scores(role, name, level=1), expected[:, :, 1:2])


def test_images_moments_and_snapshots_of_each_set(run):
    for i, (name, role, count) in enumerate(SETS):
        assert list(run.images(role, name)["image_id"]) == [f"{i}-{j}" for j in range(count)]
        assert "thumbnail" not in run.images(role, name)
        assert list(run.images(role, name, columns=["thumbnail"]).columns) == ["thumbnail"]
        moments = run.moments(role, name)
        assert moments.count == 3 * count and moments.mean.shape == (2, 6) and np.all(moments.m2 == i + 0.5)
        expected = np.arange(count)[:, None] * [1.0, 10.0] + i
        assert np.array_equal(run.snapshots("late", role, name), expected)


def test_score_table_has_one_row_per_scored_image(run):
    table = run.score_table()
    assert len(table) == 10 and set(table["role"]) == {"id_test", "ood"}
    cats = table[table["dataset"] == "cats"]
    np.testing.assert_allclose(cats.iloc[:, -1], scores_of("cats", "ood", 5).mean(axis=1)[:, 1, 1])


def test_names_and_requests_that_do_not_exist(run):
    assert run.ood_names == ["cats", "dogs"] and run.id_test.name == "ID"
    with pytest.raises(RunError, match=r"no OOD set called birds\. It has: cats, dogs\."):
        run.scores("ood", "birds")
    with pytest.raises(RunError, match="statistics but no scores"):
        run.scores("id_train")
    with pytest.raises(RunError, match="snapshots of early were not kept"):
        run.snapshots("early", "ood", "cats")
    with pytest.raises(RunError, match=r"tables/auroc_map\.parquet of made is damaged: it is missing"):
        run.table("auroc_map")
    with pytest.raises(RunError, match="no table separation"):
        run.table("separation")
    with pytest.raises(RunError, match="no OOD set called birds"):
        run.auroc_map("birds")


def test_digest_follows_the_content(run):
    again = open_run(run.path)
    assert again.digest == run.digest
    content = json.loads((run.path / "manifest.json").read_text())
    write_json(run.path / "manifest.json", content | {"created": "2026-01-02T00:00:00+00:00"})
    assert open_run(run.path).digest != run.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c | {"format": 99}, "format"),
        (lambda c: c | {"colour": "red"}, "colour"),
        (lambda c: {k: v for k, v in c.items() if k != "taps"}, "taps"),
        (lambda c: [], "does not describe a run"),
    ],
)
def test_manifests_of_another_kind(run, change, message):
    path = run.path / "manifest.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(
        RunError, match=rf"manifest\.json does not describe a run of this version(.|\n)*{message}|{message}"
    ):
        Manifest.read(run.path)


def test_not_a_run(tmp_path):
    with pytest.raises(RunError, match=r"is not a finished run: it has no manifest\.json"):
        open_run(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(RunError, match="does not describe a run"):
        open_run(tmp_path)


def test_find_runs(run, tmp_path):
    (tmp_path / "unfinished").mkdir()
    assert find_runs(tmp_path, tmp_path / "missing") == [run.path]
