"""CFS Explore: where in a diffusion model does the out-of-distribution signal live?

    import cfs_explore as cfs
    backbone = cfs.load_backbone("precomputed/digits/backbone")
    snaps = cfs.extract(backbone, images, lams=[5.0])     # snaps[tap]: (level, draw, image, 2C)
    run = cfs.explore("spec.yaml", out="runs/mine")       # resumes if `out` exists
    run = cfs.diagnose(run)                               # complementarity, separation, stability, prediction, controls
    run.auroc_map("letters")                              # DataFrame: tap, lam, auroc, lo, hi, n_id, n_ood
    cfs.score_map(backbone, image, run, [("up1.res1", 5.0)])  # where in the image: (draw, h, w)
    figures, missing = cfs.make_figures(run, ["map"])     # the pages' figures; figures["map-heatmap"].chart, .rows

Rooms: ``levels`` and ``corruption`` (what is put in), ``backbones`` and ``taps`` (where one can look), ``readings`` and
``scoring`` (the two loops), ``detectors`` (readings and a head under one name), ``heads``, ``diagnostics``, ``charts``,
``images``, ``store`` (leaves), ``pipeline`` (a whole run, then the ``stages`` that diagnose it), ``jobs`` and ``cli``
(ways to start one), ``figures`` (charts with their words and data), ``reports`` (text and HTML), ``headlines`` and
``ui`` (what pages say and share).

Importing the package is light: torch and diffusers load when a function needs them.
"""

import importlib

_WHERE = {
    "choose": "cfs_explore.figures.choices",
    "diagnose": "cfs_explore.pipeline",
    "explore": "cfs_explore.pipeline",
    "extract": "cfs_explore.readings.extract",
    "load_backbone": "cfs_explore.backbones",
    "make_figures": "cfs_explore.figures.catalogue",
    "open_run": "cfs_explore.explorations.opening",
    "predict": "cfs_explore.pipeline.predict",
    "score_map": "cfs_explore.probe.score_map",
}
#: Older name -> name.
_RENAMED = {"make_plates": "make_figures"}
_MODULES = {
    "detectors": "cfs_explore.detectors",
    "heads": "cfs_explore.heads",
    "metrics": "cfs_explore.diagnostics.metrics",
}

__all__ = [*_WHERE, *_MODULES]


def __getattr__(name: str):
    """Load a public name when it is first used."""
    name = _RENAMED.get(name, name)
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module 'cfs_explore' has no attribute {name!r}")
