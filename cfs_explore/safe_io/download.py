"""One file over https: bounded, whole or not at all, and for visitors from public addresses only."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import secrets
import socket
import ssl
import time
import urllib.request
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

from cfs_explore.errors import FetchError
from cfs_explore.safe_io.fetching import (
    PATIENCE_SECONDS,
    check_address,
    check_size,
    is_restricted,
    most_bytes,
    plain_reason,
)

_BLOCK = 2**20
_OLD_SECONDS = 24 * 3600
#: Ranges of IPv6 that stand for addresses of IPv4, and how far right those stand in them.
_EMBEDDED = {ipaddress.ip_network("64:ff9b::/96"): 0, ipaddress.ip_network("2002::/16"): 80}


def download(url: str, target: Path) -> None:
    """Fetch a file; it shows up under its name when all of it is there.

    Args:
        url: an https address; so are those that it leads on to, and each is checked as the first.
        target: where to.

    Raises:
        FetchError: not allowed, too large, or out of reach.
    """
    check_address(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    _forget_old(target.parent)
    partial = target.with_name(f"{target.name}.{secrets.token_hex(4)}.partial")
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "cfs-explore"})
        with _opener().open(request, timeout=PATIENCE_SECONDS) as answer, partial.open("xb") as file:
            _copy(answer, file, url)
        partial.replace(target)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FetchError(
            f"{url} could not be fetched: {plain_reason(error)}. Check the address, or download the file and "
            "give its path."
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _copy(answer: Any, file: BinaryIO, url: str) -> None:
    """All that comes, as long as there is room for it."""
    length = answer.headers.get("Content-Length", "")
    expected = int(length) if length.isdecimal() else None
    check_size(expected or 0, url)
    most, taken = most_bytes(), 0
    with tqdm(total=expected, unit="B", unit_scale=True, disable=None) as bar:
        while block := answer.read(_BLOCK):
            taken += len(block)
            if most is not None and taken > most:
                check_size(taken, url)
                raise FetchError(f"{url} is larger than the {most / 1e9:,.2f} GB that there are for one fetch.")
            file.write(block)
            bar.update(len(block))
    if expected is not None and taken != expected:
        raise OSError(f"{taken:,} of {expected:,} bytes came")


def _opener() -> urllib.request.OpenerDirector:
    """Restricted, no proxy is asked: it would resolve the names, and nobody here would see to what."""
    if is_restricted():
        return urllib.request.build_opener(urllib.request.ProxyHandler({}), _CheckedRedirects, _PublicHandler)
    return urllib.request.build_opener(_CheckedRedirects)


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Each address on the way is allowed as the first is."""

    max_redirections = 5

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        """The next request.

        Raises:
            FetchError: its address is not allowed.
        """
        check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _PublicHandler(urllib.request.HTTPSHandler):
    """https from public addresses."""

    def https_open(self, req):
        """The answer."""
        return self.do_open(_PublicConnection, req)


class _PublicConnection(http.client.HTTPSConnection):
    """Connects to the very address that was looked at, so that a name cannot change its meaning in between."""

    def connect(self) -> None:
        """Resolve, check, connect.

        Raises:
            FetchError: an address of that name is not public.
        """
        plain = _connect_public(self.host, self.port, PATIENCE_SECONDS)
        try:
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def _connect_public(host: str, port: int, timeout: float) -> socket.socket:
    """A connection to one of a name's addresses, all of which must be public."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, place in found:
        if not is_public(place[0]):
            raise FetchError(f"{host} is not a public address, and this server fetches from no other for its visitors.")
    failed: OSError | None = None
    for family, kind, protocol, _, place in found:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(timeout)
        try:
            connection.connect(place)
        except OSError as error:
            connection.close()
            failed = error
        else:
            return connection
    raise failed or OSError(f"{host} has no address")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the whole internet: not private, of this computer, of the link, or of many.

    Args:
        address: of IPv4 or IPv6, also one of IPv6 that stands for one of IPv4.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 6:
        inner = ip.ipv4_mapped
        for network, right in _EMBEDDED.items():
            inner = ipaddress.IPv4Address((int(ip) >> right) & 0xFFFFFFFF) if ip in network else inner
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _forget_old(folder: Path) -> None:
    """Remove what fetches left behind that were killed."""
    for path in folder.glob("*.partial"):
        with contextlib.suppress(OSError):  # another fetch has ended or removed it meanwhile
            if time.time() - path.stat().st_mtime > _OLD_SECONDS:
                path.unlink()
