"""What the prediction page says of a seal that judges no set: late by the times of the table, or for another reason."""

import pandas as pd
import pytest

from cfs_explore.headlines.sealed import sealed_headline

EARLY, LATER = "2026-01-01T10:00:00+00:00", "2026-01-01T11:30:00+01:00"  # half an hour apart
LATE, OTHER = "The seal is later than the measurement of A.", "The seal is of other taps than this run's."


def said(*rows):
    """Of rows (sealed_at, opened_at, refused)."""
    ranking = pd.DataFrame(rows, columns=["sealed_at", "opened_at", "refused"]).assign(ood="A")
    return sealed_headline("up1 @ 5.0", "1 January", (0.9, 0.8, 0.95), ranking, None)


@pytest.mark.parametrize("why", [LATE, "In other words."])
def test_a_late_seal_judges_what_comes_from_now_on(why):
    text = said((LATER, EARLY, why), (LATER, EARLY, why))
    assert "judges what is uploaded against it from now on" in text and why not in text


@pytest.mark.parametrize("sealed", [EARLY, ""], ids=["in time", "no seal"])
def test_another_reason_is_said(sealed):
    assert said((sealed, LATER, OTHER)).endswith(f"It judges none of these sets. {OTHER}")
    assert said((LATER, EARLY, LATE), (sealed, LATER, OTHER)).endswith(OTHER)
    assert said((sealed, LATER, OTHER), (sealed, LATER, "And.")).endswith("1 more reason in the table.")
