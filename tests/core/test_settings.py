"""Settings of an installation: read from the environment, refused by name, and the folders open to visitors."""

import os
from pathlib import Path

import pytest

from cfs_explore.errors import SettingsError, SourceError
from cfs_explore.settings import Settings, check_inside, read_settings


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in [name for name in os.environ if name.startswith("CFS_EXPLORE_")]:
        monkeypatch.delenv(name)


def test_nothing_is_limited_where_nothing_is_set():
    assert read_settings() == Settings()


def test_values_and_their_units(monkeypatch, tmp_path):
    for name, value in {
        "PUBLIC": "1",
        "ROOTS": str(tmp_path),
        "FETCH": "0",
        "PASSWORD": "open sesame",
        "MAX_UPLOAD_MB": "200",
        "MAX_IMAGES": "5000",
        "MAX_RUNS": "0",
        "MAX_DISK_GB": "1.5",
        "CACHE_GB": "0",
    }.items():
        monkeypatch.setenv(f"CFS_EXPLORE_{name}", value)
    assert read_settings() == Settings(
        public=True,
        roots=(tmp_path.resolve(),),
        fetch=False,
        password="open sesame",
        max_upload_bytes=200_000_000,
        max_images=5000,
        max_runs=0,
        max_disk_bytes=1_500_000_000,
        cache_bytes=0,
    )


def test_no_root_at_all_differs_from_roots_left_out(monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_ROOTS", "")
    assert read_settings().roots == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC", "yes"),
        ("FETCH", "2"),
        ("MAX_IMAGES", "many"),
        ("MAX_DISK_GB", "-1"),
        ("CACHE_GB", "nan"),
        ("ROOTS", "/no/such"),
    ],
)
def test_a_wrong_value_is_refused_by_name(monkeypatch, name, value):
    monkeypatch.setenv(f"CFS_EXPLORE_{name}", value)
    with pytest.raises(SettingsError, match=f"CFS_EXPLORE_{name}.*{value}"):
        read_settings()


def test_paths_out_of_the_open_folders_are_refused(tmp_path):
    inside, outside = tmp_path / "open", tmp_path / "closed"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "set").mkdir()
    roots = (inside.resolve(),)
    assert check_inside(inside / "set", roots) == (inside / "set").resolve()
    assert check_inside(inside, roots) == inside.resolve()
    for path in (outside, inside / ".." / "closed", inside / "link", Path("/"), f"{inside}-twin"):
        with pytest.raises(SourceError, match="not in a folder that this server opens"):
            check_inside(path, roots)
