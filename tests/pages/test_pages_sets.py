"""What pages say of OOD sets: how near each is in Explorations, and AUROC over severity on Map."""

import json
import shutil

import pytest
from page_steps import open_page, texts
from streamlit.testing.v1 import AppTest

from cfs_explore.figures.nearness import nearness
from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run
from cfs_explore.wording import format_estimate

pytestmark = pytest.mark.slow


@pytest.fixture
def severe(tmp_path, monkeypatch):
    """A copy of a bundle whose spec says that two of its sets are severities of one change."""
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    run = shutil.copytree(BUNDLES / "digits-narrow", tmp_path / "severe")
    content = json.loads((run / "manifest.json").read_text())
    for each in content["spec"]["ood"]:
        if each["name"] in ("flipped", "blurred"):
            severity = 1 if each["name"] == "flipped" else 4
            each["source"] = {"altered": "noisy", "severity": severity, "of": "x.zip"}
            each["description"] = ""
    (run / "manifest.json").write_text(json.dumps(content))
    return run


def test_explorations_say_how_near_each_set_is():
    app = AppTest.from_file(str(BUNDLES.parent / "app.py"), default_timeout=60)
    app.session_state["explorations_chosen"] = ["digits"]
    app.run()
    app.switch_page("pages/explorations.py").run()
    assert not app.exception
    run = open_run(BUNDLES / "digits")
    table = app.dataframe[1].value.set_index("OOD set")
    rows, best = nearness(run).set_index("ood"), run.table("best_cell").set_index("ood")
    assert table.index.tolist() == run.ood_names
    for name in run.ood_names:
        assert table.loc[name, "Images"] == run.entry("ood", name).count
        assert table.loc[name, "Distance at depth 0"] == pytest.approx(rows.loc[name, "depth_0"], abs=6e-4)
        assert table.loc[name, "Distance at best cell"] == pytest.approx(rows.loc[name, "at_best"], abs=6e-4)
        honest = best.loc[name, ["honest", "honest_lo", "honest_hi"]]
        assert table.loc[name, "Best cell, honest"] == format_estimate(*honest)


def test_the_map_shows_severities_where_there_are_some(severe):
    app = open_page("map", run="severe")
    assert "Over severity" in texts(app) and "1 corruption made by this project" in texts(app)
    assert "Over severity" not in texts(open_page("map", run="digits"))
