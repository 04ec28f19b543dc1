"""The start page: a real map with what it says, and a card for every exploration."""

import base64
import io
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from page_steps import button, forget_digests, open_page, texts
from PIL import Image

from cfs_explore.charts.colour_scale import diverging_colour
from cfs_explore.figures.map import headline, opening
from cfs_explore.figures.probe import typical
from cfs_explore.headlines.map import first_set
from cfs_explore.locations import BUNDLES
from cfs_explore.store import find_runs, open_run
from cfs_explore.ui.small_map import glance


@pytest.fixture(scope="module")
def digits():
    return open_run(BUNDLES / "digits")


def images(markup):
    """The pictures of an HTML text, as arrays."""
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", markup)
    return [np.array(Image.open(io.BytesIO(base64.b64decode(text)))) for text in found]


def test_every_exploration_has_a_card_with_what_its_map_says():
    app = open_page()
    said = [text.value for text in app.markdown]
    for path in find_runs(BUNDLES):
        run = open_run(path)
        assert headline(run, opening(run).ood) in said, path.name


@pytest.mark.parametrize("name", ["digits", "cifar10-ddpm"])
def test_a_card_shows_the_cells_and_pictures_only_where_the_run_holds_them(name):
    run = open_run(BUNDLES / name)
    seen = glance.__wrapped__(run)
    *pictures, cells = images(seen.pictures)
    view = opening(run)
    assert seen.ood == view.ood and len(pictures) == (2 if name == "digits" else 0)
    frame = run.auroc_map(view.ood)
    assert cells.shape[0] == len(run.levels) and cells.shape[1] >= 2 * len(run.taps)
    drawn = cells[cells[..., 3] == 255].reshape(len(run.levels), -1, 4)[:, ::2, :3]
    wanted = [bytes.fromhex(diverging_colour(2 * (value - 0.5))[1:]) for value in frame["auroc"]]
    np.testing.assert_array_equal(drawn.reshape(-1, 3), [tuple(colour) for colour in wanted])
    assert seen.pictures.count("★") == 1 and 'role="img"' in seen.pictures and view.ood in seen.pictures


def test_the_pictures_are_typical_of_their_sets(digits):
    view = opening(digits)
    for role, name, shown in zip(
        ("id_test", "ood"), (None, view.ood), images(glance.__wrapped__(digits).pictures)[:2], strict=True
    ):
        level, tap = divmod(view.cell, len(digits.taps))
        scores = digits.scores(role, name)[:, :, level, tap].mean(axis=1)
        place = typical(digits, role, name, level, tap)
        assert abs((scores < scores[place]).mean() - 0.5) < 0.01
        png = digits.images(role, name, columns=("thumbnail",))["thumbnail"].iloc[place]
        np.testing.assert_array_equal(shown, np.array(Image.open(io.BytesIO(png))))


def test_the_map_that_is_shown_is_the_one_that_opens(digits):
    app = open_page()
    button(app, "Open this map").click().run()
    assert not app.exception and app.title[0].value == "Where does the signal live?"
    assert (app.session_state["ood"], app.session_state["cell"]) == (opening(digits).ood, opening(digits).cell)


def test_the_first_set_is_that_with_the_widest_spread_and_a_best_cell_of_its_own():
    def best(**honest):
        return pd.DataFrame({"ood": list(honest), "honest": list(honest.values())})

    aurocs = {"flat": (0.9, 0.9, 0.9), "wide": (0.4, 0.5, 0.9), "few": (0, 0, 1)}
    maps = pd.DataFrame([{"ood": name, "auroc": value} for name, values in aurocs.items() for value in values])
    names = ["flat", "wide", "few"]
    assert first_set(best(flat=0.9, wide=0.8), maps, names) == "wide"
    assert first_set(best(flat=0.9, wide=0.5), maps, names) == "flat"  # equal: the first
    assert first_set(best(flat=0.9, wide=1.0), maps, names) == "flat"  # at 1, several cells are
    assert first_set(best(flat=0.999, wide=1.0), maps, names) == "wide"
    assert first_set(best(), maps, names) == "flat"  # too few images of any


def test_a_run_whose_map_is_damaged_says_so_in_its_card(runs):
    shutil.copytree(BUNDLES / "digits-narrow", runs / "broken")
    (runs / "broken" / "tables" / "best_cell.parquet").write_bytes(b"nothing")
    forget_digests(runs / "broken")
    manifest = json.loads((runs / "broken" / "manifest.json").read_text())
    (runs / "broken" / "manifest.json").write_text(json.dumps(manifest | {"name": "Broken"}))
    app = open_page()
    assert "best_cell" in texts(app) and any(each.label == "Open this map" for each in app.button)
