"""From a path or hub id to a file or folder on this machine."""

from __future__ import annotations

import re
from pathlib import Path

from cfs_explore.errors import BackboneError

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def locate(path_or_hub_id: str | Path) -> Path:
    """The local file or folder, or the local copy of a repository on the hub.

    Raises:
        BackboneError: when nothing is there.
    """
    source = Path(path_or_hub_id).expanduser()
    if source.exists():
        return source
    if not _HUB_ID.fullmatch(str(path_or_hub_id)):
        raise BackboneError(f"{path_or_hub_id} is not on this machine, nor a hub id of the form owner/name.")
    return fetch(str(path_or_hub_id))


def fetch(hub_id: str) -> Path:
    """The local copy of a repository on the hub, configuration and weights.

    Raises:
        BackboneError: when the hub cannot be asked or does not have it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BackboneError(
            f"There is no {hub_id} on this machine, and the hub could not be asked for it ({error}). "
            "Check the spelling, or download the model and give its folder."
        ) from error
