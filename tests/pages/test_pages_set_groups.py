"""The map names groups of sets; map and list say where ID is not the backbone's training set."""

import json
import shutil

import pytest
from page_steps import APP, open_page, texts
from streamlit.testing.v1 import AppTest

from cfs_explore.locations import BUNDLES

DIFFERS = "ID differs from the backbone's training set: digits 7, 8, not digits 0, 1, 2, 3, 4, 5, 6."


@pytest.fixture
def other_id(only_runs, tmp_path):
    """The only exploration: a bundle whose spec has other ID images, and no groups."""
    shutil.copytree(BUNDLES / "digits-narrow", tmp_path / "runs" / "narrow")
    path = tmp_path / "runs" / "narrow" / "manifest.json"
    content = json.loads(path.read_text())
    content["spec"]["id"]["train"]["source"] = {"builtin": "digits", "classes": [7, 8]}
    for each in content["spec"]["ood"]:
        del each["set_group"]
    path.write_text(json.dumps(content))
    only_runs(tmp_path / "runs")


def test_the_map_names_the_groups():
    said = texts(open_page("map", run="digits"))
    assert (
        "near: digits 7-9, letters; far: photo patches; covariate: flipped, rotated, inverted, blurred, noisy" in said
    )
    assert "ID differs" not in said


def test_the_map_says_that_the_training_set_is_another(other_id):
    said = texts(open_page("map", run="narrow"))
    assert DIFFERS in said and "covariate:" not in said


def test_explorations_say_it_of_the_chosen_one(other_id):
    app = AppTest.from_file(APP, default_timeout=60)
    app.session_state["explorations_chosen"] = ["narrow"]
    app.run()
    app.switch_page("pages/explorations.py").run()
    assert DIFFERS in texts(app)
