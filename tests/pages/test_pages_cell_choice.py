"""Pages whose figure opens a cell by a click offer the same without one, and say the same of it."""

import pytest
from page_steps import open_page, texts

from cfs_explore.figures.choices import choose
from cfs_explore.figures.detector import cell_label
from cfs_explore.figures.map import opening_cell
from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run
from cfs_explore.store.cell_names import cell_names

pytestmark = pytest.mark.usefixtures("routed")

#: Page -> what it says of the open cell, by its name.
PAGES = {"map": "{}", "prediction": "{} (", "image": "What carries the score in {}"}


@pytest.mark.parametrize("page", PAGES)
def test_a_cell_is_opened_from_the_list(page):
    run = open_run(BUNDLES / "digits")
    app = open_page(page, run="digits", ood="letters", cell="80")
    cells = app.selectbox(key="open_cell")
    assert cells.value == 80 and cells.options == [cell_label(run, i) for i in range(len(run.levels) * len(run.taps))]
    cells.select(33).run()
    assert not app.exception
    assert app.session_state["cell"] == 33 and app.query_params["cell"] == cell_names(run)[33]
    assert PAGES[page].format(cell_label(run, 33)) in texts(app)
    assert PAGES[page].format(cell_label(run, 80)) not in texts(app)


@pytest.mark.parametrize("page", ["map", "separation", "prediction", "image", "triage"])
def test_another_exploration_keeps_the_cell_of_that_name_or_says_that_it_has_none(page):
    wide, narrow = (open_run(BUNDLES / name) for name in ("digits", "digits-narrow"))
    shared = next(name for name in cell_names(wide)[40:] if name in cell_names(narrow))
    lost = next(name for name in cell_names(wide) if name not in cell_names(narrow))
    for name in (shared, lost):
        app = open_page(page, run="digits", cell=name, detector="cell")
        app.session_state["run"] = "digits-narrow"
        app.run()
        assert not app.exception
        kept = cell_names(narrow)[app.session_state["cell"]]
        assert (f"has no cell '{name}', which was asked for before" in texts(app)) == (name == lost)
        opened = opening_cell(narrow, app.session_state["ood"]) if page == "map" else choose(narrow).cell
        assert kept == shared or (name == lost and app.session_state["cell"] == opened)


def test_composed_cells_of_another_exploration_stay_as_far_as_they_exist():
    wide, narrow = (open_run(BUNDLES / name) for name in ("digits", "digits-narrow"))
    shared = [name for name in cell_names(wide) if name in cell_names(narrow)][:2]
    lost = next(name for name in cell_names(wide) if name not in cell_names(narrow))
    app = open_page("map", run="digits", cells=",".join([*shared, lost]))
    app.session_state["run"] = "digits-narrow"
    app.run()
    assert [cell_names(narrow)[index] for index in app.session_state["cells"]] == shared
    assert f"has no cell '{lost}', which was asked for before" in texts(app)


def test_an_address_of_an_older_version_opens_the_same_view():
    app = open_page("map", run="digits", cell="33", cells="24.36")
    assert app.session_state["cell"] == 33 and app.session_state["cells"] == [24, 36]
    assert app.query_params["cell"] in ("33", ["33"])  # it is not written anew, or a step back would be none
    assert app.query_params["cells"] in ("24.36", ["24.36"])


def test_a_link_into_another_exploration_opens_its_own_cell_without_a_word():
    wide, narrow = (open_run(BUNDLES / name) for name in ("digits", "digits-narrow"))
    lost = next(name for name in cell_names(wide) if name not in cell_names(narrow))
    app = open_page("map", run="digits", cell=lost)
    app.session_state["run"] = "digits-narrow"
    app.query_params["cell"] = cell_names(narrow)[7]
    app.run()
    assert app.session_state["cell"] == 7 and " is shown" not in texts(app)
