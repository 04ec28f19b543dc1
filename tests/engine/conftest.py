"""A real Ray cluster on this computer, for the tests that need one."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from cfs_explore import jobs


@pytest.fixture(scope="session")
def cluster():
    """A Ray cluster of two CPUs: its address and its process."""
    pytest.importorskip("ray", reason='needs Ray: pip install "cfs-explore[ray]"')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tempfile.mkdtemp(prefix="ray-")  # sockets in it have short names
    command = [Path(sys.executable).with_name("ray"), "start", "--head", "--block", f"--port={port}", "--num-cpus=2"]
    command += [
        "--include-dashboard=false",
        "--disable-usage-stats",
        f"--temp-dir={home}",
        "--node-ip-address=127.0.0.1",
    ]
    environment = os.environ | {"PYTHONPATH": str(Path(jobs.__file__).parents[2])}
    process = subprocess.Popen(
        [*command, "--object-store-memory=100000000"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    assert any(b"Ray runtime started" in line for line in process.stdout)
    yield f"127.0.0.1:{port}", process
    process.terminate()
    process.communicate(timeout=30)
    shutil.rmtree(home, ignore_errors=True)
