"""The DiT fixture's checkpoint as released ones are, with settings and an autoencoder beside it."""

import pytest
import torch
import yaml
from original_weights import fixture, state_dict_of

EXTRAS = ("format", "seed", "state_dict", "blocks")


@pytest.fixture(scope="module")
def original():
    return fixture("dit")


@pytest.fixture(scope="module")
def weights(original):
    """The original network's parameters; not to be changed."""
    return state_dict_of(original)


@pytest.fixture(scope="module")
def vae(save_vae):
    return str(save_vae())


@pytest.fixture
def save(tmp_path, weights, original, vae):
    """Write the fixture as released files are, settings and autoencoder beside it; gives the file."""

    def write(content=None, *, drop: tuple[str, ...] = (), **changes):
        path = tmp_path / "DiT-tiny-2.pt"
        torch.save(weights if content is None else content, path)
        settings = {k: v for k, v in original.config.items() if k not in EXTRAS} | {"vae": vae} | changes
        path.with_suffix(".yaml").write_text(yaml.safe_dump({k: v for k, v in settings.items() if k not in drop}))
        return path

    return write


def run(backbone, original) -> torch.Tensor:
    with torch.no_grad():
        return backbone.module(*(original.tensor(f"input.{key}") for key in ("x", "noise_cond", "y")))
