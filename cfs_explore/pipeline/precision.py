"""Whether bf16 may stand in for fp32: only where it moves no cell's AUROC by more than the tolerance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from cfs_explore.contracts import ROLES
from cfs_explore.corruption import keyed_noise, to_signed
from cfs_explore.diagnostics import delong
from cfs_explore.pipeline.pixels import open_pixels
from cfs_explore.pipeline.plan import Plan
from cfs_explore.pipeline.prepare import PlannedSet
from cfs_explore.readings.arithmetic import PRECISIONS
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots
from cfs_explore.scoring import Moments, slot_scores
from cfs_explore.store.files import write_json
from cfs_explore.store.seal import has_seal

_NOTE = "work/precision.json"
#: Largest change of a cell's AUROC that bf16 may cause.
TOLERANCE = 0.002

#: Images of each set that the check runs in both precisions.
CHECK_IMAGES = 256


def choose_precision(plan: Plan) -> str:
    """What the spec asks for; "auto" is bf16 on CUDA where the check allows it, else fp32."""
    asked = plan.spec.precision
    if asked != "auto":
        return asked
    if (noted := noted_precision(plan.out)) is not None:
        return noted
    if has_seal(plan.out):  # which was made before the images were there that the check takes
        return "fp32"
    sets = {s.role: s for s in plan.fresh}
    if plan.backbone.device.type != "cuda" or set(sets) != set(ROLES):
        return "fp32"
    snapshots = TapSnapshots(plan.levels, plan.taps)
    readers = {p: Reader(plan.backbone, snapshots, precision=p) for p in PRECISIONS}
    chosen = "bf16" if bf16_auroc_change(readers, sets, plan.spec.seed) <= TOLERANCE else "fp32"
    write_json(plan.out / _NOTE, {"precision": chosen})
    return chosen


def noted_precision(out: Path) -> str | None:
    """What an unfinished run has begun with, and goes on with; None where nothing was noted."""
    try:
        found = json.loads((out / _NOTE).read_text(encoding="utf-8"))["precision"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return found if found in PRECISIONS else None


def bf16_auroc_change(readers: dict[str, Reader], sets: dict[str, PlannedSet], seed: int) -> float:
    """Largest |AUROC(bf16) - AUROC(fp32)| over the cells, on the first images of each set.

    Args:
        readers: one each for "fp32" and "bf16", otherwise alike.
        sets: prepared sets under "id_train", "id_test" and "ood".
        seed: of the noise.
    """
    aurocs = {}
    for precision, reader in readers.items():
        blocks = {role: _block(reader, planned, seed) for role, planned in sets.items()}
        moments = Moments.of(blocks["id_train"])
        cells = {
            role: slot_scores(blocks[role], moments, reader.columns).reshape(blocks[role].shape[2], -1).T
            for role in ("id_test", "ood")
        }
        aurocs[precision], _ = delong(cells["id_test"], cells["ood"])
    return float(np.abs(aurocs["bf16"] - aurocs["fp32"]).max())


def _block(reader: Reader, planned: PlannedSet, seed: int) -> np.ndarray:
    with open_pixels(planned) as pixels:
        inputs = to_signed(pixels[:CHECK_IMAGES])
    ids = planned.work.rows(["image_id"])["image_id"].tolist()[: len(inputs)]
    return reader(inputs, keyed_noise(ids, 1, reader.backbone.input_shape, seed))
