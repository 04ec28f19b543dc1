"""What a finished run holds, and that its map is what one gets by hand from ``cfs.extract``."""

import json
import platform

import numpy as np
import pandas as pd
import pytest
import zarr
from sklearn.metrics import roc_auc_score

import cfs_explore as cfs
from cfs_explore import images
from cfs_explore.scoring import Moments


def pixels_and_ids(source, seed=7):
    with images.open_source(source, seed=seed) as opened:
        records = [opened.read(i) for i in range(len(opened))]
    arrays = np.stack([images.to_input(r.pixels, (1, 8, 8)) for r in records])
    return arrays.astype(np.float32) / 127.5 - 1, [r.image_id for r in records]


@pytest.fixture(scope="module")
def by_hand(tiny, spec):
    """set name -> snapshots of every tap, from the images themselves."""
    sources = {"ramps": spec["id"]["train"]["source"]} | {s["name"]: s["source"] for s in spec["ood"]}
    out = {}
    for name, source in sources.items():
        x, ids = pixels_and_ids(source)
        out[name] = ids, cfs.extract(tiny, x, spec["levels"], draws=2, seed=7, ids=ids)
    return out


def test_every_file_of_the_contract(finished):
    there = {p.name for p in finished.path.iterdir()}
    assert there == {
        "spec.yaml", "manifest.json", "opened.json", "images.parquet", "scores.zarr", "moments.zarr", "snapshots.zarr",
        "tables",
    }  # fmt: skip
    assert {p.stem for p in (finished.path / "tables").iterdir()} == {
        "auroc_map", "detectors", "best_cell", "heads", "skipped",
    }  # fmt: skip
    assert not list(finished.path.rglob("*.partial"))


def test_manifest(finished, tiny):
    content = json.loads((finished.path / "manifest.json").read_text())
    assert content["backbone"]["fingerprint"] == tiny.fingerprint
    assert content["versions"]["python"] == platform.python_version()
    assert {"torch", "diffusers", "numpy"} <= set(content["versions"])
    assert content["spec"]["seed"] == 7 and content["draws"] == 2 and content["precision"] == "fp32"
    assert {"loading", "preparing", "measuring", "saving", "tabulating"} <= set(content["timings"])
    sets = [(s["name"], s["role"], s["count"], s["samples"], s["score_start"]) for s in content["sets"]]
    assert sets == [
        ("ramps", "id_train", 24, 48, -1),
        ("ramps", "id_test", 12, 24, 0),
        ("bright", "ood", 11, 22, 12),
        ("folder", "ood", 5, 10, 23),
        ("letters", "ood", 9, 18, 28),
    ]
    assert [level["requested"] for level in content["levels"]] == [5.0, -1.0]
    assert content["levels"][0] == tiny.match(5.0).to_dict()
    assert [tap["name"] for tap in content["taps"]] == [t.name for t in tiny.taps()]
    assert content["presets"]["sparse_ed"] == ["down_blocks.0.resnets.0", "up_blocks.0.resnets.1"]
    assert len(content["presets"]["sparse_ed_id"]) == 2


def test_arrays_have_the_shapes_of_the_contract(finished, tiny):
    width = sum(2 * t.channels for t in tiny.taps())
    scores = zarr.open_array(str(finished.path / "scores.zarr"), mode="r")
    assert scores.shape == (37, 2, 2, 16) and scores.dtype == np.float32  # (image, draw, level, tap)
    moments = zarr.open_group(str(finished.path / "moments.zarr"), mode="r")
    assert moments["mean"].shape == moments["m2"].shape == (5, 2, width) and moments["mean"].dtype == np.float64
    assert finished.snapshots("up_blocks.0.resnets.1", "id_train").shape == (24, 32)
    table = pd.read_parquet(finished.path / "images.parquet")
    assert len(table) == 61
    assert list(table.columns[:3]) == ["dataset", "role", "image_id"]
    assert {"name", "format", "width", "height", "label", "thumbnail"} <= set(table.columns)
    assert table["thumbnail"].map(lambda b: b[:4]).eq(b"\x89PNG").all()


def test_split_of_the_id_images(finished, by_hand):
    train, test = (set(finished.images(role)["image_id"]) for role in ("id_train", "id_test"))
    assert not train & test
    assert train | test == set(by_hand["ramps"][0])


def test_moments_and_scores_by_hand(finished, tiny, by_hand):
    ids, snaps = by_hand["ramps"]
    rows = [ids.index(i) for i in finished.images("id_train")["image_id"]]
    start = 0
    for t, tap in enumerate(tiny.taps()):
        columns = slice(start, start + 2 * tap.channels)
        start = columns.stop
        reference = Moments.of(snaps[tap.name][:, :, rows])
        stored = finished.moments("id_train")
        np.testing.assert_allclose(stored.mean[:, columns], reference.mean, rtol=1e-4, atol=1e-5)
        for name in ("bright", "letters"):
            z = snaps_of(by_hand, name, tap.name)
            s = ((z - reference.mean[:, None, None]) ** 2 / reference.variance[:, None, None]).mean(axis=-1)
            stored = finished.scores("ood", name)[..., t]  # (image, draw, level)
            np.testing.assert_allclose(stored, s.transpose(2, 1, 0), rtol=1e-3)


def snaps_of(by_hand, name, tap):
    return by_hand[name][1][tap].astype(np.float64)


def test_map_is_sklearns_auroc_of_hand_made_scores(finished, tiny, by_hand):
    ids, snaps = by_hand["ramps"]
    train, test = ([ids.index(i) for i in finished.images(role)["image_id"]] for role in ("id_train", "id_test"))
    for name in finished.ood_names:
        frame = finished.auroc_map(name)
        assert len(frame) == 2 * 16
        assert {"tap", "lam", "auroc", "lo", "hi", "n_id", "n_ood"} <= set(frame.columns)
        assert set(frame["n_id"]) == {12} and set(frame["n_ood"]) == {len(by_hand[name][0])}
        for tap in tiny.taps():
            fit = Moments.of(snaps[tap.name][:, :, train])
            for k in range(2):
                z_id, z_ood = snaps[tap.name][k][:, test], by_hand[name][1][tap.name][k]
                s = [((z - fit.mean[k]) ** 2 / fit.variance[k]).mean(axis=(0, 2)) for z in (z_id, z_ood)]
                expected = roc_auc_score(np.repeat([0, 1], [len(s[0]), len(s[1])]), np.concatenate(s))
                row = frame[(frame["tap"] == tap.name) & (frame["level"] == k)]
                assert row["auroc"].item() == pytest.approx(expected, abs=1e-9), (name, tap.name, k)
                assert row["lo"].item() <= row["auroc"].item() <= row["hi"].item()
                assert row["lam"].item() == finished.levels[k].lam


def test_preset_detectors_and_heads(finished):
    detectors = finished.table("detectors")
    bright = detectors[detectors["ood"] == "bright"].set_index("name")
    e, d = (finished.taps.index(t) for t in finished.taps if t.name in finished.manifest.presets["sparse_ed"])
    s_id, s_ood = (finished.scores(*w, level=0).mean(axis=1)[:, 0] for w in (("id_test",), ("ood", "bright")))
    both = [s[:, [e, d]].mean(axis=1) for s in (s_id, s_ood)]
    expected = roc_auc_score(np.repeat([0, 1], [12, 11]), np.concatenate(both))
    assert bright.loc["CFS(1x2)", "auroc"] == pytest.approx(expected, abs=1e-6)
    assert {"CFS(1x2)", "CFS-dec(1x1)", "CFS-enc(1x1)", "CFS(1x2), ID-chosen"} <= set(bright.index)
    assert set(finished.table("heads")["head"]) == set(cfs.heads.REGISTRY)
    assert len(finished.table("best_cell")) == 3


def test_open_run_reads_what_explore_gave(finished):
    again = cfs.open_run(finished.path)
    assert again.digest == finished.digest
    pd.testing.assert_frame_equal(again.auroc_map("letters"), finished.auroc_map("letters"))


def test_a_finished_run_is_not_measured_again(finished, spec, forwards):
    again = cfs.explore(spec, finished.path)
    assert again.digest == finished.digest and forwards == []
