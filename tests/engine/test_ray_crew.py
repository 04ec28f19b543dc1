"""What is said where Ray is missing or does not answer; no test here needs it."""

import sys
import time

import pytest

from cfs_explore.engine import ray_actors, ray_crew
from cfs_explore.errors import RunError, SpecError
from cfs_explore.jobs.helpers import ray_helpers, ray_threads


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A package called ray whose ``init`` does what is given; gives a function that opens actors with it."""

    def make(body: str, **options):
        package = tmp_path / "stand-in" / "ray"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"import sys, time\ndef init(**options): {body}\ndef shutdown(): pass\n")
        monkeypatch.setenv("PYTHONPATH", str(package.parent))
        monkeypatch.syspath_prepend(package.parent)
        for name in [name for name in sys.modules if name.partition(".")[0] == "ray"]:
            monkeypatch.delitem(sys.modules, name)
        return ray_actors("10.0.0.1:6379", tmp_path, print, cpus=1, gpus=0, say=print, **{"count": 1} | options)

    yield make
    sys.modules.pop("ray", None)


def test_without_ray_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(RunError, match=r'needs the package ray: pip install "cfs-explore\[ray\]"'),
        ray_actors("auto", tmp_path, print, count=1, cpus=1, gpus=0, say=print),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_an_address_that_does_not_answer(stand_in, monkeypatch):
    """It is given up, however long Ray itself waits."""
    monkeypatch.setattr(ray_crew, "ANSWER_SECONDS", 1.0)
    began = time.monotonic()
    with (
        pytest.raises(RunError, match=r"No Ray cluster answers at 10.0.0.1:6379 within 1 s"),
        stand_in("time.sleep(60)"),
    ):
        pass
    assert time.monotonic() - began < 10


def test_a_cluster_that_refuses(stand_in):
    """What Ray said last, such as another version, is passed on."""
    refuses = stand_in("raise RuntimeError('Version mismatch: 2.50 there')")
    with (
        pytest.raises(RunError, match=r"takes this computer in \(RuntimeError: Version mismatch: 2.50 there\)"),
        refuses,
    ):
        pass


def test_a_cluster_without_room(stand_in, tmp_path):
    full = stand_in("sys.modules[__name__].available_resources = lambda: {'CPU': 0.5}", count=None)
    with pytest.raises(RunError, match=r"no room for an actor \(CPU: 1, GPU: 0\).*--workers N"), full:
        pass
    assert not list(tmp_path.glob("*.token"))


def test_options_of_a_run_on_ray(tmp_path, monkeypatch):
    with pytest.raises(SpecError, match=r"with Ray from 2 on\. Got 1"):
        ray_helpers(tmp_path, "auto", 1, "cpu", 1)
    for said, threads in (("4", 4), ("", 1), ("0", 1), ("2,1", 1)):
        monkeypatch.setenv("OMP_NUM_THREADS", said)
        assert ray_threads() == threads
