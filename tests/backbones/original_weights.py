"""What the original networks compute with weights from a formula, and comparison with it."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

from cfs_explore.taps.capture import capture

FIXTURES = Path(__file__).parents[1] / "fixtures" / "backbones"


@dataclass(frozen=True)
class Fixture:
    """Constructor arguments and parameters (``config``); inputs, output and blocks (``expected``)."""

    config: dict
    expected: dict[str, np.ndarray]

    def tensor(self, key: str) -> torch.Tensor:
        return torch.from_numpy(self.expected[key])


def fixture(name: str) -> Fixture:
    folder = FIXTURES / name
    return Fixture(json.loads((folder / "config.json").read_text()), load_file(folder / "expected.safetensors"))


def formula(name: str, shape: list[int], seed: int) -> torch.Tensor:
    """The value of a parameter: unit-variance fan-in for matrices, near one or zero for vectors."""
    values = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32).standard_normal(shape)
    values = values.astype(np.float32)
    if len(shape) > 1:
        return torch.from_numpy(values / np.float32(np.sqrt(np.prod(shape[1:]))))
    return torch.from_numpy(np.float32(0.1) * values + np.float32(name.endswith("weight")))


def state_dict_of(original: Fixture) -> dict[str, torch.Tensor]:
    """The original checkpoint's parameters."""
    config = original.config
    return {
        name: formula(name, entry["shape"], config["seed"])
        if entry["from"] == "formula"
        else original.tensor(f"state.{name}")
        for name, entry in config["state_dict"].items()
    }


def check_blocks(backbone, original: Fixture, forward) -> None:
    """Output and every block agree with the original's to 1e-4 of their largest value.

    Args:
        backbone: loaded through the public loader.
        original: what the original computes.
        forward: gives the output, when called without arguments.
    """
    names = list(original.config["blocks"])
    with torch.no_grad(), capture(backbone.module, names, backbone.activation, stop=False) as features:
        output = forward()
    assert_close(output, original.expected["output"], "output")
    for name in names:
        expected = np.concatenate([original.expected[f"block.{name}.{part}"] for part in ("mean", "std")], axis=1)
        assert_close(features[name], expected, name)
    assert set(names) <= {tap.name for tap in backbone.taps()}


def assert_close(found: torch.Tensor, expected: np.ndarray, what: str) -> None:
    difference = np.abs(found.numpy() - expected).max() / np.abs(expected).max()
    assert difference < 1e-4, f"{what} differs by {difference:.2g} of its largest value"
