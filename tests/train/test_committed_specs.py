"""The training specs of the bundles: networks of the size that bundles may have, and weights that fit them."""

from pathlib import Path

import pytest
import torch

from cfs_explore import load_backbone
from cfs_explore.locations import BUNDLES
from cfs_explore.train import TrainSpec
from cfs_explore.train.families import make_trainee

SPECS = sorted(BUNDLES.glob("*/train.yaml"))
#: The largest file of weights, in bytes.
LARGEST = 16_000_000


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.parent.name)
def test_a_network_of_bundle_size(path: Path):
    torch.manual_seed(0)
    trainee = make_trainee(TrainSpec.from_yaml(path))
    weights = sum(tensor.numel() for tensor in trainee.network.state_dict().values())
    assert 2 * weights < LARGEST


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.parent.name)
def test_the_weights_that_lie_beside_it_are_of_its_network(path: Path):
    home = path.parent / "backbone"
    if not home.is_dir():
        pytest.skip(f"{path.parent.name} has no weights yet")
    trained = load_backbone(home, device="cpu").module.state_dict()
    own = make_trainee(TrainSpec.from_yaml(path)).network.state_dict()
    assert {name: tensor.shape for name, tensor in trained.items()} == {name: t.shape for name, t in own.items()}
