"""What the tests of pages share."""

import pytest

from cfs_explore import jobs


@pytest.fixture(autouse=True)
def _owners_server(monkeypatch):
    """The server is its owner's own, and jobs that a test plays are not started again by the app."""
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "0")
    monkeypatch.setattr(jobs, "recover", lambda: [])
