"""The images page: a point, a place in the gallery and a row of the file are the image that they say."""

import base64
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from page_steps import forget_digests, open_page, texts

from cfs_explore.embedding import snapshot_features
from cfs_explore.locations import BUNDLES
from cfs_explore.pipeline import explore
from cfs_explore.store import open_run
from cfs_explore.store.slim import drop_snapshots
from cfs_explore.ui import images_points
from cfs_explore.wording import format_estimate

COLUMNS = ["image_id", "set", "name", "label", "score"]


@pytest.fixture(scope="module")
def measured(tiny_folder, write_images, tmp_path_factory):
    """A run of 12 ID-test images, 9 OOD images whose pictures are nowhere any more, and a single one."""
    sets = {seed: str(write_images(n, "npz", seed=seed, shift=60)) for seed, n in ((2, 9), (3, 1))}
    spec = {
        "name": "small",
        "backbone": str(tiny_folder),
        "id": {
            "train": {"name": "ramps", "source": str(write_images(30, seed=1))},
            "test": {"name": "held out", "source": str(write_images(12, seed=4))},
        },
        "ood": [
            {"name": "bright", "source": sets[2], "thumbnails": False},
            {"name": "single", "source": sets[3]},
        ],
        "levels": [5.0, -1.0],
        "draws": 2,
        "diagnostics": [],
    }
    run = explore(spec, tmp_path_factory.mktemp("small") / "small", device="cpu")
    Path(sets[2]).unlink()
    return run


@pytest.fixture
def only(only_runs, tmp_path):
    """Let the app see one run alone, in a copy."""

    def show(path, name):
        home = tmp_path / "runs"
        ignored = shutil.ignore_patterns("embedding", "backbone")
        only_runs(home)
        return open_run(shutil.copytree(path, home / name, ignore=ignored))

    return show


@pytest.fixture
def digits(only):
    return only(BUNDLES / "digits", "digits")


@pytest.fixture
def small(only, measured):
    return only(measured.path, "small")


def grid(app, name="cfs_picture_grid", last=True) -> dict:
    """What the gallery (the last grid), or the neighbours' one, was given."""
    found = [each.proto for each in app.get("bidi_component") if each.proto.component_name == name]
    return json.loads(found[-1 if last else 0].json)


def chart(app) -> dict:
    return json.loads(app.get("plotly_chart")[0].proto.spec)


def table_of(run, *oods) -> pd.DataFrame:
    """Every image of these sets with the score of CFS(1x2), from the run itself, by its row in images.parquet."""
    stored = pd.read_parquet(run.path / "images.parquet")
    detectors = run.table("detectors")
    cells = [int(i) for i in detectors[detectors["name"] == "CFS(1x2)"]["cell_indices"].iloc[0]]
    parts = []
    for role, name in [("id_test", None), *(("ood", name) for name in oods)]:
        entry = run.entry(role, name)
        scores = run.scores(role, name).mean(axis=1, dtype=float).reshape(entry.count, -1)[:, cells].mean(axis=1)
        part = stored.iloc[entry.start : entry.start + entry.count]
        parts.append(part.assign(row=part.index, score=scores, set=entry.name))
    return pd.concat(parts)


def select(app, rows):
    app.session_state["images_selected"] = [int(row) for row in rows]
    app.run()
    assert not app.exception
    return app


def test_the_gallery_shows_exactly_the_selection_by_score_page_by_page(digits):
    table = table_of(digits, "letters", "noisy")
    chosen = table.sample(130, random_state=0)
    app = select(open_page("images", run="digits", images_sets="6.1"), chosen["row"])
    assert "130 of 921 images selected" in texts(app)
    for order, ascending in (("high", False), ("low", True)):
        app.button_group(key="images_order").set_value(order).run()
        expected = chosen.sort_values("row").sort_values("score", ascending=ascending, kind="stable")
        shown = []
        for number in (1, 2, 3):
            (pages,) = app.get("pagination")
            assert pages.proto.num_pages == 3
            app.session_state[pages.key] = number
            app.run()
            shown += grid(app)["items"]
            assert len(grid(app)["items"]) == (48 if number < 3 else 34)
        assert [(item["image_id"], item["set"]) for item in shown] == list(
            expected[["image_id", "set"]].itertuples(index=False, name=None)
        )
        for item, row in zip(shown, expected.to_dict("records"), strict=True):
            assert base64.b64decode(item["png"]) == row["thumbnail"]
            assert item["score"] == f"{row['score']:#.3g}" and row["name"] in item["about"]


def test_a_set_that_is_not_shown_leaves_the_gallery(digits):
    table = table_of(digits, "letters", "noisy")
    app = select(open_page("images", run="digits", images_sets="1.6"), table.groupby("set")["row"].first())
    assert len(grid(app)["items"]) == 3
    app.multiselect(key="images_sets").set_value([6]).run()
    assert {item["set"] for item in grid(app)["items"]} == {"digits 0-6", "noisy"}
    app.multiselect(key="images_sets").set_value([]).run()
    assert [item["set"] for item in grid(app)["items"]] == ["digits 0-6"]
    assert "is shown: choose an OOD set" in texts(app)
    app = select(app, [digits.entry("ood", "letters").start])
    assert "None of the selected images is in the sets that are shown" in texts(app)
    app.button(key="images_all").click().run()
    assert "All 421 images" in texts(app) and app.session_state["images_selected"] is None


def test_the_file_holds_the_selection_in_its_order(digits):
    table = table_of(digits, "letters")
    chosen = table.sample(20, random_state=1)
    points = table.drop(columns="set")  # with the name in `dataset`, as the page has it
    content = images_points.selection_csv(images_points.gallery_rows(points, set(chosen["row"]), "low"))
    found = pd.read_csv(io.StringIO(content), dtype={"image_id": str, "label": str})
    assert list(found) == COLUMNS
    expected = chosen.sort_values("score")
    assert list(found["image_id"]) == list(expected["image_id"]) and list(found["set"]) == list(expected["set"])
    assert found["score"].to_numpy() == pytest.approx(expected["score"].to_numpy())


def test_points_are_the_images_that_they_say(digits):
    """The chart's customdata, hover and colour belong to one image of images.parquet."""
    table = table_of(digits, "letters").set_index("row")
    spec = chart(open_page("images", run="digits", ood="letters", images_colour="score"))
    seen = {}
    for trace in spec["data"]:
        if "customdata" in trace:
            seen |= dict(
                zip(trace["customdata"], zip(trace["hovertext"], trace["marker"]["color"], strict=True), strict=True)
            )
    assert sorted(seen) == sorted(table.index)
    for row, (hover, score) in seen.items():
        assert hover.startswith(f"<b>{table.loc[row, 'name']}</b>") and score == pytest.approx(table.loc[row, "score"])


def test_the_picked_image_and_its_neighbours_are_the_right_ones(digits):
    """Neighbours as a plain computation on the stored snapshots finds them; an ID image is not its own neighbour."""
    table = table_of(digits, "letters").set_index("row")
    of_id = snapshot_features(digits, digits.manifest.kept["taps"], "id_test").astype(float)
    for row in (digits.entry("ood", "letters").start + 17, digits.id_test.start + 5):
        app = open_page("images", run="digits", ood="letters", images_picked=str(row))
        assert table.loc[row, "name"] in texts(app) and f"image_id {table.loc[row, 'image_id']}" in texts(app)
        role, name, position = images_points.locate(digits, row)
        own = snapshot_features(digits, digits.manifest.kept["taps"], role, name)[position].astype(float)
        distances = np.linalg.norm(of_id - own, axis=1)
        order = [i for i in np.argsort(distances) if digits.id_test.start + i != row][:12]
        items = grid(app, last=False)["items"]
        assert [item["row"] for item in items] == [digits.id_test.start + i for i in order]
        assert [item["score"] for item in items] == [f"{distances[i]:#.3g}" for i in order]
        (frame,) = chart(app)["layout"]["annotations"]
        at = {}
        for trace in chart(app)["data"]:
            at |= dict(zip(trace["customdata"], zip(trace["x"], trace["y"], strict=True), strict=True))
        assert (frame["x"], frame["y"]) == pytest.approx(at[row], abs=1e-4)
        assert grid(app)["picked"] == row


def test_an_address_restores_the_view_and_follows_it(digits):
    row = digits.entry("ood", "noisy").start
    view = {"images_sets": "1.6", "images_taps": "6", "images_colour": "sharpness", "images_picked": str(row)}
    app = open_page("images", run="digits", **view)
    assert app.multiselect(key="images_sets").value == [1, 6] and app.multiselect(key="images_taps").value == [6]
    assert app.selectbox(key="images_colour").value == "sharpness" and app.session_state["images_picked"] == row
    assert "Snapshots of down1.res1 at λ 5.0" in texts(app)
    app.button(key="images_close").click().run()
    app.selectbox(key="images_colour").select("label").run()
    assert "No image picked" in texts(app)
    assert app.query_params["images_picked"] in ("none", ["none"])
    assert app.query_params["images_colour"] in ("label", ["label"])


@pytest.mark.parametrize(
    "nonsense",
    [
        {"images_sets": "99", "images_taps": "0", "images_picked": "0"},  # a tap that was not kept, an ID-train image
        {"images_sets": "x", "images_taps": "x", "images_picked": "999999", "images_method": "tsne"},
        {"images_picked": "-1", "images_colour": "taste", "images_neighbors": "7", "images_min_dist": "nan"},
    ],
)
def test_nonsense_in_the_address_falls_back(digits, nonsense):
    app = open_page("images", run="digits", ood="letters", **nonsense)
    assert app.session_state["images_sets"] == [1] and app.session_state["images_picked"] is None
    assert len(app.session_state["images_taps"]) == 2 and app.session_state["images_method"] == "pca"
    assert app.session_state["images_neighbors"] == 15 and app.session_state["images_min_dist"] == 0.1


def test_the_headline_is_of_snapshot_space(digits):
    features = [
        snapshot_features(digits, digits.manifest.kept["taps"], *which) for which in (("id_test",), ("ood", "flipped"))
    ]
    both = np.concatenate(features).astype(float)
    distances = np.linalg.norm(both[421:, None] - both[None], axis=2)
    distances[np.arange(250), 421 + np.arange(250)] = np.inf
    share = (distances.argmin(axis=1) < 421).mean()
    app = open_page("images", run="digits", ood="flipped")
    assert f"**{format_estimate(share)} [" in texts(app) and f"{421 / 670:.3f} in a random mix" in texts(app)


def test_few_id_images_have_pca_and_the_page_says_why(small):
    app = open_page("images", run="small", images_method="umap")
    assert "UMAP needs at least 15 ID images to be fitted, and held out has 12: PCA is shown instead" in texts(app)
    assert "PCA fitted on ID-test" in texts(app) and app.get("plotly_chart")


def test_sets_without_pictures_and_single_images(small):
    """The gallery keeps an empty place for each, and says where pictures are missing."""
    app = open_page("images", run="small", images_sets="0.1")
    assert "The images of bright are not part of this exploration" in texts(app)
    items = grid(app)["items"]
    assert len(items) == 22 and {item["set"] for item in items if not item["png"]} == {"bright"}
    app = open_page("images", run="small", images_sets="1")
    assert "needs at least two images" in texts(app)


def test_names_from_users_are_harmless(small):
    table = pd.read_parquet(small.path / "images.parquet")
    table["name"] = "<img src=x onerror=alert(1)> **bold**"
    table.to_parquet(small.path / "images.parquet", index=False)
    forget_digests(small.path)
    row = small.entry("ood", "single").start
    app = open_page("images", run="small", images_sets="1", images_picked=str(row))
    (heading,) = [each.value for each in app.header if "bold" in each.value]
    assert r"\*\*bold" in heading and r"\<img" in heading
    hovers = [text for trace in chart(app)["data"] for text in trace.get("hovertext", [])]
    assert hovers and not any("<img" in text for text in hovers)


def test_a_run_without_snapshots_says_what_to_run(small):
    drop_snapshots(small.path, everything=True)
    app = open_page("images", run="small")
    assert "Name taps under `keep` in the spec" in texts(app) and not app.get("plotly_chart")
    assert "keep: sparse_ed" in app.code[0].value


@pytest.mark.usefixtures("routed")
@pytest.mark.parametrize("sets", ["letters,flipped", "letters,noisy", "noisy,rotated"])
def test_another_exploration_keeps_the_sets_of_those_names_or_says_that_it_has_none(sets):
    narrow = open_run(BUNDLES / "digits-narrow")
    app = open_page("images", run="digits", images_sets=sets)
    app.session_state["run"] = "digits-narrow"
    app.query_params.pop("images_sets", None)
    app.run()
    assert not app.exception
    kept = [name for name in sets.split(",") if name in narrow.ood_names]
    lost = [name for name in sets.split(",") if name not in kept]
    shown = [narrow.ood_names[index] for index in app.multiselect(key="images_sets").value]
    assert shown == kept or (not kept and len(shown) == 1)
    assert (f"has no OOD set {', '.join(lost)}, shown before" in texts(app)) == bool(lost)
