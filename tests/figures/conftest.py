"""What the tests of figures share: the bundled run, what its pages choose, and a run without any diagnostic stage."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from bundles import bundle

from cfs_explore.figures.choices import Choices, choose
from cfs_explore.locations import BUNDLES
from cfs_explore.store import Run, open_run
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.ui import figure

sys.path.append(str(Path(__file__).parents[1] / "pages"))


@pytest.fixture(autouse=True)
def _owners_server(monkeypatch):
    """Pages are opened on their owner's own server; tables behind figures are there without being opened."""
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "0")
    monkeypatch.setattr(figure, "FILLED", True)


@pytest.fixture(scope="session")
def digits() -> Run:
    """The bundled run, with every stage."""
    return bundle("digits")


@pytest.fixture(scope="session")
def choices(digits) -> Choices:
    """What the pages of ``digits`` open with."""
    return choose(digits)


@pytest.fixture(scope="session")
def letters(digits) -> Choices:
    """The same for another OOD set; the snapshots of the cell were kept."""
    return choose(digits, ood="letters")


@pytest.fixture(scope="session")
def bare(tmp_path_factory) -> Run:
    """A run whose map was measured and nothing else."""
    folder = tmp_path_factory.mktemp("bare") / "bare"
    shutil.copytree(BUNDLES / "digits-narrow", folder)
    for name in (name for stage in DIAGNOSTICS.values() for name in stage.table_names):
        (folder / "tables" / f"{name}.parquet").unlink(missing_ok=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"stages": {}, "files": {}}))
    return open_run(folder)
