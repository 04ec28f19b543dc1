"""CONTRIBUTING.md names files that are there, and each recipe has as many as its heading says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = re.findall(r"^### ([^\n]+): (\d+) files?$(.*?)(?=^### |\Z)", TEXT, re.MULTILINE | re.DOTALL)
#: Paths in code, and targets of links.
NAMED = sorted(set(re.findall(r"`(?:python )?([\w.]+/[\w./<>]+)`|\]\(([\w./]+)[)#]", TEXT)))
PATHS = [code or link for code, link in NAMED]


@pytest.mark.parametrize("path", PATHS)
def test_a_named_file_is_there(path):
    """Of a file that is to be made, its folder."""
    made = "<" in path
    assert (ROOT / path).parent.is_dir() if made else (ROOT / path).exists()


def test_there_are_four_recipes_and_they_are_counted():
    assert len(RECIPES) == 4 and len(PATHS) > 30
    for name, count, text in RECIPES:
        rows = re.findall(r"^\| `", text, re.MULTILINE)
        assert len(rows) == int(count), name
