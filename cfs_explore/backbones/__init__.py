"""Frozen diffusion networks behind one Protocol: ``load_backbone`` is the only way in."""

from cfs_explore.backbones.base import Backbone
from cfs_explore.backbones.registry import LOADERS, load_backbone

__all__ = ["LOADERS", "Backbone", "load_backbone"]
