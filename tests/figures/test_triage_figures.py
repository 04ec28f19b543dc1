"""The triage figure holds the histograms and the threshold of the stored scores."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cfs_explore.figures.choices import choose
from cfs_explore.figures.detector import justified
from cfs_explore.figures.triage import KINDS
from cfs_explore.store import Run


def make(run, choices):
    return KINDS["triage-scores"].make(run, choices, "light")


def by_cells(run, cells, *which):
    values = run.scores(*which).astype(float).mean(axis=1)
    return values.reshape(len(values), -1)[:, list(cells)].mean(axis=1)


def test_histograms_and_threshold_are_those_of_the_stored_scores(digits, letters):
    figure = make(digits, replace(letters, cells_given=True))
    id_scores, ood = by_cells(digits, letters.cells, "id_test"), by_cells(digits, letters.cells, "ood", "letters")
    edges = [*figure.rows["left"], figure.rows["right"].iloc[-1]]
    for column, values in (("id", id_scores), ("ood", ood)):
        inside = np.clip(values, edges[0], edges[-1])
        np.testing.assert_allclose(figure.rows[column], np.histogram(inside, edges)[0] / len(values), atol=1e-9)
    threshold = np.sort(id_scores)[-21]  # p = 21 / 422 for an image just above it
    assert figure.chart.layout.shapes[0].x0 == pytest.approx(threshold)
    assert f"{(ood > threshold).sum()} images above it" in figure.alt
    assert figure.caption == (
        "Scores by CFS(1x2) of ID-test (solid) and letters (dashed), mean of 5 noise draws; n = 421 ID, 250 OOD; "
        f"threshold {threshold:.3f} for a false-alarm rate of 5 %."
    )
    assert figure.stem == "digits-letters-triage"


@pytest.mark.parametrize(
    ("cells", "name"), [((30,), "down0.res0 @ λ 7.0"), ((30, 31), "mean of 2 cells"), (None, "CFS-dec(1x1)")]
)
def test_the_detector_is_called_what_it_is(digits, letters, cells, name):
    table = digits.table("detectors").drop_duplicates("name").set_index("name")
    cells = cells or tuple(int(i) for i in table["cell_indices"]["CFS-dec(1x1)"])
    assert f"Scores by {name} of ID-test" in make(digits, replace(letters, cells=cells)).caption


def test_a_rate_below_the_smallest_p_value_has_no_threshold(digits):
    figure = make(digits, choose(digits, ood="letters", options={"rate": "0.1"}))  # the smallest is 1 / 422
    assert "no threshold for a false-alarm rate of 0.1 %" in figure.caption and not figure.chart.layout.shapes


def test_a_map_alone_is_enough(bare):
    assert "images above it" in make(bare, choose(bare)).alt


def test_without_a_detector_it_is_the_best_that_the_run_can_justify(digits, letters):
    """The best cell's AUROC on images that did not choose it, against the pair's; both from the run's tables."""
    for ood in digits.ood_names:
        best = digits.table("best_cell").set_index("ood").loc[ood]
        detectors = digits.table("detectors")
        pair = detectors[(detectors["ood"] == ood) & (detectors["name"] == "CFS(1x2)")].iloc[0]
        found = justified(digits, ood)
        if best["honest"] > pair["auroc"] and pair["auroc"] <= 0.995:
            assert (found.kind, found.cells) == ("cell", (best["cell_index"],))
        else:
            assert (found.kind, found.name) == ("pair", "CFS(1x2)") and list(found.cells) == list(pair["cell_indices"])
        figure = make(digits, replace(letters, ood=ood))
        assert figure.caption.startswith(f"Scores by {found.name} of ID-test")
    assert {justified(digits, ood).kind for ood in digits.ood_names} == {"cell", "pair"}
    assert make(digits, choose(digits, ood="letters", detector=["CFS(1x2)"])).caption.startswith("Scores by CFS(1x2)")


def test_without_a_pair_or_enough_images_there_is_still_a_detector(digits):
    """As of a backbone without presets, and of sets too small to be halved."""

    class Changed(Run):
        def table(self, name):
            return pd.DataFrame() if name in self.without else super().table(name)

    for without, kind in ((("detectors",), "cell"), (("best_cell",), "pair"), (("detectors", "best_cell"), "first")):
        run = Changed(digits.path)
        run.without = without
        assert justified(run, "letters").kind == kind
