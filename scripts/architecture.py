"""Draws the README's picture of the architecture from the imports of the sources: `python scripts/architecture.py`.

A box is a room of `cfs_explore` (a folder or a file of its own), as wide as it has code; it stands above all rooms that
it imports. A line goes to each imported room that is not reached by way of another one; the lowest row has none, since
many import it.
"""

from __future__ import annotations

import ast
import html
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "cfs_explore"
PICTURE = PROJECT / "docs" / "images" / "architecture.svg"

_WIDTH, _ROW, _BOX, _GAP = 1000, 62, 30, 14
_INK, _LINE, _FILL = "#1f2937", "#9ca3af", "#eef2f7"


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


def module_name(path: Path) -> str:
    """'cfs_explore.store.run' of a path in the package."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def rooms() -> tuple[dict[str, set[str]], dict[str, int]]:
    """Room -> rooms that it imports, and room -> lines of code."""
    imports: dict[str, set[str]] = {}
    lines: dict[str, int] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        source, module = path.read_text(encoding="utf-8"), module_name(path)
        room = module.split(".")[1]
        if room in ("__init__", "__main__"):
            continue
        lines[room] = lines.get(room, 0) + source.count("\n")
        imports.setdefault(room, set()).update(
            name.split(".")[1] for name in imported_names(source, module) if name.startswith("cfs_explore.")
        )
    return {room: needs & set(lines) - {room} for room, needs in imports.items()}, lines


def layers(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """Rooms from the ground up: each stands above all that it imports, as low as it can."""
    left, placed, found = dict(imports), set(), []
    while left:
        ready = sorted(room for room, needs in left.items() if needs <= placed)
        if not ready:
            raise ValueError(f"These rooms import each other in a circle: {', '.join(sorted(left))}.")
        found.append(ready)
        placed |= set(ready)
        left = {room: needs for room, needs in left.items() if room not in placed}
    return found


def direct(imports: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The imports that are not implied by others: without them the order would be another one."""
    below: dict[str, set[str]] = {}
    for room in (room for layer in layers(imports) for room in layer):
        below[room] = set().union(imports[room], *(below[need] for need in imports[room]))
    return {
        room: {need for need in needs if not any(need in below[other] for other in needs - {need})}
        for room, needs in imports.items()
    }


def draw() -> str:
    """The picture as SVG."""
    imports, lines = rooms()
    edges, order = direct(imports), layers(imports)
    place: dict[str, float] = {}
    for layer in order:  # each over the middle of what it stands on
        layer.sort(key=lambda room: _middle([place[need] for need in edges[room]]))
        widths = [_wide(room, lines[room]) for room in layer]
        x = (_WIDTH - sum(widths) - _GAP * (len(layer) - 1)) / 2
        for room, width in zip(layer, widths, strict=True):
            place[room], x = x + width / 2, x + width + _GAP
    height = _ROW * len(order)
    level = {room: height - _ROW * (k + 1) for k, layer in enumerate(order) for room in layer}
    lines_drawn = [
        f'<path d="M{place[room]:.0f} {level[room] + _BOX} C{place[room]:.0f} {level[need] - 12} '
        f'{place[need]:.0f} {level[room] + _BOX + 12} {place[need]:.0f} {level[need]}">'
        f"<title>{room} imports {need}</title></path>"
        for room, needs in sorted(edges.items())
        for need in sorted(needs - set(order[0]))
    ]
    boxes = [
        f'<rect x="{place[room] - _wide(room, lines[room]) / 2:.0f}" y="{level[room]}" rx="5" '
        f'width="{_wide(room, lines[room]):.0f}" height="{_BOX}"/>'
        f'<text x="{place[room]:.0f}" y="{level[room] + 19}">{html.escape(room)}</text>'
        for layer in order
        for room in layer
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
            'font-family="sans-serif" font-size="13">',
            "<title>The rooms of cfs_explore: each imports only rooms below it</title>",
            f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
            f'<g fill="none" stroke="{_LINE}">',
            *lines_drawn,
            "</g>",
            f'<g fill="{_FILL}" stroke="{_LINE}">',
            *boxes,
            "</g>",
            "</svg>",
            "",
        ]
    ).replace("<text ", f'<text text-anchor="middle" stroke="none" fill="{_INK}" ')


def _wide(room: str, lines: int) -> float:
    """A box as wide as its name needs, and wider with the code in it."""
    return max(8.2 * len(room) + 14, lines**0.5 * 1.5)


def _middle(places: list[float]) -> float:
    return sum(places) / len(places) if places else _WIDTH / 2


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    print(f"Saved: {PICTURE.relative_to(PROJECT)}")
