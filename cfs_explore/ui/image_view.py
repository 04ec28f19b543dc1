"""The page of one image: its slot scores over all cells, among ID-test, and the features that carry one of them."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.explorations.pictures import as_seen
from cfs_explore.figures import image as figures
from cfs_explore.figures.choices import Choices, choose, opening_set
from cfs_explore.figures.detector import PRESETS, cell_label
from cfs_explore.figures.image import Image
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.figures.places import CELL
from cfs_explore.headlines.image import image_headline
from cfs_explore.store import Run
from cfs_explore.ui import choosing, data, image_data, image_where, open_cells, state
from cfs_explore.ui.cell_choice import choose_cell, open_cell, open_clicked
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.gallery import has_pictures, show_absence, show_picture, shows_both
from cfs_explore.ui.sidebar import escape

_HEADLINE_HELP = (
    "p: the share of the ID-test images, this one included, that are in the top 1 % in at least as many cells. Every "
    "image is judged on all cells, so no correction for many cells is needed. Percentile: the share of ID-test images "
    "that score lower."
)
#: Larger sets are searched by text first: so many names in a list would slow the page down.
_LISTED = 2_000
#: Other detectors that are shown beside the presets at a time.
_MOST_DETECTORS = 5


def show(run: Run) -> None:
    """The whole page for one run."""
    _restore(run)
    _page(run)


def _restore(run: Run) -> None:
    """Bring the view back from the URL; what this run has not falls back to the first image of its first OOD set."""
    known = image_data.sets(run)
    role = state.restore("role", _opening_role(run), list(figures.ROLE.labels()), lacking="There is no role")
    here = [name for each, name in known if each == role]
    opening = opening_set(run) if role == "ood" else here[0]
    if role == "ood" and "image" not in st.query_params:
        state.follow("set", "ood", here)
    name = state.restore("set", opening, here, lacking=f"{run.name} has no {figures.ROLE.labels()[role]} set")
    names = image_data.names(run, role, name)
    state.restore(
        "image",
        next(iter(names)),
        names,
        parse=lambda text: _image_id(names, text),
        lacking=f"{name} has no image",
        label=names.get,
    )
    chosen = choosing.restore(figures.ALSO_BY, run)
    if len(chosen) > _MOST_DETECTORS:
        st.session_state[figures.ALSO_BY.name] = chosen[:_MOST_DETECTORS]
        state.note(figures.ALSO_BY.name, f"At most {_MOST_DETECTORS} other detectors are shown at a time.")
    open_cells.restore(run)


def _opening_role(run: Run) -> str:
    """ID-test, where the address names one of its images and no set; else OOD."""
    asked = st.query_params.get("image")
    if asked is not None and "set" not in st.query_params:
        for role, name in (("ood", opening_set(run)), ("id_test", run.id_test.name)):
            names = image_data.names(run, role, name)
            if _image_id(names, asked) in names:
                return role
    return image_data.sets(run)[0][0]


def _image_id(names: dict[str, str], text: str) -> str:
    """The id of an image that is called by its id or its name; the text itself, where it is neither."""
    return text if text in names else next((each for each, name in names.items() if name == text), text)


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("What is unusual about this image?", anchor=False)
    headline = st.empty()
    view = _controls(run)
    image = figures.find(run, view)
    state.remember(role=image.role, set=image.name, image=image.image_id, cell=CELL.write(view.cell, run))
    try:
        found = figures.profile(run, view)
    except NotMeasuredError as why:
        st.info(escape(str(why)), icon=":material/info:")
        return
    percentiles = dict(zip(found.detectors["name"], found.detectors["percentile"], strict=True))
    presets = {name: percentiles[name] for name in PRESETS if name in percentiles}
    headline.markdown(image_headline(escape(image.file), *found.exceedance, presets), help=_HEADLINE_HELP)
    left, right = st.container(key="beside_image").columns([3, 5], gap="large")
    with left:
        _picture(run, view, image)
        show_figure("image-detectors", run, view, key="image_scores")
    with right:
        _map(run, view)
        _features(run, view)


def _controls(run: Run) -> Choices:
    """Set and image; the cell is the map's."""
    known = image_data.sets(run)
    st.session_state["image_set"] = (st.session_state["role"], st.session_state["set"])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        role, name = st.selectbox(
            "Set",
            known,
            key="image_set",
            format_func=lambda each: f"{each[1]} (ID-test)" if each[0] == "id_test" else each[1],
            width=220,
            on_change=_choose_set,
            args=(run,),
            help="Every set of the exploration that has scores: the OOD sets and ID-test.",
        )
        names = image_data.names(run, role, name)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", width="content"):
            _choose_image(list(names), names)
        if figures.ALSO_BY.labels(run):
            choosing.draw(figures.ALSO_BY, run, placeholder="Other detectors", max_selections=_MOST_DETECTORS)
            choosing.remember(run, figures.ALSO_BY)
    others = figures.ALSO_BY.write(st.session_state[figures.ALSO_BY.name], run)
    options = {figures.IMAGE.name: st.session_state["image"], figures.ROLE.name: role, figures.ALSO_BY.name: others}
    return replace(choose(run, ood=name if role == "ood" else None, options=options), cell=st.session_state["cell"])


def _choose_set(run: Run) -> None:
    role, name = st.session_state["image_set"]
    first = next(iter(image_data.names(run, role, name)))
    st.session_state.update({"role": role, "set": name, "image": first, "image_search": ""})


def _choose_image(ids: list[str], names: dict[str, str]) -> None:
    """A list to search in, and the ways to the image before and after."""
    shown = ids
    if len(ids) > _LISTED:
        words = st.text_input(
            "Search", key="image_search", width=180, help="Part of a name or an id; the list then shows the matches."
        ).casefold()
        fitting = [each for each in ids if words in names[each].casefold() or words in each][:_LISTED]
        current = st.session_state["image"]
        shown = fitting if current in fitting else [current, *fitting]
    st.selectbox(
        "Image",
        shown,
        key="image",
        format_func=lambda each: f"{names[each]} · {each}",
        width=300,
        help="Type a part of a name or of an image id.",
    )
    place = ids.index(st.session_state["image"])
    for key, text, icon, other in (
        ("image_before", "Previous", ":material/chevron_left:", place - 1),
        ("image_after", "Next", ":material/chevron_right:", place + 1),
    ):
        inside = 0 <= other < len(ids)
        target = ids[other] if inside else None
        side = "left" if other < place else "right"
        st.button(
            text, key=key, icon=icon, icon_position=side, disabled=not inside, on_click=_open_image, args=(target,)
        )


def _open_image(image_id: str) -> None:
    st.session_state["image"] = image_id


def _map(run: Run, view: Choices) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        value = choosing.choose(figures.VALUE)
        choose_cell(run)
    show_figure(
        "image-map",
        run,
        replace(view, options={**view.options, figures.VALUE.name: value}),
        key="map_of_image",
        hint="Click a cell to open it.",
        on_select=lambda: open_clicked("map_of_image"),
    )


def _picture(run: Run, view: Choices, image: Image) -> None:
    name = None if image.role == "id_test" else image.name
    show_absence(run, (image.role, name))
    image_where.show(run, view, image, lambda: _plain(run, image, name))
    facts = run.images(image.role, name).iloc[image.row]
    label = f" · label {escape(str(facts['label']))}" if str(facts["label"]) else ""
    size = f"{facts['width']}×{facts['height']} {escape(facts['format'])}"
    st.caption(f"{escape(image.file)} · {escape(image.name)}{label} · {size} · id {image.image_id}")
    if image.role == "ood":
        query = {"run": run.path.name, "ood": image.name}
        st.page_link("pages/triage.py", label="Triage of this set", icon=":material/filter_alt:", query_params=query)


def _plain(run: Run, image: Image, name: str | None) -> None:
    """The picture, where there is one."""
    rows = data.images(run, image.role, name)
    if not has_pictures(rows):
        return
    picture, seen = rows["thumbnail"].iloc[image.row], as_seen(run, run.entry(image.role, name))
    show_picture(picture, image.file, seen=seen)
    if shows_both(seen, [picture]):
        st.caption("As the network saw it; hover for the image as it was given.")


def _features(run: Run, view: Choices) -> None:
    """The open cell's features that lie farthest from ID-train; without them, ways to the cells that have some."""
    st.header(f"What carries the score in {escape(cell_label(run, view.cell))}", anchor=False)
    if show_figure("image-features", run, view, key="image_features"):
        return
    with st.container(horizontal=True):
        for index in image_data.kept_cells(run)[:4]:
            label = f"Open {escape(cell_label(run, index))}, whose snapshots were kept"
            st.button(label, key=f"image_open_{index}", on_click=open_cell, args=(index,))
