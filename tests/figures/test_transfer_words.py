"""What is said of transfer: no stronger than its intervals, with names that tell explorations apart."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from cfs_explore.figures.protocol_transfer import titles
from cfs_explore.headlines.transfer import transfer_headline


def row(source, target, loss, lo, hi):
    return {"ood": "", "source": source, "target": target, "loss": loss, "loss_lo": lo, "loss_hi": hi}


def test_the_sentence_counts_what_is_clear_and_names_the_largest_loss():
    rows = [row("A", "B", 0.02, -0.01, 0.05), row("B", "A", 0.07, 0.06, 0.08), row("fixed", "A", 0.1, 0.09, 0.11)]
    said = transfer_headline(pd.DataFrame(rows))
    assert "clearly for **1 of 2 pairs**" in said and "the map of B on A: 0.070 [0.060, 0.080]" in said
    assert said.endswith("Beside it, the published cell 0.100 (means).")
    assert "clearly for **0 of 1 pair**" in transfer_headline(pd.DataFrame(rows[:1]))


def test_explorations_of_one_name_and_one_called_as_a_cell_are_told_apart():
    runs = [SimpleNamespace(name=name, path=Path("runs") / folder) for name, folder in zip("aab", "xyz", strict=True)]
    assert titles(runs) == ["a (x)", "a (y)", "b"]
    assert titles([SimpleNamespace(name="random", path=Path("r/mine"))]) == ["random (mine)"]
