"""The distance of every OOD set of a run: from its snapshots where they were kept, and where it is shown."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.figures.catalogue import KINDS
from cfs_explore.figures.choices import choose
from cfs_explore.figures.nearness import nearness, nearness_line
from cfs_explore.wording import format_value


def test_a_row_per_set_with_the_best_cell_of_the_tables(digits):
    rows = nearness(digits)
    assert rows["ood"].tolist() == digits.ood_names
    best = digits.table("best_cell").set_index("ood")["cell_index"]
    assert rows["cell"].tolist() == best.loc[rows["ood"]].tolist()
    assert rows["n_ood"].tolist() == [digits.entry("ood", name).count for name in digits.ood_names]
    assert rows["id_depth_0"].nunique() == 1 and abs(rows["id_depth_0"].iloc[0]) < 0.05
    assert (rows["id_at_best"].abs() < 0.1).all()
    assert (rows["at_best"] > rows["id_at_best"]).all() and rows["at_best"].max() > 1


def test_it_is_what_the_moments_say_by_hand(digits):
    """The distance at depth 0 without the correction, feature by feature, lies just above the corrected one."""
    first = [tap.region for tap in digits.taps].index("input")
    start = sum(2 * tap.channels for tap in digits.taps[:first])
    part = slice(start, start + 2 * digits.taps[first].channels)
    found, train = digits.moments("ood", "inverted"), digits.moments("id_train")
    m, mu = found.mean[0, part], train.mean[0, part]
    w, v = (np.maximum(each.m2[0, part] / each.count, 1e-6) for each in (found, train))
    plain = np.mean(((m - mu) ** 2 + (np.sqrt(w) - np.sqrt(v)) ** 2) / v)
    value = nearness(digits).set_index("ood").loc["inverted", "depth_0"]
    assert value == pytest.approx(plain, rel=0.02) and value < plain


def test_the_maps_caption_says_it(digits):
    row = nearness(digits).set_index("ood").loc["letters"]
    line = nearness_line(digits, "letters")
    assert f"{format_value(row['depth_0'])} at depth 0" in line
    assert f"{format_value(row['at_best'])} at the best cell" in line
    assert KINDS["map-heatmap"].make(digits, choose(digits, ood="letters"), "light").caption.endswith(line)


def test_a_set_without_a_best_cell_has_depth_0_alone(digits):
    from changed_run import changed

    rest = changed(digits, "best_cell", lambda table: table[table["ood"] != "letters"])
    row = nearness(rest).set_index("ood").loc["letters"]
    assert pd.isna(row["cell"]) and pd.isna(row["at_best"]) and row["depth_0"] > 0
    assert "best cell" not in nearness_line(rest, "letters")


def test_damaged_moments_leave_the_map(digits):
    import copy

    from cfs_explore.errors import DamageError

    def broken(*_):
        raise DamageError("moments.zarr is damaged")

    other = copy.copy(digits)
    other.moments = broken
    caption = KINDS["map-heatmap"].make(other, choose(other, ood="letters"), "light").caption
    assert caption.endswith("not known, since the run's moments cannot be read.")
