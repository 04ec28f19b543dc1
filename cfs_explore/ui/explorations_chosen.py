"""What can be done with the explorations that are chosen in the list: open, compare, download, rename, delete."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from cfs_explore import jobs
from cfs_explore.explorations import bundles
from cfs_explore.explorations.trained_on import training_difference
from cfs_explore.figures.against import MOST_OTHERS
from cfs_explore.figures.nearness import nearness
from cfs_explore.jobs.estimate import format_bytes
from cfs_explore.locations import program
from cfs_explore.store import Run
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.ui import access, data, navigation
from cfs_explore.ui.damage import show_errors
from cfs_explore.ui.explorations_rows import Row, plain, size_of
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import counted, format_digits, format_estimate

#: A browser's download passes through the server's memory; larger ones are for the command line.
MAX_DOWNLOAD_BYTES = 10**9
_BUSY = "It is being worked on. Cancel it first, or wait."


def show(rows: Sequence[Row]) -> None:
    """The panel under the list."""
    if not rows:
        st.caption("Choose a row to open, download, rename or delete it; tick two or three to compare them.")
    elif len(rows) == 1:
        with st.container(border=True, key=f"chosen_{rows[0].path.name}"):
            _one(rows[0])
    else:
        with st.container(border=True, key="chosen_several"):
            _several(rows)


def _one(row: Row) -> None:
    st.header(escape(plain(row.name)), anchor=False)
    if row.error:
        st.error(escape(row.error), icon=":material/error:")
    elif row.finished:
        _describe(data.load_run(row.path))
    else:
        st.caption(f"{row.state} · OOD: {escape(', '.join(row.ood_sets))}")
    with st.container(horizontal=True, vertical_alignment="center"):
        _open(row)
        if not row.error:
            _download(row)
        if not row.bundled:
            if not row.error:
                _rename(row)
            _delete(row)
    if not row.error and not bundles.names_places(row.path):
        st.caption(
            "Imported: its backbone and images are not on this server, so missing diagnostics cannot be computed here."
        )


def _describe(run: Run) -> None:
    manifest = run.manifest
    if manifest.description:
        st.markdown(escape(plain(manifest.description)))
    done = [DIAGNOSTICS[name].title for name, entry in manifest.stages.items() if entry.state == "done"]
    st.caption(
        f"{counted(len(run.taps), 'tap')} × {counted(len(run.levels), 'noise level')} × {counted(run.draws, 'draw')} · "
        f"ID: {escape(run.id_test.name)} · OOD: {escape(', '.join(run.ood_names))} · "
        f"diagnostics: {escape(', '.join(done)) or 'none'} · id: {escape(run.path.name)}"
    )
    if differs := training_difference(run):
        st.caption(escape(differs))
    with show_errors():
        _sets(run)


def _sets(run: Run) -> None:
    """What is known of each OOD set: size, AUROC of its best cell, and how near it is to ID (theory 37)."""
    best = run.table("best_cell").reindex(columns=["ood", "honest", "honest_lo", "honest_hi"]).set_index("ood")
    honest = {row.Index: format_estimate(*row[1:]) for row in best.itertuples()}
    near = nearness(run)
    own = format_digits(near["id_depth_0"].iloc[0], 2)
    help_text = (
        "Squared distance of the set from ID-train in snapshot space, per feature and in units of ID-train's variance "
        "(theory 37). 0: the same means and variances. Without an interval."
    )
    st.dataframe(
        pd.DataFrame(
            {
                "OOD set": near["ood"].map(plain),
                "Images": near["n_ood"],
                "Best cell, honest": [honest.get(name, "n/a") for name in near["ood"]],
                "Distance at depth 0": near["depth_0"].round(3),
                "Distance at best cell": near["at_best"].round(3),
            }
        ),
        hide_index=True,
        key=f"sets_of_{run.path.name}",
        column_config={
            "Distance at depth 0": st.column_config.NumberColumn(
                format="%.3f",
                help=f"{help_text} Where the image enters the network, at the cleanest level. ID-test has {own}.",
            ),
            "Distance at best cell": st.column_config.NumberColumn(
                format="%.3f", help=f"{help_text} At the cell with the largest AUROC, which the same images chose."
            ),
        },
    )


def _open(row: Row) -> None:
    """The map, or how far it is."""
    name = row.path.name
    if row.finished and st.button("Open map", type="primary", icon=":material/grid_on:", key=f"open_map_{name}"):
        navigation.leave_for("pages/map.py", {"run": name})
    if row.bundled or row.error or row.state in ("Finished", "Imported"):
        return
    label, icon = ("Watch or cancel", ":material/monitoring:") if row.under_way else ("Resume", ":material/play_arrow:")
    kind = "secondary" if row.finished else "primary"
    if st.button(label, icon=icon, type=kind, key=f"open_job_{name}"):
        navigation.leave_for("pages/new.py", {"job": name})


def _download(row: Row) -> None:
    hide, name = access.is_public(), row.path.name
    with st.popover("Download", icon=":material/download:", key=f"download_{name}"), show_errors():
        st.download_button(
            "Spec (YAML)",
            bundles.spec_text(row.path, hide=hide),
            f"{name}.yaml",
            "application/yaml",
            icon=":material/description:",
            key=f"yaml_{name}",
            on_click="ignore",
            help="Backbone, image sets, levels and the rest, from which `cfs-explore run` measures it again.",
        )
        if not row.finished:
            return
        size = size_of(row.path)
        if size > MAX_DOWNLOAD_BYTES:
            st.caption(f"The exploration itself has {format_bytes(size)}. On the server, this makes a zip of it:")
            st.code(f"{program()} export {name} {name}.zip", language="bash")
            return
        st.download_button(
            f"Everything (zip, about {format_bytes(size)})",
            lambda: _pack(row.path, hide),
            f"{name}.zip",
            "application/zip",
            icon=":material/folder_zip:",
            key=f"zip_{name}",
            on_click="ignore",
            help="Map, scores, tables and thumbnails, to import elsewhere. It is packed when you click.",
        )


def _pack(run: Path, hide: bool) -> bytes:
    """The zip; Streamlit keeps it in memory while the visitor takes it."""
    buffer = io.BytesIO()
    bundles.export(run, buffer, hide=hide)
    return buffer.getvalue()


def _rename(row: Row) -> None:
    busy = {"disabled": row.under_way, "help": _BUSY if row.under_way else None}
    with st.popover("Rename", icon=":material/edit:", key=f"rename_{row.path.name}", **busy):
        name = st.text_input("New name", value=row.name, max_chars=64, key=f"new_name_{row.path.name}_{row.name}")
        if st.button("Rename", type="primary", key=f"do_rename_{row.path.name}"):
            with show_errors():
                bundles.rename(row.path, name)
                st.rerun()


def _delete(row: Row) -> None:
    busy = {"disabled": row.under_way, "help": _BUSY if row.under_way else None}
    with st.popover("Delete", icon=":material/delete:", key=f"delete_{row.path.name}", **busy):
        st.markdown(f"Delete **{escape(plain(row.name))}** for good?")
        st.caption(f"{_losses(row)}. {format_bytes(size_of(row.path))} of disk become free. This cannot be undone.")
        if st.button("Delete for good", type="primary", icon=":material/delete:", key=f"do_delete_{row.path.name}"):
            with show_errors():
                jobs.delete(row.path)
                st.toast("Deleted.", icon=":material/delete:")
                st.rerun()


def _losses(row: Row) -> str:
    """What goes with it."""
    lost = []
    if row.finished:
        lost.append(f"the map with scores and thumbnails of {counted(row.images, 'image')}, and its diagnostics")
    elif not row.error:
        lost.append("what was measured so far")
    if (row.path / "uploads").is_dir():
        lost.append("the images that were uploaded for it")
    return f"This deletes {' and '.join(lost) or 'its files'}"


def _several(rows: Sequence[Row]) -> None:
    st.header(f"{len(rows)} explorations", anchor=False)
    st.caption(escape(", ".join(plain(row.name) for row in rows)))
    most = MOST_OTHERS + 1
    why = ""
    if len(rows) > most:
        why = f"At most {most} fit beside each other."
    elif not all(row.finished for row in rows):
        why = "Only finished ones can be compared."
    with st.container(horizontal=True, vertical_alignment="center"):
        label = "Compare side by side"
        if st.button(label, type="primary", icon=":material/compare:", key="compare", disabled=bool(why)):
            first, *others = (row.path.name for row in rows)
            query = {"run": first, "protocol_view": "compare", "protocol_against": ",".join(others)}
            navigation.leave_for("pages/protocol.py", query)
        st.caption(why or "Their maps on one colour scale, and where they differ.")
