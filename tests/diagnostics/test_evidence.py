"""Evidence over sets and tables, against the textbook's formulas in plain loops."""

import math
import statistics

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cfs_explore.diagnostics import ScoreError
from cfs_explore.diagnostics.evidence import mean_of_tables, separation_fit, summarised


def test_mean_over_sets_and_counts():
    value, lo, hi = [0.3, 0.1, -0.2, 0.05], [0.2, -0.1, -0.3, 0.01], [0.4, 0.3, -0.1, 0.09]
    found = summarised(value, lo, hi, [False, False, False, True])
    half = stats.t.ppf(0.975, 3) * statistics.stdev(value) / math.sqrt(4)
    assert found.mean == pytest.approx(0.0625)
    assert (found.lo, found.hi) == pytest.approx((0.0625 - half, 0.0625 + half))
    assert found[3:] == (1, 1, 1, 1, 4)  # the saturated set counts in the mean alone


def test_a_single_set_has_no_limits_for_others():
    found = summarised([0.3], [0.2], [0.4])
    assert (found.mean, found.above, found.sets) == (0.3, 1, 1)
    assert math.isnan(found.lo) and math.isnan(found.hi)


@pytest.mark.parametrize("values", [[], [0.1, float("nan")]])
def test_a_set_without_a_value_is_refused(values):
    with pytest.raises(ScoreError, match="finite value of every set"):
        summarised(values, values, values)


def test_limits_for_other_sets_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held = 0
    for values in rng.normal(0.05, 0.1, (2_000, 9)):
        found = summarised(values, values, values)
        held += found.lo <= 0.05 <= found.hi
    assert 0.935 < held / 2_000 < 0.965


def test_mean_of_tables_keeps_what_all_have():
    one = pd.DataFrame({"ood": ["a", "b", "c"], "policy": "p", "gain": [0.1, 0.2, 0.3]})
    other = pd.DataFrame({"ood": ["c", "a", "b"], "policy": "p", "gain": [0.5, 0.3, np.nan]})
    found = mean_of_tables([one, other], "gain")
    assert {ood: value for (ood, _), value in found.items()} == pytest.approx({"a": 0.2, "c": 0.4})


def test_separation_fit_by_hand():
    rng = np.random.default_rng(1)
    rows = []
    for ood in ("b", "a"):
        for cell in range(30):
            auroc = rng.uniform(0.4, 1)
            row = {"ood": ood, "auroc": auroc, "predicted": auroc + rng.normal(0, 0.1), "hi": auroc + 0.02}
            rows.append(row | {"bound": np.nan if cell % 3 else auroc - 0.1})
    rows[0]["bound"] = rows[0]["hi"] + 0.01  # impossible, and found
    rows[5]["predicted"] = np.nan
    table = pd.DataFrame(rows)
    found = separation_fit(table).set_index("ood")
    assert list(found.index) == ["b", "a"]
    for ood in ("a", "b"):
        own = [row for row in rows if row["ood"] == ood and not math.isnan(row["predicted"])]
        miss = statistics.mean(abs(row["auroc"] - row["predicted"]) for row in own)
        ranks = stats.spearmanr([row["auroc"] for row in own], [row["predicted"] for row in own]).statistic
        assert found.loc[ood, ["miss", "spearman"]].to_list() == pytest.approx([miss, ranks])
    assert found[["cells", "bounded", "broken"]].to_numpy().tolist() == [[30, 10, 1], [30, 10, 0]]
