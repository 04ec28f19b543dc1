"""The app's server, as the command line starts it."""

from __future__ import annotations

import sys
import threading
import time

from streamlit import runtime
from streamlit.web import cli

from cfs_explore.locations import PROJECT


def serve(address: str, port: int, *, headless: bool) -> None:
    """Serve the app until the process ends.

    Args:
        address, port: where it listens.
        headless: open no browser.
    """
    threading.Thread(target=_load_ahead, daemon=True).start()
    sys.argv = [
        "streamlit", "run", str(PROJECT / "app.py"),
        "--server.address", address,
        "--server.port", str(port),
        "--server.headless", str(headless).lower(),
    ]  # fmt: skip
    sys.exit(cli.main())


def _load_ahead() -> None:
    """Load what the first page needs while the browser starts; any sooner would only make the server start later."""
    while not runtime.exists():
        time.sleep(0.02)
    from cfs_explore import store  # noqa: F401 (pandas and zarr come with it)
