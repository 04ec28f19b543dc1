"""U-ViT checkpoints as released ones are: the fixture's and those of small networks, with settings beside them."""

from dataclasses import replace

import pytest
import torch
import yaml
from original_weights import fixture, formula, state_dict_of

from cfs_explore.backbones.nets.uvit import Architecture, UViT

EXTRAS = ("format", "schedule", "seed", "state_dict", "blocks")
TINY = Architecture(
    img_size=8,
    patch_size=2,
    in_chans=3,
    embed_dim=16,
    depth=2,
    num_heads=2,
    hidden_dim=64,
    qkv_bias=False,
    mlp_time_embed=False,
    num_classes=None,
    conv=True,
)
LATENT = replace(TINY, in_chans=4, num_classes=1001, conv=False)


@pytest.fixture(scope="module")
def original():
    return fixture("uvit")


@pytest.fixture(scope="module")
def weights(original):
    """The original network's parameters; not to be changed."""
    return state_dict_of(original)


@pytest.fixture
def save(tmp_path, weights, original):
    """Write the fixture as released files are, settings beside it; gives the file."""

    def write(content=None, **settings):
        path = tmp_path / "nnet.pth"
        torch.save(weights if content is None else content, path)
        if content is None or not settings:
            settings = {k: v for k, v in original.config.items() if k not in EXTRAS} | settings
        path.with_suffix(".yaml").write_text(yaml.safe_dump(settings))
        return path

    return write


def tiny_weights(architecture: Architecture) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        shapes = {name: list(value.shape) for name, value in UViT(architecture).state_dict().items()}
    return {name: formula(name, shape, 3) for name, shape in shapes.items()}


@pytest.fixture
def save_tiny(tmp_path):
    """Write a small network of some architecture, its heads (and what is given) beside it; gives the file."""

    def write(architecture: Architecture, **settings):
        path = tmp_path / "tiny.pth"
        torch.save(tiny_weights(architecture), path)
        path.with_suffix(".yaml").write_text(yaml.safe_dump({"num_heads": architecture.num_heads} | settings))
        return path

    return write


def run(backbone, original) -> torch.Tensor:
    with torch.no_grad():
        return backbone.module(original.tensor("input.x"), original.tensor("input.noise_cond"))
