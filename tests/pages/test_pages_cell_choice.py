"""Pages whose figure opens a cell by a click offer the same without one, and say the same of it."""

import pytest
from page_steps import open_page, texts

from cfs_explore.locations import BUNDLES
from cfs_explore.plates.detector import cell_label
from cfs_explore.store import open_run

#: Page -> what it says of the open cell, by its name.
PAGES = {"map": "{}", "prediction": "{} (", "image": "What carries it in {}"}


@pytest.mark.parametrize("page", PAGES)
def test_a_cell_is_opened_from_the_list(page):
    run = open_run(BUNDLES / "digits")
    app = open_page(page, run="digits", ood="letters", cell="80")
    cells = app.selectbox(key="open_cell")
    assert cells.value == 80 and cells.options == [cell_label(run, i) for i in range(len(run.levels) * len(run.taps))]
    cells.select(33).run()
    assert not app.exception
    assert app.session_state["cell"] == 33 and app.query_params["cell"] == "33"
    assert PAGES[page].format(cell_label(run, 33)) in texts(app)
    assert PAGES[page].format(cell_label(run, 80)) not in texts(app)
