"""What the tests of pages share."""

import functools

import pytest
import streamlit as st
from bundles import bundle
from streamlit.runtime.pages_manager import PagesManager

from cfs_explore import jobs
from cfs_explore.ui import background, data, figure, missing_stage, navigation, new_backbone


@pytest.fixture(scope="session")
def digits():
    """The bundled run."""
    return bundle("digits")


@pytest.fixture(autouse=True)
def _owners_server(monkeypatch):
    """The server is its owner's own; no job of a test is started again, no worker waits, no backbone is timed."""
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "0")
    monkeypatch.setattr(jobs, "recover", lambda: [])
    monkeypatch.setattr(jobs, "prepare", lambda: None)
    monkeypatch.setattr(missing_stage, "inspect_backbone", lambda spec: {"seconds_per_forward": 0.01})


@pytest.fixture(autouse=True)
def _tables(monkeypatch):
    """Tables behind figures are there without being opened."""
    monkeypatch.setattr(figure, "FILLED", True)


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Pages wait for what goes on in the background, however busy the machine is."""
    monkeypatch.setattr(background, "PATIENCE_SECONDS", 60.0)


@pytest.fixture
def routed(monkeypatch):
    """Pages open through the router, as on a server: without this, a test runs a page's bare file."""
    make = PagesManager.__init__

    def init(self, *args, **kwargs):
        make(self, *args, **kwargs)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", init)


@pytest.fixture
def only_runs(monkeypatch, tmp_path):
    """Let the app see the runs of one folder alone: AppTest forgets the sidebar's choice after the first click, and
    takes the first of the list."""

    def show(folder):
        monkeypatch.setattr(data, "BUNDLES", tmp_path / "none")
        monkeypatch.setenv("CFS_EXPLORE_RUNS", str(folder))

    return show


@pytest.fixture
def no_timers(monkeypatch):
    """Fragments lead to other pages at once: no browser is there that would have to end their timers."""
    monkeypatch.setattr(navigation, "leave_for", lambda page, query: st.switch_page(page, query_params=query))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty folder for runs on the owner's own server; no worker is started, and no backbone is timed."""
    facts = {"seconds_per_forward": 0.01, "device": "cpu"}
    monkeypatch.setattr(new_backbone, "facts_by_now", lambda spec: facts)
    monkeypatch.setattr(jobs, "start", lambda run, workers=None: (run / "started").write_text(str(workers)))
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "0")
    return tmp_path / "runs"


@pytest.fixture
def short_films(monkeypatch):
    """The probe's films hold the measured levels and the one that is asked for, as where the network is slow."""
    from cfs_explore.probe.film import Film, draws
    from cfs_explore.ui import probe_data

    monkeypatch.setattr(probe_data, "Film", functools.partial(Film, budget=0))
    monkeypatch.setattr(probe_data, "frames_of_draws", functools.partial(draws, budget=0))
