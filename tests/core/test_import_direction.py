"""Imports point one way: which room may import which, read from the sources; and this check can fail."""

import re

import architecture
import pytest
from architecture import PACKAGE, imported_names, module_name

BASE = {"contracts", "errors", "wording", "scoring"}
LEAVES = ("images", "taps", "store", "heads", "diagnostics", "charts")
HEAVY = {"backbones", "corruption", "readings", "pipeline", "probe", "train"}

#: Room -> rooms that it may import, itself aside.
ALLOWED: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli"},
    "contracts": set(),
    "colour": set(),
    "families": set(),
    "errors": set(),
    "wording": set(),
    **dict.fromkeys(LEAVES, BASE),
    "images": BASE | {"colour", "safe_io"},
    "store": BASE | {"studies", "colour", "safe_io"},
    "levels": BASE,
    "locations": BASE,
    "settings": BASE,
    "studies": BASE,
    "safe_io": BASE | {"locations", "settings"},
    "explorations": BASE | {"images", "jobs", "locations", "settings", "safe_io", "spec", "studies", "store"},
    "headlines": BASE | {"charts", "levels", "diagnostics"},
    "corruption": BASE | {"levels"},
    "backbones": BASE | {"levels", "families", "safe_io"},
    "readings": BASE | {"levels", "backbones", "corruption", "taps"},
    "scoring": {"contracts"},
    "detectors": BASE | {"levels", "backbones", "readings", "taps", "heads", "store", "diagnostics"},
    "spec": BASE | {"levels", "safe_io", "studies"},
    "engine": BASE | {"store"},
    "probe": BASE
    | {"locations", "spec", "images", "explorations", "taps", "store", "corruption", "backbones", "readings"}
    | {"pipeline"},
    "embedding": BASE | {"store", "diagnostics"},
    "figures": BASE
    | {"levels", "locations", "studies", "store", "heads", "diagnostics", "charts", "headlines", "embedding"}
    | {"images", "explorations", "probe", "safe_io", "detectors"},
    "reports": BASE | {"store", "diagnostics", "charts", "figures", "images", "safe_io"},
    "train": BASE | {"images", "spec", "backbones", "corruption", "store"},
    "pipeline": BASE
    | {"levels", "spec", "studies", "locations", "settings", "images", "taps", "store", "heads", "diagnostics"}
    | {"colour", "corruption", "backbones", "readings", "detectors", "engine"},
    "jobs": BASE | {"spec", "studies", "locations", "settings", "store", "engine", "pipeline"},
    "cli": BASE
    | {"spec", "studies", "explorations", "locations", "store", "pipeline", "jobs", "backbones", "readings", "train"}
    | {"reports", "charts", "headlines", "figures", "ui", "safe_io", "detectors"},
    #: A long run never lives in the app's process: the ui starts jobs and reads runs; the probe alone runs a network.
    "ui": BASE
    | {"levels", "spec", "studies", "locations", "settings", "safe_io", "jobs", "explorations", "headlines", "images"}
    | {"taps", "store", "heads", "diagnostics", "charts", "families", "reports", "probe", "embedding", "figures"}
    | {"detectors"},
}
#: Third-party packages that only these rooms may import.
KEPT_IN = {
    "streamlit": {"ui"},
    "torch": HEAVY | {"taps"},
    "diffusers": {"backbones", "train"},
    "plotly": {"charts", "figures", "reports", "ui"},
    "ray": {"engine"},
}


def wrong_imports(source: str, module: str) -> list[str]:
    """Imports of one source file that the tables above do not allow."""
    room = module.split(".")[1]
    wrong = []
    for name in imported_names(source, module):
        top, *rest = name.split(".")
        if top == "cfs_explore" and rest:
            target = rest[0]
            if target != room and target in ALLOWED and target not in ALLOWED[room]:
                wrong.append(f"{module} imports {name}")
        elif top in ("pages", "app") or (top in KEPT_IN and room not in KEPT_IN[top]):
            wrong.append(f"{module} imports {name}")
    return wrong


def test_every_source_keeps_to_the_table():
    sources = sorted(PACKAGE.rglob("*.py"))
    assert len(sources) > 50
    assert [w for path in sources for w in wrong_imports(path.read_text(), module_name(path))] == []


def test_every_room_is_in_the_table():
    rooms = {p.stem for p in PACKAGE.glob("*.py")} | {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(ALLOWED)


def test_the_table_has_no_circles():
    """Rooms can be put in an order in which each imports only earlier ones."""
    left, placed = dict(ALLOWED), set()
    while ready := [room for room, needs in left.items() if needs <= placed]:
        placed |= set(ready)
        for room in ready:
            del left[room]
    assert left == {}


def test_pages_and_the_router_stay_thin():
    """Pages know the ui, which knows the core; numbers and networks are out of their reach."""
    root = PACKAGE.parent
    sources = [root / "app.py", *sorted((root / "pages").glob("*.py"))]
    assert len(sources) >= 2
    for path in sources:
        names = imported_names(path.read_text(), path.stem)
        rooms = {name.split(".")[1] for name in names if name.startswith("cfs_explore.")}
        assert not rooms & (HEAVY | {"scoring", "diagnostics", "heads", "images"}), path.name
        assert not {name.split(".")[0] for name in names} & {"torch", "numpy", "scipy", "sklearn", "diffusers"}, (
            path.name
        )


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("cfs_explore.diagnostics.metrics", "import torch"),
        ("cfs_explore.store.run", "from cfs_explore.pipeline import explore"),
        ("cfs_explore.store.run", "def f():\n    from cfs_explore import pipeline"),
        ("cfs_explore.images.folder", "from ..backbones.base import Backbone"),
        ("cfs_explore.images.__init__", "from ..ui import state"),
        ("cfs_explore.readings.loop", "import streamlit as st"),
        ("cfs_explore.pipeline.explore", "from cfs_explore.ui.state import x"),
        ("cfs_explore.levels", "import pages.map"),
        ("cfs_explore.ui.state", "from cfs_explore.pipeline.explore import explore"),
        ("cfs_explore.spec", "import diffusers.models"),
        ("cfs_explore.heads.knn", "if True:\n    import plotly.graph_objects as go"),
    ],
)
def test_the_check_finds_a_forbidden_import(module, source):
    assert len(wrong_imports(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("cfs_explore.images.folder", "from ..errors import ImageError\nfrom .record import Source\nimport numpy"),
        ("cfs_explore.images.__init__", "from .opening import open_source"),
        (
            "cfs_explore.pipeline.finish",
            "from cfs_explore.store import Run\nfrom cfs_explore.pipeline.plan import Plan",
        ),
        ("cfs_explore.taps.pooling", "import torch"),
    ],
)
def test_the_check_lets_allowed_imports_pass(module, source):
    assert wrong_imports(source, module) == []


def test_the_picture_is_of_these_imports():
    """`python scripts/architecture.py` draws it; places and widths, which follow every line of code, may lag."""

    def rooms_and_lines(picture: str) -> list[str]:
        return sorted(re.sub(r'( d| x| width)="[^"]*"', "", line) for line in picture.splitlines())

    assert rooms_and_lines(architecture.PICTURE.read_text(encoding="utf-8")) == rooms_and_lines(architecture.draw())
