"""Labels and prompts among the conditionings: the figures' numbers, words and files; older runs are as before."""

import numpy as np
import pandas as pd
import pytest
from conditioned_run import with_conditions
from figure_steps import assert_whole, make

from cfs_explore.charts import to_publication
from cfs_explore.charts.condition_dots import condition_dots_chart
from cfs_explore.charts.theme import ROLE_COLOURS
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.figures.protocol_conditioning import CONDITIONING, conditioning_label, has_conditions
from cfs_explore.figures.protocol_tables import conditioning_summary, with_regions
from cfs_explore.reports.protocol import protocol_tables

HOSTILE = "prompt: <b>a</b>/../c"


@pytest.fixture(scope="module")
def labelled(digits):
    return with_conditions(digits, "label 3", "label 0")


def test_they_stand_behind_the_other_conditionings(digits, labelled):
    plain = list(CONDITIONING.labels(digits))
    assert list(CONDITIONING.labels(labelled)) == [*plain, "label 3", "label 0"]
    assert CONDITIONING.opening(labelled) == "label 0" and CONDITIONING.opening(digits) == plain[-1]
    assert conditioning_label("label 3") == "Label 3" and conditioning_label(HOSTILE) == "Prompt: <b>a</b>/../c"
    assert has_conditions(labelled) and not has_conditions(digits)


def test_the_map_of_a_label(labelled, letters):
    figure = make("protocol-told", labelled, letters)
    assert_whole(figure)
    table = labelled.table("conditioning").query("variant == 'label 0' and ood == 'letters'")
    losses = table.set_index(["level", "tap"])["loss"].unstack()[[tap.name for tap in labelled.taps]]
    drawn = np.array(figure.chart.data[0].z, dtype=float)
    np.testing.assert_allclose(drawn[:, ~np.isnan(drawn).all(axis=0)], losses)  # without the gaps between regions
    assert "AUROC with the null class minus AUROC with label 0 (one forward, no guidance)" in figure.caption
    assert "paired 95 % interval" in figure.caption and "wrong" not in figure.caption
    assert figure.stem == "digits-letters-told-label-0"


def test_a_prompt_makes_no_path_and_no_markup(digits, letters):
    run = with_conditions(digits, HOSTILE, own="empty prompt")
    figure = make("protocol-told", run, letters)
    assert figure.stem == "digits-letters-told-prompt-b-a-b-..-c"
    dots = make("protocol-labels", run, letters)
    assert any("&lt;b&gt;a" in note.text for note in dots.chart.layout.annotations)
    assert all("<b>a</b>" not in each.hovertemplate for each in dots.chart.data)


def test_the_dots_are_the_published_cells_with_their_intervals(labelled, letters):
    figure = make("protocol-labels", labelled, letters)
    assert_whole(figure)
    encoder, decoder = labelled.manifest.presets["sparse_ed"]
    table = labelled.table("conditioning").query("ood == 'letters' and lam > 4.5 and lam < 5.5")
    for variant in ("label 3", "label 0"):
        for tap, name in ((encoder, "Encoder"), (decoder, "Decoder")):
            row = table[(table["variant"] == variant) & (table["tap"] == tap)].iloc[0]
            found = figure.rows[(figure.rows["variant"] == variant) & (figure.rows["tap"] == tap)].iloc[0]
            assert (found.loss, found.loss_lo, found.loss_hi) == (row.loss, row.loss_lo, row.loss_hi)
            assert any(each.name == name and each.x[0] == row.loss for each in figure.chart.data)
    assert len(figure.rows) == 4 and "in the cells of CFS(1x2)" in figure.caption and "letters" in figure.caption
    assert "null class" in figure.caption and "without guidance" in figure.caption


def test_lines_and_their_table_leave_labels_out(digits, labelled, letters):
    plain, figure = (make("protocol-conditioning", run, letters) for run in (digits, labelled))
    pd.testing.assert_frame_equal(plain.rows, figure.rows)
    assert plain.chart.to_dict() == figure.chart.to_dict() and plain.alt == figure.alt


def test_a_run_without_labels_says_how_to_name_some(digits, letters):
    with pytest.raises(
        NotMeasuredError, match=r"compared no labels or prompts\. Name some under `conditioning_labels`"
    ):
        make("protocol-labels", digits, letters)


def test_the_command_line_lists_them(labelled):
    summary = protocol_tables(labelled, "letters")["conditioning"]
    rows = with_regions(labelled, labelled.table("conditioning").query("ood == 'letters'"))
    pd.testing.assert_frame_equal(summary, conditioning_summary(rows))
    assert {"label 3", "label 0"} < set(summary["variant"])


def test_the_dots_print_alike_from_both_themes():
    rows = pd.DataFrame({"title": ["Label 3"] * 2, "region": ["encoder", "decoder"], "about": "up1 at λ 5.0"})
    rows = rows.assign(loss=[0.0, 0.1], loss_lo=[0.0, 0.05], loss_hi=[0.0, 0.15])
    light, dark = (to_publication(condition_dots_chart(rows, theme), "84mm") for theme in ("light", "dark"))
    assert light.to_dict() == dark.to_dict()
    fig = condition_dots_chart(rows)
    assert [each.marker.color for each in fig.data] == [ROLE_COLOURS["encoder"], ROLE_COLOURS["decoder"]]
    low, high = fig.layout.xaxis.range
    assert low < 0 and high > 0.15
    same = condition_dots_chart(rows.assign(loss=0.0, loss_lo=0.0, loss_hi=0.0))
    assert same.layout.xaxis.range[0] < 0 < same.layout.xaxis.range[1]
