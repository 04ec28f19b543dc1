"""What happens when things go wrong, or many people come at once: run ``python benchmarks/reliability.py``.

kill      SIGKILL at 20 random moments of a small run, which is then resumed
disk      the disk is full while a run writes; then there is room again
race      two workers for one run, four requests for one, a fresh start while another works
sessions  eight visitors on different explorations and pages for five minutes while a run is measured
upload    a zip of 1 GB through the browser

Needs a Chrome or Chromium for the last two. Everything stays in a temporary folder and on this computer. Prints a
Markdown table; the exit status is 1 if anything is not as it should be.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

from reliability_common import as_table

PARTS = ("kill", "disk", "race", "sessions", "upload")


def main() -> None:
    """Run the parts, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help=f"comma-separated, out of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller trials, a few minutes in all")
    options = parser.parse_args()
    chosen = options.only.split(",")
    if unknown := sorted(set(chosen) - set(PARTS)):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    checks = []
    with tempfile.TemporaryDirectory(prefix="cfs-reliability-") as folder:
        for part in PARTS:
            if part in chosen:
                checks += _run(part, Path(folder).resolve(), options.quick)
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print(as_table(checks))
    sys.exit(any(check.ok is False for check in checks))


def _run(part: str, home: Path, quick: bool) -> list:
    if part in ("kill", "disk", "race"):
        import reliability_runs as runs

        if part == "disk":
            return runs.disk_full(home)
        return runs.killed(home, 4 if quick else 20) if part == "kill" else runs.raced(home, 2 if quick else 6)
    if part == "sessions":
        import reliability_sessions

        return reliability_sessions.visited(home / "sessions", 30 if quick else 300)
    import reliability_upload

    return reliability_upload.uploaded(home / "upload", 10**8 if quick else 10**9)


if __name__ == "__main__":
    main()
