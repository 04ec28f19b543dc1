"""Training of the small reference backbones that the project ships."""

from cfs_explore.train.ddpm import train_ddpm
from cfs_explore.train.spec import TrainSpec

__all__ = ["TrainSpec", "train_ddpm"]
