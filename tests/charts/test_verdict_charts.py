"""The charts of the verdict page: every verdict is told by a sign and a word, whatever the number of OOD sets."""

import math

import pandas as pd
import pytest

from cfs_explore.charts import to_publication
from cfs_explore.charts.errors import FigureDataError
from cfs_explore.charts.number_grid import CELL_TEXT
from cfs_explore.charts.verdict_dots import verdict_dots_chart
from cfs_explore.charts.verdict_grid import MANY, verdict_grid_chart
from cfs_explore.charts.verdict_style import VERDICT_STYLES

CLAIMS = {"first": "The first claim", "whole": "About no set", "last": "The last claim"}


def table(sets: int) -> pd.DataFrame:
    verdicts = list(VERDICT_STYLES)
    rows = [{"claim": "whole", "ood": "", "verdict": "yes", "survives": True, "n_ood": 0}]
    for k in range(sets):
        for claim in ("first", "last"):
            verdict = verdicts[(k + (claim == "last")) % 5]
            survives = verdict == "yes" or (verdict == "no" and k > 2)
            rows.append({"claim": claim, "ood": f"set {k}", "verdict": verdict, "survives": survives, "n_ood": 20 + k})
    frame = pd.DataFrame(rows).assign(value=0.1, lo=0.05, hi=0.15, note=None, n_id=1234)
    missing = frame["verdict"] == "missing"
    frame.loc[missing, ["value", "lo", "hi"]] = math.nan
    frame.loc[missing, "note"] = "nobody measured it"
    return frame


def texts(chart) -> list[str]:
    return [note.text for note in chart.layout.annotations if note.name == CELL_TEXT]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("sets", [1, 2, 8, MANY + 1, 20])
def test_a_cell_for_every_claim_and_set(sets, theme):
    chart = verdict_grid_chart(table(sets), CLAIMS, theme, "last")
    hovers, shown = chart.data[-1].hovertext, texts(chart)
    assert len(hovers) == 3 * sets and list(chart.data[-1].customdata) == list(range(3 * sets))
    assert all(CLAIMS["last"] in hover for hover in hovers[2 * sets :])
    assert sum("supports" in text for text in shown) == 1 or sets <= MANY
    signs = {style.sign for style in VERDICT_STYLES.values()}
    assert all(any(sign in text for sign in signs) for text in shown if text)
    assert sum(not text for text in shown) == sets  # the joined row has one text of its own
    assert "0.100 [0.050, 0.150]" in hovers[0] and "n = 1,234 ID, 20 OOD" in hovers[0]
    if sets >= 5:
        assert "nobody measured it" in hovers[4]
    assert chart.layout.height == chart.layout.meta["height"]


def test_what_does_not_survive_stands_in_brackets():
    shown = texts(verdict_grid_chart(table(8), CLAIMS))
    assert "(✗ against)" in shown and "<b>✗ against</b>" in shown and "<b>✓ supports</b>" in shown


def test_long_and_many_names_are_cut_and_turned():
    frame = table(20)
    frame["ood"] = frame["ood"].replace({"set 3": "a name that is far too long for any column of a table"})
    chart = verdict_grid_chart(frame, CLAIMS)
    heads = [note for note in chart.layout.annotations if note.yref == "paper"]
    assert len(heads) == 20 and all(note.textangle == -90 for note in heads)
    assert max(len(note.text) for note in heads) < 40 and "…" in heads[3].text


@pytest.mark.parametrize("below", [True, False])
def test_dots_reach_the_limit_and_say_each_verdict(below):
    frame = table(8)
    rows = frame[frame["claim"] == "first"]
    chart = verdict_dots_chart(rows, 0.5, below, selected="set 1")
    assert chart.layout.xaxis.range[1] > 0.5 and len(chart.data) == (rows["verdict"] != "missing").sum()
    assert ("below 0.5" if below else "above 0.5") in chart.layout.xaxis.title.text
    notes = [note.text for note in chart.layout.annotations]
    assert len(notes) == 8 and "<u><b>set 1</b></u>" in notes[1]
    assert all(VERDICT_STYLES[row.verdict].word in note for row, note in zip(rows.itertuples(), notes, strict=True))


def test_both_can_be_printed():
    frame = table(8)
    for chart in (verdict_grid_chart(frame, CLAIMS), verdict_dots_chart(frame[frame["claim"] == "last"], 0.0, False)):
        assert to_publication(chart, "89mm").layout.width > 300


def test_a_table_without_its_columns_is_refused():
    with pytest.raises(FigureDataError, match="survives"):
        verdict_grid_chart(table(2).drop(columns="survives"), CLAIMS)
