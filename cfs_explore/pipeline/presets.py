"""Which two taps each published policy picks on this backbone and this ID set."""

from __future__ import annotations

from cfs_explore.backbones import Backbone
from cfs_explore.contracts import Level
from cfs_explore.corruption import keyed_noise, to_signed
from cfs_explore.errors import TapError
from cfs_explore.pipeline.pixels import open_pixels
from cfs_explore.pipeline.prepare import PlannedSet
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots, select_taps
from cfs_explore.taps.policies import candidates, choose_taps

#: ID-train images that ``sparse_ed_id`` probes, with two noise draws.
PROBE_IMAGES = 128
PROBE_DRAWS = 2


def find_presets(backbone: Backbone, level: Level, train: PlannedSet, seed: int) -> dict[str, list[str]]:
    """Policy -> [encoder tap, decoder tap]; empty where the backbone has no blocks that the policies rank.

    Args:
        backbone: loaded.
        level: where ``sparse_ed_id`` probes.
        train: prepared ID-train images.
        seed: of the noise.
    """
    taps = backbone.taps()
    try:
        structural = choose_taps(taps)
    except TapError:
        return {}
    with open_pixels(train) as pixels:
        inputs = to_signed(pixels[:PROBE_IMAGES])
    ids = train.work.rows(["image_id"])["image_id"].tolist()[: len(inputs)]
    probe = Reader(backbone, TapSnapshots([level], select_taps(taps, candidates(taps))))
    block = probe(inputs, keyed_noise(ids, PROBE_DRAWS, backbone.input_shape, seed))
    features = {name: block[..., columns] for name, columns in probe.columns.items()}
    return {"sparse_ed": structural, "sparse_ed_id": choose_taps(taps, "sparse_ed_id", features=features)}
