"""Plates of the protocol page that hold several explorations."""

import numpy as np
import pandas as pd
import pytest
from page_steps import open_page
from same_as_page import assert_page_shows

from cfs_explore.locations import BUNDLES
from cfs_explore.plates.needs import NotMeasuredError
from cfs_explore.plates.protocol_compare import difference, side_map
from cfs_explore.plates.protocol_cost import cost_front
from cfs_explore.plates.protocol_levels import curves
from cfs_explore.protocol import compare, cost_table
from cfs_explore.store import Run


@pytest.fixture(scope="module")
def narrow():
    return Run(BUNDLES / "digits-narrow")


@pytest.fixture(scope="module")
def aligned():
    """As if its levels had been aligned to those of ``digits``."""
    run = Run(BUNDLES / "digits-narrow")
    run.manifest.spec["reference"] = "digits"
    return run


@pytest.fixture(scope="module")
def differences(digits, narrow):
    return compare(digits, narrow, "letters")


def curve(run):
    return run.table("alignment_curves")


def drawn(plate) -> list[str]:
    return [each.name for each in plate.figure.data if each.mode == "lines" and each.name]


LEVELS = pd.DataFrame(
    {"variant": ["score_norm", "score_norm", "perceptual"], "requested": [4.0, 0.0, 0.0], "lam": [3.5, 0.25, 1.0]}
).assign(reachable=True)


def test_the_reference_comes_first_and_its_levels_are_marked(digits, aligned, bare):
    others = [(bare, curve(aligned)), (digits, curve(digits))]
    plate = curves(aligned, "score_norm", curve(aligned), others, LEVELS)
    assert drawn(plate) == [aligned.name, digits.name, "bare"]  # a second one of the name goes by its folder
    assert plate.caption.endswith(f" Circles: a level of {digits.name} (open) and where {aligned.name} is as high.")
    assert set(plate.rows["exploration"]) == {aligned.name, digits.name, "bare"}
    marks = next(each for each in plate.figure.data if each.name == "Requested")
    of_digits = curve(digits).sort_values("lam")
    assert list(marks.x) == [4.0, 0.0]
    assert np.allclose(marks.y, np.interp(marks.x, of_digits["lam"], of_digits["score_norm"]))


@pytest.mark.parametrize("levels", [None, LEVELS[LEVELS["variant"] == "perceptual"]])
def test_without_aligned_levels_nothing_is_marked(digits, aligned, levels):
    plate = curves(aligned, "score_norm", curve(aligned), [(digits, curve(digits))], levels)
    assert drawn(plate) == [aligned.name, digits.name] and "Circles" not in plate.caption


def test_where_the_reference_is_not_beside_it_nothing_is_marked(narrow, aligned, bare):
    for run in (narrow, aligned):  # of no reference, and of one that is not shown
        plate = curves(run, "score_norm", curve(run), [(bare, curve(run))], LEVELS)
        assert drawn(plate) == [run.name, "bare"] and "Circles" not in plate.caption


def test_the_other_kind_of_curve_is_the_visible_change(digits):
    plate = curves(digits, "perceptual", curve(digits))
    line = next(each for each in plate.figure.data if each.name == digits.name)
    assert sorted(line.y) == pytest.approx(sorted(curve(digits)["perceptual"]))
    assert plate.caption.startswith("Visible change") and plate.stem == "digits-perceptual"


def test_the_fronts_of_others_are_named_and_drawn(digits, narrow):
    table, theirs = cost_table(digits, "letters"), cost_table(narrow, "letters")
    plate = cost_front(digits, "letters", table, "ms", {narrow.name: theirs})
    assert plate.caption.endswith(f"Dashed: the front of {narrow.name}.")
    line = next(each for each in plate.figure.data if each.name == f"Front of {narrow.name}")
    priced = theirs.dropna(subset=["ms"])
    assert line.line.dash == "dash" and set(line.y) <= set(priced["judged_auroc"])
    assert line.y[-1] == priced.loc[priced["picked_auroc"].idxmax(), "judged_auroc"]
    assert plate.alt.startswith("AUROC against Measured time; the front has")


def test_the_difference_is_that_of_the_two_maps(digits, narrow, differences):
    plate = difference(digits, narrow, "letters", differences)
    first, second = (run.auroc_map("letters").set_index(["level", "tap"])["auroc"] for run in (digits, narrow))
    expected = [second[row.level_b, row.tap_b] - first[row.level_a, row.tap_a] for row in plate.rows.itertuples()]
    assert np.allclose(plate.rows["difference"], expected, atol=1e-6)
    shown = np.array(plate.figure.data[0].z, float)
    assert np.allclose(np.sort(shown[~np.isnan(shown)]), np.sort(expected), atol=1e-6)
    assert plate.caption.startswith(f"AUROC of {narrow.name} minus that of {digits.name}; OOD: letters;")
    assert f"Above 0: {narrow.name} is better" in plate.caption
    assert "n = 421 ID, 250 OOD; 5 noise draws on both sides" in plate.caption
    assert plate.stem == "digits-narrow-minus-digits-letters"


def test_explorations_without_a_common_level_have_no_difference(digits, narrow, differences):
    with pytest.raises(NotMeasuredError, match="nothing to compare"):
        difference(digits, narrow, "letters", differences.iloc[:0])


def test_a_map_at_the_side_is_the_runs_own(narrow):
    cells = narrow.auroc_map("letters")
    plate = side_map(narrow, "letters", cells)
    shown = np.array(plate.figure.data[0].z, float)
    assert np.allclose(np.sort(shown[~np.isnan(shown)]), np.sort(cells["auroc"]))
    assert "OOD: letters" in plate.caption and plate.stem == "digits-narrow-letters-map"


def test_the_page_shows_these_plates(digits, narrow, differences):
    app = open_page("protocol", run="digits", ood="letters", protocol_view="compare", protocol_against="digits-narrow")
    for run in (digits, narrow):
        assert_page_shows(app, f"map_of_{run.path.name}", side_map(run, "letters", run.auroc_map("letters")))
    assert_page_shows(app, "difference_digits-narrow", difference(digits, narrow, "letters", differences))
    app = open_page("protocol", run="digits", ood="letters", protocol_view="levels", protocol_against="digits-narrow")
    beside = [(narrow, curve(narrow))]
    assert_page_shows(app, "protocol_curves", curves(digits, "score_norm", curve(digits), beside))
