"""The conditioning stage: what the map loses when the network is conditioned on another level than it sees (theory 1).

A class-conditional network, or one that takes text, is also conditioned on the labels or prompts of the spec, one
forward each, without guidance. Every variant, the true level too, is measured on the same images with one noise draw;
the statistics are those of ID-train under the same conditioning.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfs_explore.backbones import Backbone
from cfs_explore.contracts import Level
from cfs_explore.diagnostics import conditioning_loss
from cfs_explore.errors import CFSError
from cfs_explore.pipeline.conditions import conditioned
from cfs_explore.pipeline.stages.study import Study
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.studies.conditioning import (
    CONDITIONING_IMAGES,
    CONDITIONING_TRAIN,
    OFFSETS,
    is_condition,
    variant_count,
)

_MATCHED, _PUBLISHED = "matched", "published"


@dataclass(frozen=True)
class Variant:
    """One conditioning of the network.

    Attributes:
        name: "matched", "lam - 2", "published", "label 3" or "prompt: a cat".
        offset: from the true level, in log-SNR; NaN for the published conditioning.
        levels: that it is conditioned on, for each of the run's.
        backbone: None for the run's own.
    """

    name: str
    offset: float
    levels: Sequence[Level]
    backbone: Backbone | None = None


def compute(study: Study) -> dict[str, pd.DataFrame]:
    """The table of ``studies.conditioning``.

    Raises:
        CFSError: for a run whose own network is not conditioned on the true level, and for a label or prompt that it
            cannot be conditioned on.
    """
    spec = study.spec
    if spec.conditioning != _MATCHED or spec.conditioning_offset:
        raise CFSError(
            "Wrong conditioning is compared with a network that is conditioned on its true level, and this "
            "exploration's is not. Measure one with `conditioning: matched` and no `conditioning_offset`."
        )
    every = _variants(study)
    found = study.pieces.each([functools.partial(_measure, study, k, variant) for k, variant in enumerate(every)])
    study.pieces.alone()
    scores = {variant.name: of_variant for variant, of_variant in zip(every, found, strict=True)}
    # The published conditioning is counted beforehand, when it is not known yet whether the backbone has one.
    counted = variant_count(study.counts)
    per_variant = DIAGNOSTICS["conditioning"].forwards(study.counts) // counted
    study.progress.advance(per_variant * (counted - len(every)), "")
    parts = []
    for variant in every:
        for ood in study.run.ood_names:
            study.progress.advance(0, f"{variant.name}: {ood}")
            maps = [(scores[name]["id_test"], scores[name][ood]) for name in (_MATCHED, variant.name)]
            groups = study.groups(CONDITIONING_IMAGES, ood)
            table = conditioning_loss(*maps, groups).assign(variant=variant.name, offset=variant.offset, ood=ood)
            table["lam"] = table["level"].map(lambda k: study.run.levels[k].lam)
            told = [level.lam for level in variant.levels]
            table["told_lam"] = np.nan if variant.name == _PUBLISHED else table["level"].map(dict(enumerate(told)))
            table["tap"] = table["tap_index"].map(lambda t: study.run.taps[t].name)
            parts.append(table)
    table = pd.concat(parts, ignore_index=True).drop(columns="tap_index").assign(condition=study.backbone.condition)
    first = ["variant", "offset", "condition", "ood", "level", "lam", "told_lam", "tap"]
    return {"conditioning": table[[*first, *table.columns.drop(first)]]}


def _variants(study: Study) -> list[Variant]:
    """The truth first, then the offsets, the published conditioning where the backbone has one, labels or prompts."""
    backbone, levels = study.backbone, study.run.levels
    found = [Variant(_MATCHED, 0.0, levels)]
    for offset in OFFSETS:
        name = f"lam {'+' if offset > 0 else '-'} {abs(offset):g}"
        found.append(Variant(name, offset, [backbone.match(level.lam + offset) for level in levels]))
    published = backbone.published()
    if published is not None:
        found.append(Variant(_PUBLISHED, float("nan"), levels, published))
    given = conditioned(study.spec, backbone)
    return found + [Variant(name, 0.0, levels, network) for name, network in given.items()]


def _measure(study: Study, position: int, variant: Variant) -> dict[str, np.ndarray]:
    """ "id_test" or an OOD set's name -> slot scores (n, 1, level, tap)."""
    # A label or prompt by its name: those of the spec may have changed since an attempt that was cut short.
    name = hashlib.blake2b(variant.name.encode(), digest_size=8).hexdigest() if is_condition(variant.name) else position
    folder, levels = f"conditioning/{name}", study.run.levels
    options = {"conditioning": variant.levels, "backbone": variant.backbone}
    train = study.sample("id_train", limit=CONDITIONING_TRAIN)
    reference = study.statistics(f"{folder}/id_train", train, levels, **options)
    sets = {"id_test": ("id_test", None)} | {name: ("ood", name) for name in study.run.ood_names}

    def scored(k: int, which: tuple[str, str | None]) -> np.ndarray:
        sample = study.sample(*which, limit=CONDITIONING_IMAGES)
        return study.scores(f"{folder}/scored-{k:02d}", sample, levels, reference, **options)

    scores = study.pieces.each([functools.partial(scored, k, which) for k, which in enumerate(sets.values())])
    return dict(zip(sets, scores, strict=True))
