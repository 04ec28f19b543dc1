"""What the Dockerfile says, tried without Docker: its server starts, its health check tells, its pins are complete."""

import json
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
DOCKERFILE = (PROJECT / "Dockerfile").read_text().replace("\\\n", "")


def instruction(name: str) -> str:
    return re.search(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)[1]


@pytest.fixture
def port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_the_server_starts_and_the_health_check_tells(port, tmp_path):
    program, *options = json.loads(instruction("CMD"))
    assert program == "cfs-explore" and options[options.index("--address") + 1] == "0.0.0.0"
    options = ["127.0.0.1" if o == "0.0.0.0" else o.replace("8501", port) for o in options]
    check = shlex.split(instruction("HEALTHCHECK").split(" CMD ")[1].replace("8501", port))
    assert check[0] == "python"

    def healthy() -> bool:
        return subprocess.run([sys.executable, *check[1:]], capture_output=True).returncode == 0

    assert not healthy()
    server = subprocess.Popen(
        [sys.executable, "-m", "cfs_explore", *options],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 90
        while not healthy():
            assert server.poll() is None and time.monotonic() < deadline
            time.sleep(0.3)
    finally:
        server.terminate()
        server.wait(20)


def test_without_a_gpu_only_what_a_gpu_needs_is_left_out(tmp_path):
    """And torch, whose builds for a CPU are other files; what is kept is kept with its hashes."""
    (program,) = re.findall(r"awk '([^']+)' requirements\.txt", DOCKERFILE)
    text = (PROJECT / "requirements.txt").read_text()
    done = subprocess.run(["awk", program], input=text, capture_output=True, text=True, check=True)
    every, kept = pinned(text), pinned(done.stdout)
    left_out = {name for name in every if name not in kept}
    assert all(kept[name] == every[name] and kept[name] for name in kept)
    assert {"streamlit", "diffusers"} <= set(kept) and {"torch", "triton", "nvidia-cublas"} <= left_out
    assert all(name.startswith(("nvidia-", "cuda-", "triton")) for name in left_out - {"torch"})


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-setup.txt"])
def test_every_pin_has_the_hashes_of_its_files(name):
    found = pinned((PROJECT / name).read_text())
    assert found and all(found.values())
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digests in found.values() for digest in digests)


def test_whatever_installs_checks_the_hashes():
    installs = [line for line in re.split("&&|;|\n", DOCKERFILE) if "install" in line and "-r " in line]
    assert len(installs) == 3 and all("--require-hashes" in line for line in installs)
    assert (PROJECT / "scripts" / "setup_env.py").read_text().count("--require-hashes") == 2


def pinned(text: str) -> dict[str, list[str]]:
    """Name -> hashes of its files."""
    parts = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    return {p.split("==")[0]: re.findall(r"--hash=sha256:(\w+)", p) for p in parts if "==" in p.partition("\n")[0]}


def test_nothing_that_the_server_needs_is_left_behind():
    ignored = (PROJECT / ".dockerignore").read_text().split()
    needed = {"app.py", "pages", "cfs_explore", "precomputed", "docs", ".streamlit", "requirements.txt"}
    assert not needed & set(ignored)
    assert {".git", ".venv", "runs"} <= set(ignored)
