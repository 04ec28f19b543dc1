"""Imports point one way: which room may import which, read from the sources; and this check can fail."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "cfs_explore"
BASE = {"contracts", "errors", "wording", "scoring"}
LEAVES = ("images", "taps", "store", "heads", "diagnostics", "charts")
HEAVY = {"backbones", "corruption", "readings", "pipeline", "probe", "train", "inspect"}

#: Room -> rooms that it may import, itself aside.
ALLOWED: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli"},
    "contracts": set(),
    "colour": set(),
    "families": set(),
    "errors": set(),
    "wording": set(),
    "glossary": set(),
    "bounded_reads": set(),
    "plain_yaml": set(),
    **dict.fromkeys(LEAVES, BASE),
    "images": BASE | {"colour", "fetching", "bounded_reads"},
    "store": BASE | {"studies", "colour", "bounded_reads"},
    "levels": BASE,
    "locations": BASE,
    "settings": BASE,
    "fetching": BASE | {"locations", "settings"},
    "download": BASE | {"fetching"},
    "csv_export": set(),
    "studies": BASE,
    "headlines": BASE | {"charts", "levels"},
    "corruption": BASE | {"levels"},
    "backbones": BASE | {"levels", "families", "fetching", "download", "bounded_reads"} | {"plain_yaml"},
    "readings": BASE | {"backbones", "corruption", "taps"},
    "scoring": {"contracts"},
    "detectors": BASE | {"backbones", "readings", "taps", "heads", "store", "diagnostics"},
    "spec_files": BASE | {"plain_yaml"},
    "spec": BASE | {"levels", "spec_files", "studies"},
    "estimate": BASE,
    "missing": BASE | {"estimate", "studies", "store"},
    "pictures": BASE | {"images", "locations", "spec", "store"},
    "absent": BASE | {"fetching", "locations", "pictures", "studies", "store"},
    "probe": BASE
    | {"locations", "spec", "images", "pictures", "taps", "store", "corruption", "backbones", "readings"}
    | {"pipeline"},
    "embedding": BASE | {"store", "diagnostics"},
    "figures": BASE
    | {"levels", "locations", "studies", "store", "diagnostics", "charts", "headlines", "embedding"}
    | {"images", "bundles", "probe", "missing", "csv_export", "detectors"},
    "reports": BASE | {"store", "diagnostics", "charts", "figures", "images", "plain_yaml", "csv_export"},
    "inspect": BASE | {"levels", "backbones", "readings"},
    "train": BASE | {"images", "spec_files", "backbones", "corruption", "store"},
    "pipeline": BASE
    | {"levels", "spec", "studies", "locations", "settings", "images", "taps", "store", "heads", "diagnostics"}
    | {"colour", "corruption", "backbones", "readings"},
    "jobs": BASE | {"spec", "studies", "locations", "settings", "estimate", "store", "pipeline"},
    "bundles": BASE | {"jobs", "locations", "settings", "spec", "spec_files", "store", "plain_yaml"},
    "cli": BASE
    | {
        "spec",
        "studies",
        "absent",
        "missing",
        "locations",
        "store",
        "pipeline",
        "jobs",
        "backbones",
        "inspect",
        "train",
    }
    | {"reports", "bundles", "pictures", "charts", "headlines", "figures", "ui", "csv_export"},
    #: A long run never lives in the app's process: the ui starts jobs and reads runs; the probe alone runs a network.
    "ui": BASE
    | {
        "levels",
        "spec",
        "studies",
        "locations",
        "settings",
        "fetching",
        "csv_export",
        "estimate",
        "absent",
        "missing",
        "headlines",
        "images",
        "taps",
        "store",
        "heads",
        "diagnostics",
    }
    | {"charts", "jobs", "families", "reports", "bundles", "pictures", "probe", "embedding", "glossary", "figures"},
}
#: Third-party packages that only these rooms may import.
KEPT_IN = {
    "streamlit": {"ui"},
    "torch": HEAVY | {"taps"},
    "diffusers": {"backbones", "train"},
    "plotly": {"charts", "figures", "reports", "ui"},
}


def imported_names(source: str, module: str) -> list[str]:
    """Every module that a source imports, at any depth of the code, with relative ones made absolute."""
    package = module.split(".") if module.endswith("__init__") else module.split(".")[:-1]
    if module.endswith("__init__"):
        package = package[:-1]
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            home = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*home, *([node.module] if node.module else [])])
            names += [f"{base}.{alias.name}" for alias in node.names]
    return names


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


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


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
