"""Near and far on the page Protocol: the figures' rows, their dots, and what their captions say of every set."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from bundles import bundle
from figure_steps import assert_follows_theme, assert_whole, make, trace
from sklearn.metrics import roc_auc_score

from cfs_explore.figures import set_groups
from cfs_explore.figures.choices import choose
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.wording import format_estimate

CAPTION = (
    "Near: digits 7-9 (n = 250), letters (n = 250). Far: photo patches (n = 250); one set, so no spread over sets. "
    "Covariate: flipped (n = 250), rotated (n = 250), inverted (n = 250), blurred (n = 250), noisy (n = 250). "
    "ID-test: n = 421. Full spectrum: the 1,250 images of the covariate sets count as ID, beside ID-test; near and far "
    "sets are OOD."
)


def regrouped(run, **groups):
    """The run with its sets in other groups."""
    other = copy.copy(run)
    of = {name: group for group, names in groups.items() for name in names}
    sets = [{**each, "set_group": of.get(each["name"])} for each in run.manifest.spec["ood"]]
    other.manifest = run.manifest.model_copy(update={"spec": {**run.manifest.spec, "ood": sets}})
    return other


@pytest.mark.parametrize("kind", ["protocol-groups", "protocol-group-maps"])
def test_both_figures_are_whole(digits, choices, kind):
    figure = make(kind, digits, choices)
    assert_whole(figure)
    assert CAPTION in figure.caption
    assert_follows_theme(kind, digits, choices)


def test_a_line_per_group_and_detector_with_ticks_of_its_sets(digits, choices):
    figure = make("protocol-groups", digits, choices)
    table = set_groups.detector_groups(digits)
    near = table[(table["set_group"] == "near") & (table["spectrum"] == "standard") & (table["row"] == 0)]
    mean = near[near["ood"] == ""].iloc[0]
    dot = trace(figure, "near: CFS(1x2)")
    assert dot.x == (mean["auroc"],) and dot.y == (0,)
    assert (dot.x[0] - dot.error_x.arrayminus[0], dot.x[0] + dot.error_x.array[0]) == pytest.approx(
        (mean["lo"], mean["hi"])
    )
    ticks = [each for each in figure.chart.data if each.marker.symbol == "line-ns" and each.y == (0,)]
    assert [(each.name, each.x[0]) for each in ticks] == list(
        near[near["ood"] != ""][["ood", "auroc"]].itertuples(index=False, name=None)
    )
    texts = [note.text for note in figure.chart.layout.annotations]
    assert len(texts) == 2 * 5
    assert texts[0] == f"<b>near: CFS(1x2)</b> {format_estimate(*mean[['auroc', 'lo', 'hi']])} · 2 sets"
    assert texts[2].endswith(" · one set") and texts[6].startswith("<b>near, full spectrum: CFS(1x2)</b>")


def test_a_composed_detector_stands_beside_the_published_ones(digits):
    figure = make("protocol-groups", digits, choose(digits, detector=["up1.res1@5", "conv_in@5"]))
    assert trace(figure, "near: mean of 2 cells").marker.symbol == "diamond"
    assert figure.rows["detector"].nunique() == 3


def test_a_run_without_a_published_pair_needs_cells(digits):
    other = copy.copy(digits)
    other.table = lambda name: digits.table(name).iloc[:0] if name == "detectors" else digits.table(name)
    with pytest.raises(NotMeasuredError, match="give a detector of your own, cells"):
        make("protocol-groups", other, choose(other))
    figure = make("protocol-groups", other, choose(other, detector=["up1.res1@5"]))
    assert figure.rows["detector"].unique().tolist() == ["up1.res1 @ λ 5.0"]


def test_maps_are_of_each_group(digits, choices):
    figure = make("protocol-group-maps", digits, choices)
    titles = [note.text for note in figure.chart.layout.annotations]
    labels = ["near", "far", "covariate", "near, full spectrum", "far, full spectrum"]
    assert [text for text in titles if text.startswith("<b>")] == [f"<b>{name}</b>" for name in labels]
    assert len(figure.rows) == 5 * len(digits.levels) * len(digits.taps)


def test_explorations_beside_it_have_their_own_groups(digits, choices):
    narrow = bundle("digits-narrow")
    figure = make("protocol-groups", digits, replace(choices, beside=(narrow,)))
    assert trace(figure, f"near: CFS(1x2) · {narrow.name}").y == (2,)
    assert figure.caption.endswith(
        f" {narrow.name}: near: digits 7-9, letters; far: photo patches; covariate: flipped, blurred."
    )
    bare = regrouped(narrow)
    beside_none = make("protocol-groups", digits, replace(choices, beside=(bare,)))
    assert beside_none.caption.endswith(f" {narrow.name} has no groups.")
    assert beside_none.rows["exploration"].unique().tolist() == [digits.name]


def test_what_is_missing_is_said(digits, choices):
    alone = make("protocol-groups", regrouped(digits, near=["letters"]), choices)
    assert "No full-spectrum AUROC: no set is in the group covariate" in alone.caption
    assert alone.caption.endswith("In no group: digits 7-9, flipped, rotated, inverted, blurred, noisy, photo patches.")
    shifted = make("protocol-groups", regrouped(digits, covariate=["noisy"]), choices)
    assert "No full-spectrum AUROC: no set is near or far." in shifted.caption
    with pytest.raises(NotMeasuredError, match="No OOD set of Digits is in a group"):
        make("protocol-group-maps", regrouped(digits), choices)


def test_rivals_stand_beside_cfs_on_the_same_images(digits, choices):
    """One cell of the grid against the mean of scikit-learn's AUROCs of the stored scores."""
    figure = make("protocol-group-rivals", digits, choices)
    assert_whole(figure)
    scores = digits.table("detector_scores")
    scores = scores[scores["network"] == "trained"].groupby(["detector", "role", "dataset"])["score"].apply(np.array)
    for name, title in (("cfs_1x2", "CFS(1x2)"), ("eigenscore", "EigenScore")):
        row = figure.rows[
            (figure.rows["detector"] == title)
            & (figure.rows["set_group"] == "near")
            & (figure.rows["spectrum"] == "standard")
        ]
        test, *near = (
            scores[name, *key] for key in (("id_test", "digits 0-6"), ("ood", "digits 7-9"), ("ood", "letters"))
        )
        each = [roc_auc_score([0] * len(test) + [1] * len(ood), [*test, *ood]) for ood in near]
        assert row["auroc"].item() == pytest.approx(np.mean(each), abs=1e-12)
        assert row["n_id"].item() == len(test) == 64
    assert not figure.rows["detector"].str.startswith("Likelihood ratio").any()  # not measured
    with pytest.raises(NotMeasuredError, match="No OOD set of Digits is in a group"):
        make("protocol-group-rivals", regrouped(digits), choices)
