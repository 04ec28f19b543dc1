"""Training of the small reference backbones that the project ships.

spec        what a training is: data, network, optimisation
objectives  what a network is fed and asked for: noise prediction in steps or in continuous time, EDM
families    the network of a spec, its objective, and how its weights are written
data        the images, in memory
progress    what a training needs to go on: weights, averages, optimiser, generators
loop        the training itself
samples     a sheet of samples from a finished backbone
"""

from cfs_explore.train.loop import train
from cfs_explore.train.spec import TrainSpec

__all__ = ["TrainSpec", "train"]
