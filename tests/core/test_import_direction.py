"""Imports point one way: each room may use the rooms listed here, and no other."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "cfs_explore"

#: What every room may use.
COMMON = {"contracts", "errors"}

#: room -> the further rooms that it may use.
ALLOWED = {
    "contracts": set(),
    "errors": set(),
    "locations": set(),
    "levels": set(),
    "images": set(),
    "taps": set(),
    "heads": set(),
    "diagnostics": set(),
    "figures": set(),
    "estimate": set(),
    "store": set(),
    "spec": {"levels"},
    "corruption": {"levels"},
    "backbones": {"levels"},
    "scoring": {"heads"},
    "extraction": {"corruption", "backbones", "taps", "levels"},
    "inspect": {"backbones", "extraction", "levels"},
    "train": {"images"},
    "pipeline": {
        "backbones", "corruption", "diagnostics", "extraction", "heads", "images", "levels", "locations", "scoring",
        "spec", "store", "taps",
    },
    "jobs": {"locations", "pipeline", "spec", "store"},
    "cli": {"backbones", "inspect", "jobs", "locations", "pipeline", "spec", "store", "train"},
    "ui": {
        "diagnostics", "estimate", "figures", "images", "jobs", "levels", "locations", "spec", "store", "taps",
    },
    "__init__": {"pipeline", "extraction", "backbones", "store", "heads", "diagnostics"},
    "__main__": {"cli"},
}  # fmt: skip

#: Outside packages that only some rooms may import, at any depth of the code.
RESERVED = {
    "streamlit": {"ui", "cli"},
    "torch": {"backbones", "taps", "extraction", "inspect", "train"},
    "diffusers": {"backbones", "train"},
    "plotly": {"figures", "ui"},
}


def room_of(path: Path) -> str:
    """The first part of a module's path below the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(source: str, package: str) -> set[str]:
    """Absolute names of everything that a source imports; relative ones are resolved against ``package``."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module or ""]))
            found |= {module} if node.module else {f"{module}.{alias.name}" for alias in node.names}
            if module == "cfs_explore":
                found |= {f"cfs_explore.{alias.name}" for alias in node.names}
    return found


def violations(room: str, source: str, package: str) -> list[str]:
    """What a source of ``room`` imports and may not."""
    wrong = []
    for name in sorted(imported_modules(source, package)):
        top, *rest = name.split(".")
        if top == "cfs_explore" and rest and rest[0] not in {room, *COMMON, *ALLOWED[room]}:
            wrong.append(f"{room} -> {rest[0]}")
        elif room not in RESERVED.get(top, {room}):
            wrong.append(f"{room} -> {top}")
    return wrong


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    package = ".".join(("cfs_explore", *path.relative_to(PACKAGE).parts[:-1]))
    assert violations(room_of(path), path.read_text(), package) == []


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("store", "from cfs_explore.pipeline import explore"),
        ("images", "from ..ui import data"),
        ("diagnostics", "def f():\n    import torch"),
        ("pipeline", "import streamlit as st"),
        ("heads", "from cfs_explore import figures"),
    ],
)
def test_the_check_can_fail(room, source):
    assert violations(room, source, f"cfs_explore.{room}")


@pytest.mark.parametrize(
    ("modules", "forbidden"),
    [
        ("cfs_explore", "torch diffusers streamlit pandas numpy plotly"),
        (
            "cfs_explore.diagnostics cfs_explore.figures cfs_explore.heads cfs_explore.store cfs_explore.images "
            "cfs_explore.levels cfs_explore.spec cfs_explore.jobs",
            "torch diffusers streamlit sklearn",
        ),
        ("cfs_explore.ui.map_view cfs_explore.ui.new_view cfs_explore.ui.start_view", "torch diffusers sklearn"),
    ],
)
def test_light_rooms_stay_light(modules, forbidden):
    code = f"""
import importlib, sys
for name in {modules.split()!r}:
    importlib.import_module(name)
print(*sorted(set(sys.modules) & set({forbidden.split()!r})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
