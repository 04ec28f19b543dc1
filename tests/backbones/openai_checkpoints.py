"""iDDPM and ADM fixtures' checkpoints as their training scripts write them, with settings beside them."""

from collections import OrderedDict

import pytest
import torch
import yaml
from original_weights import fixture, state_dict_of

EXTRAS = ("format", "noise_cond", "seed", "state_dict", "blocks")
IMPROVED, ADM, ADM_CLASSES = "improved_diffusion", "guided_diffusion", "guided_diffusion_class_cond"


@pytest.fixture(scope="module")
def weights():
    """The parameters of an original network, by fixture name; not to be changed."""
    return {name: OrderedDict(state_dict_of(fixture(name))) for name in (IMPROVED, ADM, ADM_CLASSES)}


@pytest.fixture
def save(tmp_path, weights):
    """Write a fixture as its training script would, settings beside it; gives the file."""

    def write(name: str, content=None, *, settings: bool = True, drop: tuple[str, ...] = (), **changes):
        path = tmp_path / "ema_0.9999_500000.pt"
        torch.save(weights[name] if content is None else content, path)
        if settings:
            given = {k: v for k, v in fixture(name).config.items() if k not in (*EXTRAS, *drop)}
            path.with_suffix(".yaml").write_text(yaml.safe_dump(given | changes))
        return path

    return write


def run(backbone, original) -> torch.Tensor:
    inputs = [
        original.tensor(f"input.{key}") for key in ("x", "noise_cond", "y") if f"input.{key}" in original.expected
    ]
    with torch.no_grad():
        return backbone.module(*inputs)
