"""A server with a password shows nothing before it, and a server with impossible settings nothing at all."""

import pytest
from page_steps import button, open_page, texts

from cfs_explore import jobs
from cfs_explore.ui import gate


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(gate, "_WRONG_SECONDS", 0.0)


def test_without_a_password_there_is_no_door(monkeypatch):
    monkeypatch.delenv("CFS_EXPLORE_PASSWORD", raising=False)
    assert not open_page().text_input


def shows_the_door(app) -> bool:
    return "Password" in [field.label for field in app.text_input]


@pytest.mark.parametrize("page", ["start", "map", "new"])
def test_nothing_is_shown_before_the_password(monkeypatch, page):
    monkeypatch.setenv("CFS_EXPLORE_PASSWORD", "sesame öffne dich")
    app = open_page(page)
    assert [field.label for field in app.text_input] == ["Password"]
    assert not app.selectbox and "digits" not in texts(app)
    app.text_input[0].input("sesame")
    button(app, "Enter").click().run()
    assert "That is not the password." in texts(app) and not app.selectbox
    app.text_input[0].input("sesame öffne dich")
    button(app, "Enter").click().run()
    assert not app.exception and not shows_the_door(app)
    app.switch_page("pages/map.py").run()
    assert not app.exception and not shows_the_door(app)  # asked once
    assert "Compose a detector" in texts(app)


def test_impossible_settings_close_the_app(monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_ROOTS", "/no/such/folder")
    app = open_page()
    assert "CFS_EXPLORE_ROOTS names /no/such/folder" in texts(app)
    assert not app.selectbox


def test_runs_that_were_cut_off_go_on_once_per_server(monkeypatch):
    calls = []
    monkeypatch.setattr(jobs, "recover", lambda: calls.append("now"))
    gate.resume_runs.clear()
    open_page()
    open_page("map")
    assert calls == ["now"]
