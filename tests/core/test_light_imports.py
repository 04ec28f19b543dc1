"""What loads without the heavy packages, seen in a fresh interpreter."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "diffusers", "streamlit", "pandas", "sklearn", "zarr", "plotly", "numpy")


def loaded_by(statement: str, packages=HEAVY) -> set[str]:
    """Which packages are in sys.modules after a statement."""
    code = f"{statement}\nimport sys\nprint(*[p for p in {packages!r} if p in sys.modules])"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_package_itself_is_light():
    assert loaded_by("import cfs_explore, cfs_explore.cli, cfs_explore.contracts, cfs_explore.errors") == set()


def test_rooms_that_read_and_show_do_without_torch():
    rooms = (
        "diagnostics",
        "figures",
        "heads",
        "images",
        "images.prepare",
        "store",
        "levels",
        "spec",
        "scoring",
        "detectors",
    )
    rooms += ("jobs", "estimate", "locations", "taps.policies")
    statement = "import " + ", ".join(f"cfs_explore.{room}" for room in rooms)
    assert not loaded_by(statement) & {"torch", "diffusers", "streamlit", "sklearn"}


def test_the_app_opens_without_torch():
    statement = "import cfs_explore.ui.map_view, cfs_explore.ui.new_view, cfs_explore.ui.start_view"
    statement += ", cfs_explore.ui.probe_view"
    assert not loaded_by(statement) & {"torch", "diffusers", "sklearn"}


def test_this_check_can_fail():
    assert loaded_by("import cfs_explore as c; c.open_run") >= {"pandas", "zarr"}
    assert loaded_by("import cfs_explore.corruption, cfs_explore.taps.pooling") >= {"torch"}


def test_public_names():
    import cfs_explore as cfs

    for name in ("load_backbone", "extract", "explore", "open_run"):
        assert callable(getattr(cfs, name))
    assert callable(cfs.heads.Diagonal) and callable(cfs.metrics.auroc)
    assert {"load_backbone", "extract", "explore", "open_run", "heads", "metrics", "detectors"} <= set(cfs.__all__)
    with pytest.raises(AttributeError, match="no attribute 'extrakt'"):
        cfs.extrakt  # noqa: B018 - the access is the test
