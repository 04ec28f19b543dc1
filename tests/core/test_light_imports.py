"""What loads without the heavy packages, seen in a fresh interpreter."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "diffusers", "streamlit", "pandas", "sklearn", "zarr", "plotly", "numpy")
#: Rooms, and what none of them loads before it is needed.
ROOMS = [
    ("cli contracts errors", HEAVY),
    ("diagnostics heads", ("torch", "sklearn", "scipy", "streamlit", "plotly")),
    (
        "charts detectors explorations.bundles figures images.prepare jobs levels scoring spec store taps.policies",
        ("torch", "diffusers", "streamlit", "sklearn", "kaleido"),
    ),
    ("embedding ui.images_view", ("torch", "sklearn", "umap", "numba")),
    ("ui.map_view ui.new_view ui.start_view ui.probe_view", ("torch", "diffusers", "sklearn")),
]


def loaded_by(statement: str, packages) -> set[str]:
    """Which packages are in sys.modules after a statement."""
    code = f"{statement}\nimport sys\nprint(*[p for p in {packages!r} if p in sys.modules])"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(("rooms", "heavy"), ROOMS)
def test_rooms_do_without(rooms, heavy):
    assert loaded_by("import " + ", ".join(f"cfs_explore.{room}" for room in rooms.split()), heavy) == set()


def test_this_check_can_fail():
    assert loaded_by("import cfs_explore as c; c.open_run", HEAVY) >= {"pandas", "zarr"}
    assert loaded_by("import cfs_explore.corruption, cfs_explore.taps.pooling", HEAVY) >= {"torch"}


def test_public_names():
    import cfs_explore as cfs

    for name in ("load_backbone", "extract", "explore", "open_run"):
        assert callable(getattr(cfs, name))
    assert cfs.make_plates is cfs.make_figures  # its older name
    assert callable(cfs.heads.Diagonal) and callable(cfs.metrics.auroc)
    assert {"load_backbone", "extract", "explore", "open_run", "heads", "metrics", "detectors"} <= set(cfs.__all__)
    with pytest.raises(AttributeError, match="no attribute 'extrakt'"):
        cfs.extrakt  # noqa: B018 - the access is the test
