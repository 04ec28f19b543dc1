"""What a training needs to go on after an interruption, in one file of tensors and plain values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from cfs_explore.backbones.locate import TRAINING_STATE
from cfs_explore.errors import SpecError
from cfs_explore.store.files import write_aside
from cfs_explore.store.milestones import RECORD
from cfs_explore.train.spec import TrainSpec

_STATE = TRAINING_STATE


@dataclass
class Progress:
    """A training under way.

    Attributes:
        spec: what is trained.
        network, average: the weights as they are, and their exponential average.
        optimiser: AdamW.
        generator: of batches and noise.
        losses: of every step so far.
        seconds: spent so far.
    """

    spec: TrainSpec
    network: torch.nn.Module
    average: torch.nn.Module
    optimiser: torch.optim.Optimizer
    generator: torch.Generator
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def step(self) -> int:
        """Steps that are done."""
        return len(self.losses)

    def save(self, out: Path) -> None:
        """Write the state, and the losses for a reader."""
        out.mkdir(parents=True, exist_ok=True)
        state = {
            "spec": self.spec.model_dump_json(),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generators": [self.generator.get_state(), torch.get_rng_state()],
            "losses": torch.tensor(self.losses, dtype=torch.float64),
            "seconds": self.seconds,
        }
        with write_aside(out / _STATE) as partial:
            torch.save(state, partial)
        self.write_record(out)

    def restore(self, out: Path) -> None:
        """Go on from the state in a folder, if there is one.

        Raises:
            SpecError: another training lies there, or a finished one.
        """
        if not (out / _STATE).is_file():
            if (out / RECORD).is_file():
                raise SpecError(f"{out} holds a finished training. Give another folder, or --fresh to train it again.")
            return
        state = torch.load(out / _STATE, map_location="cpu", weights_only=True)
        if state["spec"] != self.spec.model_dump_json():
            raise SpecError(f"{out} holds an unfinished training by another spec. Give another folder, or --fresh.")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generators"][0])
        torch.set_rng_state(state["generators"][1])
        self.losses, self.seconds = state["losses"].tolist(), state["seconds"]

    def finish(self, out: Path) -> None:
        """Drop the state; the record stays."""
        (out / _STATE).unlink(missing_ok=True)

    def write_record(self, out: Path) -> None:
        """The spec, the images seen, the time, and the loss by step, smoothed."""
        window = max(1, self.spec.steps // 50)
        record = {
            "spec": self.spec.model_dump(),
            "steps": self.step,
            "images": self.step * self.spec.batch_size,
            "parameters": sum(p.numel() for p in self.network.parameters()),
            "seconds": round(self.seconds),
            "loss_every": window,
            "loss": [float(np.mean(self.losses[i : i + window])) for i in range(0, self.step, window)],
        }
        with write_aside(out / RECORD) as partial:
            partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def forget(out: Path) -> None:
    """Remove what a training keeps of itself in a folder, and nothing else."""
    for name in (_STATE, RECORD):
        (out / name).unlink(missing_ok=True)
