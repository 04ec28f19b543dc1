"""On a narrow page, wide figures scroll by themselves and say so; all of them can be reached."""

import app_browser
import pytest

_FIGURE = """(figure) => {
  const inside = figure.querySelector('.main-svg'), box = (each) => each.getBoundingClientRect();
  const hint = getComputedStyle(figure, '::before').content;
  figure.scrollLeft = figure.scrollWidth;
  return {
    hint,
    right: box(inside).right - box(figure).right,
    below: figure.scrollHeight - figure.clientHeight,
    page: document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth,
  };
}"""

#: A map, other figures along the taps, and a map that had no least width.
_WIDE = [
    ("image", "map_of_image"),
    ("controls", "excess"),
    ("where", "where_map"),
    ("separation", "separation_taps"),
    ("stability", "stability_radius"),
]


@pytest.mark.parametrize(("page", "figure"), _WIDE)
def test_all_of_a_wide_figure_can_be_reached_and_the_page_says_how(visitor, address, page, figure):
    for width, narrow in ((420, True), (1400, False)):
        browser_page = visitor(width)
        browser_page.goto(f"{address}/{page}?run=digits&ood=letters")
        app_browser.settle(browser_page)
        found = browser_page.locator(f".st-key-{figure}").evaluate(_FIGURE)
        assert ("Scroll sideways" in found["hint"]) == narrow
        assert found["right"] <= 1 and found["below"] <= 1 and found["page"] <= 0
