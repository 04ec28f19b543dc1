"""Image sets: opening them, reading one image at a time, and fitting images to a backbone.

    source = open_source("folder | .zip | .tar.gz | .parquet | .csv | .npz | .npy | image file", limit=500)
    source = open_source({"hub": "owner/name", "split": "test"})  # or files, imglist, torchvision, builtin
    record = source.read(0)                                # Record: uint8 pixels, name, label, image_id
    x = to_input(record.pixels, (3, 32, 32), policy="crop")  # uint8 (C, H, W)

``prepare.prepare`` does this for a whole source and writes the array that a run reads.
"""

from .builtin import BUILTIN_SETS
from .masks import MaskFolder
from .opening import open_source
from .preprocess import FILTERS, RESIZE_POLICIES, thumbnail, to_input
from .record import Record, Source
from .reference import paths_named
from .torchvision_sets import TORCHVISION_SETS

__all__ = [
    "BUILTIN_SETS",
    "FILTERS",
    "RESIZE_POLICIES",
    "TORCHVISION_SETS",
    "MaskFolder",
    "Record",
    "Source",
    "open_source",
    "paths_named",
    "thumbnail",
    "to_input",
]
