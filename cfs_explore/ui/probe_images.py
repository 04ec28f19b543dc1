"""The two images of the probe page: one of the ID test set, and one of an OOD set or of the visitor's own."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.figures.choices import OOD
from cfs_explore.figures.probe import typical
from cfs_explore.probe.inputs import ProbeImage, given_image
from cfs_explore.store import Run
from cfs_explore.ui import choosing, data, probe_data, state, uploads
from cfs_explore.ui.gallery import has_pictures, show_absence
from cfs_explore.ui.sidebar import escape

#: A selector holds this many names at most; larger sets are chosen from by number.
_MOST_LISTED = 2_000
_OWN = "your image"
_SAMPLE = "probe_sample"


@dataclass(frozen=True, eq=False)
class Shown:
    """An image of the page.

    Attributes:
        letter: "A" or "B".
        role: "id" or "ood", which gives its colour in every figure.
        set_name: of its set, or that it is the visitor's own.
        image: for the probe.
    """

    letter: str
    role: str
    set_name: str
    image: ProbeImage


def restore(run: Run, level: int, tap: int) -> None:
    """Bring the choice back from the address; by default the images of median score at this level and tap."""
    ood = choosing.restore(OOD, run)
    if st.query_params.get("ood", run.ood_names[0]) == ood:  # the address says it, and with it which image
        st.session_state["probe_ood"] = ood
    for key, role, name in (("probe_a", "id_test", None), ("probe_b", "ood", ood)):
        default = run.derived(typical, role, name, level, tap)
        entry = run.entry(role, name)
        state.restore(key, default, range(entry.count), parse=int, lacking=f"{entry.name} has no image with the number")
    samples = range(len(probe_data.samples(run)))
    state.restore(_SAMPLE, 0, samples, parse=int, lacking=f"{run.name} has no drawn picture with the number")


def choose(run: Run, row: st.delta_generator.DeltaGenerator) -> list[Shown]:
    """The selectors, in a row of the page, and the images that can be shown; says why where one cannot."""
    ood = st.session_state["ood"]
    with row:
        first = _sample(run) if probe_data.samples(run) else _id_image(run)
        ood = _ood_control(run)
        second = _ood_image(run, ood)
        with st.popover("Upload", icon=":material/upload:"):
            second = _uploaded(run) or second
    if None in (first, second) or probe_data.samples(run):
        show_absence(run, ("id_test", None), ("ood", ood))
    if probe_data.samples(run):
        more = "" if second else " Upload an image of yours to see it beside it, as B."
        st.caption(f"A is a picture that the backbone drew after its training, in the place of an ID image.{more}")
    state.remember(**{key: st.session_state[key] for key in ("probe_a", "probe_b", _SAMPLE)})
    return [each for each in (first, second) if each is not None]


def _id_image(run: Run) -> Shown | None:
    index = _selector(run, "id_test", None, "probe_a", f"A: image of {run.id_test.name} (ID)")
    return _from_set(run, "A", "id", "id_test", None, index)


def _sample(run: Run) -> Shown:
    """One of the pictures that the backbone drew."""
    known = probe_data.samples(run)
    label, text = "A: drawn by the backbone (ID)", "What the backbone makes of pure noise; no image of a set."
    index = st.selectbox(label, range(len(known)), key=_SAMPLE, format_func=lambda i: known[i].name, help=text)
    return Shown("A", "id", "drawn by the backbone", known[index])


def _ood_image(run: Run, ood: str) -> Shown | None:
    """An image of the set; no selector where none of them can be shown."""
    if probe_data.samples(run) and not has_pictures(data.images(run, "ood", ood)):
        return None
    index = _selector(run, "ood", ood, "probe_b", "B: image of the OOD set")
    return _from_set(run, "B", "ood", "ood", ood, index)


def _ood_control(run: Run) -> str:
    """As on the other pages; a set that is chosen here starts at its first image."""
    before = st.session_state.get("probe_ood")
    chosen = choosing.choose(OOD, run)
    st.session_state["probe_ood"] = chosen
    if before not in (None, chosen) or st.session_state["probe_b"] >= run.entry("ood", chosen).count:
        st.session_state["probe_b"] = 0
    return chosen


def _selector(run: Run, role: str, name: str | None, key: str, label: str) -> int:
    """Position of the chosen image."""
    count = run.entry(role, name).count
    if count > _MOST_LISTED:
        number = f"{key}_number"
        st.session_state[number] = st.session_state[key] + 1
        st.number_input(
            f"{label}, 1 to {count:,}",
            1,
            count,
            key=number,
            on_change=lambda: st.session_state.update({key: st.session_state[number] - 1}),
        )
        return st.session_state[key]
    titles = probe_data.titles(run, role, name)
    return st.selectbox(
        label,
        range(count),
        key=key,
        format_func=lambda i: titles[i],
        help="Type to search: number, class and name. Only images whose scores the run has stored are listed.",
    )


def _from_set(run: Run, letter: str, role: str, run_role: str, name: str | None, index: int) -> Shown | None:
    try:
        image = probe_data.image(run, run_role, name, index)
    except CFSError as error:
        if has_pictures(data.images(run, run_role, name)):  # else ``show_absence`` says more
            st.warning(escape(str(error)), icon=":material/image:")
        return None
    return Shown(letter, role, run.entry(run_role, name).name, image)


def _uploaded(run: Run) -> Shown | None:
    """The visitor's own image in the place of B, once there is a readable one."""
    upload = st.file_uploader(
        "Show an image of yours as B",
        type=list(uploads.PICTURES),
        key="probe_upload",
        help="It is prepared as the run prepared its images; its cross removes it.",
    )
    if upload is None:
        return None
    try:
        image = given_image(run, uploads.spool(upload).read_bytes(), upload.name)
    except (CFSError, OSError) as error:
        st.error(escape(str(error)), icon=":material/error:")
        return None
    return Shown("B", "ood", _OWN, image)
