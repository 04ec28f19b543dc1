"""What the tests of pages share."""

import pytest
import streamlit as st

from cfs_explore import jobs
from cfs_explore.ui import navigation, new_backbone


@pytest.fixture(autouse=True)
def _owners_server(monkeypatch):
    """The server is its owner's own, and jobs that a test plays are not started again by the app."""
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "0")
    monkeypatch.setattr(jobs, "recover", lambda: [])


@pytest.fixture
def no_timers(monkeypatch):
    """Fragments lead to other pages at once: no browser is there that would have to end their timers."""
    monkeypatch.setattr(navigation, "leave_for", lambda page, query: st.switch_page(page, query_params=query))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty folder for runs on the owner's own server; no worker is started, and no backbone is timed."""
    facts = {"seconds_per_forward": 0.01, "device": "cpu"}
    monkeypatch.setattr(new_backbone, "inspect_backbone", lambda spec: facts)
    monkeypatch.setattr(jobs, "start", lambda run: (run / "started").touch())
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "0")
    return tmp_path / "runs"
