"""The tour in a real headless browser: every step by the keyboard, away from it and back, in a narrow window."""

import pytest
from browser_steps import query, wait_for_query

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser

from cfs_explore.ui.tour_steps import STEPS


def region(page):
    """The card as a screen reader finds it."""
    return page.get_by_role("region", name="step")


def wait_for_step(page, number: int) -> None:
    wait_for_query(page, tour=str(number), run="digits")
    page.get_by_role("heading", name=f"{STEPS[number - 1].title} · step {number} of {len(STEPS)}").wait_for()
    app_browser.settle(page, 180)  # the first visit of the probe loads the network


def press(page, name: str) -> None:
    """A button of the card, by the keyboard."""
    target = page.locator(".st-key-tour_card").get_by_role("button", name=name, exact=True)
    target.focus()
    page.keyboard.press("Enter")


def test_the_keyboard_walks_through_every_step(page, address):
    page.goto(address)
    app_browser.settle(page)
    page.get_by_role("button", name="Take the tour").press("Enter")
    for number, step in enumerate(STEPS, 1):
        wait_for_step(page, number)
        assert page.url.split("?")[0].endswith(f"/{step.page}")
        assert region(page).get_by_text("Do", exact=True).is_visible()
        assert region(page).get_by_text("Predict", exact=True).is_visible()
        assert not region(page).get_by_text("See", exact=True).is_visible()
        region(page).get_by_text("Show me").press("Enter")
        assert region(page).get_by_text("See", exact=True).is_visible()
        assert page.locator("[data-testid=stException]").count() == 0
        if number == 2:
            press(page, "Back")
            wait_for_step(page, 1)
            press(page, "Next step")
            wait_for_step(page, 2)
        if number < len(STEPS):
            press(page, "Next step")
    press(page, "Finish")
    page.get_by_role("button", name="Take the tour").wait_for()
    app_browser.settle(page)
    assert "tour" not in query(page) and region(page).count() == 0


def slide(page, name: str, key: str, until: str | None) -> None:
    """Move a slider by a key until it says this; one step, where nothing is named."""
    slider = page.get_by_role("slider", name=name).first
    slider.focus()
    for _ in range(60):
        page.keyboard.press(key)
        if until is None or slider.get_attribute("aria-valuetext") == until:
            return
    raise AssertionError(f"{name} never says {until}")


def press_until(page, name: str, key: str, **told: str) -> None:
    """Move a slider of the app by a key, one step after the other, until the address says this."""
    for _ in range(30):
        page.get_by_role("slider", name=name).first.press(key)
        page.wait_for_timeout(200)
        app_browser.settle(page)
        if told.items() <= query(page).items():
            return
    raise AssertionError(f"{name} never says {told}: {page.url}")


def choose(page, control: str, value: str) -> None:
    """A value of a select box."""
    box = page.get_by_role("combobox", name=control).first
    box.evaluate("(element) => element.scrollIntoView({block: 'center'})")  # out from under the card
    box.click()
    page.get_by_role("option", name=value, exact=True).click()


def click_a_letter(page, digits) -> None:
    """The letter in the picture that lies nearest to its middle."""
    graph = page.locator(".st-key-images_scatter .js-plotly-plot")
    graph.scroll_into_view_if_needed()
    x, y = graph.evaluate(
        """(graph) => {
          const found = graph.data.findLastIndex((trace) => trace.name?.startsWith('letters') && trace.x.length > 9);
          const data = graph.data[found], layout = graph._fullLayout, box = graph.getBoundingClientRect();
          const at = (i) => [layout.xaxis._offset + layout.xaxis.l2p(data.x[i]),
            layout.yaxis._offset + layout.yaxis.l2p(data.y[i])];
          const middle = [box.width / 2, box.height / 2];
          const far = (i) => Math.hypot(at(i)[0] - middle[0], at(i)[1] - middle[1]);
          const best = [...data.x.keys()].sort((a, b) => far(a) - far(b))[0];
          return [box.left + at(best)[0], box.top + at(best)[1]];
        }"""
    )
    page.mouse.click(x, y)


def act(page, digits, number: int) -> None:
    """What a step asks for."""
    if number == 1:
        best = int(digits.table("best_cell").set_index("ood").loc["letters", "cell_index"])
        page.mouse.click(*app_browser.cell_position(page, "map", best))
    elif number == 2:
        slide(page, "Noise level λ", "ArrowLeft", "λ = −1.0")
    elif number == 3:
        slide(page, "Noise draw", "ArrowRight", None)
    elif number == 4:
        click_a_letter(page, digits)
    elif number in (5, 6):
        page.get_by_role("radio", name="Heads" if number == 5 else "Images", exact=True).click()
    elif number == 7:
        page.get_by_role("button", name="Averaging hurts").click()
        app_browser.settle(page)
        press_until(page, "Decoder shift", "ArrowRight", lab_shift_d="0.9")
    elif number == 8:
        region(page).get_by_text("Show me").click()
    elif number == 9:
        choose(page, "OOD set", "letters")
    elif number == 10:
        press_until(page, "False-alarm rate", "ArrowLeft", triage_rate="1")
    else:
        page.get_by_role("button", name="Next", exact=True).click()


#: Whether the target of the step is ringed, and how much of the window's height above its lower edge is the card's.
_RINGED = """() => {
  const ringed = document.querySelectorAll('[data-tour-target]'), box = ringed[0]?.getBoundingClientRect();
  const card = document.querySelector('.st-key-tour_card').getBoundingClientRect();
  return ringed.length === 1 && box.top < innerHeight - 40 && box.bottom > card.bottom;
}"""


@pytest.mark.parametrize("width", [1400, 700])
def test_every_step_is_done_and_what_is_to_see_opens_by_itself(visitor, address, digits, width):
    page = visitor(width=width)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address)
    app_browser.settle(page)
    page.get_by_role("button", name="Take the tour").click()
    for number, step in enumerate(STEPS, 1):
        wait_for_step(page, number)
        page.wait_for_function(_RINGED, timeout=30_000)
        see = region(page).get_by_text("See", exact=True)
        assert not see.is_visible()
        guesses = region(page).get_by_role("radio")
        assert guesses.count() == len(step.answers)
        guesses.first.check()
        act(page, digits, number)
        see.wait_for(timeout=30_000)
        said = region(page).locator(".cfs-said:visible").all_inner_texts()
        assert len(said) == 1 and ("as you predicted" in said[0] or "You predicted" in said[0])
        app_browser.settle(page)
        assert see.is_visible() and guesses.first.is_checked(), "the page was made again"
        if number < len(STEPS):
            press(page, "Next step")


def test_teachers_find_the_lesson(page, address):
    page.goto(f"{address}/lab?run=digits&tour=7")
    wait_for_step(page, 7)
    press(page, "For teachers")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("heading", name="A lesson of 45 minutes").wait_for()
    assert "docs/server.md" in dialog.inner_text()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")


def test_what_the_first_step_asks_for_shows_what_it_promises(page, address, digits):
    page.goto(f"{address}/map?run=digits&ood=letters&tour=1&cell=conv_in@5")
    app_browser.settle(page)
    best = int(digits.table("best_cell").set_index("ood").loc["letters", "cell_index"])
    page.mouse.click(*app_browser.cell_position(page, "map", best))
    page.locator(".st-key-cell_panel").get_by_role("heading", name="up2.res0").wait_for()
    app_browser.settle(page)
    row = digits.auroc_map("letters").iloc[best]
    said = f"AUROC {row['auroc']:.3f} [{row['auroc_lo']:.3f}, {row['auroc_hi']:.3f}]"
    assert said in region(page).inner_text()
    assert said in page.locator(".st-key-cell_panel").inner_text()


def test_strolling_leaving_and_going_back_in_the_browser(page, address):
    page.goto(f"{address}/stability?run=digits&tour=8")
    wait_for_step(page, 8)
    page.get_by_role("link", name="Protocol", exact=True).click()
    page.get_by_text("This step is on the page Stability.").wait_for()
    app_browser.settle(page)
    press(page, "Go to this step")
    wait_for_step(page, 8)
    press(page, "Next step")
    wait_for_step(page, 9)
    page.go_back()
    wait_for_step(page, 8)
    press(page, "Leave")
    region(page).wait_for(state="detached")
    app_browser.settle(page)
    assert "tour" not in query(page)
    page.get_by_role("link", name="Start", exact=True).click()
    page.get_by_role("button", name="Resume the tour at step 8").click()
    wait_for_step(page, 8)


def test_words_open_by_the_keyboard(page, address):
    page.goto(f"{address}/triage?run=digits&ood=letters&tour=10")
    wait_for_step(page, 10)
    assert region(page).locator("abbr").first.get_attribute("title").startswith("One plus the number")
    press(page, "Words")
    page.get_by_text("In this step").wait_for()
    assert page.get_by_text("One plus the number of ID-test images that score at least as high").is_visible()
    page.keyboard.press("Escape")
    page.get_by_text("In this step").wait_for(state="hidden")


@pytest.mark.parametrize(("number", "scheme"), [(3, "light"), (9, "dark")])
def test_in_a_narrow_window_the_headline_stays_in_view(visitor, address, number, scheme):
    page = visitor(width=420, color_scheme=scheme)
    page.goto(f"{address}/{STEPS[number - 1].page}?run=digits&tour={number}")
    wait_for_step(page, number)
    assert page.locator("h1").bounding_box()["y"] < 500  # of 1000
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")


def test_in_a_wide_window_the_card_stays_in_view_and_hides_no_text(page, address):
    page.goto(f"{address}/separation?run=digits&ood=letters&cell=80&tour=5")
    wait_for_step(page, 5)
    text = region(page).locator("p").last.bounding_box()
    buttons = page.locator(".st-key-tour_buttons").bounding_box()
    assert buttons["y"] + buttons["height"] <= text["y"]
    page.get_by_role("radio", name="Heads").or_(
        page.get_by_text("Heads", exact=True)
    ).first.scroll_into_view_if_needed()
    page.mouse.wheel(0, 2_000)
    page.wait_for_timeout(500)
    assert 0 <= region(page).bounding_box()["y"] < 100
