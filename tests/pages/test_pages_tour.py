"""The tour: every step opens its page, names controls that are there, and leads on, back and away."""

import functools
import html
import json
import re

import pytest
from page_steps import button, open_page, texts

from cfs_explore.figures.images import TAPS
from cfs_explore.figures.places import CELL
from cfs_explore.headlines.glossary import GLOSSARY
from cfs_explore.locations import BUNDLES, PROJECT
from cfs_explore.store import open_run
from cfs_explore.studies import PAGES
from cfs_explore.ui import data
from cfs_explore.ui.complementarity_view import LEVEL
from cfs_explore.ui.tour_steps import STEPS
from cfs_explore.ui.tour_words import mark

NUMBERS = range(1, len(STEPS) + 1)
#: What the address calls by names and the session by numbers.
BY_NAME = {control.name: control for control in (CELL, LEVEL, TAPS)}


pytestmark = pytest.mark.usefixtures("routed")


def visit(page: str, **query: str):
    """A page by its address; later clicks may lead to others."""
    app = open_page(page or None, **({"run": "digits"} | query))
    app._page_hash = ""
    return app


@functools.cache
def step_page(number: int):
    """A step as the start page's button opens it; only to look at."""
    app = open_page(**({"run": "digits", "tour": str(number)}))
    button(app, f"Resume the tour at step {number}").click().run()
    assert not app.exception
    return app


def card(app) -> str:
    """The card's HTML; '' without one."""
    return next((each.proto.body for each in app.get("html") if "<section" in each.proto.body), "")


def words_of(body: str) -> str:
    return html.unescape(re.sub("<[^>]*>", "", body))


def labels(node) -> set[str]:
    """Labels, options and headings of everything on a page."""
    found = set()
    proto = getattr(node, "proto", None)
    names = {field.name for field in proto.DESCRIPTOR.fields} if hasattr(proto, "DESCRIPTOR") else set()
    if "label" in names:
        found.add(proto.label)
    if "options" in names:
        found |= {getattr(option, "content", option) for option in proto.options}
    if "body" in names and node.type != "html":
        found |= {line.lstrip("# ") for line in proto.body.splitlines()}
    if getattr(proto, "component_name", "") == "cfs_probe_film":
        film = json.loads(proto.json)
        found |= {film["label"], film["draws"]["label"]}
    for child in getattr(node, "children", {}).values():
        found |= labels(child)
    return found


@pytest.mark.parametrize("number", NUMBERS)
def test_a_step_opens_its_page_with_its_card(number):
    app = step_page(number)
    step = STEPS[number - 1]
    assert app.session_state["page_shown"] == step.page
    assert app.query_params["tour"] == str(number) and app.query_params["run"] == "digits"
    assert f"{step.title} · step {number} of {len(STEPS)}" in words_of(card(app))
    assert 'role="region" aria-labelledby="cfs-tour-title"' in card(app) and 'id="cfs-tour-title"' in card(app)
    assert "{" not in words_of(card(app)) and "**" not in card(app)
    there = [each.label for each in app.button]
    assert ("Back" in there) == (number > 1) and ("Next step" in there) == (number < len(STEPS))
    assert not app.error


@pytest.mark.parametrize("number", NUMBERS)
def test_every_label_that_a_step_names_is_on_its_page(number):
    app, step = step_page(number), STEPS[number - 1]
    there = labels(app.main) | set(
        re.findall('title="([^"]*)"', (PROJECT / "cfs_explore/ui/navigation.py").read_text())
    )
    for label in re.findall(r"\*\*(.+?)\*\*", step.do + step.see):
        assert label in there, label


@pytest.mark.parametrize("number", NUMBERS)
def test_the_page_takes_every_part_of_a_steps_address(number):
    """What a page does not know it replaces by its default; then the address and the view would differ."""
    app, step = step_page(number), STEPS[number - 1]
    for key in step.query:
        query, view = app.query_params[key], app.session_state[key]
        if key in BY_NAME:
            view = BY_NAME[key].write(view, open_run(BUNDLES / "digits"))
        if isinstance(view, list):
            view = ".".join(map(str, view))
        assert query == ("none" if view is None else f"{view:g}" if isinstance(view, float) else str(view)), key


def test_the_place_of_a_step_is_how_the_navigation_calls_its_page():
    source = (PROJECT / "cfs_explore" / "ui" / "navigation.py").read_text()
    derived = {page.name: page.title for page in PAGES}
    for step in STEPS:
        assert derived.get(step.page) == step.place or f'"{step.page}.py", title="{step.place}"' in source


def test_the_lab_says_that_averaging_helps_from_where_the_step_says():
    app = visit("lab", lab="pair", tour="7")
    button(app, "Averaging hurts").click().run()
    assert "Averaging **hurts**" in texts(app)
    app.select_slider(key="lab_shift_d").set_value(0.8).run()
    assert "Averaging **hurts**" in texts(app)
    app.select_slider(key="lab_shift_d").set_value(0.9).run()
    assert "Averaging **helps**" in texts(app)


def test_next_and_back_walk_and_finish_ends_at_the_start():
    app = visit("")
    assert not card(app)
    button(app, "Take the tour (20 minutes)").click().run()
    for number, step in enumerate(STEPS, 1):
        assert not app.exception
        assert app.session_state["page_shown"] == step.page and app.query_params["tour"] == str(number)
        if number in (2, 6):
            button(app, "Back").click().run()
            assert app.query_params["tour"] == str(number - 1) and STEPS[number - 2].title in card(app)
            button(app, "Next step").click().run()
        button(app, "Finish" if number == len(STEPS) else "Next step").click().run()
    assert app.session_state["page_shown"] == "" and "tour" not in app.query_params and not card(app)
    assert "Take the tour (20 minutes)" in [each.label for each in app.button]


def test_a_step_is_opened_as_it_wants_even_where_the_page_was_left_otherwise():
    app = visit("map", tour="1")
    app.selectbox(key="ood").set_value("flipped").run()
    button(app, "Next step").click().run()
    assert app.session_state["ood"] == "letters"
    app.session_state["probe_lam"] = -1.0
    app.run()
    button(app, "Next step").click().run()
    assert app.session_state["probe_lam"] == 5.0 and "step 3" in words_of(card(app))


def test_leave_takes_the_card_away_and_the_start_page_resumes():
    app = visit("stability", tour="8")
    button(app, "Leave").click().run()
    assert not app.exception and not card(app) and "tour" not in app.query_params
    assert app.session_state["page_shown"] == "stability"
    app.switch_page("pages/start.py").run()
    app._page_hash = ""
    button(app, "Resume the tour at step 8").click().run()
    assert app.session_state["page_shown"] == "stability" and "step 8" in words_of(card(app))
    app.switch_page("pages/start.py").run()
    app._page_hash = ""
    button(app, "From the beginning").click().run()
    assert app.session_state["page_shown"] == "map" and app.query_params["tour"] == "1"


def test_the_address_resumes_the_tour():
    app = visit("images", tour="4")
    assert "step 4" in words_of(card(app)) and "Next step" in [each.label for each in app.button]


@pytest.mark.parametrize("page", ["map", "explorations", "new"])
def test_another_page_offers_to_go_to_the_step(page):
    app = visit(page, tour="4")
    assert "This step is on the page Images." in words_of(card(app))
    assert "Next step" not in [each.label for each in app.button]
    button(app, "Go to this step").click().run()
    assert app.session_state["page_shown"] == "images" and "Point at a few letters" in words_of(card(app))


def test_another_exploration_offers_to_go_to_the_step():
    app = visit("map", tour="1", run="digits-narrow")
    assert "This step is about the exploration Digits." in words_of(card(app))
    button(app, "Go to this step").click().run()
    assert app.session_state["run"] == "digits" and "97 of 100" in words_of(card(app))


@pytest.mark.parametrize("text", ["0", "12", "-1", "1.5", "map", "", "<b>", "9" * 5000])
def test_nonsense_in_the_address_shows_no_card(text):
    app = visit("map", tour=text)
    assert not card(app) and not app.error
    assert app.title[0].value == "Where does the signal live?"


def test_without_the_bundle_there_is_no_tour(monkeypatch):
    monkeypatch.setattr(data, "bundles", lambda: [])
    app = visit("lab", tour="7")
    assert not card(app)
    app = visit("")
    assert not [each.label for each in app.button if "tour" in each.label]


def test_every_word_of_a_step_stands_in_it_and_in_the_glossary():
    for step in STEPS:
        text = step.do + step.see
        for written, term in step.words.items():
            assert term in GLOSSARY, term
            marked = mark(step.do, step.words) + mark(step.see, step.words)
            assert f">{html.escape(written)}</abbr>" in marked, (step.title, written, text)


def test_the_glossary_names_formulas_that_the_theory_has():
    theory = (PROJECT / "docs" / "theory.md").read_text()
    assert len(GLOSSARY) >= 25
    for word in GLOSSARY.values():
        assert word.meaning.endswith(".") and len(word.meaning) < 260
        assert word.theory is None or f"({word.theory})" in theory


def test_words_open_on_the_start_page_and_in_the_card():
    for app, first in ((visit(""), "ID, in-distribution"), (visit("triage", tour="10"), "false-alarm rate")):
        said = texts(app)
        assert all(f"**{term}**: {word.meaning}" in said for term, word in GLOSSARY.items())
        assert said.index(f"**{first}**:") <= min(said.index(f"**{term}**:") for term in GLOSSARY)


def test_marking_escapes_and_explains_once():
    written = mark("<i>tap</i> **tap** tap & taps", {"tap": "tap"})
    assert written.startswith('&lt;i&gt;<abbr title="') and written.count("<abbr") == 1
    assert written.endswith(">tap</abbr>&lt;/i&gt; <b>tap</b> tap &amp; taps")
