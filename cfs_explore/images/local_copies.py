"""Public sets that lie on this computer already, in any form: they are used instead of being fetched."""

from __future__ import annotations

import os
from pathlib import Path

from .reference import Reference

#: Folder for what is downloaded, and for copies.
CACHE_VARIABLE = "CFS_EXPLORE_DATA"
DEFAULT_CACHE = "~/.cache/cfs-explore"


def data_folder() -> Path:
    """Where sets that are known by name are kept."""
    return Path(os.path.expanduser(os.environ.get(CACHE_VARIABLE) or DEFAULT_CACHE))


def local_copy(reference: Reference) -> Path | None:
    """A file or folder in ``data_folder`` that is called as a set and its split.

    Args:
        reference: {torchvision: CIFAR10, split: test} is ``CIFAR10-test``, {hub: owner/name, split: train} is
            ``owner--name-train``, with any ending that ``open_source`` knows; those with a root of their own have none.
    """
    if reference.kind not in ("torchvision", "hub") or "root" in reference.options:
        return None
    stem = "-".join(filter(None, [reference.value.replace("/", "--"), reference.options.get("split")]))
    if not stem or stem != os.path.basename(stem) or stem.startswith("."):
        return None
    folder = data_folder()
    if (folder / stem).is_dir():
        return folder / stem
    return next((path for path in sorted(folder.glob(f"{_literal(stem)}.*")) if path.is_file()), None)


def _literal(text: str) -> str:
    """For ``glob``: no character stands for others."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)
