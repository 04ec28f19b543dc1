"""Figures of the protocol page that hold several explorations."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cfs_explore.errors import RunError
from cfs_explore.figures.catalogue import KINDS
from cfs_explore.figures.choices import choose
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.figures.protocol_tables import cost_table
from cfs_explore.locations import BUNDLES
from cfs_explore.store import Run


def make(kind, run, *beside, **options):
    """The figure for the set of letters, with explorations beside the run."""
    return KINDS[kind].make(run, replace(choose(run, ood="letters", options=options), beside=beside), "light")


@pytest.fixture(scope="module")
def narrow():
    return Run(BUNDLES / "digits-narrow")


def with_tables(path, **tables):
    """A run some of whose tables are others, or were not computed (None)."""

    class Altered(Run):
        def has_table(self, name):
            return tables[name] is not None if name in tables else super().has_table(name)

        def table(self, name):
            if not self.has_table(name):
                raise RunError(name)
            return tables[name] if name in tables else super().table(name)

    return Altered(path)


def aligned(levels):
    """As if its levels had been aligned to those of ``digits``, and met them there."""
    run = with_tables(BUNDLES / "digits-narrow", alignment_levels=levels)
    run.manifest.spec["reference"] = "digits"
    return run


@pytest.fixture(scope="module")
def third(bare, narrow):
    """Another of the same name."""
    return with_tables(bare.path, alignment_curves=curve(narrow))


def curve(run):
    return run.table("alignment_curves")


def drawn(figure) -> list[str]:
    return [each.name for each in figure.chart.data if each.mode == "lines" and each.name]


LEVELS = pd.DataFrame(
    {"variant": ["score_norm", "score_norm", "perceptual"], "requested": [4.0, 0.0, 0.0], "lam": [3.5, 0.25, 1.0]}
).assign(reachable=True)


def test_the_reference_comes_first_and_its_levels_are_marked(digits, third):
    run = aligned(LEVELS)
    figure = make("protocol-curves", run, third, digits)
    assert drawn(figure) == [run.name, digits.name, "bare"]  # a second one of the name goes by its folder
    assert figure.caption.endswith(
        f" Circles: levels of {digits.name} (open) and those of {run.name} with the same value (filled)."
    )
    assert set(figure.rows["exploration"]) == {run.name, digits.name, "bare"}
    marks = next(each for each in figure.chart.data if each.name == "Requested")
    of_digits = curve(digits).sort_values("lam")
    assert list(marks.x) == [4.0, 0.0]
    assert np.allclose(marks.y, np.interp(marks.x, of_digits["lam"], of_digits["score_norm"]))


@pytest.mark.parametrize("levels", [None, LEVELS[LEVELS["variant"] == "perceptual"]])
def test_without_aligned_levels_nothing_is_marked(digits, levels):
    run = aligned(levels)
    figure = make("protocol-curves", run, digits)
    assert drawn(figure) == [run.name, digits.name] and "Circles" not in figure.caption


def test_where_the_reference_is_not_beside_it_nothing_is_marked(narrow, third):
    for run in (narrow, aligned(LEVELS)):  # of no reference, and of one that is not shown
        figure = make("protocol-curves", run, third)
        assert drawn(figure) == [run.name, "bare"] and "Circles" not in figure.caption


def test_the_other_kind_of_curve_is_the_visible_change(digits):
    figure = make("protocol-curves", digits, curve="perceptual")
    line = next(each for each in figure.chart.data if each.name == digits.name)
    assert sorted(line.y) == pytest.approx(sorted(curve(digits)["perceptual"]))
    assert figure.caption.startswith("Visible change") and figure.stem == "digits-perceptual"


def test_the_fronts_of_others_are_named_and_drawn(digits, narrow):
    figure, theirs = make("protocol-cost", digits, narrow, cost="ms"), cost_table(narrow, "letters")
    assert figure.caption.endswith(f"Dashed: the front of {narrow.name}.")
    line = next(each for each in figure.chart.data if each.name == f"Front of {narrow.name}")
    priced = theirs.dropna(subset=["ms"])
    assert line.line.dash == "dash" and set(line.y) <= set(priced["judged_auroc"])
    assert line.y[-1] == priced.loc[priced["picked_auroc"].idxmax(), "judged_auroc"]
    assert figure.alt.startswith("AUROC against Measured time; the front has")


def test_another_without_the_measurement_is_named(digits, bare):
    for kind in ("protocol-cost", "protocol-curves"):
        with pytest.raises(NotMeasuredError, match="was made without the stage Levels and cost"):
            make(kind, digits, bare)


def test_the_difference_is_that_of_the_two_maps(digits, narrow):
    figure = make("compare-difference", digits, narrow)
    first, second = (run.auroc_map("letters").set_index(["level", "tap"])["auroc"] for run in (digits, narrow))
    expected = [second[row.level_b, row.tap_b] - first[row.level_a, row.tap_a] for row in figure.rows.itertuples()]
    assert np.allclose(figure.rows["difference"], expected, atol=1e-6)
    shown = np.array(figure.chart.data[0].z, float)
    assert np.allclose(np.sort(shown[~np.isnan(shown)]), np.sort(expected), atol=1e-6)
    assert figure.caption.startswith(f"AUROC of {narrow.name} minus that of {digits.name}; OOD: letters;")
    assert f"Above 0: {narrow.name} is better" in figure.caption
    assert "n = 421 ID, 250 OOD; 5 noise draws on both sides" in figure.caption
    assert figure.stem == "digits-narrow-minus-digits-letters"


def test_explorations_without_a_common_level_have_no_difference(digits):
    far = Run(BUNDLES / "digits-narrow")
    far.levels = [replace(level, lam=level.lam + 100) for level in far.levels]
    with pytest.raises(NotMeasuredError, match="nothing to compare"):
        make("compare-difference", digits, far)


def test_a_map_at_the_side_is_the_runs_own(narrow):
    figure = make("compare-map", narrow)
    shown = np.array(figure.chart.data[0].z, float)
    assert np.allclose(np.sort(shown[~np.isnan(shown)]), np.sort(narrow.auroc_map("letters")["auroc"]))
    assert "OOD: letters" in figure.caption and figure.stem == "digits-narrow-letters-map"
