"""Frozen diffusion networks behind one Protocol: ``load_backbone`` is the only way in."""

from cfs_explore.backbones.base import Backbone
from cfs_explore.backbones.registry import LOADERS, device_of, load_backbone

__all__ = ["LOADERS", "Backbone", "device_of", "load_backbone"]
