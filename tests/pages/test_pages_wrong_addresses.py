"""What an address asks for and an exploration does not have is said on the page, once, and harmlessly."""

import pytest
from page_steps import open_page

from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run
from cfs_explore.store.cell_names import cell_names

pytestmark = pytest.mark.usefixtures("routed")


@pytest.fixture(scope="module")
def digits():
    return open_run(BUNDLES / "digits")


def notes(app) -> str:
    """The one note about the address; "" where there is none."""
    found = [each.value.replace("\\", "") for each in app.info if "is shown" in each.value]
    assert len(found) <= 1
    return "".join(found)


@pytest.mark.parametrize(
    ("page", "query", "said"),
    [
        ("separation", {"cell": "up9.res1@5"}, "Digits has no cell 'up9.res1@5', which the address names; "),
        ("separation", {"cell": "@nan"}, "Digits has no cell '@nan', which the address names; "),
        ("separation", {"cell": "out_blocks.1@7"}, "Digits has no cell 'out_blocks.1@7', which"),
        ("separation", {"cell": "9" * 5000}, "Digits has no cell '9999"),
        ("map", {"ood": "foo"}, "Digits has no OOD set 'foo', which the address names; digits 7-9 is shown instead."),
        ("map", {"metric": "x"}, "Metric: There is no 'x', which the address names; AUROC is shown instead."),
        (None, {"run": "nosuch"}, "There is no exploration 'nosuch', which the address names; Digits"),
        ("images", {"images_taps": "up9"}, "Digits has no kept tap 'up9', which the address names; "),
        ("images", {"images_picked": "999999"}, "Digits has no point with the number '999999', which"),
        ("image", {"image": "no such"}, "digits 7-9 has no image 'no such', which the address names; "),
        ("image", {"set": "nobody"}, "Digits has no OOD set 'nobody', which the address names; digits 7-9 is shown"),
        ("stability", {"stability_tap": "up9.res1"}, "Digits has no tap 'up9.res1', which the address names; "),
        ("complementarity", {"comp_level": "77"}, "Digits has no noise level '77', which the address names; λ = "),
        ("protocol", {"protocol_against": "nosuch"}, "There is no other exploration 'nosuch', which"),
        ("lab", {"lab_rho": "7"}, "Correlation ρ: There is no '7', which the address names; "),
    ],
)
def test_what_is_not_there_is_said_once(page, query, said):
    app = open_page(page, **{"run": "digits", **query})
    assert said in notes(app)
    app.run()
    assert notes(app) == "" or said.split(",")[0] in notes(app)


def test_another_network_has_other_cells():
    app = open_page("separation", run="cifar10-uvit", cell="up1.res1@5")
    assert "has no cell 'up1.res1@5', which the address names" in notes(app)


@pytest.mark.parametrize("page", ["map", "separation", "images", "image", "stability", "complementarity", "verdict"])
def test_a_page_that_has_what_the_address_names_says_nothing(page, digits):
    for query in ({}, {"ood": "letters", "cell": cell_names(digits)[7], "cells": "24.36", "comp_level": "4"}):
        assert notes(open_page(page, run="digits", **query)) == ""


def test_known_ones_of_several_stay(digits):
    app = open_page("map", run="digits", cells="up1.res1@5,nonsense@5,conv_in@77")
    assert [cell_names(digits)[index] for index in app.session_state["cells"]] == ["up1.res1@5"]
    assert "Digits has no cell 'nonsense@5' or 'conv_in@77', which the address names; up1.res1" in notes(app)
    app = open_page("images", run="digits", images_sets="letters,nobody", images_taps="up1.res2")
    assert app.session_state["images_sets"] == [1] and "no OOD set 'nobody'" in notes(app)
    app = open_page("map", run="digits", cells=",".join(f"no{i}@5" for i in range(20_000)))
    assert len(notes(app)) < 250


def test_what_a_visitor_names_is_harmless():
    name = "<b>x</b> ![a](http://example.org/a.png)\n\n    # $1+1$ :smile: " + "y" * 3000
    app = open_page("map", run="digits", ood=name)
    said = next(each.value for each in app.info if "is shown" in each.value)
    assert r"\<b\>x\</b\> \!\[a\]\(http\://example\.org/a\.png\) \# \$1\+1\$ \:smile\:" in said
    assert "\n" not in said and len(said) < 400


def test_an_image_is_found_by_its_name(digits):
    for role, name in (("id_test", digits.id_test.name), ("ood", "letters")):
        row = digits.images(role, name).iloc[7]
        app = open_page("image", run="digits", role=role, set=name, image=row["name"])
        assert app.session_state["image"] == row["image_id"] and notes(app) == ""
    row = digits.images("id_test", digits.id_test.name).iloc[7]
    app = open_page("image", run="digits", image=row["name"])
    assert (app.session_state["role"], app.session_state["image"]) == ("id_test", row["image_id"]) and notes(app) == ""


def test_taps_are_known_by_their_short_names_and_levels_by_their_log_snr(digits):
    app = open_page("stability", run="digits", stability_tap="up1.res1")
    assert app.session_state["stability_tap"] == "up_blocks.1.resnets.1" and notes(app) == ""
    app = open_page("complementarity", run="digits", comp_first="mid.res0", comp_second="up1.res1", comp_level="5.0")
    pair = app.session_state["comp_first"], app.session_state["comp_second"]
    assert pair == ("mid_block.resnets.0", "up_blocks.1.resnets.1") and notes(app) == ""
    level = app.session_state["comp_level"]
    assert digits.levels[level].lam == pytest.approx(5, abs=0.05)
    app.selectbox(key="comp_level").select(level + 1).run()
    said = app.query_params["comp_level"]
    assert float(said if isinstance(said, str) else said[0]) == pytest.approx(digits.levels[level + 1].lam, abs=0.05)
    old = open_page("complementarity", run="digits", comp_level="4")
    assert old.session_state["comp_level"] == 4 and old.query_params["comp_level"] in ("4", ["4"])


@pytest.mark.parametrize(
    ("page", "key"),
    [("stability", "stability_tap"), ("complementarity", "comp_first"), ("complementarity", "comp_second")],
)
def test_another_exploration_says_which_chosen_tap_it_lacks(page, key):
    app = open_page(page, run="digits", **{key: "mid_block.attentions.0"})
    assert notes(app) == ""
    app.session_state["run"] = "cifar10-uvit"
    app.run()
    assert "has no tap 'mid_block.attentions.0', which was asked for before; " in notes(app)
    app.run()
    assert notes(app) == ""


def test_what_nobody_chose_is_replaced_without_a_word():
    for page in ("map", "separation", "stability", "complementarity", "image", "images", "triage"):
        app = open_page(page, run="digits")
        app.session_state["run"] = "cifar10-uvit"
        app.run()
        assert not app.exception and notes(app) == "", page
