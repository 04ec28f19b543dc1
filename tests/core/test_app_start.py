"""The app starts, and opens a browser, on a machine that never saw Streamlit; ports and addresses are said clearly."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from cfs_explore.cli import main
from cfs_explore.ui import server

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
OURS = ("-m", "cfs_explore", "app")
STREAMLITS = ("-m", "streamlit", "run", str(PROJECT / "app.py"), "--server.headless", "false")


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def taken_port():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@contextmanager
def started(command, tmp_path, *, home: Path | None, stdin):
    """A start whose browser is a script that writes down the address; gives the process and that file."""
    opened, browser = tmp_path / "opened", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if k not in ("HOME", "DISPLAY", "WAYLAND_DISPLAY")}
    kept = {k: v for k, v in kept.items() if not k.startswith("STREAMLIT_")}
    kept |= {"BROWSER": str(browser), "PYTHONPATH": str(PROJECT)} | ({"HOME": str(home)} if home else {})
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=tmp_path,
        env=kept,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=(lambda: os.close(0)) if stdin is None else None,
    )
    try:
        yield process, opened
    finally:
        process.terminate()
        process.communicate(timeout=30)


def wait_opened(process, opened: Path) -> str:
    """The address that the browser was opened at."""
    deadline = time.monotonic() + 90
    while not opened.exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, "no browser was opened in 90 s"
        time.sleep(0.05)
    return opened.read_text().strip()


def make_home(kind: str, tmp_path: Path) -> Path | None:
    """A home folder that is empty, cannot be written, or does not exist; None for a HOME that is not set."""
    home = tmp_path / "home"
    if kind == "empty":
        home.mkdir()
    elif kind == "read-only":
        home.mkdir(mode=0o555)
        if os.access(home, os.W_OK):
            pytest.skip("this user may write into every folder; the kind 'a file' stands for it")
    elif kind in ("a file", "below a file"):
        home.write_text("")
        home = home if kind == "a file" else home / "of" / "nobody"
    return None if kind == "unset" else home


posix = pytest.mark.skipif(os.name == "nt", reason="the browser is a shell script")


@posix
@pytest.mark.parametrize(
    ("command", "kind", "stdin"),
    [
        (OURS, "empty", None),
        (OURS, "read-only", subprocess.DEVNULL),
        (OURS, "a file", None),
        (OURS, "below a file", subprocess.DEVNULL),
        (OURS, "missing", subprocess.PIPE),  # waits for ever, as a terminal does
        (OURS, "unset", subprocess.DEVNULL),
        (STREAMLITS, "empty", subprocess.DEVNULL),
        (STREAMLITS, "missing", None),
    ],
    ids=lambda value: {None: "closed", -3: "devnull", -1: "open"}.get(value) if isinstance(value, int | None) else None,
)
def test_the_app_starts_on_a_new_machine(command, kind, stdin, port, tmp_path):
    home = make_home(kind, tmp_path)
    option = "--port" if command == OURS else "--server.port"
    with started([*command, option, str(port)], tmp_path, home=home, stdin=stdin) as (process, opened):
        address = wait_opened(process, opened)
        assert address == f"http://localhost:{port}"
        assert urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).status == 200
    if kind == "empty":
        assert list(home.rglob("*")) == []  # nothing is left in anybody's home folder
    if kind == "missing":
        assert not home.exists()


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become an unknown user")
def test_a_user_whom_the_system_does_not_know(tmp_path):
    """Who has no home folder at all, as in a container that was started with a user's number."""
    code = """
import os, pwd
from pathlib import Path
from cfs_explore.ui.server import _ensure_home
os.setuid(54321)
del os.environ["HOME"]
_ensure_home()
print(Path.home())
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert found.stdout.strip() == "/", found.stderr


def test_a_browser_opens_where_there_is_one(monkeypatch):
    monkeypatch.delenv("BROWSER", raising=False)
    assert server._browser_options(True) == ["--server.headless", "true"]
    assert server._browser_options(False) == []  # Streamlit looks for a display
    monkeypatch.setenv("BROWSER", "editor --open")
    assert server._browser_options(False) == ["--server.headless", "false"]
    assert server._browser_options(True) == ["--server.headless", "true"]


def test_a_taken_port_is_said_at_once(capsys):
    with taken_port() as taken, pytest.raises(SystemExit) as stopped:
        main(["app", "--headless", "--port", str(taken)])
    out, err = capsys.readouterr()
    assert stopped.value.code == 2 and out == "" and err.count("\n") == 1
    assert f"Port {taken} of localhost is taken" in err and "--port" in err and "PORT=" in err


def test_without_a_port_the_next_free_one_is_taken_and_said(monkeypatch, capsys):
    with taken_port() as taken:
        monkeypatch.setattr(server, "PORTS", range(taken, taken + 20))
        found = server._first_free("localhost")
        said = capsys.readouterr().out
        assert taken < found < taken + 20
        assert f"Port {taken} is taken" in said and f"takes port {found}" in said
        monkeypatch.setattr(server, "PORTS", range(taken, taken + 1))
        with pytest.raises(server.ServerError, match="are all taken; give another one with --port"):
            server._first_free("localhost")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "0"], "no port 0; --port takes a number from 1 to 65535"),
        (["--port", "65536"], "no port 65536"),
        (["--port", "-1"], "no port -1"),
        (["--address", "no.such.name.invalid"], "cannot listen at 'no.such.name.invalid'"),
        (["--address", "192.0.2.1"], "0.0.0.0 (for the whole network)"),
        (["--address", ""], "--address takes localhost"),
    ],
)
def test_ports_and_addresses_that_are_none(options, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["app", "--headless", *options])
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("localhost", "http://localhost:8600. "),
        ("127.0.0.1", "http://127.0.0.1:8600. "),
        ("0.0.0.0", "http://localhost:8600 and at this computer's other addresses. "),
        ("::1", "http://[::1]:8600. "),
    ],
)
def test_where_the_app_is_is_said(address, shown, capsys):
    server._tell_where(address, 8600)
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "options"),
    [([], ""), (["PORT=8600"], "--port 8600"), (["PORT=8600", "ADDRESS=0.0.0.0"], "--port 8600 --address 0.0.0.0")],
)
def test_make_app_takes_port_and_address(given, options):
    # A make that runs the tests hands its own flags and level on; this one must not take them for its own.
    inherited = ("PORT", "ADDRESS", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "GNUMAKEFLAGS")
    env = {k: v for k, v in os.environ.items() if k not in inherited}
    try:
        done = subprocess.run(["make", "-n", "app", *given], cwd=PROJECT, capture_output=True, text=True, env=env)
    except FileNotFoundError:
        pytest.skip("make is not installed")
    command = done.stdout.strip().splitlines()[-1]
    assert re.sub(r"\s+", " ", command).strip() == f".venv/bin/cfs-explore app {options}".strip()
    for name in ("README.md", "Makefile"):
        assert "make app PORT=8600 ADDRESS=0.0.0.0" in (PROJECT / name).read_text()
