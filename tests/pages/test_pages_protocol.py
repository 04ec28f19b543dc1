"""The protocol page on the bundles: every view draws, and its headline holds the tables' numbers."""

import json
import shutil

import pytest
from page_steps import open_page, texts

from cfs_explore.figures import protocol_tables as numbers
from cfs_explore.figures import set_groups
from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run
from cfs_explore.wording import detector_name, format_estimate, format_value


@pytest.fixture
def narrow_without_groups(only_runs, tmp_path):
    """The only exploration: a bundle whose sets are in no group."""
    shutil.copytree(BUNDLES / "digits-narrow", tmp_path / "runs" / "narrow")
    path = tmp_path / "runs" / "narrow" / "manifest.json"
    content = json.loads(path.read_text())
    for each in content["spec"]["ood"]:
        del each["set_group"]
    path.write_text(json.dumps(content))
    only_runs(tmp_path / "runs")


def test_levels_say_how_well_they_meet_the_requests(digits):
    app = open_page("protocol", run="digits", ood="letters", protocol_view="levels")
    worst = numbers.levels_table(digits)["error"].abs().max()
    assert "meets all 8 requested levels" in app.markdown[0].value and format_value(worst, 3) in texts(app)


def test_alignment_tells_the_lowest_rank_correlation(digits):
    app = open_page("protocol", run="digits", ood="letters", protocol_view="alignment")
    rows = digits.table("sensitivity").query("ood == 'letters' and variant != baseline")
    assert format_value(rows["spearman"].min()) in app.markdown[0].value


def test_conditioning_tells_the_dearest_median_loss(digits):
    app = open_page("protocol", run="digits", ood="letters", protocol_view="conditioning")
    table = digits.table("conditioning").query("ood == 'letters'")
    summary = numbers.conditioning_summary(numbers.with_regions(digits, table))
    worst = summary[summary["region"].isin(["encoder", "decoder"])]["median"].max()
    assert format_value(worst) in app.markdown[0].value


def test_cost_names_a_detector_of_the_front(digits):
    app = open_page("protocol", run="digits", ood="letters", protocol_view="cost")
    head = app.markdown[0].value
    assert any(detector_name(name) in head for name in numbers.cost_table(digits, "letters")["detector"])


def test_near_and_far_tells_the_means_of_the_published_pair(digits):
    app = open_page("protocol", run="digits", protocol_view="groups")
    table = set_groups.detector_groups(digits)
    means = table[(table["row"] == 0) & (table["ood"] == "") & (table["set_group"] != "covariate")]
    assert len(means) == 4
    for row in means.to_dict("records"):
        assert format_estimate(row["auroc"], row["lo"], row["hi"]) in app.markdown[0].value
    assert "one set, so no spread over sets" in texts(app)


def test_near_and_far_of_a_run_without_groups_says_how_to_group(narrow_without_groups):
    app = open_page("protocol", run="narrow", protocol_view="groups")
    assert "cfs-explore groups" in texts(app) and "is in a group" in texts(app)


def test_side_by_side_counts_the_matching_cells(digits):
    app = open_page("protocol", run="digits", ood="letters", protocol_view="compare")
    frame = numbers.compare(digits, open_run(BUNDLES / "digits-narrow"), "letters")
    assert f"over {len(frame)} matching cells" in texts(app)
    assert format_value(abs(frame["difference"].median())) in app.markdown[0].value


def test_other_images_are_no_default_to_compare_with():
    """Both have a set called flipped, of other images."""
    app = open_page("protocol", run="cifar10-ddpm", protocol_view="compare")
    assert not {"digits", "digits-narrow"} & set(app.session_state["protocol_against"])
    app = open_page("protocol", run="digits", protocol_view="compare")
    assert app.session_state["protocol_against"] == ["digits-narrow"]
