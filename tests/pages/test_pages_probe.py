"""The probe page on the bundle: its numbers, and what a link restores."""

import numpy as np
import pytest
from film_steps import film
from page_steps import open_page, texts
from PIL import Image

from cfs_explore.headlines.probe import Scored, format_score, probe_headline, standing
from cfs_explore.probe.seen import share_below
from cfs_explore.ui import probe_film

DECODER = "up_blocks.1.resnets.2"

pytestmark = pytest.mark.usefixtures("short_films")


def shown(app) -> dict:
    """The level at which the film starts."""
    played = film(app)
    return played["frames"][played["lams"].index(played["start"])]


def test_a_link_restores_the_view_and_the_headline_says_the_stored_scores(digits):
    link = {"probe_a": "11", "probe_b": "99", "probe_lam": "1", "probe_draw": "2", "probe_decoder": DECODER}
    app = open_page("probe", run="digits", ood="letters", **link)
    tap = [t.name for t in digits.taps].index(DECODER)
    a = digits.scores("id_test")[11, 2, 4, tap]
    b = digits.scores("ood", "letters")[99, 2, 4, tap]
    against = digits.scores("id_test")[:, :, 4, tap].ravel()
    parts = [Scored("A", a, share_below(a, against)), Scored("B", b, share_below(b, against))]
    assert probe_headline("decoder tap up1.res2", 1.0, None, parts) in texts(app)
    level = shown(app)
    assert "a measured level, draw 2: scores of the set's images are those that the run has stored" in level["text"]
    assert level["name"] == "λ = 1.0"
    assert level["taps"][1]["said"] == [[format_score(part.score), standing(part.below)] for part in parts]
    rows = digits.images("ood", "letters", columns=("name", "label"))
    about = f"letters · {rows['label'].iloc[99]} · {rows['name'].iloc[99]}"
    assert [image["about"] for image in film(app)["images"]][1] == about


def test_the_film_has_the_stored_scores_at_every_measured_level(digits):
    app = open_page("probe", run="digits", ood="letters", probe_a="11", probe_b="99", probe_decoder=DECODER)
    tap, played = [t.name for t in digits.taps].index(DECODER), film(app)
    measured = [frame for frame in played["frames"] if frame["measured"]]
    assert sorted(frame["position"] for frame in measured) == list(range(len(digits.levels)))
    stored = [
        (digits.scores("id_test")[11, 0, at, tap], digits.scores("ood", "letters")[99, 0, at, tap])
        for at in (frame["position"] for frame in measured)
    ]
    np.testing.assert_allclose([frame["taps"][1]["score"] for frame in measured], stored, rtol=1e-4)
    assert [tick for tick in played["ticks"] if tick] == ["−5", "−3", "−1", "1", "3", "5", "7", "9.21"]


def test_the_histogram_is_that_of_the_level_whose_statistics_are_used(digits):
    app = open_page("probe", run="digits", ood="letters", probe_decoder=DECODER, probe_lam="4.25")
    position, tap = shown(app)["position"], film(app)["taps"][1]
    scores = digits.scores("id_test")[:, :, position, [t.name for t in digits.taps].index(DECODER)]
    reference = tap["references"][str(position)]
    edges = reference["edges"]
    counts, _ = np.histogram(scores.clip(edges[0] * (1 + 1e-6), edges[-1] * (1 - 1e-6)), edges)  # outer bins: the tails
    np.testing.assert_allclose(reference["shares"], counts / scores.size, atol=1.5 / scores.size)
    assert tap["range"][0] <= edges[0] and tap["range"][1] >= edges[-1]
    assert all("λ = 4.99" in caption for caption in reference["captions"])


def test_score_maps_have_one_scale_at_all_levels(digits):
    played = film(open_page("probe", run="digits", ood="noisy", probe_decoder=DECODER))
    for position, tap in enumerate(played["taps"]):
        frames = [frame["taps"][position] for frame in played["frames"]]
        score, deviation = tap["where"]["parts"]
        for k, part in enumerate((score, deviation)):
            high, peaks = ([frame[of][k] for frame in frames] for of in ("high", "peaks"))
            assert np.median(high) <= part["limits"][1] < 2.51 * max(3, np.median(high))
            assert part["ticks"][-1][1].startswith("≥") == (max(peaks) > part["limits"][1])
            assert part["limits"][0] < part["lines"][1] <= part["lines"][0] < part["limits"][1] or part is deviation
        assert score["limits"][0] == -score["limits"][1] and deviation["limits"][0] == 1
        assert f"adds more than {score['lines'][0]:g}" in tap["where"]["keys"][0][1]


def test_a_map_of_one_position_says_that_there_is_nothing_to_localise(digits):
    tap = digits.taps[0]
    frames = [{"shape": [1, 1], "peaks": [3.0, 1.0], "high": [3.0, 1.0]}]
    found = probe_film._where(tap, frames, frames)
    assert "one position" in found["note"] and not found["parts"]


def test_between_levels_the_nearest_statistics_are_named():
    app = open_page("probe", run="digits", probe_lam="4.25")
    assert "At **λ = 4.25**, against the ID statistics of λ = 5.0," in texts(app)
    assert "nearest measured level, λ = 4.99" in shown(app)["text"]


def test_a_slow_network_is_shown_at_the_measured_levels_and_the_page_says_so(digits):
    played = film(open_page("probe", run="digits", probe_lam="4.25"))
    assert len(played["lams"]) == len(digits.levels) + 1 and played["start"] == 4.25
    assert "Only the levels that the run measured" in played["note"]
    assert played["draws"]["frames"] == 20 * [None]


def test_level_draw_and_taps_move_the_numbers_and_the_address():
    app = open_page("probe", run="digits", ood="noisy")
    said = [texts(app)]
    app.session_state["probe_lam"] = -1.0  # as the film does when its slider is let go
    app.run()
    said.append(texts(app))
    app.session_state["probe_draw"] = 1  # as well
    app.run()
    said.append(texts(app))
    app.selectbox(key="probe_decoder").select("up_blocks.0.resnets.0").run()
    said.append(texts(app))
    assert not app.exception and len(set(said)) == 4
    values = {key: value[0] if isinstance(value, list) else value for key, value in app.query_params.items()}
    assert (values["probe_lam"], values["probe_draw"]) == ("-1", "1")
    assert values["probe_decoder"] == "up_blocks.0.resnets.0" and "up0.res0" in said[-1]


def test_charts_with_data_are_drawn_when_they_are_opened():
    app = open_page("probe", run="digits")
    assert not app.get("plotly_chart")
    app.session_state["probe_charts"] = True
    app.run()
    assert not app.exception and len(app.get("plotly_chart")) == 6


def test_the_browser_builds_anew_only_what_is_another_film():
    app = open_page("probe", run="digits", ood="letters")
    first = film(app)["film"]
    app.session_state["probe_draw"] = 1
    app.run()
    second = film(app)["film"]
    app.query_params["probe_lam"] = "3"
    app.run()
    assert first != second == film(app)["film"]
    assert (film(app)["start"], film(app)["draw"], film(app)["draws"]["lam"]) == (3.0, 1, 3.0)


@pytest.mark.parametrize(
    "left", [None, 3, [], {}, {"level": "x", "draw": [1]}, {"level": 4.0001, "draw": 20, "time": "1"}]
)
def test_what_the_sliders_cannot_stand_at_is_not_kept(left, monkeypatch):
    state = {"probe_film": {"left": left}, "probe_lam": 5.0, "probe_draw": 0}
    monkeypatch.setattr(probe_film.st, "session_state", state)
    probe_film._let_go([4.0, 5.0], 20)
    assert (state["probe_lam"], state["probe_draw"], state.get("probe_heard")) == (5.0, 0, None)


def test_where_the_sliders_were_left_is_kept(monkeypatch):
    state = {"probe_film": {"left": {"level": 4, "draw": 7, "time": 3}}}
    monkeypatch.setattr(probe_film.st, "session_state", state)
    probe_film._let_go([4.0, 5.0], 20)
    assert (state["probe_lam"], state["probe_draw"], state["probe_heard"]) == (4.0, 7, 3)


def test_another_set_starts_at_its_first_image():
    app = open_page("probe", run="digits", ood="letters", probe_b="99")
    app.selectbox(key="ood").select("noisy").run()
    assert not app.exception and app.session_state["probe_b"] == 0


def test_an_address_of_another_set_keeps_its_image():
    app = open_page("probe", run="digits", ood="letters", probe_b="99")
    app.query_params["ood"], app.query_params["probe_b"] = "noisy", "7"
    app.run()
    assert (app.session_state["ood"], app.session_state["probe_b"]) == ("noisy", 7)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"probe_lam": "5.1", "probe_a": "-3", "probe_b": "9999"},
        {"probe_lam": "x", "probe_draw": "1e9", "ood": "nobody"},
    ],
)
def test_nonsense_in_the_address_falls_back(nonsense, digits):
    app = open_page("probe", run="digits", **nonsense)
    assert app.session_state["probe_lam"] == 5.0 and app.session_state["probe_draw"] == 0
    assert app.session_state["ood"] == digits.ood_names[0]
    assert app.session_state["probe_b"] in range(digits.entry("ood", digits.ood_names[0]).count)


@pytest.mark.parametrize("good", [True, False])
def test_an_upload_takes_the_place_of_b_or_says_what_is_wrong(good, tmp_path):
    content = tmp_path / "<b>mine.png"
    Image.fromarray(np.full((40, 20, 3), 200, np.uint8)).save(content)
    data_bytes = content.read_bytes() if good else b"no picture"
    app = open_page("probe", run="digits", ood="letters")
    app.file_uploader(key="probe_upload").upload("<b>mine.png", data_bytes, "image/png").run()
    assert not app.exception
    about = film(app)["images"][1]["about"]
    if good:
        assert about == "your image · <b>mine.png"
    else:
        assert "not an image" in texts(app) and about.startswith("letters")
