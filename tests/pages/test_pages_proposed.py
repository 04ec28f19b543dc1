"""Widgets whose default may change until the visitor has chosen."""

import pytest
from streamlit.testing.v1 import AppTest


def page():
    import streamlit as st

    from cfs_explore.ui.proposed import propose, withdraw

    proposal = propose("size", st.session_state["best"], range(1, st.session_state["most"] + 1))
    value = st.slider("Size", 1, st.session_state["most"], proposal.value, key=proposal.key, on_change=proposal.note)
    st.write(f"{value} {proposal.is_choice}")
    st.button("Told again", on_click=proposal.note)  # what a browser may do of itself
    st.button("Withdraw", on_click=withdraw, args=("size",))


@pytest.fixture
def app():
    app = AppTest.from_function(page)
    app.session_state["best"], app.session_state["most"] = 5, 10
    return app.run()


def said(app) -> str:
    return app.markdown[0].value


def test_the_default_follows_what_is_best(app):
    assert said(app) == "5 False"
    app.session_state["best"] = 1
    assert said(app.run()) == "1 False"
    app.session_state["best"] = 5
    assert said(app.run()) == "5 False"


def test_a_choice_stays_and_can_be_withdrawn(app):
    app.slider[0].set_value(7).run()
    assert said(app) == "7 True"
    app.session_state["best"] = 1
    assert said(app.run()) == "7 True"
    app.slider[0].set_value(1).run()
    assert said(app) == "1 True"  # the best one, chosen
    app.session_state["best"] = 5
    assert said(app.run()) == "1 True"
    app.button[1].click().run()
    assert said(app) == "5 False"
    app.slider[0].set_value(7).run()
    app.button[1].click().run()
    assert said(app) == "5 False"


def test_a_choice_that_is_no_longer_allowed_waits(app):
    app.slider[0].set_value(7).run()
    app.session_state["most"] = 6
    assert said(app.run()) == "5 False"
    app.session_state["most"] = 10
    assert said(app.run()) == "7 True"


def test_a_first_value_that_is_sent_again_is_no_choice(app):
    app.button[0].click().run()
    assert said(app) == "5 False"
