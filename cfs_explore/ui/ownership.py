"""Whose explorations a visitor sees. The id of a run cannot be guessed: who knows it has the key to it.

On a public server, a visitor sees the bundles and the runs that their session started, imported or opened by an address
with the id. On a server of one's own, all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import streamlit as st

from cfs_explore.locations import runs_root

_KEY = "my_explorations"
_ID = re.compile(r"[A-Za-z0-9_-]{1,120}")
#: So many ids of one address are looked at.
_MOST = 500


def runs() -> list[Path]:
    """The runs that this visitor may see, finished or not, by name; those that the address names are theirs now."""
    from cfs_explore.ui import access  # which needs the sidebar, which needs this

    root = runs_root()
    if access.is_public():
        claim(_named_by_address())
        found = [root / name for name in st.session_state.get(_KEY, []) if _is_run(root / name)]
    else:
        found = [path for path in root.iterdir() if _is_run(path)] if root.is_dir() else []
    return sorted(found)


def claim(names: Iterable[str]) -> None:
    """Let the visitor see these runs from now on; what is no run of this server is passed over."""
    mine = st.session_state.setdefault(_KEY, [])
    for name in names:
        if name not in mine and _ID.fullmatch(name) and _is_run(runs_root() / name):
            mine.append(name)


def address() -> dict[str, str]:
    """The query of an address that gives the visitor's runs back to them; empty where there is none."""
    names = [path.name for path in runs()]
    return {"mine": ".".join(names[:_MOST])} if names else {}


def _named_by_address() -> list[str]:
    query = st.query_params
    return [query.get("run", ""), query.get("job", ""), *query.get("mine", "").split(".")[:_MOST]]


def _is_run(path: Path) -> bool:
    """Whether it is a run's directory itself, not a link and not one of the folders that the app keeps for itself."""
    known = (path / "manifest.json").is_file() or (path / "spec.yaml").is_file()
    return known and not path.name.startswith(".") and not path.is_symlink()
