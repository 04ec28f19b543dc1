"""What this process may fetch from elsewhere, how much, and the way of a single file.

The command line acts for the owner of the computer, who may fetch anything. The app, and every process that it starts,
acts for visitors: they get what the administrator's list names. The app writes the list into its environment, from
where its workers have it, so that neither a spec nor a job nor an import is a way around it.

Where a list stands, what is fetched lies below the runs, counts into their room, and comes from public addresses only.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from cfs_explore.errors import FetchError
from cfs_explore.locations import disk_used, runs_root
from cfs_explore.settings import read_settings

#: Without a byte for so long, a fetch ends.
PATIENCE_SECONDS = 60.0
#: The variable that the app sets for itself and its workers; not for people.
_VISITORS = "CFS_EXPLORE_VISITORS_FETCH"
_ANYTHING = "*"
#: The list of who opens some folders only, but names nothing to fetch: all, by the rules of a list.
EVERYTHING = ("https://", "*/*", "torchvision")
#: Of one fetch where a list stands and the administrator names no size.
DEFAULT_MOST_BYTES = 10 * 10**9
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
#: What an error and its causes say -> the reason in plain words.
_REASONS = {
    r"gaierror|[Nn]ame or service not known|[Nn]ame resolution|nodename nor servname|getaddrinfo|NameResolution": (
        "this computer has no network, or knows no server of that name"
    ),
    r"CERTIFICATE|[Cc]ertificate": "the server's certificate is not trusted here",
    r"[Tt]imed? ?[Oo]ut": "the server did not answer in time",
    r"[Nn]etwork is unreachable|No route to host": "this computer has no network",
    r"[Cc]onnection refused|ConnectionRefused": "the server takes no connection",
    r"ConnectionReset|[Cc]onnection reset|RemoteDisconnected|IncompleteRead": "the connection was cut",
    r"ProxyError|[Tt]unnel connection failed": "the proxy of this network lets nothing through",
}
#: Seconds within which the hub answers, and for which it counts as out of reach after that.
_HUB_SECONDS, _HUB_AWAY_SECONDS = 5.0, 30.0
#: When the hub was last out of reach, and why.
_hub_away = (-_HUB_AWAY_SECONDS, "")
_ASK = "Upload it, or ask the administrator of this server to get it."


def act_for_visitors(named: tuple[str, ...] | None) -> None:
    """From now on this process and those that it starts act for visitors.

    Args:
        named: what they may have fetched, as ``settings.Settings.fetch_from`` has it; None: anything.
    """
    os.environ[_VISITORS] = _ANYTHING if named is None else " ".join(named)


def is_restricted() -> bool:
    """Whether this process fetches only what the administrator's list names."""
    return os.environ.get(_VISITORS, _ANYTHING) != _ANYTHING


def reads_as_address(text: str) -> bool:
    """Whether it has the form of a web address."""
    return re.match(r"https?:", text, re.IGNORECASE) is not None


def reads_as_hub_id(text: str) -> bool:
    """Whether it has the form ``owner/name``, whatever there is on this computer."""
    return _HUB_ID.fullmatch(text) is not None


def may_fetch(name: str) -> bool:
    """Whether this process may fetch a repository of the hub, ``owner/name``, or ``torchvision``'s sets."""
    owner, slash, _ = name.partition("/")
    return not is_restricted() or bool({name, f"{owner}/*", f"*{slash}*"} & set(_named()))


def check_name(name: str) -> None:
    """As ``may_fetch``.

    Raises:
        FetchError: this process may not; its message does not depend on what is on this computer.
    """
    if not may_fetch(name):
        raise FetchError(f"{name} is not among what this server fetches for its visitors. {_ASK}")


def check_address(url: str) -> None:
    """Whether this process may fetch what is at an address.

    Raises:
        FetchError: it is not https, names a user, or is not below one of the addresses on the list.
    """
    try:
        parts = urlsplit(url)
        host, port, user = parts.hostname or "", parts.port, parts.username
    except ValueError as error:
        raise FetchError(f"{url} is not an address ({error}).") from error
    if parts.scheme != "https" or not host:
        raise FetchError(f"{url} is not an https address: on the way, anybody could change the file.")
    if not is_restricted():
        return
    there = f"https://{host}{f':{port}' if port not in (None, 443) else ''}{parts.path or '/'}"
    plain = user is None and not re.search(r"%|\\|/\.{1,2}(/|$)", parts.path)
    if not (plain and any(there == place or there.startswith(f"{place.rstrip('/')}/") for place in _named())):
        raise FetchError(f"{url} is not among the addresses that this server fetches from for its visitors. {_ASK}")


def most_bytes() -> int | None:
    """Bytes that a fetch may take now: the limit of one, and what is left of the room for runs; None for no limit."""
    settings = read_settings()
    limits = [settings.max_fetch_bytes or (DEFAULT_MOST_BYTES if is_restricted() else None)]
    if is_restricted() and settings.max_disk_bytes is not None:
        limits.append(max(0, settings.max_disk_bytes - disk_used(runs_root())))
    return min((limit for limit in limits if limit is not None), default=None)


def check_size(size: int, what: str) -> None:
    """Whether there is room for a fetch.

    Args:
        size: bytes on the disk.
        what: how the message calls it.

    Raises:
        FetchError: it is too large.
    """
    most = most_bytes()
    if most is not None and size > most:
        raise FetchError(
            f"{what} takes {size / 1e9:,.2f} GB; this server has {most / 1e9:,.2f} GB for one fetch now. {_ASK}"
        )


def fetch_repository(hub_id: str, kind: str, choose: Callable[[str, Sequence[str]], list[str]] | None = None) -> Path:
    """The copy of a repository of the hub, as a restricted process fetches it: at a size that is known beforehand.

    The administrator's own key to the hub is not used: what it opens is not for visitors.

    Args:
        hub_id: owner/name.
        kind: "model" or "dataset".
        choose: the wanted ones of its files, called with ``hub_id`` and all their names; None: all.

    Raises:
        FetchError: it may not be fetched, or is too large.
        What ``huggingface_hub`` raises where it is not there, or out of reach; and what ``choose`` raises.
    """
    from huggingface_hub import HfApi, snapshot_download

    check_name(hub_id)
    place = {"repo_id": hub_id, "repo_type": kind, "token": False}
    with quiet():
        facts = HfApi().repo_info(**place, files_metadata=True)
    sizes = {file.rfilename: file.size for file in facts.siblings or ()}
    wanted = choose(hub_id, list(sizes)) if choose else list(sizes)
    if any(sizes[name] is None for name in wanted):
        raise FetchError(f"The hub does not say how large {hub_id} is. {_ASK}")
    home = kept_in("hub")
    if not (home / f"{kind}s--{hub_id.replace('/', '--')}" / "snapshots" / str(facts.sha)).is_dir():
        copies = 2 if kind == "dataset" else 1  # the library makes one of its own
        check_size(copies * sum(sizes[name] for name in wanted), hub_id)
    with quiet():
        return Path(snapshot_download(**place, revision=facts.sha, allow_patterns=literal(wanted), cache_dir=home))


def hub_out_of_reach() -> str:
    """Why the hub cannot be asked, with its address; "" where it answers.

    One short question: the hub's libraries ask six times over half a minute for each data set before they give up.
    """
    from huggingface_hub import constants, get_session
    from huggingface_hub.errors import HfHubHTTPError

    global _hub_away
    since, why = _hub_away
    if time.monotonic() - since < _HUB_AWAY_SECONDS:
        return why
    try:
        with quiet():
            get_session().head(constants.ENDPOINT, timeout=_HUB_SECONDS)
    except (*HfHubHTTPError.__bases__, OSError) as error:
        _hub_away = time.monotonic(), f"{constants.ENDPOINT}: {plain_reason(error)}"
        return _hub_away[1]
    return ""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The network's libraries report no single try: what failed is said once, in the end."""
    loggers = [logging.getLogger(name) for name in ("huggingface_hub", "datasets", "urllib3")]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """For a library that waits for ever: without a byte for ``PATIENCE_SECONDS``, its connections end."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def literal(names: Sequence[str]) -> list[str]:
    """Patterns of files that match these names alone."""
    return [re.sub(r"([*?[])", r"[\1]", name) for name in names]


def plain_reason(error: BaseException) -> str:
    """Why a fetch failed, in plain words: what the network's libraries say is for programmers."""
    chain: list[object] = []
    cause: object = error
    while isinstance(cause, BaseException) and cause not in chain:
        chain.append(cause)
        inner = getattr(cause, "reason", None)
        cause = inner if isinstance(inner, BaseException) else cause.__cause__ or cause.__context__
    for cause in chain:
        code = getattr(cause, "code", None) or getattr(getattr(cause, "response", None), "status_code", None)
        if isinstance(code, int):
            return f"the server answered {code} {http.client.responses.get(code, '')}".rstrip()
    messages = " ".join(f"{type(cause).__name__} {cause}" for cause in chain)
    for pattern, reason in _REASONS.items():
        if re.search(pattern, messages):
            return reason
    last = chain[-1]
    text = getattr(last, "strerror", None) or str(getattr(last, "reason", None) or last)
    return " ".join(str(text).split()) or type(last).__name__


def kept_in(kind: str) -> Path:
    """The folder below the runs for what a restricted process fetches, so that it counts as theirs.

    Args:
        kind: such as "hub".
    """
    return runs_root() / ".fetched" / kind


def _named() -> list[str]:
    return os.environ.get(_VISITORS, "").split()
