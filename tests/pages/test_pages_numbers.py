"""Headlines and all other words of the pages write numbers in one way."""

import sys
from pathlib import Path

import pytest
from page_steps import open_page, texts

sys.path.append(str(Path(__file__).parents[1] / "figures"))
from test_numbers import badly_written

PAGES = [
    "map",
    "complementarity",
    "separation",
    "where",
    "stability",
    "prediction",
    "controls",
    "protocol",
    "triage",
    "image",
]


def check(page: str, run: str) -> None:
    said = texts(open_page(page, run=run)).replace("\u00a0", " ")
    # Addresses and commands, ids and file names are no numbers.
    lines = [line for line in said.splitlines() if "/" not in line and "id " not in line and "$" not in line]
    assert {line: bad for line in lines if (bad := badly_written(line))} == {}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_writes_numbers_alike(page):
    check(page, "digits")


@pytest.mark.slow
@pytest.mark.parametrize("run", ["digits-narrow", "cifar10-ddpm", "cifar10-edm", "cifar10-uvit"])
@pytest.mark.parametrize("page", PAGES)
def test_every_bundle_does(page, run):
    check(page, run)
