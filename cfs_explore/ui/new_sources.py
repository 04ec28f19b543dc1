"""Sources that need no upload: sample sets, files on the server, data sets by name. One kind at a time, and Add."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cfs_explore import images
from cfs_explore.errors import CFSError, SourceError
from cfs_explore.images.reference import is_hub_id
from cfs_explore.safe_io.fetching import check_name, is_restricted, may_fetch, reads_as_hub_id
from cfs_explore.ui import access
from cfs_explore.ui.sidebar import escape
from cfs_explore.ui.source_facts import Found, facts_of

_SAMPLES = ("letters", "photo-patches", "digits-rotated", "digits-noisy", "digits")
_HIDDEN = "Files on this server are not open to visitors; upload the images instead."


def added_list(prefix: str) -> list[Found]:
    """The added sources of a list, "new_ood" or "new_id"; it outlives reruns and visits to other pages."""
    return st.session_state.setdefault(f"{prefix}_added", [])


def add(prefix: str, found: Found) -> None:
    """Put a source on the list, once."""
    if all(found.key != other.key for other in added_list(prefix)):
        added_list(prefix).append(found)


def remove(prefix: str, key: str) -> None:
    """Take a source off the list."""
    st.session_state[f"{prefix}_added"] = [found for found in added_list(prefix) if found.key != key]


def choose_other_sources(prefix: str) -> None:
    """The collapsed part of the form that adds sources to the list of ``prefix``."""
    named, fetched = access.open_roots() != (), access.fetches()
    closed = {*(() if named else _ON_SERVER), *(() if fetched else _FETCHED)}
    closed |= set() if may_fetch("torchvision") else {"torchvision"}
    kinds = {name: kind for name, kind in _KINDS.items() if name not in closed}
    offered = ["sample sets", *["this server"] * named, *["data sets by name"] * fetched]
    with st.expander(f"Other sources: {', '.join(offered)}", icon=":material/folder:"):
        kind = st.selectbox(
            "Kind of source", list(kinds), key=f"{prefix}_kind", format_func=lambda name: kinds[name][0]
        )
        if not named:
            st.caption(_HIDDEN)
        clear = st.session_state.pop(f"{prefix}_clear", ())
        st.session_state.update(dict.fromkeys(clear, ""))
        with st.form(f"{prefix}_other", border=False):
            read = kinds[kind][1](prefix)
            pressed = st.form_submit_button("Add", icon=":material/add:", key=f"{prefix}_add")
        if pressed:
            _try_to_add(prefix, read)


def _try_to_add(prefix: str, read: Callable[[], list[Found]]) -> None:
    """Add what the form says if it can be opened, and empty the form; else say why not."""
    try:
        given = read()
        for found in given:
            facts = facts_of(found.source)
            if facts.error:
                raise SourceError(facts.error)
    except CFSError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    for found in given:
        add(prefix, found)
    texts = ("paths", "hub", "hub_column", "imglist", "imglist_root")
    st.session_state[f"{prefix}_clear"] = [k for name in texts if (k := f"{prefix}_{name}") in st.session_state]
    st.rerun()


def _sample_fields(prefix: str) -> Callable[[], list[Found]]:
    name = st.selectbox(
        "Sample set",
        _SAMPLES,
        key=f"{prefix}_sample",
        format_func=lambda name: f"{name}: {images.BUILTIN_SETS[name].description}",
        help="Drawn or shipped with scikit-learn; to try things out.",
    )
    return lambda: [Found.added(name, {"builtin": name})]


def _path_fields(prefix: str) -> Callable[[], list[Found]]:
    text = st.text_area(
        "Folders or files on this server, one a line",
        key=f"{prefix}_paths",
        placeholder="/data/textures\n/data/svhn_test.parquet",
        height=90,
        help="Folders of pictures, zip or tar archives, Parquet, CSV, NumPy arrays. They are read in place.",
    )

    def read() -> list[Found]:
        lines = list(filter(None, map(str.strip, text.splitlines())))
        if not lines:
            raise SourceError("Give the path of a folder or file on this server.")
        return [Found.added(line, access.permitted(line)) for line in lines]

    return read


def _hub_fields(prefix: str) -> Callable[[], list[Found]]:
    left, middle, right = st.columns([3, 2, 2])
    name = left.text_input(
        "Data set id",
        key=f"{prefix}_hub",
        placeholder="uoft-cs/cifar100",
        help="owner/name of an image data set on the Hugging Face hub. It is fetched once and kept.",
    )
    split = middle.text_input(
        "Split", "test", key=f"{prefix}_hub_split", help="Such as test, train, validation. Empty: the only one."
    )
    column = right.text_input(
        "Image column", key=f"{prefix}_hub_column", placeholder="detected", help="Only where there are several."
    )

    def read() -> list[Found]:
        fits = reads_as_hub_id if is_restricted() else is_hub_id  # strangers must not learn what is a path here
        if not fits(name.strip()):
            raise SourceError(f"{name!r} is no data set id: write owner/name, such as uoft-cs/cifar100.")
        check_name(name.strip())
        given = {"hub": name.strip(), "split": split.strip(), "column": column.strip()}
        source = {key: value for key, value in given.items() if value}
        return [Found.added(f"{given['hub'].split('/')[-1]} {given['split']}".strip(), source)]

    return read


def _torchvision_fields(prefix: str) -> Callable[[], list[Found]]:
    options = [f"{name} {split}" for name, each in images.TORCHVISION_SETS.items() for split in sorted(each.splits)]
    chosen = st.selectbox(
        "Data set and split",
        options,
        options.index("CIFAR10 test"),
        key=f"{prefix}_torchvision",
        help="It is fetched once by torchvision and kept.",
    )
    name, split = chosen.split()
    return lambda: [Found.added(chosen, {"torchvision": name, "split": split})]


def _imglist_fields(prefix: str) -> Callable[[], list[Found]]:
    left, right = st.columns(2)
    path = left.text_input(
        "List file on this server",
        key=f"{prefix}_imglist",
        placeholder="/data/benchmark_imglist/cifar10/test_svhn.txt",
        help="A line per image: its path below the folder, a space, its class (-1: none), as OpenOOD writes them.",
    )
    root = right.text_input("Folder of the images", key=f"{prefix}_imglist_root", placeholder="/data/images_classic")

    def read() -> list[Found]:
        if not (path.strip() and root.strip()):
            raise SourceError("Give the list file and the folder that its paths start at.")
        source = {"imglist": access.permitted(path.strip()), "root": access.permitted(root.strip())}
        return [Found.added(path.strip(), source)]

    return read


#: Kind -> what it is called, and its fields.
_KINDS: dict[str, tuple[str, Callable[[str], Callable[[], list[Found]]]]] = {
    "sample": ("Sample set", _sample_fields),
    "path": ("Folders or files on this server", _path_fields),
    "hub": ("Hugging Face data set", _hub_fields),
    "torchvision": ("torchvision data set", _torchvision_fields),
    "imglist": ("OpenOOD image list on this server", _imglist_fields),
}
_ON_SERVER, _FETCHED = ("path", "imglist"), ("hub", "torchvision")
