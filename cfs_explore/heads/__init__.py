"""Heads: from pooled snapshots to one score per image (theory 3 and the list after it).

``fit(features (n, d)) -> self`` on ID-train, ``score(features) -> (n,)`` float64, higher = more OOD. Learned
attributes end in ``_``. scikit-learn is imported by the heads that need it, when they are fitted.

A new head is one file here: a class with a ``name`` is in the registry, and so in tables, figures and detectors.
"""

import importlib
import pkgutil

from cfs_explore.heads.protocol import FeatureError, Head

_MODULES = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
#: Every head by the name that specs and tables use, in the order of the files.
REGISTRY: dict[str, type[Head]] = {
    value.name: value
    for module in _MODULES
    for value in vars(module).values()
    if isinstance(value, type) and "name" in vars(value)
}

__all__ = ["REGISTRY", "FeatureError", "Head"]


def __getattr__(name: str) -> type[Head]:
    """A head by the name of its class, such as ``heads.Diagonal``."""
    for head in REGISTRY.values():
        if head.__name__ == name:
            return head
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
