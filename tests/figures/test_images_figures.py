"""The scatter of images holds PCA of the stored snapshots, leaves the run as it is, and is what the page shows."""

import shutil

import numpy as np
import pytest
from page_steps import open_page
from same_as_page import assert_page_shows

from cfs_explore.figures.choices import choose
from cfs_explore.figures.images import KINDS
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run
from cfs_explore.store.slim import drop_snapshots
from cfs_explore.ui import data


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """The bundled run without stored coordinates."""
    ignored = shutil.ignore_patterns("embedding", "backbone")
    return open_run(shutil.copytree(BUNDLES / "digits", tmp_path_factory.mktemp("runs") / "digits", ignore=ignored))


@pytest.fixture(scope="module")
def figure(copied):
    return make(copied, choose(copied, ood="letters"))


def make(run, choices):
    return KINDS["images-scatter"].make(run, choices, "light")


def features_of(run, *which):
    """Snapshots of the kept pair in ID-train standard deviations, each tap with the same weight; (n, d)."""
    moments, level, blocks = run.moments("id_train"), run.manifest.kept["level"], []
    for position, tap in enumerate(run.taps):
        if tap.name in run.manifest.presets["sparse_ed"]:
            start = sum(2 * each.channels for each in run.taps[:position])
            at = slice(start, start + 2 * tap.channels)
            spread = np.sqrt(moments.m2[level, at] / moments.count)
            z = (run.snapshots(tap.name, *which) - moments.mean[level, at]) / spread
            blocks.append(z / np.sqrt(2 * z.shape[1]))
    return np.concatenate(blocks, axis=1)


def test_points_stand_where_the_principal_components_put_them(copied, figure):
    of_id, ood = features_of(copied, "id_test"), features_of(copied, "ood", "letters")
    centre = of_id.mean(axis=0)
    _, lengths, axes = np.linalg.svd(of_id - centre, full_matrices=False)
    expected = (np.concatenate([of_id, ood]) - centre) @ axes[:2].T
    drawn = {}
    for trace in figure.chart.data:
        drawn |= dict(zip(trace.customdata, zip(trace.x, trace.y, strict=True), strict=True))
    starts = [(copied.id_test.start, 421), (copied.entry("ood", "letters").start, 250)]
    found = np.array([drawn[row] for start, count in starts for row in range(start, start + count)], dtype=float)
    found *= np.sign(found[0] * expected[0])  # a component's sign is anyone's
    np.testing.assert_allclose(found, expected, atol=1e-3)
    share = 100 * lengths**2 / (lengths**2).sum()
    assert figure.chart.layout.xaxis.title.text == f"PC 1 ({share[0]:.0f} % of the ID variance)"
    assert figure.chart.layout.yaxis.title.text == f"PC 2 ({share[1]:.0f} % of the ID variance)"


def test_rows_are_the_images_with_their_scores(copied, figure):
    rows, cells = figure.rows, list(choose(copied).cells)
    assert rows["dataset"].value_counts().to_dict() == {"digits 0-6": 421, "letters": 250}
    for role, name in (("id_test", None), ("ood", "letters")):
        part = rows[rows["role"] == role]
        scores = copied.scores(role, name).astype(float).mean(axis=1)
        np.testing.assert_allclose(part["score"], scores.reshape(len(scores), -1)[:, cells].mean(axis=1), rtol=1e-6)
        assert part["image_id"].tolist() == copied.images(role, name)["image_id"].tolist()


def test_words(figure):
    assert figure.stem == "digits-letters-images-pca"
    assert "421 digits 0-6, 250 letters" in figure.alt
    assert figure.caption == (
        "Snapshots of down1.res1, up1.res2 at λ 5.0, first noise draw, standardised by ID-train; PCA fitted on "
        "ID-test, OOD images projected into it; n = 421 ID, 250 OOD (letters)."
    )


def test_the_run_is_left_as_it_is_and_the_page_which_stores_coordinates_shows_the_same(
    copied, figure, monkeypatch, tmp_path
):
    assert not (copied.path / "embedding").exists()
    monkeypatch.setattr(data, "BUNDLES", tmp_path)
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(copied.path.parent))
    app = open_page("images", run="digits", ood="letters")
    assert_page_shows(app, "images_scatter", figure)
    assert (copied.path / "embedding").is_dir()
    from_stored = make(copied, choose(copied, ood="letters"))
    assert from_stored.chart.to_json() == figure.chart.to_json()


def test_a_run_without_snapshots_says_how_to_keep_them(copied, tmp_path):
    run = shutil.copytree(copied.path, tmp_path / "slim")
    drop_snapshots(run, everything=True)
    with pytest.raises(NotMeasuredError, match=r"keeps none\. Name taps under `keep` in the spec"):
        make(open_run(run), choose(open_run(run)))


def test_a_set_that_is_named_twice_is_shown_once(copied, figure):
    twice = make(copied, choose(copied, options={"sets": "letters, letters"}))
    assert twice.chart.to_json() == figure.chart.to_json()
