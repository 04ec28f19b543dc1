"""Frozen diffusion networks behind one Protocol: ``load_backbone`` is the only way in."""

from cfs_explore.backbones.base import Backbone
from cfs_explore.backbones.registry import FAMILIES, load_backbone

__all__ = ["FAMILIES", "Backbone", "load_backbone"]
