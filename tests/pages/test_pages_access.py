"""Who may name files of the server: decided by the settings, else by the address that it serves."""

import subprocess
import sys

import pytest

from cfs_explore.errors import SourceError
from cfs_explore.safe_io import fetching
from cfs_explore.ui import access


@pytest.fixture
def serve(monkeypatch):
    """Say what the installation is."""

    def say(address=None, **variables):
        for name in ("PUBLIC", "ROOTS", "FETCH", "FETCH_FROM"):
            monkeypatch.delenv(f"CFS_EXPLORE_{name}", raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(f"CFS_EXPLORE_{name}", str(value))
        monkeypatch.setattr(access.st, "get_option", {"server.address": address}.__getitem__)

    return say


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "::1"])
def test_a_server_for_its_owner_opens_everything(serve, address):
    serve(address)
    assert not access.is_public() and access.open_roots() is None
    assert access.permitted("/etc/anything") == "/etc/anything"


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "192.168.1.5", "example.org"])
def test_a_server_for_others_opens_nothing(serve, address):
    serve(address)
    assert access.is_public() and access.open_roots() == ()
    with pytest.raises(SourceError, match="open are: none"):
        access.permitted("/etc/anything")


def test_the_settings_have_the_last_word(serve, tmp_path):
    serve("0.0.0.0", PUBLIC=0)
    assert access.open_roots() is None
    serve("localhost", PUBLIC=1)
    assert access.open_roots() == ()
    for address in ("localhost", "0.0.0.0"):
        serve(address, ROOTS=tmp_path)
        assert access.open_roots() == (tmp_path.resolve(),)
        assert access.permitted(str(tmp_path / "a" / ".." / "b")) == str(tmp_path.resolve() / "b")
        with pytest.raises(SourceError, match="not in a folder that this server opens"):
            access.permitted(str(tmp_path.parent))


def test_what_visitors_may_have_fetched(serve, tmp_path):
    serve("localhost")
    assert access.fetched() is None
    serve("localhost", ROOTS=tmp_path)
    assert access.fetched() == fetching.EVERYTHING  # anything, by the rules for visitors
    serve("localhost", FETCH=0)
    assert access.fetched() == () and not access.fetches()
    serve("localhost", FETCH_FROM="google/*")
    assert access.fetched() == ("google/*",)
    for variables in ({}, {"FETCH": 1}, {"FETCH_FROM": "google/*"}, {"FETCH": 0, "FETCH_FROM": "google/*"}):
        serve("0.0.0.0", **variables)
        assert access.fetched() == ()
    serve("0.0.0.0", FETCH=1, FETCH_FROM="google/*")
    assert access.fetched() == ("google/*",) and access.fetches()


def test_processes_that_the_app_starts_know_it(serve):
    serve("0.0.0.0")
    access.announce()
    code = "from cfs_explore.safe_io import fetching; print(fetching.is_restricted(), fetching.may_fetch('a/b'))"
    ask = [sys.executable, "-c", code]
    assert subprocess.run(ask, capture_output=True, text=True).stdout.split() == ["True", "False"]
    serve("localhost")
    access.announce()
    assert subprocess.run(ask, capture_output=True, text=True).stdout.split() == ["False", "True"]
