"""The verdict page: what it says is the claims' table, its panel follows the view, its links lead to pages."""

import json
import shutil

import pytest
from bundles import bundle
from page_steps import forget_digests, open_page, texts

from cfs_explore.figures.claims import claims_table
from cfs_explore.headlines.verdict import WORDS, verdict_headline
from cfs_explore.locations import BUNDLES, PROJECT
from cfs_explore.ui import data
from cfs_explore.ui.verdict_view import WHERE
from cfs_explore.wording import format_estimate


@pytest.fixture(scope="module")
def table():
    return claims_table(bundle("digits"))


def links(app) -> dict[str, str]:
    """Label -> page and query of every link of the page."""
    return {each.proto.label: f"{each.proto.page}?{each.proto.query_string}" for each in app.main.get("page_link")}


def test_it_says_what_the_table_says(table):
    app = open_page("verdict", run="digits", ood="letters")
    assert app.title[0].value == "Do the paper's claims hold here?"
    assert app.markdown[0].value == verdict_headline(table)
    assert any(len(frame.value) == len(table) for frame in app.dataframe)


@pytest.mark.parametrize(("claim", "ood"), [("low noise", "blurred"), ("stable", ""), ("trained", "inverted")])
def test_the_panel_shows_the_chosen_claim_on_the_chosen_set(table, claim, ood):
    app = open_page("verdict", run="digits", ood=ood or "letters", verdict_claim=claim)
    said, row = texts(app), table[(table["claim"] == claim) & (table["ood"] == ood)].iloc[0]
    assert WORDS[claim].sentence in said and format_estimate(row["value"], row["lo"], row["hi"]) in said
    link = links(app)[WHERE[claim].label]
    assert link.startswith(f"{WHERE[claim].page}?") and f"ood={ood or 'letters'}" in link and "run=digits" in link
    assert app.query_params["verdict_claim"] == claim


def test_nonsense_in_the_address_is_the_first_claim():
    app = open_page("verdict", run="digits", ood="letters", verdict_claim="<b>")
    assert app.selectbox(key="verdict_claim").value == "low noise" and not app.error


def test_every_claim_leads_to_a_page_that_is_there():
    assert list(WHERE) == list(WORDS)
    assert all((PROJECT / "pages" / f"{shown.page}.py").is_file() for shown in WHERE.values())


def copy_of_digits(folder, monkeypatch):
    shutil.copytree(BUNDLES / "digits", folder / "mine")
    forget_digests(folder / "mine")
    monkeypatch.setattr(data, "BUNDLES", folder / "none")
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(folder))
    return folder / "mine"


def test_missing_stages_are_missing_verdicts(tmp_path, monkeypatch):
    run = copy_of_digits(tmp_path, monkeypatch)
    for name in ("best_excess", "stability"):
        (run / "tables" / f"{name}.parquet").unlink()
    app = open_page("verdict", run="mine", verdict_claim="trained")
    assert "missing" in texts(app) and "was made without the stage" in texts(app) and not app.error
    assert str(tmp_path) not in texts(app)


def test_without_the_pair_it_says_what_to_measure(tmp_path, monkeypatch):
    copy_of_digits(tmp_path, monkeypatch)
    path = tmp_path / "mine" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"presets": {}}))
    app = open_page("verdict", run="mine")
    assert "measure all taps" in texts(app) and not app.error
