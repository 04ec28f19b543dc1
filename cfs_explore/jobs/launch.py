"""New worker processes: each in a group of its own, and gone from the system's list when it has ended."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence


def launch(arguments: Sequence[str], **options) -> subprocess.Popen:
    """Start ``python -m`` with these arguments, in a process group that outlives the app.

    A thread waits for its end: a process whose parent does not ask stays in the system's list as a zombie.

    Args:
        arguments: a module and its arguments.
        options: of ``subprocess.Popen``.
    """
    process = subprocess.Popen([sys.executable, "-m", *arguments], start_new_session=True, **options)
    threading.Thread(target=process.wait, name=f"end of {process.pid}", daemon=True).start()
    return process
