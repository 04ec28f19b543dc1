"""Make .venv from a pinned requirements file, with uv (installed into the environment itself) for speed.

Every file that is installed must have one of the hashes that the requirements file lists, uv's own included.

Usage: python scripts/setup_env.py requirements.txt
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".venv"
BIN = HOME / ("Scripts" if os.name == "nt" else "bin")


def main(requirements: str) -> None:
    """Create the environment if it is missing, then bring it to the pinned versions."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this script runs on whatever Python the user has
        sys.exit("CFS Explore needs Python 3.11 or newer; name one with: make PYTHON=python3.12")
    if not (BIN / "python").exists() and not (BIN / "python.exe").exists():
        venv.create(HOME, with_pip=True)
    python = str(BIN / "python")
    if subprocess.run([python, "-m", "uv", "--version"], capture_output=True, check=False).returncode != 0:
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*pip, "-r", str(ROOT / "requirements-setup.txt")], check=True)
    uv = [python, "-m", "uv", "pip", "install", "--quiet", "--python", python]
    subprocess.run([*uv, "--require-hashes", "-r", str(ROOT / requirements)], check=True)
    subprocess.run([*uv, "--no-deps", "-e", str(ROOT)], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
