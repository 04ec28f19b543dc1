"""The stability page's figures and its headline, through traces and words."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.charts import FigureDataError, export_bytes, has_browser, template
from cfs_explore.charts.auroc_curve import auroc_curve_chart
from cfs_explore.charts.drift_lines import drift_lines_chart
from cfs_explore.charts.local_law import local_law_chart
from cfs_explore.charts.reuse_grid import reuse_grid_chart
from cfs_explore.charts.tap_lines import tap_lines_chart
from cfs_explore.charts.tap_radius import tap_radius_chart
from cfs_explore.charts.theme import ROLE_COLOURS
from cfs_explore.headlines.stability import Curve, Survival, stability_headline

LAMS = (9.2, 5.0, 1.0)
TAPS = [("conv_in", "input"), ("down_blocks.0.resnets.1", "encoder"), ("up_blocks.1.resnets.2", "decoder"),
        ("up_blocks.2.resnets.0", "decoder")]  # fmt: skip
ROLES = {"down_blocks.0.resnets.1": "CFS encoder", "up_blocks.1.resnets.2": "chosen (CFS decoder)"}


@pytest.fixture
def lines():
    rows = [
        {"lam": lam, "tap": tap, "tap_index": t, "region": region, "value": 1 - 0.2 * k - 0.02 * t}
        for k, lam in enumerate(LAMS)
        for t, (tap, region) in enumerate(TAPS)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(lo=frame["value"] - 0.05, hi=frame["value"] + 0.05)


@pytest.fixture
def law(lines):
    b = 1 / np.sqrt(1 + np.exp(lines["lam"]))
    return lines.assign(
        b=b, b_over_a=np.exp(-lines["lam"] / 2), within=b**2 * 3, local_slope=1.0, icc=0.95, radius=0.08
    )


@pytest.fixture
def radii(law):
    taps = law.drop_duplicates("tap").reset_index(drop=True)
    return taps.assign(
        slope=[1.0, 0.9, 0.85, np.nan], slope_lo=0.8, slope_hi=1.1, radius=[0.6, 0.08, 0.0, np.nan],
        radius_lo=[0.6, 0.05, 0.0, np.nan], radius_hi=[0.6, 0.1, 0.0, np.nan],
        radius_end=[True, False, False, False], smallest=0.01,
    )  # fmt: skip


@pytest.fixture
def curve():
    auroc = np.array([0.8, 0.9, 0.895])
    return pd.DataFrame({"lam": LAMS, "auroc": auroc, "lo": auroc - 0.02, "hi": auroc + 0.02,
                         "draw_lo": auroc - 0.03, "draw_hi": auroc - 0.01})  # fmt: skip


def test_lines_highlight_the_roles_and_answer_clicks(lines, theme):
    fig = tap_lines_chart(lines, ROLES, "ICC", theme)
    assert fig.layout.template == template(theme)
    grey, named = fig.data[0], [t for t in fig.data[1:] if t.name]
    assert grey.name == "Other taps"
    shown = [(index, y) for index, y in zip(grey.customdata, grey.y, strict=True) if np.isfinite(y)]
    others = lines[~lines["tap"].isin(list(ROLES))].sort_values(["tap_index", "lam"], ascending=[True, False])
    assert shown == list(zip(others["tap_index"], others["value"], strict=True))
    assert len(grey.y) == len(shown) + 1  # a gap between the two taps
    assert [t.name for t in named] == ["down0.res1 (encoder), CFS encoder", "up1.res2 (decoder), chosen (CFS decoder)"]
    assert [t.line.color for t in named] == [ROLE_COLOURS["encoder"], ROLE_COLOURS["decoder"]]
    assert named[0].line.dash != named[1].line.dash
    assert named[0].marker.symbol != named[1].marker.symbol
    for trace in (grey, *named):
        index = trace.customdata[0]
        assert type(index) is int
        if trace is grey:
            continue
        assert list(trace.y) == list(lines.loc[lines["tap_index"] == index, "value"])
    band = next(t for t in fig.data if t.fill == "toself")
    assert max(band.y) == pytest.approx(lines.loc[lines["tap_index"] == 2, "hi"].max())


def test_lines_run_from_clean_to_noisy_and_keep_negative_values_in_view(lines):
    lines.loc[lines["lam"] == 1.0, "value"] = -0.1
    fig = tap_lines_chart(lines, ROLES, "ICC")
    assert fig.layout.xaxis.range[0] > 9.2 > 1.0 > fig.layout.xaxis.range[1]
    assert list(fig.layout.xaxis.tickvals) == list(LAMS)
    assert fig.layout.yaxis.range[0] < -0.1


def test_lines_refuse_roles_and_tables_they_do_not_know(lines):
    with pytest.raises(FigureDataError, match="roles"):
        tap_lines_chart(lines, {"conv_in": "favourite"}, "ICC")
    with pytest.raises(FigureDataError, match="roles"):
        tap_lines_chart(lines, {"nowhere": "chosen"}, "ICC")
    with pytest.raises(FigureDataError, match="value"):
        tap_lines_chart(lines.drop(columns="value"), ROLES, "ICC")


def test_auroc_curve_has_both_bands_and_its_plateau(curve, theme):
    fig = auroc_curve_chart(curve, (1, 2), (0, 2), theme)
    assert fig.layout.template == template(theme)
    names = [t.name for t in fig.data]
    assert names[:3] == ["95 % interval", "Single draws, lowest to highest", "AUROC of the mean over draws"]
    draws = fig.data[1]
    np.testing.assert_allclose(np.array(draws.y) + draws.error_y.array, curve["draw_hi"])
    np.testing.assert_allclose(np.array(draws.y) - draws.error_y.array, curve["draw_lo"])
    shapes = {s.name: s for s in fig.layout.shapes if s.name}
    assert shapes["plateau"].x0 > 5.0 > 1.0 > shapes["plateau"].x1 > -4
    assert shapes["possible"].x0 > 9.2
    assert shapes["plateau"].line.width > shapes["possible"].line.width


def test_auroc_curve_of_one_draw_and_one_level(curve):
    single = curve.assign(draw_lo=np.nan, draw_hi=np.nan)
    assert "Single draws, lowest to highest" not in [t.name for t in auroc_curve_chart(single, (1, 1)).data]
    assert len(auroc_curve_chart(single[:1], (0, 0)).data) == 3
    with pytest.raises(FigureDataError, match="rows of the curve"):
        auroc_curve_chart(curve, (1, 3))


def test_law_line_is_proportional_to_b2_through_the_chosen_tap(law, theme):
    law.loc[law["lam"] < 5, "within"] *= 0.5
    fig = local_law_chart(law, ROLES, theme)
    assert fig.layout.template == template(theme)
    reference = next(t for t in fig.data if t.name.startswith("The law"))
    np.testing.assert_allclose(reference.y, 3 * law.loc[law["tap"] == "up_blocks.1.resnets.2", "b"] ** 2)
    assert [t.name.split(",")[1] for t in fig.data[:2]] == [" CFS encoder", " chosen (CFS decoder)"]
    assert next(s for s in fig.layout.shapes if s.name == "radius").x0 == 0.08
    assert fig.layout.xaxis.type == fig.layout.yaxis.type == "log"


def test_law_without_a_radius_or_without_growth(law):
    fig = local_law_chart(law.assign(radius=np.nan), ROLES)
    assert not [s for s in fig.layout.shapes if s.name == "radius"]
    assert len(local_law_chart(law.assign(within=0.0), ROLES).data) == 2  # empty lines, no reference


def test_radius_tells_zero_unknown_and_end_apart(radii, theme):
    fig = tap_radius_chart(radii, "up_blocks.1.resnets.2", theme)
    assert fig.layout.meta["least_px"] == 13 * len(radii) + 82
    assert fig.layout.template == template(theme)
    texts = {t.customdata[i]: t.hovertext[i] for t in fig.data if t.yaxis == "y2" for i in range(len(t.customdata))}
    assert "at least 0.6" in texts[0]
    assert "radius 0.08" in texts[1]
    assert "below 0.01" in texts[2]
    assert "no radius" in texts[3]
    drawn = {t.customdata[i]: t.y[i] for t in fig.data if t.yaxis == "y2" for i in range(len(t.customdata))}
    assert drawn[2] == 0.005  # below the smallest measured, where a logarithmic axis has no 0
    assert len({t.marker.symbol for t in fig.data if t.yaxis == "y"}) == 3
    assert next(s for s in fig.layout.shapes if s.name == "chosen").x0 == 1.5
    low, high = fig.layout.yaxis2.range
    assert low < np.log10(0.005) < np.log10(0.6) < high


def test_drift_has_a_line_per_cause_and_no_point_where_nothing_moves(theme):
    rows = [{"lam": lam, "cause": cause, "value": k * (cause != "noise") + 0.1 * (cause == "noise")}
            for k, lam in enumerate(LAMS) for cause in ("noise", "conditioning", "both")]  # fmt: skip
    frame = pd.DataFrame(rows)
    fig = drift_lines_chart(frame.assign(lo=frame["value"] / 2, hi=frame["value"] * 2), "Drift", theme)
    assert fig.layout.template == template(theme)
    lines = [t for t in fig.data if t.mode == "lines+markers"]
    assert [len(t.x) for t in lines] == [3, 2, 2]
    assert len({(t.line.dash, t.marker.symbol) for t in lines}) == 3
    unknown = drift_lines_chart(frame.assign(lo=np.nan, hi=np.nan), "Drift")  # one image: no bands
    assert all(not len(t.x) for t in unknown.data if t.fill == "toself")


@pytest.mark.skipif(not has_browser(), reason="needs Chrome or Chromium")
def test_every_figure_goes_to_print(lines, law, radii, curve):
    figures = (tap_lines_chart(lines, ROLES, "ICC", "dark"), auroc_curve_chart(curve, (1, 2)),
               local_law_chart(law, ROLES), tap_radius_chart(radii))  # fmt: skip
    for figure in figures:
        assert export_bytes(figure, "svg", width="84mm").startswith(b"<svg")


SURVIVAL = Survival(5.0, 0.93, 0.92, 0.94, "n = 421 ID-test images", 5)
CURVE = Curve("letters", 1.0, 0.9, 0.88, 0.92, 3.0, -1.0, 8, 3)


def said(survival=SURVIVAL, curve=CURVE, **changes):
    from dataclasses import replace

    return stability_headline("up1.res2 (decoder)", survival, replace(curve, **changes))


def test_headline_says_both_halves():
    text = said()
    assert "At **λ = 5.0**, **93 %** of the feature variance of **up1.res2 (decoder)** is the image's own" in text
    assert "(ICC 0.930 [0.920, 0.940], n = 421 ID-test images, 5 noise draws)" in text
    assert "its AUROC for **letters** stays within 0.01 of its maximum, 0.900 [0.880, 0.920]" in text
    assert text.endswith("from **λ = 3.0 to \u22121.0**.")


@pytest.mark.parametrize(
    ("survival", "words"),
    [
        (None, "has not been computed"),
        (Survival(5, np.nan, np.nan, np.nan, "n = 9 ID-test images", 5), "do not vary at all"),
        (Survival(5, 0.5, np.nan, np.nan, "n = 2 ID-test images", 5), "too few images"),
        (
            Survival(5, 0.05, -0.02, 0.12, "n = 421 ID-test images", 5),
            "no part of the feature variance of **up1.res2 (decoder)** is demonstrably",
        ),
        (Survival(5, 0.9984, 0.998, 0.999, "n = 421 ID-test images", 5), "more than 99 %"),
        (Survival(5, 1.0, 1.0, 1.0, "n = 421 ID-test images", 5), "100 %"),
    ],
)
def test_headline_of_what_survives(survival, words):
    assert words in said(survival)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"levels": 1, "on_plateau": 1}, "at the only level measured is 0.900"),
        ({"peak": 0.52, "lo": 0.48, "hi": 0.56}, "not clearly above chance at any level"),
        ({"on_plateau": 1}, "peaks at **λ = 1.0** with 0.900"),
        ({"on_plateau": 8}, "at every level measured"),
    ],
)
def test_headline_of_the_plateau(changes, words):
    assert words in said(**changes)


@pytest.fixture
def reuse():
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    rows = [
        {"level": j, "lam": LAMS[j], "encoder_level": i, "encoder_lam": LAMS[i], "error": error, "saved": 0.25}
        for (i, j), error in zip(pairs, (0.02, 3.0, 0.0001, 0.4, 1.0, np.nan), strict=True)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(lo=frame["error"] / 2, hi=frame["error"] * 2)


def test_reuse_has_a_row_per_encoder_and_a_column_per_decoder(reuse, theme):
    fig = reuse_grid_chart(reuse.sample(frac=1, random_state=0), theme)
    assert fig.layout.template == template(theme)
    assert fig.layout.yaxis.ticktext == ("Encoder at 9.2", "Encoder at 5.0", "Encoder at 1.0")
    z = fig.data[0].z
    assert z[0][1] == pytest.approx(np.log10(0.02)) and z[0][2] == 0 and z[1][0] == -3  # ends of the scale
    assert z[2][1] is None and all(z[k][k] is None for k in range(3))
    texts = {(a.y, a.x): a.text for a in fig.layout.annotations if a.name == "cell text"}
    assert texts[0, 1] == "0.020" and texts[0, 2] == "3.0" and texts[1, 0] == "0.000" and texts[2, 1] == "n/a"
    assert texts[1, 1] == ""
    hovers = fig.data[1].hovertext
    assert "Encoder at λ 9.2, decoder at λ 5.0" in hovers[1] and "0.02 [0.01, 0.04]" in hovers[1]
    assert "saves 25 % of a forward" in hovers[1] and "nothing is used again" in hovers[4]
    with pytest.raises(FigureDataError, match="saved"):
        reuse_grid_chart(reuse.drop(columns="saved"))


def test_lines_of_other_shares_reach_as_far_as_they_do(lines):
    fig = tap_lines_chart(lines.assign(value=lines["value"] * 2), ROLES, "Difference", line=None)
    assert not fig.layout.shapes and fig.layout.yaxis.range[1] > 2
    assert tap_lines_chart(lines, ROLES, "ICC").layout.yaxis.range[1] == pytest.approx(1.03)
