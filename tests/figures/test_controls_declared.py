"""Controls: their texts and values, hostile ones too, under the names of today and of older versions."""

import pytest
from page_steps import open_page, texts
from streamlit.testing.v1 import AppTest

from cfs_explore.errors import RunError
from cfs_explore.figures import catalogue
from cfs_explore.figures.choices import METRIC, OOD, choose
from cfs_explore.figures.images import SETS, TAPS
from cfs_explore.figures.options import Control, Several, check, join_names, split_names
from cfs_explore.figures.places import CELL, CELLS, level_control
from cfs_explore.figures.probe import NOISE
from cfs_explore.figures.protocol_conditioning import CONDITIONING

CONTROLS = {option.name: option for kind in catalogue.KINDS.values() for option in kind.options}
HOSTILE = ("", "nobody", "-1", "1e9", "nan", "<b>", "none,none", "24.99999", "\x00", "a\nb", "\r", '"', "a" * 200_000)


def test_a_name_is_one_control_everywhere():
    for kind in catalogue.KINDS.values():
        assert all(option is CONTROLS[option.name] for option in kind.options)
    names = [name for option in CONTROLS.values() for name in (option.name, *option.former)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("control", [*CONTROLS.values(), OOD, METRIC, CELL, CELLS, level_control("level", 1)])
def test_every_value_is_read_as_it_is_written(control, digits):
    for value in control.labels(digits):
        chosen = [value] if isinstance(control, Several) else value
        assert control.read(control.write(chosen, digits), digits) == chosen
    opening = control.opening(digits)
    if opening != "":
        assert control.read(control.write(opening, digits), digits) == opening


@pytest.mark.parametrize("control", [OOD, METRIC, CELL, CELLS, SETS, TAPS, CONDITIONING, NOISE, CONTROLS["triage_by"]])
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text)[:20])
def test_what_the_run_does_not_have_is_answered_with_what_it_has(control, text, digits):
    if isinstance(control, Several) and not split_names(text):
        assert control.read(text, digits) == []
        return
    with pytest.raises(RunError):
        control.read(text, digits)


def test_older_links_have_positions_and_other_numbers(digits):
    assert SETS.read("1.2", digits) == SETS.read(" letters, flipped,letters", digits) == [1, 2]
    assert SETS.read("1.0", digits) == [1, 0] and SETS.read("2", digits) == [2]
    assert TAPS.read("22", digits) == TAPS.read("up1.res2", digits) == TAPS.read("up_blocks.1.resnets.2", digits)
    assert CELLS.read("24.36", digits) == [24, 36] and CELL.read("24", digits) == 24
    assert CONTROLS["images_min_dist"].read("0.0") == 0 and CONTROLS["lab_d"].read("16.0") == 16


def test_names_with_commas_and_quotation_marks_come_back():
    names = ["a, b", 'say "no"', "two\nlines", "none"]
    assert split_names(join_names(names)) == names
    sets = Several("sets", "Sets", dict(enumerate(names)))
    assert sets.read(sets.write([0, 1, 3])) == [0, 1, 3] and sets.read(sets.write([])) == []


def test_a_set_that_is_called_by_a_number_is_not_taken_for_a_position():
    control = Several("sets", "Sets", {0: "2024", 1: "0", 2: "1.2"})
    assert control.read("0") == [1] and control.read("1.2") == [2] and control.read("2024,0") == [0, 1]


def test_a_number_between_the_ends_and_no_other():
    rate = CONTROLS["triage_rate"]
    assert rate.number({"rate": "2.5"}) == rate.number({"triage_rate": "2.5"}) == 2.5 and rate.number({}) == 5
    check({"rate": "2.5"}, [rate])
    for text in ("0", "21", "nan", "inf", "x"):
        with pytest.raises(RunError, match=r"from 0\.1 to 20"):
            rate.number({"rate": text})
    with pytest.raises(RunError, match="whole number"):
        CONTROLS["lab_seed"].number({"seed": "1.5"})


def test_the_first_value_is_the_default():
    control = Control("name", "Title", {"a": "A", "b": "B"})
    assert control.opening() == "a" and control.of({}) == "a" and control.of({"name": "b"}) == "b"
    assert (
        control.allowed() == "a | b" and Control("n", "T", dict.fromkeys("abcdefgh", "")).allowed() == "a | b | ... | h"
    )


@pytest.mark.parametrize(
    ("figure", "address", "before"),
    [
        ("triage-scores", {"triage_rate": "10", "triage_by": "discovery"}, {"rate": "10", "keeps": "discovery"}),
        (
            "images-scatter",
            {"images_sets": "1.2", "images_taps": "22"},
            {"sets": "letters,flipped", "taps": "up1.res2"},
        ),
        ("protocol-told", {"protocol_told": "lam - 1"}, {"told": "lam - 1"}),
    ],
)
def test_an_option_may_be_written_as_in_an_address_or_as_in_older_versions(figure, address, before, digits):
    now, old = (
        catalogue.make_figures(digits, [figure], choose(digits, ood="letters", options=given))[0][figure]
        for given in (address, before)
    )
    assert now.chart.to_json() == old.chart.to_json() and now.caption == old.caption


def test_an_image_of_the_probe_may_be_named_by_its_position(digits):
    name = digits.images("id_test")["name"].iloc[11]
    now, old = (
        catalogue.make_figures(digits, ["probe-encoder-score"], choose(digits, ood="letters", options=given))[0]
        for given in ({"probe_a": "11"}, {"a": name})
    )
    assert now["probe-encoder-score"].alt == old["probe-encoder-score"].alt


def _page():
    import streamlit as st

    from cfs_explore.figures.options import Control
    from cfs_explore.ui import choosing

    st.session_state["arrived"] = "letter" not in st.session_state
    choosing.choose(Control("letter", "Letter", {"a": "A", "b": "B", "c": "C"}))


def test_a_choice_reaches_the_address_and_the_address_the_page():
    app = AppTest.from_function(_page).run().run()
    assert app.session_state["letter"] == "a" and "letter" not in app.query_params
    for letter in ("b", "a"):
        app.segmented_control(key="letter").set_value(letter).run()
        assert app.query_params["letter"] == letter
    for text, letter in (("c", "c"), ("<b>", "a"), ("b", "b")):
        app.query_params["letter"] = text
        assert app.run().session_state["letter"] == letter
    del app.query_params["letter"]
    assert app.run().session_state["letter"] == "a"


def test_the_sets_stand_in_the_address_by_name_and_come_back(digits):
    app = open_page("images", run="digits", ood="letters", images_sets="1.2")
    app.multiselect(key="images_sets").set_value([1, 6]).run()
    assert app.query_params["images_sets"] == "letters,noisy"
    again = open_page("images", run="digits", images_sets=app.query_params["images_sets"])
    assert again.multiselect(key="images_sets").value == [1, 6] and "letters" in texts(again)
