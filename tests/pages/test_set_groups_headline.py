"""What the page Protocol says of near, far and shifted sets."""

import pandas as pd

from cfs_explore.headlines.set_groups import set_groups_headline


def rows(*given) -> pd.DataFrame:
    columns = ["spectrum", "set_group", "set_count", "auroc", "lo", "hi"]
    return pd.DataFrame([dict(zip(columns, row, strict=True)) for row in given]).assign(ood="")


NEAR = ("standard", "near", 2, 0.7, 0.65, 0.75)
FAR = ("standard", "far", 1, 0.9, 0.85, 0.95)
SHIFTED = ("standard", "covariate", 3, 0.6, 0.55, 0.65)


def test_groups_with_their_numbers_of_sets():
    assert set_groups_headline("CFS", rows(NEAR, FAR)) == (
        "**CFS** has AUROC **0.700 [0.650, 0.750]** on near sets (2 sets) and **0.900 [0.850, 0.950]** on far sets "
        "(one set)."
    )


def test_the_full_spectrum_says_when_shifted_images_stand_out_more():
    below, above = ("full", "near", 2, 0.3, 0.25, 0.35), ("full", "far", 1, 0.8, 0.75, 0.85)
    text = set_groups_headline("CFS", rows(NEAR, FAR, SHIFTED, below, above))
    assert "(full spectrum): **0.300 [0.250, 0.350]** on near sets and **0.800 [0.750, 0.850]** on far sets." in text
    assert text.endswith("Below 0.5, shifted ID images stand out more than OOD images.")
    assert "Below 0.5" not in set_groups_headline("CFS", rows(FAR, SHIFTED, above))


def test_shifted_sets_alone():
    assert set_groups_headline("CFS", rows(SHIFTED)) == (
        "**CFS** has AUROC **0.600 [0.550, 0.650]** on covariate sets (3 sets)."
    )
