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
        "FETCH_FROM": "google/*, me/one https://example.org/models/,torchvision",
        "MAX_FETCH_GB": "2.5",
        "PASSWORD": "open sesame",
        "MAX_UPLOAD_MB": "200",
        "MAX_IMAGES": "5000",
        "MAX_RUNS": "0",
        "MAX_WORKERS": "4",
        "MAX_DISK_GB": "1.5",
        "CACHE_GB": "0",
    }.items():
        monkeypatch.setenv(f"CFS_EXPLORE_{name}", value)
    assert read_settings() == Settings(
        public=True,
        roots=(tmp_path.resolve(),),
        fetch=False,
        fetch_from=("google/*", "me/one", "https://example.org/models/", "torchvision"),
        max_fetch_bytes=2_500_000_000,
        password="open sesame",
        max_upload_bytes=200_000_000,
        max_images=5000,
        max_runs=0,
        max_workers=4,
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
        ("FETCH_FROM", "http://example.org"),
        ("FETCH_FROM", "example.org"),
        ("FETCH_FROM", "torchvision;google"),
        ("MAX_FETCH_GB", "all"),
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


def test_a_closed_path_gets_one_answer_whether_or_not_it_is_there(tmp_path, monkeypatch):
    inside, outside = tmp_path / "open", tmp_path / "closed"
    inside.mkdir()
    outside.mkdir()
    (outside / "there").write_text("x")
    (inside / "to_there").symlink_to(outside / "there")
    (inside / "to_none").symlink_to(outside / "none")
    (inside / "loop").symlink_to(inside / "loop")
    monkeypatch.chdir(outside)
    asked = [outside / "there", outside / "none", "there", "none", "./there", inside / "to_there", inside / "to_none"]
    asked += [inside / ".." / "closed" / "there", inside / ".." / "closed" / "none", "~root/x", "~nobody-here/x", "~/x"]
    answers = set()
    for path in [*asked, "a\0b", "x" * 5000, "-x", ""]:
        with pytest.raises(SourceError) as caught:
            check_inside(path, (inside.resolve(),))
        answers.add(str(caught.value).removeprefix(str(path)))
    assert len(answers) == 1
    assert check_inside(inside / "none", (inside.resolve(),)) == inside.resolve() / "none"
