"""What the tests of pages share."""

import pytest

from cfs_explore import jobs


@pytest.fixture(autouse=True)
def _no_recovery(monkeypatch):
    """Jobs that a test plays are not started again by the app."""
    monkeypatch.setattr(jobs, "recover", lambda: [])
