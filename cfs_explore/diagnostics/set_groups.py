"""Near, far and shifted OOD sets together: the mean AUROC of a group of sets, and full-spectrum AUROC (theory 36).

Groups of SETS, as benchmarks have them; ``diagnostics.groups`` is of IMAGES that belong together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.auroc_mean import mean_auroc_over_sets
from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.groups import Groups

#: Who counts as ID: the ID-test images alone, or the covariate-shifted ones with them.
STANDARD, FULL = SPECTRA = ("standard", "full")
#: Groups whose sets are OOD in the full spectrum; the third, covariate, counts as ID there.
_SEMANTIC = ("near", "far")


class ScoredSet(NamedTuple):
    """rows: scores (rows, n), of as many detectors or cells. groups: name of each image's group, None where alone."""

    rows: np.ndarray
    groups: np.ndarray


def set_group_table(
    test: ScoredSet, sets: Mapping[str, ScoredSet], set_groups: Mapping[str, Sequence[str]], *, single: bool = True
) -> pd.DataFrame:
    """Mean AUROC of every group of OOD sets, standard and in the full spectrum.

    Args:
        test: ID-test.
        sets: name -> scores of the OOD sets that are in a group.
        set_groups: "near", "far", "covariate" -> names of its sets, one at least; groups without sets are left out.
        single: whether the sets of a group of several have rows of their own, too.

    Returns:
        row (of the scores), spectrum (of ``SPECTRA``), set_group, ood ("" for the mean over the group's sets, else one
        of them), sets (names, comma-separated), set_count, auroc with its 95 % interval lo, hi, lowest and highest
        (AUROC over the sets; NaN of a single one), n_id, n_ood (of all sets). In the full spectrum near and far sets
        are OOD; it has no rows without covariate sets.

    Raises:
        ScoreError: there is no group.
    """
    if not set_groups:
        raise ScoreError("No OOD set is in a group.")
    parts = []
    shifted = [sets[name] for name in set_groups.get("covariate", ())]
    everyone = ScoredSet(
        np.concatenate([test.rows, *(part.rows for part in shifted)], axis=1),
        np.concatenate([test.groups, *(part.groups for part in shifted)]),
    )
    for spectrum, ids in ((STANDARD, test), (FULL, everyone)):
        for group, names in set_groups.items():
            if spectrum == FULL and not (shifted and group in _SEMANTIC):
                continue
            own = [("", names), *((name, [name]) for name in names if single and len(names) > 1)]
            for ood, of in own:
                found = _means(ids, [sets[name] for name in of])
                parts.append(found.assign(spectrum=spectrum, set_group=group, ood=ood, sets=", ".join(of)))
    columns = ["row", "spectrum", "set_group", "ood", "sets", "set_count"]
    frame = pd.concat(parts, ignore_index=True)
    return frame[[*columns, *frame.columns.drop(columns)]]


def _means(ids: ScoredSet, sets: Sequence[ScoredSet]) -> pd.DataFrame:
    """Mean over these sets, a row per row of the scores."""
    groups = Groups.of(ids.groups, np.concatenate([part.groups for part in sets]))
    found = mean_auroc_over_sets(ids.rows, [part.rows for part in sets], groups=groups)
    several = len(sets) > 1
    return pd.DataFrame(
        {
            "row": np.arange(len(found.value)),
            "set_count": len(sets),
            "auroc": found.value,
            "lo": found.lo,
            "hi": found.hi,
            "lowest": found.each.min(axis=1) if several else np.nan,
            "highest": found.each.max(axis=1) if several else np.nan,
            "n_id": ids.rows.shape[1],
            "n_ood": sum(part.rows.shape[1] for part in sets),
        }
    )
