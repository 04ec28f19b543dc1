"""The complementarity page on small runs: its numbers, its controls, its closer looks, and what may be missing."""

import numpy as np
import pytest
import streamlit as st
from page_steps import open_page, texts

from cfs_explore.charts import short_tap_name
from cfs_explore.diagnostics import catches, joint_separability
from cfs_explore.diagnostics.bootstrap import standing_decimals
from cfs_explore.pipeline import explore
from cfs_explore.ui import complementarity_details, data
from cfs_explore.ui.complementarity_view import LEVEL
from cfs_explore.wording import format_estimate


@pytest.fixture(scope="module")
def runs(tiny_spec, write_images, tmp_path_factory):
    """A folder of runs: whole; without the stage; without an encoder tap; of a single tap."""
    folder = tmp_path_factory.mktemp("complementarity")
    ood = [
        {"name": "bright", "source": str(write_images(14, "npz", seed=2, shift=25))},
        {"name": "single", "source": str(write_images(1, "npz", seed=3, shift=60))},
    ]
    spec = tiny_spec(60, 1, ood=ood, diagnostics=["complementarity"])
    changes = {
        "all": {},
        "bare": {"diagnostics": []},
        "middle": {"taps": ["mid_block.resnets.0", "conv_act"], "keep": "none"},
        "one": {"taps": ["conv_act"], "keep": "none"},
    }
    return {name: explore(spec | more | {"name": name}, folder / name, device="cpu") for name, more in changes.items()}


@pytest.fixture(autouse=True)
def _listed(runs, only_runs):
    only_runs(runs["all"].path.parent)


def plain(app) -> str:
    return texts(app).replace("\u00a0", " ")


@pytest.mark.parametrize("scale", ["s", "ln s"])
def test_the_published_pair_is_shown_with_the_stages_numbers(runs, scale):
    run = runs["all"]
    app = open_page("complementarity", run="all", ood="bright", comp_scale=scale)
    encoder, decoder = run.manifest.presets["sparse_ed"]
    assert (app.session_state["comp_first"], app.session_state["comp_second"]) == (encoder, decoder)
    table = run.table("complementarity")
    rows = table[(table["ood"] == "bright") & (table["preset"] == "sparse_ed")]
    rows = rows[rows["level"] == run.manifest.kept["level"]]
    row, text = rows[rows["scale"] == scale].iloc[0], plain(app)
    for name in ("auroc_e", "auroc_d", "auroc_avg", "adjusted_d", "adjusted_e", "realised", "bits_d"):
        assert format_estimate(row[name], row[f"{name}_lo"], row[f"{name}_hi"]) in text, name
    for each in rows.itertuples():
        digits = standing_decimals(each.gain_d_lo, each.gain_d_hi, 2)
        shown = [f"{number:.{digits}f}" for number in (each.gain_d, each.gain_d_lo, each.gain_d_hi)]
        assert f"{shown[0]} [{shown[1]}, {shown[2]}]" in text
    assert f"D² on {scale}" in text and f"n = {row['n_id']} ID, {row['n_ood']} OOD" in text
    assert {True: "**yes**", False: "**no**"}[bool(row["avg_beats_e"])] in text
    points = next(frame.value for frame in app.dataframe if "encoder" in frame.value and "class" in frame.value)
    assert points["class"].value_counts().to_dict() == {"ID": row["n_id"], "OOD": row["n_ood"]}


def test_selects_offer_every_tap_its_own_side_first(runs):
    taps = runs["all"].taps
    app = open_page("complementarity", run="all")
    regions = {short_tap_name(tap.name): tap.region for tap in taps}
    for key, side in (("comp_first", ("input", "encoder")), ("comp_second", ("decoder", "output"))):
        options = [option.rsplit(" (", 1)[0] for option in app.selectbox(key=key).options]
        assert sorted(options) == sorted(regions)
        here = [regions[option] in side for option in options]
        assert here == sorted(here, reverse=True) and here[0]


def test_other_taps_are_called_by_their_names_and_an_address_restores_them(runs):
    app = open_page(
        "complementarity", run="all", comp_first="mid_block.resnets.0", comp_second="conv_act", comp_level="1"
    )
    assert "averaging mid.res0 and conv_act" in plain(app) and "the encoder" not in app.markdown[0].value
    app.selectbox(key="comp_level").select(0).run()
    said = app.query_params["comp_level"]
    assert not app.exception and LEVEL.read(said if isinstance(said, str) else said[0], runs["all"]) == 0
    nonsense = open_page(
        "complementarity", run="all", comp_first="no tap", comp_level="77", comp_scale="x", comp_view="y"
    )
    assert nonsense.session_state["comp_first"] == runs["all"].manifest.presets["sparse_ed"][0]
    assert nonsense.session_state["comp_view"] == "levels"


def test_a_pair_needs_two_taps(runs):
    app = open_page("complementarity", run="all", comp_first="conv_act", comp_second="conv_act")
    assert "Choose two different taps" in plain(app)
    assert "single tap" in plain(open_page("complementarity", run="one"))


def test_levels_follow_the_scale_and_a_click(runs, monkeypatch):
    run = runs["all"]
    app = open_page("complementarity", run="all", ood="bright", comp_scale="ln s", comp_view="levels")
    shown = next(frame.value for frame in app.dataframe if "gain_d" in frame.value)
    e, d = ([tap.name for tap in run.taps].index(name) for name in run.manifest.presets["sparse_ed"])
    sides = [
        np.log(scores.mean(axis=1, dtype=np.float64)[:, :, tap].T)
        for scores in (run.scores("id_test"), run.scores("ood", "bright"))
        for tap in (e, d)
    ]
    np.testing.assert_allclose(shown["gain_d"], joint_separability(*sides)["gain_d"])
    session = {"comp_levels": {"selection": {"points": [{"customdata": 1}]}}}
    monkeypatch.setattr(complementarity_details.st, "session_state", session)
    complementarity_details._pick_level()
    assert session["comp_level"] == 1


def test_all_pairs_show_the_table_and_a_click_chooses_a_pair(runs, monkeypatch):
    run = runs["all"]
    app = open_page("complementarity", run="all", ood="bright", comp_view="pairs")
    shown = next(frame.value for frame in app.dataframe if "best_single" in frame.value)
    assert len(shown) == len(run.taps) * (len(run.taps) - 1) // 2 and shown["gain"].is_monotonic_decreasing
    assert "straddle" in plain(app) or "no average of two taps does better" in plain(app)
    cell = 3 * len(run.taps) + 1
    session = {"comp_pairs": {"selection": {"points": [{"customdata": cell}]}}}
    monkeypatch.setattr(complementarity_details.st, "session_state", session)
    complementarity_details._pick_pair(run)
    assert (session["comp_first"], session["comp_second"]) == (run.taps[1].name, run.taps[3].name)


@pytest.mark.parametrize("group", ["both", "encoder", "decoder", "neither"])
def test_images_of_a_group_are_counted_and_shown(runs, group):
    run = runs["all"]
    app = open_page("complementarity", run="all", ood="bright", comp_view="images", comp_caught=group)
    e, d = ([tap.name for tap in run.taps].index(name) for name in run.manifest.presets["sparse_ed"])
    level = run.manifest.kept["level"]
    means = [
        run.scores(*which)[:, :, level].mean(axis=1, dtype=np.float64) for which in (("id_test",), ("ood", "bright"))
    ]
    found = catches(means[0][:, e], means[0][:, d], means[1][:, e], means[1][:, d])
    k = ["both", "encoder", "decoder", "neither"].index(group)
    assert format_estimate(found.count[k] / 14, found.lo[k], found.hi[k]) in plain(app)
    if found.count[k]:
        assert f"of {found.count[k]} images of bright" in plain(app)
    else:
        assert "No image of bright is in this group" in plain(app)


def test_sets_show_every_ood_set(runs):
    app = open_page("complementarity", run="all", comp_view="sets")
    rows = next(frame.value for frame in app.dataframe if "auroc_gain_p" in frame.value)
    assert rows["ood"].tolist() == ["bright", "single"]


@pytest.mark.parametrize("view", complementarity_details.LOOK.values)
def test_one_ood_image_says_what_it_cannot_show(view):
    app = open_page("complementarity", run="all", ood="single", comp_view=view)
    assert "too few images to compare" in app.markdown[0].value
    assert "n/a" in plain(app) and "nan" not in plain(app).lower()
    if view == "levels":
        assert "at least two images" in plain(app)


@pytest.mark.parametrize("view", complementarity_details.LOOK.values)
def test_a_run_without_encoder_taps_compares_what_it_has(view):
    app = open_page("complementarity", run="middle", comp_view=view)
    assert "no encoder-decoder pair of the published kind" in plain(app)
    assert app.session_state["comp_first"] != app.session_state["comp_second"]
    if view == "sets":
        assert "no published pair" in plain(app)


def test_without_the_stage_the_live_numbers_stay(runs):
    app = open_page("complementarity", run="bare", ood="bright")
    assert "D² on" in plain(app)
    app = open_page("complementarity", run="bare", ood="bright", comp_view="pairs")
    assert "without the stage Complementarity" in plain(app)


def test_scores_of_zero_have_no_logarithm(runs, monkeypatch):
    original = data.PageRun.scores

    def with_zero(*arguments, **options):
        scores = original(*arguments, **options).copy()
        scores[0] = 0
        return scores

    monkeypatch.setattr(data.PageRun, "scores", with_zero)
    st.cache_resource.clear()
    app = open_page("complementarity", run="all", ood="bright", comp_scale="ln s")
    assert "linear axes, since some scores are not above 0" in plain(app)
    assert "and are above 0" in plain(app)
    st.cache_resource.clear()
