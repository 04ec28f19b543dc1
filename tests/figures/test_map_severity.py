"""AUROC over severity: a tiny real run, a simulated truth, and what a run without severities says."""

import numpy as np
import pandas as pd
import pytest
from severe_run import severe

from cfs_explore.charts import FigureDataError
from cfs_explore.charts.severity_lines import severity_lines_chart
from cfs_explore.diagnostics.metrics import auroc
from cfs_explore.explorations.severities import series_of
from cfs_explore.figures.catalogue import KINDS, make_figures
from cfs_explore.figures.choices import choose
from cfs_explore.figures.map_severity import NO_SERIES, detected_from, severity_rows
from cfs_explore.wording import format_value


@pytest.fixture(scope="module")
def measured(tiny_spec, tmp_path_factory):
    """A finished run with two severities of two corruptions of one set, and one of a third."""
    from cfs_explore.pipeline import explore

    spec = tiny_spec(48, 8, name="severe", diagnostics="map", draws=1)
    of = spec["ood"][0]["source"]
    changed = [
        {"name": "grain", "source": {"altered": "noisy", "of": of}, "severities": [1, 5]},
        {"name": "light", "source": {"altered": "brightened", "of": of}, "severities": [5, 2]},
        {"name": "pale", "source": {"altered": "faded", "of": of, "severity": 3}},
    ]
    return explore(spec | {"ood": [*spec["ood"], *changed]}, tmp_path_factory.mktemp("severe") / "severe", device="cpu")


def test_the_series_are_those_of_the_spec(measured, digits):
    assert [(each.name, each.sets) for each in series_of(measured)] == [
        ("noisy", {1: "grain 1", 5: "grain 5"}),
        ("brightened", {2: "light 2", 5: "light 5"}),
    ]
    assert series_of(digits) == []


def test_the_rows_are_the_tables(measured):
    rows = severity_rows(measured)
    assert set(rows["kind"]) >= {"best", "pair"} and len(rows) % 4 == 0
    best, presets = measured.table("best_cell").set_index("ood"), measured.table("detectors")
    pairs = presets[presets["name"] == "CFS(1x2)"].set_index("ood")
    for row in rows.itertuples():
        if row.kind == "best":
            assert (row.auroc, row.lo, row.hi) == tuple(best.loc[row.ood, ["honest", "honest_lo", "honest_hi"]])
        elif row.kind == "pair":
            assert (row.auroc, row.lo, row.hi) == tuple(pairs.loc[row.ood, ["auroc", "lo", "hi"]])
        else:
            first = [tap.region for tap in measured.taps].index("input")
            frame = measured.auroc_map(row.ood)
            cell = frame[(frame["tap"] == measured.taps[first].name) & (frame["lam"] == frame["lam"].max())].iloc[0]
            assert (row.auroc, row.n_ood) == (cell["auroc"], 8)


def test_the_figure_shows_the_rows_and_says_of_what(measured):
    figure = KINDS["map-severity"].make(measured, choose(measured), "dark")
    shown = {trace.name: [y for y in trace.y if y is not None] for trace in figure.chart.data}
    for name, rows in figure.rows.groupby("detector"):
        assert shown[name] == pytest.approx(rows["auroc"].tolist())
    assert list(figure.chart.layout.xaxis.ticktext) == ["1", "5", "2", "5"]
    assert [note.text for note in figure.chart.layout.annotations] == ["<b>noisy</b>", "<b>brightened</b>"]
    assert "2 corruptions" in figure.caption and "8 OOD" in figure.caption and "chance" in figure.caption
    first = figure.rows[figure.rows["kind"] == "best"].iloc[0]
    assert f"Best cell, honest from {format_value(first['auroc'])}" in figure.alt
    assert figure.stem == "severe-severity"


def test_without_severities_the_reason_is_said(digits, choices):
    figures, missing = make_figures(digits, ["map-severity"], choices)
    assert figures == {} and missing == {"map-severity": NO_SERIES}
    figures, missing = make_figures(digits, ["map"], choices)  # nobody asked for it
    assert "map-severity" not in figures and missing == {}
    assert "map-severity" in make_figures(severe(digits), ["map"], choices)[0]


def test_an_exported_run_keeps_its_severities(measured, tmp_path, monkeypatch):
    from cfs_explore.explorations import bundles
    from cfs_explore.store import open_run

    packed = tmp_path / "severe.zip"
    with packed.open("wb") as file:
        bundles.export(measured.path, file)
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    again = open_run(bundles.import_zip(packed, trusted=False))
    assert [each.sets for each in series_of(again)] == [each.sets for each in series_of(measured)]
    assert str(tmp_path) not in str(again.manifest.spec["ood"])


def simulated(shifts: dict[int, float], n: int = 400) -> pd.DataFrame:
    """Normal scores whose OOD mean is ``shift`` above ID's: AUROC = Phi(shift / sqrt 2) is known."""
    rng = np.random.default_rng(0)
    id_scores, rows = rng.normal(size=n), []
    for severity, shift in shifts.items():
        found = auroc(id_scores, rng.normal(size=n) + shift)
        rows.append(
            {"corruption": "noise", "severity": severity, "kind": "best", "ood": f"noise {severity}"}
            | {"auroc": found.value, "lo": found.lo, "hi": found.hi, "n_id": n, "n_ood": n}
        )
    return pd.DataFrame(rows)


def test_a_simulated_truth_rises_and_starts_at_chance():
    from scipy.stats import norm

    shifts = {1: 0.0, 2: 0.4, 3: 0.8, 4: 1.4, 5: 2.4}
    rows = simulated(shifts)
    drawn = severity_lines_chart(rows).data[0]
    assert (np.diff(drawn.y) > 0).all()
    for row, shift in zip(rows.itertuples(), shifts.values(), strict=True):
        assert row.lo <= norm.cdf(shift / np.sqrt(2)) <= row.hi
    assert detected_from(rows) == {"noise": 2}
    assert detected_from(rows.assign(lo=0.4)) == {"noise": None}
    gap = rows.assign(lo=[0.6, 0.6, 0.4, 0.6, 0.6])  # clear at 1 and 2, but not at every stronger one
    assert detected_from(gap) == {"noise": 4}


def test_a_severity_that_stands_twice_is_refused():
    rows = simulated({1: 0.0})
    with pytest.raises(FigureDataError, match="each severity once"):
        severity_lines_chart(pd.concat([rows, rows]))
    with pytest.raises(FigureDataError, match="'kind'"):
        severity_lines_chart(rows.assign(kind="other"))
