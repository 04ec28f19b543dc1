"""docs/detectors.md: its table is what the registry says, and its text is about every detector."""

import re
import runpy
from pathlib import Path

from cfs_explore import detectors

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "detectors.md").read_text(encoding="utf-8")


def test_the_table_is_what_the_command_writes():
    made = runpy.run_path(str(ROOT / "scripts" / "detectors_page.py"))["page"](TEXT)
    assert made == TEXT, "run python scripts/detectors_page.py"


def test_the_table_has_a_row_for_each_detector_with_its_cost():
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", TEXT, re.MULTILINE)
    assert [name for name, _ in rows] == list(detectors.names())
    cells = {name: [cell.strip() for cell in row.split("|")] for name, row in rows}
    assert cells["cfs_1x2"][3:5] == ["1", "0"] and cells["scoped"][3:5] == ["2", "2"]
    assert cells["gepc"][3] == "16; fit 32" and cells["ddpm_ood"][3] == "350" and cells["likelihood_ratio"][3] == "40"


def test_each_detector_has_its_section():
    named = [
        name for heading in re.findall(r"^### .*$", TEXT, re.MULTILINE) for name in re.findall(r"`(.+?)`", heading)
    ]
    expected = [name for name in detectors.names() if not name.startswith("head_")]
    assert sorted(named) == sorted([*expected, "head_*"])


def test_named_files_are_there():
    paths = re.findall(r"`(?:python )?((?:cfs_explore|tests|scripts|precomputed)/[\w./]+)`", TEXT)
    assert len(paths) >= 5 and all((ROOT / path).exists() for path in paths)
