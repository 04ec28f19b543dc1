"""What a run is: its spec, validated field by field, and the YAML that people write."""

from cfs_explore.spec.detectors import DetectorSettings
from cfs_explore.spec.image_sets import IdSpec, ImageSet, NamePart, SetName
from cfs_explore.spec.run import OWN_FIELDS, BackboneSpec, LevelRange, RunSpec

__all__ = [
    "OWN_FIELDS",
    "BackboneSpec",
    "DetectorSettings",
    "IdSpec",
    "ImageSet",
    "LevelRange",
    "NamePart",
    "RunSpec",
    "SetName",
]
