"""The falsifier page on a small run: what it says, its budget, its table, what was not measured."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from page_steps import forget_digests, open_page, texts

from cfs_explore.detectors.stored import titles
from cfs_explore.figures.falsifier import contest, detector_rows, untested
from cfs_explore.headlines.falsifier import budget_words, falsifier_headline, room_words
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.wording import format_value


@pytest.fixture
def run(rivals_run, only_runs):
    """The run, the only one there is."""
    only_runs(rivals_run.path.parent)
    return rivals_run


@pytest.fixture
def copied(rivals_run, tmp_path, only_runs):
    """A copy to change."""
    path = shutil.copytree(rivals_run.path, tmp_path / "runs" / "rivals")
    forget_digests(path)
    only_runs(path.parent)
    return path


def plain(text: str) -> str:
    return text.replace("\\", "")


def table_of(app) -> pd.DataFrame:
    return next(frame.value for frame in app.dataframe if "to_pair" in frame.value and "auroc_range" in frame.value)


def test_the_headline_and_the_budgets_words_are_the_tables(run):
    app = open_page("falsifier", run="rivals", ood="bright")
    assert app.title[0].value == "Does anything beat a few snapshots?"
    rows, leads = (detector_rows(run, name, "bright") for name in ("falsifier", "leads"))
    said = f"{falsifier_headline('bright', leads, untested(rows))} {room_words(rows)}"
    assert plain(app.markdown[0].value) == said and "The budget had no room for" in said
    assert budget_words(10, contest(run, "bright", 10)) in texts(app)


def test_the_budget_changes_who_wins_and_the_address(run):
    app = open_page("falsifier", run="rivals", ood="bright", falsifier_budget="5")
    assert budget_words(5, contest(run, "bright", 5)) in texts(app)
    app.select_slider(key="falsifier_budget").set_value(1).run()
    assert not app.exception and budget_words(1, contest(run, "bright", 1)) in texts(app)
    assert np.atleast_1d(app.query_params["falsifier_budget"])[0] == "1"


def test_the_table_has_every_measured_detector_beside_its_untrained_copy(run):
    table = table_of(open_page("falsifier", run="rivals", ood="bright"))
    rows = run.table("falsifier")
    trained = rows[(rows["network"] == "trained") & rows["auroc"].notna()].set_index("detector")
    assert len(table) == len(trained) and table["auroc"].is_monotonic_decreasing
    named = {title: name for name, title in titles(run).items()}
    untrained = rows[rows["network"] == "untrained"].set_index("detector")["auroc"]
    for row in table.to_dict("records"):
        name = named[row["title"]]
        assert row["auroc"] == trained.loc[name, "auroc"] and row["untrained"] == pytest.approx(untrained[name])
        assert row["to_untrained"] == pytest.approx(row["auroc"] - row["untrained"])
        for column in ("forwards", "fit_forwards", "fit_jvps", "paper", "note"):
            assert row[column] == trained.loc[name, column]
        lo, hi = trained.loc[name, ["to_pair_lo", "to_pair_hi"]]
        assert row["to_pair_range"] == f"[{format_value(lo)}, {format_value(hi)}]"


def test_what_was_not_measured_says_why(run):
    app = open_page("falsifier", run="rivals", ood="bright")
    rows = run.table("falsifier").query("network == 'trained'")
    missing = rows[rows["auroc"].isna()]
    assert f"Not measured: {len(missing)}" in [each.label for each in app.expander]
    said = texts(app)
    for row in missing.to_dict("records"):
        assert f"**{titles(run)[row['detector']]}**" in said and row["note"][:40] in said
    most = f"{missing['needed'].max():.10g}"
    assert any(each.value.endswith(f"detectors rivals --budget {most}") for each in app.code)
    assert f"one of {most} for all of them" in said


def test_an_older_table_is_shown(copied):
    """Without the columns that came later: its notes say the budgets, and its one copy has no difference."""
    path = copied / "tables" / "falsifier.parquet"
    table = pd.read_parquet(path)
    later = [column.name for column in DIAGNOSTICS["detectors"].tables[0].columns if column.optional]
    table.drop(columns=later).to_parquet(path)
    scores = copied / "tables" / "detector_scores.parquet"
    pd.read_parquet(scores).drop(columns="copy").to_parquet(scores)
    app = open_page("falsifier", run="rivals", ood="bright")
    assert not app.exception and "The budget had no room for" in app.markdown[0].value
    shown = table_of(app)
    assert shown["untrained"].notna().all() and shown["to_untrained"].isna().all()
    assert any("--budget" in each.value for each in app.code)


def test_both_figures_are_shown(run):
    app = open_page("falsifier", run="rivals", ood="bright")
    assert len(app.get("plotly_chart")) == 2
    assert "Dotted: the budget." in texts(app) and "The intervals hold for all variants at once, " in texts(app)


def test_nonsense_in_the_address_falls_back(run):
    app = open_page("falsifier", run="rivals", ood="x", falsifier_budget="7")
    assert app.session_state["falsifier_budget"] == 10 and "For **bright**" in app.markdown[0].value


def test_without_a_rival_the_page_says_that_nothing_was_tested(copied):
    path = copied / "tables" / "leads.parquet"
    pd.read_parquet(path).iloc[:0].to_parquet(path)
    app = open_page("falsifier", run="rivals", ood="bright")
    assert "was **not tested**" in app.markdown[0].value and "No rival was measured" in texts(app)
    assert len(app.get("plotly_chart")) == 1


def test_without_the_stage_the_page_says_what_to_run(copied):
    manifest = json.loads((copied / "manifest.json").read_text()) | {"stages": {}}
    (copied / "manifest.json").write_text(json.dumps(manifest))
    for name in DIAGNOSTICS["detectors"].table_names:
        (copied / "tables" / f"{name}.parquet").unlink()
    app = open_page("falsifier", run="rivals")
    assert "made without the stage Falsifier" in texts(app) and not app.get("plotly_chart")
    assert any(each.label.startswith("Compute it (about ") for each in app.button)


def test_triage_lets_one_choose_a_measured_detector(run):
    app = open_page("triage", run="rivals", ood="bright", detector="one_step_mbe", triage_rate="20")
    assert app.session_state["detector"] == "one_step_mbe"
    said = texts(app)
    assert "(dashed), with the noise that it prescribes; n = " in said
    assert "Scores by One-step reconstruction of ID-test" in said and "12 of 40 OOD, a sample" in said
    assert "of **12** images" in said or "of 12** images" in said
    table = next(frame.value for frame in app.dataframe if "p_value" in frame.value)
    assert len(table) == 12 and set(table["detector"]) == {"One-step reconstruction"} and set(table["n_id"]) == {12}
    scores = run.table("detector_scores").query("detector == 'one_step_mbe' and network == 'trained' and role == 'ood'")
    expected = scores.set_index("image_id")["score"]
    assert table.set_index("image_id")["score"].to_dict() == expected.to_dict()
    images = run.images("ood", "bright").set_index("image_id")
    assert table.set_index("image_id")["name"].to_dict() == images.loc[expected.index, "name"].to_dict()
