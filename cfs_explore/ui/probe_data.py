"""What the probe page keeps: the loaded backbone and films, shared by all visitors, images, and ID scores."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cfs_explore.errors import BackboneError, CFSError
from cfs_explore.explorations.bundles import names_places
from cfs_explore.probe.film import Film
from cfs_explore.probe.film import draws as frames_of_draws
from cfs_explore.probe.inputs import ProbeImage, drawn_samples, stored_image
from cfs_explore.store import Run
from cfs_explore.ui import access, collector, data
from cfs_explore.ui.gallery import has_pictures

if TYPE_CHECKING:
    from cfs_explore.probe.network import Probe


def begin(run: Run) -> None:
    """Start to load the run's backbone, while the page does what it can do without."""
    if names_places(run.path):
        _loading(run, access.fetches())


def load(run: Run) -> Probe:
    """The run's backbone, loaded once for all visitors; says on the page that it is loading.

    Raises:
        CFSError: it cannot be loaded here.
    """
    if not names_places(run.path):
        raise BackboneError(
            "This exploration was imported, and its backbone is not on this server. Probe it where it was made, or "
            "choose another exploration at the left."
        )
    asked = (run, access.fetches())
    loading = _loading(*asked)
    _wait(loading, "Loading the backbone")
    try:
        return loading.result()
    except CFSError:
        _loading.clear(*asked)  # it may be there the next time
        raise


def _wait(loading: Future, words: str) -> None:
    """Until it is done. A visitor who goes elsewhere meanwhile is not kept: each look at the page may end this one."""
    if loading.done():
        return
    with st.spinner(words):
        page = st.empty()
        while not loading.done():
            page.empty()
            time.sleep(0.05)


@data.kept(max_entries=2)
def _loading(run: Run, fetch: bool) -> Future[Probe]:
    """In a thread of its own: importing torch takes seconds in which the visitor's own thread could not listen."""
    loading: Future[Probe] = Future()
    threading.Thread(target=_open, args=(loading, run, fetch), daemon=True).start()
    return loading


def _open(loading: Future, run: Run, fetch: bool) -> None:
    try:
        from cfs_explore.probe.network import Probe  # torch loads now, and not before

        probe = Probe.open(run, fetch=fetch)
        collector.leave_out_libraries()  # torch is large, and parts of the page run alone
        loading.set_result(probe)
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
        loading.set_exception(error)


def film(run: Run, images: Sequence[ProbeImage], draw: int, taps: Sequence[str]) -> Film:
    """The film of these images, which are known by their content; all visitors share it.

    Raises:
        CFSError: the backbone cannot be loaded here.
    """
    return _film(load(run), images, run.digest, tuple(each.image_id for each in images), draw, tuple(taps))


@st.cache_resource(max_entries=12, ttl=3600, show_spinner=False)
def _film(
    _probe: Probe, _images: Sequence[ProbeImage], digest: str, ids: tuple[str, ...], draw: int, taps: tuple[str, ...]
) -> Film:
    return Film(_probe, _images, draw, taps)


def draws(
    run: Run, images: Sequence[ProbeImage], lam: float, taps: Sequence[str], count: int, seconds: float
) -> list[dict | None]:
    """``film.draws`` of these images, shared as films are; ``seconds`` that a frame took decide the first time."""
    ids = tuple(each.image_id for each in images)
    return _draws(load(run), images, seconds, run.digest, ids, lam, tuple(taps), count)


@st.cache_resource(max_entries=24, ttl=3600, show_spinner=False)
def _draws(
    _probe: Probe,
    _images: Sequence[ProbeImage],
    _seconds: float,
    digest: str,
    ids: tuple[str, ...],
    lam: float,
    taps: tuple[str, ...],
    count: int,
) -> list[dict | None]:
    return frames_of_draws(_probe, _images, lam, taps, count, _seconds)


def image(run: Run, role: str, name: str | None, index: int) -> ProbeImage:
    """An image of the run, with the pixels that it measured.

    Raises:
        CFSError: they are not here.
    """
    found = _image(run, role, name, index)
    if isinstance(found, CFSError):
        raise found
    return found


@data.kept(max_entries=64, ttl=600, show_spinner="Looking for the image")
def _image(run: Run, role: str, name: str | None, index: int) -> ProbeImage | CFSError:
    """The image, or why there is none: looking for it may have read a whole set."""
    row = data.images(run, role, name).iloc[index]
    try:
        return stored_image(run, run.entry(role, name), row, search=names_places(run.path))
    except CFSError as error:
        return error


@data.kept(max_entries=8)
def samples(run: Run) -> list[ProbeImage]:
    """Pictures that stand for the ID images: ``drawn_samples`` where those are not here, else none."""
    if not names_places(run.path) or has_pictures(data.images(run, "id_test", None)):
        return []
    return drawn_samples(run)


@data.kept(max_entries=16)
def titles(run: Run, role: str, name: str | None) -> list[str]:
    """What a selector calls the images of a set: number, label and name, all of which can be searched."""
    rows = data.images(run, role, name)
    parts = zip(range(1, len(rows) + 1), rows["label"], rows["name"], strict=True)
    return [" · ".join(filter(None, [str(number), label, text])) for number, label, text in parts]


@data.kept(max_entries=128)
def id_scores(run: Run, level: int, tap: int) -> np.ndarray:
    """Slot scores of the ID test images by single draws, (images x draws,)."""
    return run.scores("id_test", None)[:, :, level, tap].ravel()
