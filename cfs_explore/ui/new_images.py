"""Steps 1 and 3 of the form: image sets from uploads, server paths or built-in samples."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from cfs_explore import images
from cfs_explore.errors import CFSError
from cfs_explore.ui import uploads
from cfs_explore.ui.sidebar import escape
from cfs_explore.ui.uploads import SourceFacts

#: Fewer images than this make intervals that are too wide to say much.
_FEW = 20
_SAMPLES = ("letters", "photo-patches", "digits-rotated", "digits-noisy")


@dataclass(frozen=True)
class SetChoice:
    """An image set of the form.

    Attributes:
        name: what figures call it.
        source: path, or ``{builtin: name}``.
        limit: seeded subsample, None for all.
        facts: what the source holds.
    """

    name: str
    source: str | dict
    limit: int | None
    facts: SourceFacts

    @property
    def count(self) -> int:
        """Images that will be measured."""
        return min(self.facts.count, self.limit or self.facts.count)


def choose_ood_sets() -> list[SetChoice]:
    """Every OOD set: one per uploaded file, server path and sample."""
    files = st.file_uploader(
        "Zip archives, Parquet, NumPy arrays or single pictures; each becomes an OOD set",
        uploads.TYPES,
        accept_multiple_files=True,
        key="new_uploads",
        help="A zip of pictures, with or without class folders. Nothing in it is ever executed.",
    )
    found: list[tuple[str, str | dict]] = []
    for file in files:
        try:
            found.append((file.name, str(uploads.spool(file))))
        except CFSError as error:
            st.error(escape(str(error)))
    with st.expander("Other sources: a folder on this server, or a sample set", icon=":material/folder:"):
        paths = st.text_area(
            "Folders or files on this server, one a line", key="new_paths", placeholder="/data/textures", height=80
        )
        found += [(line, line) for line in map(str.strip, paths.splitlines()) if line]
        samples = st.multiselect(
            "Sample sets",
            _SAMPLES,
            key="new_samples",
            format_func=lambda name: f"{name}: {images.BUILTIN_SETS[name].description}",
            help="Drawn or shipped with scikit-learn; to try things out.",
        )
        found += [(name, {"builtin": name}) for name in samples]
    return _named_sets(found, "ood")


def choose_id_images() -> SetChoice | None:
    """New ID images: an upload or a server path, split by seed into a fitting and a scored part."""
    file = st.file_uploader(
        "Images of the kind the backbone was trained on",
        uploads.TYPES,
        key="new_id_upload",
        help="Two thirds fit the statistics, one third is scored.",
    )
    path = st.text_input("or a folder or file on this server", key="new_id_path", placeholder="/data/cifar10-train")
    found: list[tuple[str, str | dict]] = []
    try:
        if file is not None:
            found = [(file.name, str(uploads.spool(file)))]
        elif path.strip():
            found = [(path.strip(), path.strip())]
    except CFSError as error:
        st.error(escape(str(error)))
    sets = _named_sets(found, "id")
    return sets[0] if sets else None


def _named_sets(found: list[tuple[str, str | dict]], prefix: str) -> list[SetChoice]:
    """A row per source: its name to edit, how many images it holds, how many to use."""
    sets: list[SetChoice] = []
    for position, (label, source) in enumerate(found):
        facts = SourceFacts(*_sample_facts(source)) if isinstance(source, dict) else uploads.facts_of(source)
        if facts.error:  # its path on the server says nothing to the visitor
            st.error(escape(facts.error.replace(str(source), label)), icon=":material/error:")
            sets.append(SetChoice(label, source, None, facts))
            continue
        key = f"{prefix}_{position}_{label}"
        name_column, limit_column, facts_column = st.columns([3, 2, 4], vertical_alignment="bottom")
        suggestion = uploads.suggest_name(label, [s.name for s in sets])
        name = name_column.text_input("Name", suggestion, key=f"name_{key}", max_chars=64).strip()
        limit = limit_column.number_input(
            "Use at most",
            min_value=1,
            value=None,
            step=100,
            placeholder="all",
            key=f"limit_{key}",
            help="A random subsample of this size, chosen by the seed.",
        )
        facts_column.markdown(_facts_text(facts))
        sets.append(SetChoice(name or suggestion, source, int(limit) if limit else None, facts))
    return sets


def _sample_facts(source: dict) -> tuple[int, int]:
    with images.open_source(source) as opened:
        return len(opened), 0


def _facts_text(facts: SourceFacts) -> str:
    text = f"{facts.count:,} image{'s' * (facts.count != 1)}"
    if facts.skipped:
        text += f", {facts.skipped} file(s) left out"
    if facts.count < _FEW:
        text += f" · :orange[fewer than {_FEW}: wide intervals]"
    return text
