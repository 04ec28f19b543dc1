"""Small trainings of every family."""

import numpy as np
import pytest
from PIL import Image

from cfs_explore.train import TrainSpec

UNET = {
    "sample_size": 8,
    "in_channels": 1,
    "out_channels": 1,
    "layers_per_block": 1,
    "block_out_channels": [8, 8],
    "norm_num_groups": 4,
    "down_block_types": ["DownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "UpBlock2D"],
}
UVIT = {
    "img_size": 8,
    "patch_size": 2,
    "in_chans": 1,
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "hidden_dim": 32,
    "qkv_bias": False,
    "mlp_time_embed": False,
    "num_classes": None,
    "conv": True,
}
NETWORKS = {"ddpm": UNET, "edm": UNET, "uvit": UVIT}


@pytest.fixture
def spec_of(tmp_path):
    """A spec of a family, on 12 pictures of a bright disc."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    grid = np.hypot(*(np.mgrid[:8, :8] - 3.5))
    for i in range(12):
        Image.fromarray((255 * (grid < 1 + i / 4)).astype(np.uint8)).save(folder / f"{i:02d}.png")

    def make(family: str, **changes) -> TrainSpec:
        given = {"family": family, "data": str(folder), "network": NETWORKS[family], "steps": 6, "batch_size": 4}
        return TrainSpec(**given | changes)

    return make
