"""Every page ends with one way on; the ways lead from the start to the verdict, and keep what is chosen."""

import re

import pytest
from page_steps import open_page

from cfs_explore.locations import PROJECT
from cfs_explore.studies import PAGES
from cfs_explore.ui.page_frame import TO_MAP, WAYS

#: Of the pages of diagnostics.
TITLES = {page.name: page.title for page in PAGES}
NAVIGATION = (PROJECT / "cfs_explore" / "ui" / "navigation.py").read_text()


def test_every_way_is_called_as_in_the_navigation():
    pages = {path.stem for path in (PROJECT / "pages").glob("*.py")}
    assert {page or "start" for page in WAYS} <= pages
    for way in [*WAYS.values(), TO_MAP]:
        assert way.page in pages and way.question.endswith("?")
        assert TITLES.get(way.page) == way.place or f'"{way.page}.py", title="{way.place}"' in NAVIGATION


def test_the_ways_lead_from_the_start_to_the_verdict():
    page, walked = "", []
    while page != "verdict":
        page = WAYS.get(page, TO_MAP).page
        walked.append(page)
        assert len(walked) < 20
    assert walked == [
        *("map", "separation", "complementarity", "stability"),
        *("prediction", "controls", "protocol", "verdict"),
    ]


@pytest.mark.usefixtures("routed")
@pytest.mark.parametrize("page", [None, "map", "verdict", "explorations", "lab"])
def test_it_is_the_last_thing_on_a_page(page):
    app = open_page(page, run="digits")
    last = list(app.main.get("page_link"))[-1].proto
    way = WAYS[page or ""]
    assert way.question in last.label and last.page == way.page and last.query_string == "run=digits"


def test_the_navigation_is_in_groups():
    groups = re.findall(r'^            "(\w*)": ', NAVIGATION, re.M)
    assert groups == ["", "Answer", "Why", "Trust", "Learn", "Data"]
    trust = NAVIGATION.split('"Trust"')[1]
    assert re.search(r'/ "(\w+)\.py"', trust)[1] == "verdict"
