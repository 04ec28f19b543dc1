"""The probe in a real headless browser: the film is played by hand, and pictures, scores and address follow."""

import io

import pytest
from browser_steps import wait_for_query

pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
import app_browser
from PIL import Image
from playwright.sync_api import expect

from cfs_explore.headlines.probe import format_lam, format_score

LINK = "probe?run=digits&ood=letters&probe_a=11&probe_b=99"

#: Pixels of the canvases, and texts, as they are now.
SEEN = """() => {
  const film = document.querySelector('.st-key-probe_film [data-testid=stBidiComponentIsolated]').shadowRoot;
  const all = (selector, read) => [...film.querySelectorAll(selector)].map(read);
  const pixels = (canvas) => canvas.toDataURL(), text = (element) => element.textContent;
  return {
    lam: film.querySelector('#level').getAttribute('aria-valuetext'),
    draw: film.querySelector('#draw').getAttribute('aria-valuetext'),
    value: film.querySelector('.value').textContent,
    x0: all('.strip figure:nth-of-type(1) canvas', pixels),
    noisy: all('.strip figure:nth-of-type(2) canvas', pixels),
    guess: all('.strip figure:nth-of-type(3) canvas', pixels),
    where: all('.where figure canvas.map', pixels),
    lines: all('.where figure .solid.ink', (path) => path.getAttribute('d')),
    said: all('.where .stack[role=img]', (stack) => stack.ariaLabel),
    maps: all('.maps canvas', pixels),
    z: all('.maps figcaption', text),
    scores: all('li b', text),
    marks: all('.marks', (svg) => svg.ariaLabel),
    bars: all('.bars path:is(.id, .ood)', (path) => path.getAttribute('d')),
    unnamed: all('canvas:not([aria-hidden] *, [aria-hidden]), [role=img]', (each) => each.ariaLabel)
      .filter((name) => !name).length,
  };
}"""


def headline(page) -> str:
    return page.locator("[data-testid=stMain] [data-testid=stMarkdownContainer] p").first.inner_text()


#: Whether the levels between the measured ones are there, too, or are too slow on this machine.
WHOLE = """() => {
  const film = document.querySelector('.st-key-probe_film [data-testid=stBidiComponentIsolated]').shadowRoot;
  return film.querySelector('#level').max > 20 || film.querySelector('.note').textContent;
}"""


def settle(page) -> None:
    """Until the whole film can be played; the first one loads the network."""
    page.locator(".maps").nth(1).wait_for(timeout=180_000)
    page.wait_for_function(WHOLE, timeout=120_000)
    app_browser.settle(page, 180)


def open_probe(page, address: str, link: str = LINK) -> None:
    page.goto(f"{address}/{link}")
    settle(page)


@pytest.fixture
def slider(page, address):
    open_probe(page, address)
    slider = page.get_by_role("slider", name="Noise level λ, from noisy to clean")
    slider.focus()
    return slider


def test_keys_redraw_all_in_the_browser_and_the_app_follows_when_the_slider_is_let_go(page, slider):
    before, said, link = page.evaluate(SEEN), headline(page), page.url
    parts = ("x0", "noisy", "where", "said", "maps", "scores", "bars")
    assert [len(before[part]) for part in parts] == [2, 2, 8, 8, 32, 4, 8]
    assert before["lam"] == before["value"] == "λ = 5.0" and before["unnamed"] == 0
    page.keyboard.down("ArrowLeft")
    page.keyboard.down("ArrowLeft")
    page.wait_for_timeout(800)  # the key is still down: nothing has gone to the app
    after = page.evaluate(SEEN)
    assert (headline(page), page.url) == (said, link)
    assert after["x0"] == before["x0"] and after["lam"] == after["value"] != before["lam"]
    for part in ("noisy", "where", "said", "maps", "scores", "marks", "bars"):
        assert not set(after[part]) & set(before[part]), part
    assert after["guess"] != before["guess"] and after["z"] != before["z"]
    page.keyboard.up("ArrowLeft")
    lam = after["lam"].removeprefix("λ = ")
    wait_for_query(page, probe_lam=f"{float(lam):g}")
    app_browser.settle(page)
    assert f"At λ = {lam}" in headline(page) and after["scores"][3] in headline(page)
    assert page.evaluate(SEEN) == after


def test_scores_at_measured_levels_are_the_stored_ones_and_a_link_restores_them(page, address, slider, digits):
    taps = [[t.name for t in digits.taps].index(tap) for tap in digits.manifest.presets["sparse_ed"]]
    stored = {}
    for level, measured in enumerate(digits.levels):
        both = [digits.scores("id_test")[11, 0, level], digits.scores("ood", "letters")[99, 0, level]]
        stored[format_lam(measured.requested)] = [format_score(scores[tap]) for tap in taps for scores in both]
    assert page.evaluate(SEEN)["scores"] == stored["5.0"]
    for _ in range(40):
        page.keyboard.press("ArrowLeft")
        if slider.get_attribute("aria-valuetext") == "λ = −1.0":
            break
    wait_for_query(page, probe_lam="-1")
    app_browser.settle(page)
    shown = page.evaluate(SEEN)
    assert shown["scores"] == stored["−1.0"]
    said, link = headline(page), page.url
    page.goto("about:blank")
    page.goto(link)
    settle(page)
    assert page.evaluate(SEEN) == shown and headline(page) == said


def test_score_maps_say_their_values_to_pointer_keys_and_screen_readers(page, slider, digits):
    said, readout = page.evaluate(SEEN)["said"], page.locator(".where .readout").first
    score = page.evaluate(SEEN)["scores"][0]
    assert said[0].startswith(f"A, Adds to the score, λ = 5.0: score {score}; strongest at ")
    assert said[1].startswith("A, Deviation, λ = 5.0: mean ") and readout.inner_text().startswith("Strongest: row ")
    stack = page.locator(".where .stack[role=img]").first
    stack.scroll_into_view_if_needed()
    box = stack.bounding_box()
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.9 * box["height"])
    expect(readout).to_contain_text("row 8, column 1 of 8 × 8: A adds ")
    assert page.locator(".where .ring:visible").count() == 4  # the same position in all maps of the tap
    assert all(" row 8, column 1 of 8 × 8: " in label for label in page.evaluate(SEEN)["said"][:4])
    page.mouse.move(2, 2)
    expect(readout).to_contain_text("Strongest: ")
    stack.press("ArrowUp")  # begins at the strongest
    first = readout.inner_text()
    stack.press("ArrowDown")
    stack.press("ArrowLeft")
    assert "row " in first and readout.inner_text() != first and page.evaluate(SEEN)["lam"] == "λ = 5.0"


def test_the_strength_of_all_score_maps_is_one(page, slider):
    first, second = page.get_by_role("slider", name="Strength").all()
    first.focus()
    first.press("Home")
    shown = page.locator(".where figure canvas.map").evaluate_all(
        "(maps) => maps.map((map) => getComputedStyle(map).opacity)"
    )
    assert shown == ["0"] * 8 and second.input_value() == "0"
    slider.press("ArrowLeft")
    assert page.evaluate(SEEN)["lam"] != "λ = 5.0" and first.input_value() == "0"


def test_back_and_forward_move_the_slider(page, slider):
    before = slider.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    after = slider.get_attribute("aria-valuetext")
    wait_for_query(page, probe_lam=f"{float(after.removeprefix('λ = ')):g}")
    app_browser.settle(page)
    page.go_back()
    expect(slider).to_have_attribute("aria-valuetext", before)
    app_browser.settle(page)
    page.go_forward()
    expect(slider).to_have_attribute("aria-valuetext", after)
    assert before != after


def test_draws_are_slid_in_the_browser_and_the_film_follows_when_the_slider_is_let_go(page, slider, digits):
    before, said, link = page.evaluate(SEEN), headline(page), page.url
    assert before["draw"] == "0 (the run’s own)"
    page.get_by_role("slider", name="Noise draw").focus()
    page.keyboard.down("ArrowRight")
    page.keyboard.down("ArrowRight")
    page.wait_for_timeout(800)  # the key is still down: nothing has gone to the app
    after = page.evaluate(SEEN)
    assert (headline(page), page.url) == (said, link)
    assert (after["x0"], after["lam"], after["draw"]) == (before["x0"], before["lam"], "2 (the run’s own)")
    for part in ("noisy", "guess", "where", "said", "maps", "scores", "marks", "bars"):
        assert not set(after[part]) & set(before[part]), part
    both = digits.scores("id_test")[11, 2, 2], digits.scores("ood", "letters")[99, 2, 2]
    taps = [[t.name for t in digits.taps].index(tap) for tap in digits.manifest.presets["sparse_ed"]]
    assert after["scores"] == [format_score(scores[tap]) for tap in taps for scores in both]
    page.keyboard.up("ArrowRight")
    wait_for_query(page, probe_draw="2")
    settle(page)
    assert page.evaluate(SEEN) == after
    slider.focus()
    page.keyboard.down("ArrowLeft")  # the levels between are of that draw now
    moved = page.evaluate(SEEN)
    assert moved["draw"] == after["draw"] and moved["lam"] != after["lam"]
    assert not set(moved["noisy"]) & set(after["noisy"])
    page.keyboard.up("ArrowLeft")


def test_a_draw_that_was_gone_back_from_can_be_chosen_again(page, slider):
    draw = page.get_by_role("slider", name="Noise draw")
    said = headline(page)
    draw.press("ArrowRight")
    wait_for_query(page, probe_draw="1")
    settle(page)
    then = headline(page)
    page.go_back()
    expect(draw).to_have_attribute("aria-valuetext", "0 (the run’s own)")
    settle(page)
    assert headline(page) == said != then
    draw.press("ArrowRight")
    wait_for_query(page, probe_draw="1")
    settle(page)
    assert headline(page) == then


def test_a_film_that_arrives_while_a_slider_is_held_leaves_it_there(page, slider):
    page.get_by_role("slider", name="Noise draw").press("ArrowRight")
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.3 * box["width"], middle)
    page.mouse.down()
    held = slider.get_attribute("aria-valuetext")
    wait_for_query(page, probe_draw="1")
    settle(page)
    assert slider.get_attribute("aria-valuetext") == held != "λ = 5.0"
    page.mouse.up()
    wait_for_query(page, probe_draw="1", probe_lam=f"{float(held.removeprefix('λ = ').replace('−', '-')):g}")
    settle(page)
    assert page.evaluate(SEEN)["lam"] == held and held in headline(page)


def test_what_the_app_has_not_made_yet_waits_until_the_slider_is_let_go(page, slider):
    page.keyboard.down("ArrowLeft")
    lam = slider.get_attribute("aria-valuetext").removeprefix("λ = ")
    draw = page.get_by_role("slider", name="Noise draw")
    draw.focus()
    page.keyboard.down("ArrowRight")
    expect(page.get_by_text("Let go of the slider to see this.")).to_be_visible()
    page.keyboard.up("ArrowRight")
    page.keyboard.up("ArrowLeft")
    wait_for_query(page, probe_draw="1", probe_lam=f"{float(lam):g}")
    settle(page)
    expect(page.get_by_text("Let go of the slider to see this.")).to_be_hidden()
    assert page.evaluate(SEEN)["draw"] == "1 (the run’s own)"


def test_play_runs_to_the_cleanest_level_and_tells_the_app(page, slider):
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    last = page.evaluate(SEEN)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    assert page.evaluate(SEEN)["lam"] == "λ = 9.21" != last["lam"]
    wait_for_query(page, probe_lam="9.21")


def test_whoever_wants_less_motion_gets_no_play_button(visitor, address):
    page = visitor(reduced_motion="reduce")
    open_probe(page, address)
    assert not page.locator(".play").is_visible() and page.get_by_role("slider", name="Noise level").is_visible()


def test_an_uploaded_name_is_text(page, address):
    open_probe(page, address)
    picture = io.BytesIO()
    Image.new("L", (16, 16), 90).save(picture, "PNG")
    page.get_by_role("button", name="Upload").first.click()
    upload = {"name": "<img src=x onerror=alert(1)>.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    page.locator("input[type=file]").set_input_files(upload)
    page.locator(".about", has_text="<img src=x onerror=alert(1)>.png").wait_for(timeout=120_000)
    assert page.locator(".film img").count() == 0


def test_the_table_behind_a_figure_is_filled_when_it_is_opened(page, address):
    open_probe(page, address)
    assert page.locator("[data-testid=stPlotlyChart]").count() == 0
    page.locator("summary", has_text="Charts with data and files").click()
    page.locator(".st-key-probe_decoder_z_table").wait_for(timeout=60_000)
    app_browser.settle(page)
    assert page.locator("[data-testid=stPlotlyChart]").count() == 6
    assert page.get_by_role("button", name="CSV").count() == 0
    page.locator(".st-key-probe_decoder_z_table button").first.click()
    with page.expect_download(timeout=60_000) as waiting:
        page.get_by_role("button", name="CSV", exact=True).click()
    lines = waiting.value.path().read_text().splitlines()
    assert lines[0] == "image,channel,pooling,value,z" and len(lines) == 1 + 2 * 2 * 64


def test_narrow_and_dark(visitor, address):
    page = visitor(width=420, color_scheme="dark")
    open_probe(page, address)
    assert page.locator("[data-testid=stException], [data-testid=stAlert]").count() == 0
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    sides = page.locator(".strip").evaluate_all("(strips) => strips.map((strip) => strip.getBoundingClientRect().left)")
    assert sides[0] == sides[1]
