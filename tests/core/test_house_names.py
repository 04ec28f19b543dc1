"""Test files have names of their own: of two alike pytest can import one, and the run ends before its first test."""

from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_no_two_test_files_share_a_name():
    names = Counter(path.stem for path in TESTS.rglob("*.py") if path.stem != "conftest")
    assert len(names) > 100
    assert [name for name, count in names.items() if count > 1] == []
