"""The app's server, as the command line starts it: where it listens, and whether a browser opens."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import threading
import time
from pathlib import Path

import psutil

from cfs_explore.errors import CFSError, ServerError
from cfs_explore.locations import PROJECT

#: Ports that are tried, in order, if nobody names one.
PORTS = range(8501, 8601)
#: Addresses that mean every address of this computer.
_EVERYWHERE = ("0.0.0.0", "::")
#: Bytes that must be free for torch to be loaded before it is needed.
_ROOM_FOR_TORCH = 2e9


def serve(address: str, port: int | None, *, headless: bool) -> None:
    """Serve the app until the process ends, and open it in a browser where there is one.

    Args:
        address: where it listens: a name or number of this computer; 0.0.0.0 for all of them.
        port: None for the first of ``PORTS`` that is free.
        headless: open no browser.

    Raises:
        ServerError: it cannot listen there.
    """
    port = _first_free(address) if port is None else _named(address, port)
    _tell_where(address, port)
    _ensure_home()
    sys.argv = [
        "streamlit", "run", str(PROJECT / "app.py"),
        "--server.address", address,
        "--server.port", str(port),
        "--logger.hideWelcomeMessage", "true",  # it asks the network for this computer's address
        "--logger.level", "warning",
        *_browser_options(headless),
    ]  # fmt: skip
    from streamlit.web import cli  # takes a second, after what can go wrong at once

    threading.Thread(target=_load_ahead, daemon=True).start()
    sys.exit(cli.main())


def _first_free(address: str) -> int:
    free = next((port for port in PORTS if _is_free(address, port)), None)
    if free is None:
        raise ServerError(
            f"Ports {PORTS[0]} to {PORTS[-1]} of {address} are all taken; give another one with --port "
            "(make app PORT=...)."
        )
    if free != PORTS[0]:
        print(f"Port {PORTS[0]} is taken, perhaps by this app, started before. This one takes port {free}.")
    return free


def _named(address: str, port: int) -> int:
    if not 0 < port < 65536:
        raise ServerError(f"There is no port {port}; --port takes a number from 1 to 65535.")
    if not _is_free(address, port):
        raise ServerError(
            f"Port {port} of {address} is taken by another program, perhaps by this app, started before. Give another "
            "one with --port (make app PORT=...), or none: then a free one is found."
        )
    return port


def _is_free(address: str, port: int) -> bool:
    """Whether nothing listens there, tried as Streamlit's server will.

    Raises:
        ServerError: this computer has no such address, or reserves this port.
    """
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as trial:
            if os.name != "nt":  # Windows would let two servers share a port
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((address or " ", port))  # "" would mean every address, which nobody has asked for
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        if error.errno == errno.EACCES:
            raise ServerError(f"Port {port} is reserved by this computer; give --port one above 1023.") from None
        raise ServerError(
            f"This computer cannot listen at {address!r} ({error.strerror}). --address takes localhost (this computer "
            "only, the default), 0.0.0.0 (for the whole network), or an address of this computer."
        ) from None
    return True


def _tell_where(address: str, port: int) -> None:
    name = "localhost" if address in _EVERYWHERE else f"[{address}]" if ":" in address else address
    where = f"http://{name}:{port}" + (" and at this computer's other addresses" if address in _EVERYWHERE else "")
    print(f"CFS Explore is at {where}. Ctrl+C ends it.", flush=True)


def _browser_options(headless: bool) -> list[str]:
    """Streamlit opens a browser where there is a display; a named browser, such as an editor's, needs none."""
    if headless:
        return ["--server.headless", "true"]
    return ["--server.headless", "false"] if os.environ.get("BROWSER") else []


def _ensure_home() -> None:
    """Streamlit looks for settings in the home folder, and ends where that is none, such as /dev/null, or where the
    system knows of none; then the root stands for it, as in a container."""
    try:
        home = Path.home()
    except RuntimeError:
        home = None
    if home is None or (home.exists() and not home.is_dir()):
        os.environ["HOME"] = os.sep


def _load_ahead() -> None:
    """Load what the first page needs while the browser starts; any sooner would only make the server start later.

    Then, once nobody has asked for anything for a while, torch, which the probe page would wait for: it takes seconds.
    """
    from streamlit import runtime

    while not runtime.exists():
        time.sleep(0.02)
    from cfs_explore.ui import data, small_map

    for path in data.bundles():
        with contextlib.suppress(CFSError):  # the page says what is wrong with it
            small_map.glance(data.load_run(path))
    _wait_for_rest()
    if psutil.virtual_memory().available > _ROOM_FOR_TORCH:
        from cfs_explore.probe import network  # noqa: F401
        from cfs_explore.ui import collector

        collector.leave_out_libraries()  # parts of pages that run alone would go through all of it


def _wait_for_rest(seconds: int = 2, pause: float = 1.0) -> None:
    """Until this process has used a tenth of a core at most in so many seconds, one after the other."""
    quiet, used = 0, time.process_time()
    while quiet < seconds:
        time.sleep(pause)
        quiet = quiet + 1 if time.process_time() - used < 0.1 * pause else 0
        used = time.process_time()
