"""From a path, hub id or address to a file or folder on this machine."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import urlparse

from cfs_explore.errors import BackboneError

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def locate(path_or_hub_id: str | Path) -> Path:
    """The local file or folder, or the local copy of a repository on the hub or of the file at an address.

    Raises:
        BackboneError: when nothing is there.
    """
    source = Path(path_or_hub_id).expanduser()
    if source.exists():
        return source
    if urlparse(str(path_or_hub_id)).scheme in ("http", "https"):
        return fetch_file(str(path_or_hub_id))
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


def fetch_file(url: str) -> Path:
    """The local copy of a checkpoint file at an https address, in torch's own cache; fetched once.

    Raises:
        BackboneError: the address is not safe or has no file's name, or it cannot be fetched.
    """
    import torch

    parts = urlparse(url)
    name = Path(parts.path).name
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1"):
        raise BackboneError(f"{url} is not an https address: on the way, anybody could change the file.")
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise BackboneError(f"{url} names no file.")
    key = hashlib.blake2b(url.encode(), digest_size=6).hexdigest()  # other files have the same name
    target = Path(torch.hub.get_dir()) / "checkpoints" / key / name
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(target))
        except (OSError, ValueError, RuntimeError) as error:
            raise BackboneError(
                f"{url} could not be fetched ({error}). Check the address, or download the file and give its path."
            ) from error
    return target
