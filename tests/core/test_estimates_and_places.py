"""Estimates against a run that was really made, and where runs, bundles and portable paths are found."""

import shutil

import pytest

from cfs_explore import locations
from cfs_explore.errors import RunError
from cfs_explore.jobs.estimate import estimate_run, format_bytes, format_seconds
from cfs_explore.locations import absolute, locate_run, portable, runs_root
from cfs_explore.pipeline import explore, progress
from cfs_explore.readings import inspect
from cfs_explore.readings.inspect import describe_backbone
from cfs_explore.store import open_run


@pytest.fixture(scope="module")
def made(tiny_folder, write_images, tmp_path_factory):
    """A run whose backbone and OOD images lie inside its own directory, by relative paths."""
    home = tmp_path_factory.mktemp("bundle") / "made"
    shutil.copytree(tiny_folder, home / "backbone")
    shutil.copy(write_images(12, "zip", seed=4), home / "ood.zip")
    (home / "spec.yaml").write_text(
        "name: made\nbackbone: backbone\nlevels: [5.0]\ndiagnostics: []\n"
        f"id:\n  train: {{name: ramps, source: {write_images(30, seed=5)}}}\n"
        "ood:\n- {name: own, source: ood.zip}\n- {name: letters, source: {builtin: letters, n: 8, side: 8}}\n"
    )
    return explore(home / "spec.yaml", home, device="cpu")


def test_paths_inside_the_run_are_stored_relative(made, write_images):
    content = made.manifest.spec
    assert content["backbone"]["path"] == made.manifest.backbone.path == "backbone"
    assert content["ood"][0]["source"] == "ood.zip"
    assert content["ood"][1]["source"] == {"builtin": "letters", "n": 8, "side": 8}
    assert content["id"]["train"]["source"].startswith("/")


def test_a_moved_run_still_serves(made, tmp_path, tiny_folder, write_images):
    moved = tmp_path / "moved"
    shutil.copytree(made.path, moved)
    assert open_run(moved).digest == made.digest
    spec = {
        "name": "on top",
        "backbone": str(moved / "backbone"),
        "id": {"run": str(moved)},
        "ood": [{"name": "new", "source": str(write_images(5, seed=6))}],
        "diagnostics": [],
        "levels": [5.0, 0.0],  # lam = 0 was not stored: the ID images are found and measured again
    }
    run = explore(spec, tmp_path / "top", device="cpu")
    assert len(run.levels) == 2 and any("do not serve" in w for w in run.manifest.warnings)
    assert absolute(made.manifest.backbone.path, moved) == str(moved / "backbone")


def test_portable_and_absolute(tmp_path):
    inside, outside = tmp_path / "run" / "images", tmp_path / "elsewhere"
    inside.mkdir(parents=True)
    outside.mkdir()
    home = tmp_path / "run"
    assert portable(str(inside), home) == "images"
    assert portable(str(outside), home) == str(outside)
    assert portable("owner/name", home) == "owner/name"
    assert absolute("images", home) == str(inside) and absolute("owner/name", home) == "owner/name"
    assert absolute(str(outside), home) == str(outside)


def test_runs_are_found_by_folder_bundle_name_and_id(made, tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(locations, "BUNDLES", made.path.parent)
    assert runs_root() == tmp_path / "runs"
    shutil.copytree(made.path, tmp_path / "runs" / "run-1")
    assert locate_run(made.path) == made.path
    assert locate_run("made") == made.path
    assert locate_run("run-1") == tmp_path / "runs" / "run-1"
    with pytest.raises(RunError, match=r"no finished run 'nowhere'\. Give its folder, or a bundle: made\."):
        locate_run("nowhere")


def test_the_estimate_counts_what_the_run_did(made, tiny):
    images = sum(s.count for s in made.manifest.sets)
    estimate = estimate_run(
        new_images=images,
        levels=1,
        draws=1,
        taps=made.taps,
        image_shape=(1, 8, 8),
        sets=4,
        seconds_per_forward=0.01,
    )
    assert estimate.forwards == images == sum(s.samples for s in made.manifest.sets)
    assert estimate.seconds == pytest.approx(images * 0.01 * tiny.taps()[-1].depth)
    names = ("images.parquet", "scores.zarr", "moments.zarr", "snapshots.zarr", "tables", "manifest.json")
    files = [p for name in names for p in [made.path / name, *(made.path / name).rglob("*")] if p.is_file()]
    disk = sum(p.stat().st_size for p in files)
    assert disk / 4 < estimate.disk_bytes < disk * 8
    assert estimate.peak_bytes > estimate.disk_bytes


def test_early_stop_makes_the_estimate_shorter(tiny):
    facts = {"new_images": 10, "levels": 2, "draws": 3, "image_shape": (1, 8, 8), "sets": 3, "seconds_per_forward": 1.0}
    early = estimate_run(taps=tiny.taps()[:3], **facts)
    assert early.forwards == 60 and early.seconds == pytest.approx(60 * tiny.taps()[2].depth)
    assert estimate_run(taps=tiny.taps(), **facts | {"seconds_per_forward": None}).seconds is None
    more = estimate_run(taps=tiny.taps()[:3], diagnostic_forwards=2 * early.forwards, **facts)
    assert more.forwards == early.forwards and more.diagnostic_forwards == 2 * early.forwards
    assert more.seconds == pytest.approx(3 * early.seconds)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (9000, "2.5 h")]
)
def test_durations(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (3_210_000, "3.21 MB"), (2e9, "2 GB")]
)
def test_sizes(count, text):
    assert format_bytes(count) == text


def test_describe_backbone(tiny):
    facts = describe_backbone(tiny, measure_speed=False)
    assert "seconds_per_forward" not in facts
    assert facts["fingerprint"] == tiny.fingerprint and facts["reach"] == list(tiny.reach)
    assert [t["name"] for t in facts["taps"]] == [t.name for t in tiny.taps()]


def test_the_speed_of_a_stage_leaves_its_slow_first_batch_out(monkeypatch):
    """20 units took 9 s to start with; the next 40 took 2 s. Units that were there already say nothing."""
    clock = iter([0.0, 0.0, 9.0, 9.5, 11.0, 60.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    count = progress.Progress()
    count.start("measuring", 100, "forwards", done=10)
    count.advance(20, "")
    count.advance(30, "", reused=True)
    count.advance(40, "")
    count.finish()
    assert count.seconds_per_unit == {"measuring": 0.05} and count.timings == {"measuring": 60.0}


def test_few_units_tell_no_speed():
    count = progress.Progress()
    count.start("measuring", 40, "forwards")
    for _ in range(2):
        count.advance(20, "")
    count.finish()
    assert count.seconds_per_unit == {}


def test_a_backbone_is_timed_at_whole_batches_where_the_cores_are_shared(tiny, monkeypatch):
    """Two images take as long as a batch there: timed alone they would make every estimate 30 times too long."""
    sizes = []
    monkeypatch.setattr(inspect, "_time_batch", lambda reader, n: sizes.append(n) or 0.7)
    assert inspect.seconds_per_forward(tiny) == pytest.approx(0.7 / max(sizes))
    assert sizes[0] == 2 and sizes[-1] == 64


def test_the_command_line_is_named_so_that_it_is_found(monkeypatch, tmp_path):
    """By its name where that is enough, else by its place in the project; a place of the server's own is not shown."""
    script = tmp_path / ".venv" / "bin" / "cfs-explore"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(locations.sys, "executable", str(script.with_name("python")))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert locations.program() == "cfs-explore"
    monkeypatch.setattr(locations, "PROJECT", tmp_path)
    assert locations.program() == ".venv/bin/cfs-explore"
    monkeypatch.setenv("PATH", str(script.parent))
    assert locations.program() == "cfs-explore"
