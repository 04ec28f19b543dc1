"""Does any other detector beat every variant of CFS? (theory 20, 21)

The claim "no full trajectory is needed" fails on an OOD set when a rival's AUROC lies above that of every variant by
more than a margin. With D_v = A_rival - A_v, the rival's lead is min over v of D_v. Its limits are simultaneous over
the variants: each D_v has those of (27) at the quantile c of max |D_v* - D_v| / se_v over bootstrap resamples of the
images (first order in the placements, as in ``sensitivity``), c at least that of a single difference. The lead's are
the smallest of the lower and of the upper ones. One rival's lower limit is enough to falsify, so for the lower limits
the maximum is over all rivals, too.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.contracts import SATURATED
from cfs_explore.diagnostics.best_excess import excess_of_pools
from cfs_explore.diagnostics.bootstrap import RESAMPLES
from cfs_explore.diagnostics.checks import ScoreError, require_level, score_rows
from cfs_explore.diagnostics.excess import Placed, auroc_excess, copies_spread, paired_limits
from cfs_explore.diagnostics.groups import Groups
from cfs_explore.diagnostics.intervals import auroc_interval
from cfs_explore.diagnostics.metrics import aupr, auroc, fpr95, paired_auroc_difference
from cfs_explore.diagnostics.simultaneous import Scores, changes, joint_quantile, largest_moves, level_of
from cfs_explore.diagnostics.splits import SPLITS, SplitPool, draw_splits

#: A rival must be ahead by more than this (theory 21).
MARGIN = 0.01
FALSIFIED, SUPPORTED, OPEN = "falsified", "supported", "open"


def leads(
    rivals: Scores,
    variants: Scores,
    *,
    groups: Groups | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """By how much each rival leads the variant of CFS that does best against it.

    Args:
        rivals: scores of other detectors. variants: of CFS, on the same images in the same order.
        groups: of the images; None where each is alone.
        resamples, seed: of the bootstrap.
        level: confidence, simultaneous over the variants, of the lower limits over the rivals as well.

    Returns:
        A row per rival: variant (the position of the one that it leads least), lead, lead_lo, lead_hi, saturated
        (both its AUROC and the variant's are above ``SATURATED``: they leave nothing to compare).

    Raises:
        ScoreError: no variant, other images, fewer than 2 images in a class, NaN or infinity.
    """
    require_level(level)
    rivals, variants = score_rows(*rivals), score_rows(*variants)
    sizes = [part.shape[1] for part in rivals]
    if not len(variants[0]) or sizes != [part.shape[1] for part in variants] or min(sizes) < 2:
        raise ScoreError(
            "Leads need variants of CFS on the same images, at least 2 of each class. Got scores of shapes "
            f"{', '.join(str(part.shape) for part in (*rivals, *variants))}."
        )
    known, drawn = Placed.of(*variants, groups), changes(groups, *sizes, resamples, seed)
    placed = [Placed.of(*(part[[r]] for part in rivals), groups) for r in range(len(rivals[0]))]
    moved = [largest_moves(each.minus(known), drawn) for each in placed]
    joint = joint_quantile(np.max(moved, axis=0), level) if moved else 0.0
    rows = [_lead(each, known, joint_quantile(own, level), joint) for each, own in zip(placed, moved, strict=True)]
    return pd.DataFrame(rows, columns=["variant", "lead", "lead_lo", "lead_hi", "saturated"])


def _lead(rival: Placed, variants: Placed, z: float, joint: float) -> dict[str, float | int | bool]:
    """The row of one rival, whose upper limit holds over the variants (``z``), the lower one over rivals, too."""
    judged, own = rival.minus(variants).judged, rival.at([0] * len(variants.id)).judged
    value = own.auroc - variants.judged.auroc
    (lo, _), (_, hi) = (
        paired_limits(own, variants.judged, judged.var, *rival.independent, level_of(each)) for each in (joint, z)
    )
    least = int(value.argmin())
    return {
        "variant": least,
        "lead": value[least],
        "lead_lo": lo.min(),
        "lead_hi": hi.min(),
        "saturated": bool(min(own.auroc[0], variants.judged.auroc.max()) > SATURATED),
    }


def says(found: pd.DataFrame, margin: float = MARGIN) -> pd.Series:
    """What each rival's lead says of the claim (theory 21, 30): ``FALSIFIED``, ``SUPPORTED`` or ``OPEN``."""
    compared = ~found["saturated"].astype(bool)
    said = pd.Series(OPEN, index=found.index)
    said[compared & (found["lead_lo"] > margin)] = FALSIFIED
    return said.mask(compared & (found["lead_hi"] < margin), SUPPORTED)


def verdict(found: pd.DataFrame, untested: int) -> str:
    """What the rivals on one OOD set say together: one that leads falsifies the claim, only all support it.

    Args:
        found: rows of ``leads`` (``studies.detectors``); those without a trajectory say nothing of the claim.
        untested: trajectory detectors that were not measured.
    """
    said = found.loc[found["trajectory"].astype(bool), "says"].tolist()
    if FALSIFIED in said:
        return FALSIFIED
    return SUPPORTED if said and not untested and set(said) == {SUPPORTED} else OPEN


def beside_copies(scores: Scores, copies: list[Scores], groups: Groups | None = None) -> dict[str, float]:
    """A detector on the trained network against the same on untrained copies of it (theory 18, 29).

    Args:
        scores: (1, n_id) and (1, n_ood). copies: the same of each copy, on the same images.
        groups: of the images.

    Returns:
        The columns of ``falsifier`` (``studies.detectors``) from copies to to_untrained_hi. The limits hold the spread
        of the copies, by Student's quantile; a single copy counts as not random.
    """
    from scipy.special import stdtrit

    placed = [Placed.of(*each, groups) for each in copies]
    mean, (excess,) = Placed.mean(placed), auroc_excess(scores, copies, groups=groups).to_dict("records")
    spread, freedom = copies_spread(np.array([each.judged.auroc for each in placed]), mean.judged.var)
    level = level_of(float(stdtrit(freedom[0], 0.975)))
    lo, hi = auroc_interval(mean.judged.auroc, mean.judged.var + spread, *mean.independent, level)
    return {
        **{"copies": len(copies), "untrained": mean.judged.auroc[0], "untrained_lo": lo[0], "untrained_hi": hi[0]},
        **{"to_untrained": excess["excess"], "to_untrained_lo": excess["lo"], "to_untrained_hi": excess["hi"]},
    }


class Yardsticks:
    """What detectors are compared with on one OOD set: variants of CFS, and the best CFS(K x L) of a cost (theory 20).

    Args:
        pair, decoder: ID and OOD scores of CFS(1x2) and CFS-dec(1x1), (n_id,) and (n_ood,).
        candidates: scores of every CFS(K x L), (candidates, n_id) and (candidates, n_ood).
        forwards: what each candidate costs, (candidates,).
        groups: of the images; None where each is alone.
        repeats, seed: of the splits that choose the best candidate.
    """

    def __init__(
        self,
        pair: Scores,
        decoder: Scores,
        candidates: Scores,
        forwards: np.ndarray,
        *,
        groups: Groups | None = None,
        repeats: int = SPLITS,
        seed: int = 0,
    ):
        self.pair, self.decoder, self.groups, self.forwards = pair, decoder, groups, np.asarray(forwards)
        sizes = [len(part) for part in pair]
        self._splits = draw_splits(*sizes, repeats, seed, groups)
        self._pool = SplitPool.of(*score_rows(*candidates), self._splits)

    def compare(self, id_scores: np.ndarray, ood_scores: np.ndarray, cost: float) -> dict[str, float]:
        """The columns of ``falsifier`` (``studies.detectors``) from auroc to best, of one detector."""
        scores = id_scores, ood_scores
        columns: dict[str, float] = {}
        for name, metric in (("auroc", auroc), ("aupr", aupr), ("fpr95", fpr95)):
            ends = ("lo", "hi") if name == "auroc" else (f"{name}_lo", f"{name}_hi")
            columns |= dict(zip((name, *ends), metric(*scores, groups=self.groups), strict=True))
        for name, other in (("to_pair", self.pair), ("to_decoder", self.decoder)):
            found = paired_auroc_difference(*scores, *other, groups=self.groups)
            columns |= {name: found.value, f"{name}_lo": found.lo, f"{name}_hi": found.hi}
        return columns | self._to_best(scores, cost)

    def _to_best(self, scores: Scores, cost: float) -> dict[str, float]:
        affordable = self.forwards <= cost
        if not affordable.any():
            return dict.fromkeys(("to_best", "to_best_lo", "to_best_hi", "best"), float("nan"))
        own = SplitPool.of(*(part[None] for part in scores), self._splits)
        row = excess_of_pools(self._pool.at(affordable), [own], self._splits)
        return {
            "to_best": -row["excess"],
            "to_best_lo": -row["hi"],
            "to_best_hi": -row["lo"],
            "best": row["trained"],
        }
