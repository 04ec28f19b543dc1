"""The page of one image: the stored numbers, the ways through a set, its address, and what may be missing."""

import base64
from urllib.parse import parse_qsl

import numpy as np
import pytest
from page_steps import open_page, texts

from cfs_explore.charts import short_tap_name
from cfs_explore.figures.image import is_kept
from cfs_explore.pipeline import explore
from cfs_explore.ui import image_data, image_view
from cfs_explore.ui.image_link import image_link, image_query
from cfs_explore.wording import format_value


@pytest.fixture(scope="module")
def small(tiny_spec, tmp_path_factory):
    """A run without presets and without kept snapshots, and with a set of a name that needs care in addresses."""
    few = {"taps": ["mid_block.resnets.0", "conv_act"], "keep": "none", "levels": [5.0, 1.0], "draws": 1}
    spec = tiny_spec(24, 5, name="small", diagnostics=[], **few)
    spec["ood"][0]["name"] = "a+b (50 c)"
    return explore(spec, tmp_path_factory.mktemp("image") / "small", device="cpu")


@pytest.fixture
def only_small(small, only_runs):
    only_runs(small.path.parent)
    return small


def opened(run, role: str, name: str, row: int, **more):
    image_id = run.images(role, name)["image_id"].iloc[row]
    return open_page("image", **image_query(run, role, name, image_id), **more)


def cells_of(app):
    return next(frame.value for frame in app.dataframe if "id_median" in frame.value and "tap" in frame.value)


def detectors_of(app):
    return next(frame.value for frame in app.dataframe if "draws" in frame.value)


def says(app, key: str, value: str) -> bool:
    return app.query_params[key] in (value, [value])


@pytest.mark.parametrize(("role", "name"), [("ood", "letters"), ("id_test", "digits 0-6")])
def test_the_image_of_the_address_with_its_stored_scores(digits, role, name):
    app = opened(digits, role, name, 17, cell="50")
    scores = digits.scores(role, None if role == "id_test" else name)[17].astype(float)
    reference = digits.scores("id_test").astype(float).mean(axis=1)
    if role == "id_test":
        reference = np.delete(reference, 17, axis=0)
    cells = cells_of(app)
    assert len(cells) == 8 * 29 and set(cells["n_id"]) == {421 if role == "ood" else 420}
    for row in cells.iloc[::37].itertuples():
        mine, others = scores[:, row.level, row.tap_index], reference[:, row.level, row.tap_index]
        assert row.score == pytest.approx(mine.mean(), rel=1e-5)
        assert row.id_median == pytest.approx(np.median(others), rel=1e-5)
        assert row.percentile == pytest.approx(100 * (others < mine.mean()).mean(), abs=0.15)
        assert (row.draw_min, row.draw_max) == (mine.min(), mine.max())
    detectors = detectors_of(app)
    cell = f"{short_tap_name(digits.taps[50 - 29].name)} @ λ {digits.levels[1].lam:.1f}"
    assert detectors["name"].tolist() == ["CFS(1x2)", "CFS-dec(1x1)", cell]
    called = digits.images(role, name)["name"].iloc[17]
    assert f"**{called}**" in texts(app)
    first = detectors["percentile"].iloc[0]
    assert f"CFS(1x2) puts it at percentile **{format_value(first, 1)}**" in texts(app)


def test_it_opens_with_the_set_that_the_address_shows(digits):
    app = open_page("image", run="digits", ood="letters")
    assert app.session_state["set"] == "letters" and says(app, "set", "letters")
    app = open_page("image", run="digits", ood="letters", set="rotated")
    assert app.session_state["set"] == "rotated"


def test_the_picture_is_the_images_own(digits):
    app = opened(digits, "ood", "letters", 3)
    rows = digits.images("ood", "letters", columns=("name", "thumbnail"))
    body = next(each.proto.body for each in app.get("html") if 'class="cfs-picture"' in each.proto.body)
    assert base64.b64encode(rows["thumbnail"].iloc[3]).decode() in body and rows["name"].iloc[3] in body


def test_previous_and_next_walk_through_the_set(digits):
    ids = digits.images("ood", "letters")["image_id"].tolist()
    app = opened(digits, "ood", "letters", 0)
    assert app.button(key="image_before").disabled
    for key, row in (("image_after", 1), ("image_after", 2), ("image_before", 1)):
        app.button(key=key).click().run()
        assert not app.exception and app.session_state["image"] == ids[row] and says(app, "image", ids[row])
    assert opened(digits, "ood", "letters", len(ids) - 1).button(key="image_after").disabled


def test_another_set_starts_at_its_first_image(digits):
    app = opened(digits, "ood", "letters", 5)
    app.selectbox(key="image_set").select(("id_test", "digits 0-6")).run()
    assert not app.exception and says(app, "role", "id_test") and says(app, "set", "digits 0-6")
    assert says(app, "image", digits.images("id_test")["image_id"].iloc[0])
    assert "420 other ID-test images" in texts(app)


def test_the_list_finds_an_image_by_its_id_and_name(digits):
    app = opened(digits, "ood", "letters", 0)
    rows = digits.images("ood", "letters")
    assert f"{rows['name'].iloc[9]} · {rows['image_id'].iloc[9]}" in app.selectbox(key="image").options
    app.selectbox(key="image").select(rows["image_id"].iloc[9]).run()
    assert says(app, "image", rows["image_id"].iloc[9])


def test_a_large_set_is_searched_by_text_first(digits, monkeypatch):
    monkeypatch.setattr(image_view, "_LISTED", 20)
    app = opened(digits, "ood", "letters", 0)
    app.text_input(key="image_search").input("letters/e").run()
    assert not app.exception
    options = app.selectbox(key="image").options
    assert len(options) <= 21 and all("letters/e" in each.lower() for each in options[1:]) and len(options) > 2
    wanted = digits.images("ood", "letters")["image_id"].iloc[200]
    app.text_input(key="image_search").input(wanted[:9]).run()
    assert any(wanted in each for each in app.selectbox(key="image").options)


@pytest.mark.parametrize("value", ["percentile", "ratio"])
def test_both_readings_of_the_map(digits, value):
    app = opened(digits, "ood", "noisy", 0, image_value=value)
    said = {"percentile": "percentage of them that score lower", "ratio": "divided by their median"}
    assert said[value] in texts(app)
    assert app.session_state["image_value"] == value


def test_a_kept_cell_shows_the_features_that_carry_its_score(digits):
    level = digits.manifest.kept["level"]
    names = [tap.name for tap in digits.taps]
    for tap in digits.manifest.kept["taps"]:
        cell = level * len(names) + names.index(tap)
        app = opened(digits, "ood", "letters", 4, cell=str(cell))
        table = next(frame.value for frame in app.dataframe if "pooling" in frame.value)
        stored = digits.scores("ood", "letters")[4, 0, level, names.index(tap)]
        assert table["square"].mean() == pytest.approx(stored, rel=0.02)
        assert len(table) == 2 * digits.taps[names.index(tap)].channels
        means = table[table["pooling"] == "mean"]["square"].sum() / table["square"].sum()
        assert f"means carry {100 * means:.0f} % of it" in texts(app)


def test_a_cell_without_snapshots_says_what_to_run_and_leads_to_one_that_has_them(digits):
    app = opened(digits, "id_test", "digits 0-6", 2, cell="0")
    assert "were not kept" in texts(app) and "keep" in texts(app)
    next(each for each in app.button if each.label.startswith("Open ")).click().run()
    assert not app.exception and "were not kept" not in texts(app)
    assert is_kept(digits, app.session_state["cell"])


def test_a_run_without_presets_or_kept_snapshots(only_small):
    run = only_small
    app = opened(run, "ood", run.ood_names[0], 1)
    assert "were not kept" in texts(app) and not [each for each in app.button if each.label.startswith("Open ")]
    assert detectors_of(app)["name"].tolist() == ["mid.res0 @ λ 5.0"]
    assert cells_of(app)["draw_sd"].isna().all()


def test_a_link_leads_to_the_image_whatever_the_sets_name(only_small):
    run, name = only_small, only_small.ood_names[0]
    image_id = run.images("ood", name)["image_id"].iloc[3]
    page, query = image_link(run, "ood", name, image_id).split("?", 1)
    assert page == "image"
    app = open_page("image", **dict(parse_qsl(query, strict_parsing=True)))
    assert (app.session_state["set"], app.session_state["image"]) == (name, image_id)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"role": "id_train"},
        {"set": "nobody"},
        {"image": "0123"},
        {"role": "id_test", "set": "letters"},
        {"cell": "9999"},
        {"image_value": "pie"},
    ],
)
def test_nonsense_in_the_address_falls_back(digits, nonsense):
    app = open_page("image", **{"run": "digits", **nonsense})
    role, name = app.session_state["role"], app.session_state["set"]
    assert (role, name) in image_data.sets(digits)
    assert app.session_state["image"] in set(digits.images(role, name)["image_id"])
    assert app.session_state["cell"] in range(232) and app.session_state["image_value"] == "percentile"
