"""A long reading asks whether to stop while it is under way, on one thread and on several."""

import threading

import numpy as np
import pytest

from cfs_explore import detectors
from cfs_explore.errors import RunCancelled
from cfs_explore.readings import loop, side_by_side, watch


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """No second is waited for."""
    for module in (side_by_side, watch):
        monkeypatch.setattr(module, "SECONDS", 0.001)


@pytest.fixture
def forwards(tiny):
    """A count of the network's forwards."""
    done = []
    handle = tiny.module.register_forward_hook(lambda module, inputs, output: done.append(1))
    yield done
    handle.remove()


@pytest.fixture(params=[1, 2])
def at_once(request, monkeypatch):
    monkeypatch.setattr(loop, "lanes", lambda batch, device: request.param)
    return request.param


def test_a_long_reading_ends_in_the_middle(tiny, tiny_images, forwards, at_once):
    def stop(done):
        if len(forwards) > 20:
            raise RunCancelled("enough")

    with pytest.raises(RunCancelled, match="enough"):
        detectors.create("ddpm_ood").read(tiny, tiny_images, after_batch=stop)
    assert 20 < len(forwards) < 90  # the first start alone takes 98


def test_what_is_told_adds_up_and_nothing_is_read_otherwise(tiny, tiny_images, at_once):
    told, detector = [], detectors.create("diffpath_1d")
    found = detector.read(tiny, tiny_images, after_batch=told.append)
    assert sum(told) == 10 * len(tiny_images)
    np.testing.assert_array_equal(found, detector.read(tiny, tiny_images))


def test_others_who_share_the_network_are_let_alone(tiny, tiny_images):
    """One reading is stopped over and over while another one, of the same network, goes on."""
    detector, stopped = detectors.create("diffpath_1d"), []
    expected, ended = detector.read(tiny, tiny_images), threading.Event()

    def stop(done):
        raise RunCancelled("enough")

    def other():
        while not ended.is_set():
            try:
                detector.read(tiny, tiny_images, after_batch=stop)
            except RunCancelled as error:
                stopped.append(str(error))

    thread = threading.Thread(target=other)
    thread.start()
    try:
        for _ in range(5):
            np.testing.assert_allclose(detector.read(tiny, tiny_images), expected, rtol=1e-4)
    finally:
        ended.set()
        thread.join()
    assert set(stopped) == {"enough"}
