"""From a path, hub id or address to a file or folder on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path
from urllib.parse import urlparse

from cfs_explore.backbones.weight_names import wanted_files
from cfs_explore.errors import BackboneError
from cfs_explore.safe_io import fetching
from cfs_explore.safe_io.download import download

#: How the name of a file with weights by name ends, and of any checkpoint file.
STATE_DICTS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".pt.tar", ".pth.tar", ".ckpt.tar")
CHECKPOINTS = (*STATE_DICTS, ".pkl")
#: Where ``cfs-explore train`` keeps a training that is under way; no backbone.
TRAINING_STATE = "training.pt"


def locate(path_or_hub_id: str | Path) -> Path:
    """The local file or folder, or the local copy of a repository on the hub or of the file at an address.

    In a process that acts for visitors, what reads like a hub id or an address is never looked for as a path, and is
    fetched only if the administrator's list has it.

    A folder without a ``config.json``, of its own or of a part, stands for the only checkpoint file in it, such as the
    folder that ``cfs-explore train`` writes.

    Raises:
        BackboneError: when nothing is there, or several checkpoint files are.
        FetchError: it may not be fetched, or cannot.
    """
    named = str(path_or_hub_id)
    source = os.path.expanduser(named)
    elsewhere = fetching.reads_as_address(named) or fetching.reads_as_hub_id(named)
    if not (fetching.is_restricted() and elsewhere) and os.path.exists(source):
        return _only_checkpoint(Path(source))
    if fetching.reads_as_address(named):
        return fetch_file(named)
    if not fetching.reads_as_hub_id(named):
        raise BackboneError(f"{path_or_hub_id} is not on this machine, nor a hub id of the form owner/name.")
    return _only_checkpoint(fetch(named))


def _only_checkpoint(source: Path) -> Path:
    if not source.is_dir() or next(source.glob("config.json"), None) or next(source.glob("*/config.json"), None):
        return source
    found = sorted(path for path in source.iterdir() if path.name.lower().endswith(CHECKPOINTS) and path.is_file())
    files = [path for path in found if path.name != TRAINING_STATE]
    if len(files) > 1:
        shown = ", ".join(path.name for path in files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
        raise BackboneError(f"{source} holds {len(files)} checkpoint files: {shown}. Give the path of one of them.")
    if found and not files:
        raise BackboneError(
            f"{source} holds a training that is not finished. Go on with it: cfs-explore train SPEC --out {source}."
        )
    return files[0] if files else source


def fetch(hub_id: str) -> Path:
    """The local copy of a repository on the hub, configuration and weights.

    Raises:
        BackboneError: when the hub cannot be asked or does not have it, or has no weights in a form that is read.
            Nothing was fetched then.
        FetchError: a process that acts for visitors may not fetch it, and it is not here.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        if not fetching.is_restricted():
            return _fetch_for_owner(hub_id)
        if not fetching.may_fetch(hub_id):  # an administrator's own run may use it
            return Path(snapshot_download(hub_id, local_files_only=True))
        return fetching.fetch_repository(hub_id, "model", wanted_files)
    except (*HfHubHTTPError.__bases__, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        fetching.check_name(hub_id)
        raise BackboneError(
            f"There is no {hub_id} on this machine, and the hub could not be asked for it: "
            f"{fetching.plain_reason(error)}. Check the spelling, or download the model and give its folder."
        ) from error


def _fetch_for_owner(hub_id: str) -> Path:
    """The newest copy, or the one that is here where the hub cannot be asked.

    Raises:
        BackboneError: it has no weights in a form that is read.
        What ``huggingface_hub`` and its web client raise where there is neither.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        with fetching.quiet():
            names = [file.rfilename for file in HfApi().repo_info(hub_id).siblings or ()]
    except (*HfHubHTTPError.__bases__, OSError):
        with contextlib.suppress(LocalEntryNotFoundError):
            return Path(snapshot_download(hub_id, local_files_only=True))
        raise
    with fetching.quiet():
        return Path(snapshot_download(hub_id, allow_patterns=fetching.literal(wanted_files(hub_id, names))))


def fetch_file(url: str) -> Path:
    """The local copy of a checkpoint file at an https address; fetched once.

    It lies in torch's own cache; what visitors fetch, below the runs.

    Raises:
        BackboneError: the address has no file's name.
        FetchError: the address is not safe or not allowed, the file is too large, or it cannot be fetched.
    """
    import torch

    fetching.check_address(url)
    name = Path(urlparse(url).path).name
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise BackboneError(f"{url} names no file.")
    key = hashlib.blake2b(url.encode(), digest_size=6).hexdigest()  # other files have the same name
    home = fetching.kept_in("checkpoints") if fetching.is_restricted() else Path(torch.hub.get_dir()) / "checkpoints"
    target = home / key / name
    if not target.is_file():
        download(url, target)
    return target
