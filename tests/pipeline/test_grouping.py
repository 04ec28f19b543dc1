"""Images that belong together: what specs, sources and alterations say, and what a run makes of it (theory 28)."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore.charts.captions import sample_sizes
from cfs_explore.diagnostics import Groups
from cfs_explore.errors import SpecError
from cfs_explore.figures.catalogue import make_figures
from cfs_explore.figures.choices import choose
from cfs_explore.figures.figure import counts
from cfs_explore.pipeline import explore
from cfs_explore.pipeline.grouping import group_count, group_notes, split_by_group, with_groups
from cfs_explore.spec import ImageSet, RunSpec
from cfs_explore.store import open_run


def rows_of(names, labels=None, groups=None):
    return pd.DataFrame(
        {
            "image_id": [f"{i:016x}" for i in range(len(names))],
            "name": names,
            "label": labels or [""] * len(names),
            "group": pd.Series(groups or [None] * len(names), dtype="str"),
        }
    )


def groups_by(rule, names, labels=None, groups=None):
    found = with_groups(rows_of(names, labels, groups), ImageSet(name="x", source="x", group=rule))["group"]
    return [None if pd.isna(value) else value for value in found]


@pytest.mark.parametrize(
    ("rule", "names", "expected"),
    [
        ({"before_last": "_"}, ["000001/Tom_Hanks_50.webp", "000004/Tom_Hanks_51.webp"], ["Tom_Hanks"] * 2),
        ({"before_first": "_"}, ["a/p1_s2_03.png", "b/p1_s3_01.png", "plain.png"], ["p1", "p1", None]),
        ({"before_first": "/"}, ["p1/left/1.png", "p2/left/1.png"], ["p1", "p2"]),
        ({"before_first": "/"}, ["000000/p1/1.png", "000001/p1/2.png", "000002/p2/3.png"], ["p1", "p1", "p2"]),
        ({"before_first": "/"}, ["123456/1.png", "123456/2.png"], ["123456", "123456"]),
        ({"before_last": "/"}, ["p1/left/1.png", "p1/right/1.png"], ["p1/left", "p1/right"]),
    ],
)
def test_a_part_of_the_name(rule, names, expected):
    assert groups_by(rule, names) == expected


def test_a_class_or_what_the_source_tells():
    assert groups_by("class", ["1", "2", "3"], labels=["cat", "", "cat"]) == ["cat", None, "cat"]
    assert groups_by(None, ["1", "2"], groups=["p1", None]) == ["p1", None]
    assert groups_by("class", ["1"], labels=["cat"], groups=["p1"]) == ["cat"]


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("name", r"ood\.0\.group.*'class'"),
        ({"pattern": "(a+)+$"}, r"ood\.0\.group.*pattern: unknown field"),
        ({"before_last": ""}, r"ood\.0\.group.*at least 1 character"),
        ({"before_last": "_" * 9}, r"ood\.0\.group.*at most 8 characters"),
        ({}, "give either `before_first` or `before_last`"),
        ({"before_first": "_", "before_last": "_"}, "give either `before_first` or `before_last`"),
    ],
)
def test_mistakes_of_a_spec_are_named(group, message):
    content = {
        "name": "x",
        "backbone": "x",
        "id": {"train": {"name": "a", "source": "b"}},
        "ood": [{"name": "c", "source": "d", "group": group}],
    }
    with pytest.raises(SpecError, match=message):
        RunSpec.parse(content)


def test_a_split_keeps_groups_whole():
    groups = pd.Series(["a"] * 4 + ["b"] * 3 + [None] * 5 + ["c"] * 6)
    for seed in range(20):
        chosen = split_by_group(groups, 6, np.random.default_rng(seed))
        first = groups.iloc[chosen]
        assert 0 < len(chosen) < len(groups) and abs(len(chosen) - 6) <= 3
        assert not set(first.dropna()) & set(groups.drop(chosen).dropna())
    assert len(split_by_group(pd.Series(["a", "a", "b"]), 3, np.random.default_rng(0))) < 3


def test_what_is_noted_of_groups():
    test, faces = rows_of(["1", "2", "3"]), rows_of(["a", "b", "c"], groups=["p", "p", None])
    copies = rows_of(["x", "y"], groups=["0" * 16, "f" * 16])
    assert (group_count(test), group_count(faces), group_count(copies)) == (None, 2, None)
    (note,) = group_notes(("ID", test), [("faces", faces), ("copies", copies), ("others", test)])
    assert "faces has 3 images of 2 groups" in note and "1 of 2 in copies" in note and "others" not in note
    assert group_notes(("ID", test), [("others", test)]) == []
    assert "all images are one group" in group_notes(("ID", test), [("one", rows_of(["a", "b"], groups=["p"] * 2))])[-1]


def test_captions_tell_groups():
    frame = pd.DataFrame({"n_id": [9, 9], "n_ood": [6, 6]})
    assert sample_sizes(frame) == "n = 9 ID, 6 OOD"
    alone = frame.assign(id_groups=9, ood_groups=6, shared_groups=0)
    assert sample_sizes(alone) == "n = 9 ID, 6 OOD"
    assert sample_sizes(alone.assign(ood_groups=2)) == "n = 9 ID, 6 OOD of 2 groups"
    assert sample_sizes(alone.assign(shared_groups=4)) == "n = 9 ID, 6 OOD (4 groups with both)"
    two_sets = pd.concat([alone.assign(shared_groups=0), alone.assign(shared_groups=4)])
    assert sample_sizes(two_sets) == "n = 9 ID, 6 OOD (0–4 groups with both)"


@pytest.fixture(scope="module")
def grouped(quick_spec, write_images, tmp_path_factory):
    """A run with a listed set of patients, a named one, and ID-test images turned by 90 degrees."""
    folder = tmp_path_factory.mktemp("grouped")
    test, other = write_images(20, "folder", seed=5), write_images(12, "folder", seed=6, shift=60)
    files = sorted(path for path in other.rglob("*.png"))
    table = pd.DataFrame({"path": [str(f.relative_to(other)) for f in files], "patient_id": np.arange(12) // 3})
    table.to_csv(other / "list.csv", index=False)
    listed = {"path": str(other / "list.csv"), "root": str(other)}
    turned = {"altered": "rotated", "of": str(test)}
    spec = quick_spec | {
        "id": {**quick_spec["id"], "test": {"name": "held out", "source": str(test), "limit": 15}},
        "ood": [
            {"name": "patients", "source": listed},
            {"name": "turned", "source": turned, "limit": 12},
            {"name": "plain", "source": str(other)},
        ],
    }
    return explore(spec, folder / "run", device="cpu")


def test_a_run_knows_its_groups(grouped):
    patients, turned, plain = (Groups.of(*grouped.group_names(ood)) for ood in ("patients", "turned", "plain"))
    assert patients.counts == (15, 4) and patients.shared == 0 and plain is None
    ids = set(grouped.images("id_test", columns=["image_id"])["image_id"])
    originals = grouped.images("ood", "turned", columns=["group"])["group"]
    assert turned.counts == (15, 12) and turned.shared == originals.isin(ids).sum() > 0
    assert grouped.entry("ood", "patients").groups == 4 and grouped.entry("ood", "turned").groups is None
    assert any("patients has 12 images of 4 groups" in text for text in grouped.manifest.warnings)
    table = grouped.auroc_map("patients")
    assert set(table["ood_groups"]) == {4} and "12 OOD of 4 groups" in sample_sizes(table)


def test_its_intervals_are_those_of_groups(grouped):
    """The same images, with and without their patients."""
    by_group, alone = grouped.auroc_map("patients"), grouped.auroc_map("plain")
    assert np.array_equal(by_group["auroc"], alone["auroc"])
    assert not np.allclose(by_group["auroc_hi"] - by_group["auroc_lo"], alone["auroc_hi"] - alone["auroc_lo"])


def test_runs_without_the_column_have_every_image_alone(grouped, tmp_path):
    old = shutil.copytree(grouped.path, tmp_path / "old")
    pd.read_parquet(old / "images.parquet").drop(columns="group").to_parquet(old / "images.parquet")
    content = json.loads((old / "manifest.json").read_text())
    content["files"].pop("images.parquet")
    (old / "manifest.json").write_text(json.dumps(content))
    assert Groups.of(*open_run(old).group_names("patients")) is None


#: Figures of one OOD set that say how many images they are of; the stages are not part of this run.
FIGURES = ("map-heatmap", "map-detectors", "map-histogram", "map-roc", "complementarity-levels")
FIGURES += ("complementarity-scores", "triage-scores")


def caption_of(run, kind, ood):
    return make_figures(run, [kind], choose(run, ood=ood))[0][kind].caption


@pytest.mark.parametrize("kind", FIGURES)
def test_captions_of_figures_tell_groups(grouped, kind):
    assert "15 ID, 12 OOD of 4 groups" in caption_of(grouped, kind, "patients")
    assert "groups" not in caption_of(grouped, kind, "plain")


def test_a_part_of_a_set_tells_its_own_groups(grouped):
    """A stage that reads every other image of three of a patient."""
    rows = pd.DataFrame({"n_id": [15], "n_ood": [4], "ood": ["patients"]})
    assert counts(grouped, rows) == "n = 15 ID, 4 OOD"
    assert counts(grouped, rows.assign(n_ood=8)) == "n = 15 ID, 8 OOD of 4 groups"
    assert counts(grouped, rows.assign(n_ood=24), "patients", "plain") == "n = 15 ID, 24 OOD of 16 groups"
