"""The figures of one image hold its stored scores and snapshots."""

import numpy as np
import pytest
from figure_steps import assert_whole, make

from cfs_explore.figures.choices import choose
from cfs_explore.figures.image import KINDS, find
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.store import Run


@pytest.fixture(scope="module")
def means(digits):
    """Mean over draws of the first letter's slot scores, (level, tap), and of ID-test's, (image, level, tap)."""
    return [digits.scores(*which).astype(float).mean(axis=1) for which in (("ood", "letters"), ("id_test",))]


def first_id(run, ood):
    return run.images("ood", ood)["image_id"].iloc[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_whole_and_names_the_image_in_its_file(kind, digits, letters):
    figure = make(kind, digits, letters)
    assert_whole(figure, f"digits-letters-{first_id(digits, 'letters')}-")
    counts = f"of {digits.taps[letters.cell % 29].channels};" if kind == "image-features" else "421 ID-test images"
    assert counts in figure.caption


def test_the_map_holds_the_share_of_id_test_below(digits, letters, means):
    (image, *_), reference = means
    figure = make("image-map", digits, letters)
    shares = 100 * ((reference < image).mean(axis=0) + (reference <= image).mean(axis=0)) / 2
    heat = [value for row in figure.chart.data[0].z for value in row if value is not None and np.isfinite(value)]
    np.testing.assert_allclose(heat, shares.ravel(), atol=0.3)  # a sum in another order may swap neighbours
    np.testing.assert_allclose(figure.rows["score"], image.ravel(), rtol=1e-5)
    (outline,) = [shape for shape in figure.chart.layout.shapes if shape.name == "open cell"]
    place = list(figure.chart.data[1].customdata).index(letters.cell)
    assert outline.x0 < figure.chart.data[1].x[place] < outline.x1


def test_an_id_image_is_compared_with_the_others(digits):
    scores = digits.scores("id_test")
    fourth = digits.images("id_test").iloc[3]
    options = {"image": fourth["image_id"], "role": "id_test", "value": "ratio"}
    figure = make("image-map", digits, choose(digits, options=options))
    assert "420 other ID-test images" in figure.caption and figure.stem.endswith("-ratio")
    others = np.delete(scores.astype(float).mean(axis=1), 3, axis=0)
    ratio = scores[3].astype(float).mean(axis=0) / np.median(others, axis=0)
    np.testing.assert_allclose(figure.rows["ratio"], ratio.ravel(), rtol=1e-5)


def test_detectors_are_the_presets_and_the_cell(digits, letters, means):
    (image, *_), reference = means
    figure = make("image-detectors", digits, letters)
    names = figure.rows["name"].tolist()
    assert names[:2] == ["CFS(1x2)", "CFS-dec(1x1)"] and len(names) == 3 and " @ λ 5.0" in names[2]
    presets = digits.table("detectors").drop_duplicates("name").set_index("name")["cell_indices"]
    for name in names[:2]:
        cells = [int(i) for i in presets[name]]
        score, known = image.ravel()[cells].mean(), reference.reshape(len(reference), -1)[:, cells].mean(axis=1)
        drawn = next(trace for trace in figure.chart.data if trace.name == name)
        assert drawn.x[0] == pytest.approx(score / np.median(known), rel=1e-5)
        p_value = (1 + (known >= score).sum()) / (len(known) + 1)
        assert figure.rows.set_index("name")["p_value"][name] == pytest.approx(p_value)


def test_features_are_the_farthest_of_the_stored_snapshot(digits, letters):
    figure = make("image-features", digits, letters)
    level, tap = divmod(letters.cell, len(digits.taps))
    start, width = sum(2 * each.channels for each in digits.taps[:tap]), 2 * digits.taps[tap].channels
    moments = digits.moments("id_train")
    mean, m2 = (values[level, start : start + width] for values in (moments.mean, moments.m2))
    snapshot = digits.snapshots(digits.taps[tap].name, "ood", "letters")[0]
    z = (snapshot - mean) / np.sqrt(m2 / moments.count)
    for trace, part in zip(figure.chart.data, np.split(z, 2), strict=True):
        np.testing.assert_allclose(trace.x, part[np.argsort(-np.abs(part))][:8], rtol=1e-4)
    assert len(figure.rows) == width and figure.rows["square"].is_monotonic_decreasing


def test_a_cell_whose_snapshots_were_not_kept_has_no_features(digits):
    with pytest.raises(NotMeasuredError, match=r"were not kept\. Name its tap under `keep`"):
        make("image-features", digits, choose(digits, lam=digits.levels[0].lam, tap="conv_in"))


def test_a_map_alone_is_enough(bare):
    figure = make("image-map", bare, choose(bare))
    assert len(figure.rows) == len(bare.levels) * len(bare.taps)


class Twins(Run):
    """A run whose OOD sets hold ID-test's images."""

    def images(self, role, name=None, *, columns=None):
        return super().images("id_test" if role == "ood" else role, columns=columns)


def test_an_image_of_both_sets_is_taken_from_the_one_that_is_named(digits):
    run, asked = Twins(digits.path), digits.images("id_test")["image_id"].iloc[5]
    for role, name in (("ood", "letters"), ("id_test", digits.id_test.name)):
        found = find(run, choose(run, ood="letters", options={"image": asked, "role": role}))
        assert (found.role, found.name, found.row) == (role, name, 5)


class Single(Run):
    """A run that says to have one ID-test image."""

    @property
    def id_test(self):
        return super().id_test.model_copy(update={"count": 1})


def test_a_single_id_image_has_no_others(digits):
    with pytest.raises(NotMeasuredError, match="no other image to compare this one with"):
        make("image-map", Single(digits.path), choose(digits, options={"role": "id_test"}))
