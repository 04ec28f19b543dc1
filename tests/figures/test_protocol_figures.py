"""The protocol page's figures hold the tables' numbers and say of what."""

import base64
import io

import numpy as np
import pytest
from figure_steps import assert_follows_theme, assert_whole, make, trace
from PIL import Image
from scipy.stats import spearmanr

from cfs_explore.figures.choices import choose
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.figures.protocol import KINDS
from cfs_explore.figures.protocol_conditioning import conditioning_label
from cfs_explore.store import Run

#: Kind -> what its caption says of n and the OOD set. The curves are of ID images, the pictures no measurement, and
#: the maps under the sensitivity share its n.
SAID = {
    "protocol-curves": ["64 ID-train images"],
    "protocol-pictures": ["the run's first noise draw"],
    "protocol-sensitivity": ["OOD: letters", "n = 250 ID, 250 OOD"],
    "protocol-alignments": ["columns: taps in order of execution"],
    "protocol-told": ["OOD: letters", "n = 150 ID, 150 OOD"],
    "protocol-conditioning": ["OOD: letters", "n = 150 ID, 150 OOD"],
    "protocol-cost": ["OOD: letters", "n = 421 ID, 250 OOD"],
    "protocol-groups": ["Near: digits 7-9 (n = 250), letters (n = 250)", "ID-test: n = 421"],
    "protocol-group-maps": ["Far: photo patches (n = 250)", "ID-test: n = 421"],
    "protocol-group-rivals": ["64 ID-test images"],
}
STAGES = {
    "protocol-sensitivity": "Alignment",
    "protocol-alignments": "Alignment",
    "protocol-told": "Conditioning",
    "protocol-conditioning": "Conditioning",
    "protocol-labels": "Conditioning",
}


@pytest.fixture(scope="module")
def conditioning(digits):
    table = digits.table("conditioning")
    return table[table["ood"] == "letters"].set_index(["variant", "level", "tap"])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "protocol-labels"])
def test_every_figure_is_whole_and_says_of_what(kind, digits, letters):
    figure = make(kind, digits, letters)
    assert_whole(figure)
    assert all(each in figure.caption for each in SAID[kind])
    assert_follows_theme(kind, digits, letters)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("protocol-group")])
def test_a_run_without_the_stage_says_what_to_run(kind, bare):
    title = STAGES.get(kind, "Levels and cost")
    with pytest.raises(NotMeasuredError, match=rf"without the stage {title}\. `cfs-explore diagnose"):
        make(kind, bare, choose(bare))


def test_the_curve_is_the_score_magnitude_from_clean_to_noisy(digits, letters):
    figure = make("protocol-curves", digits, letters)
    expected = digits.table("alignment_curves").sort_values("lam", ascending=False)
    line = trace(figure, digits.name)
    assert np.allclose(line.x, expected["lam"]) and np.allclose(line.y, expected["score_norm"])


def test_pictures_are_two_id_images_and_one_of_the_set(digits, letters):
    figure, table = make("protocol-pictures", digits, letters), digits.table("level_pictures")
    assert list(figure.rows["row"].unique()) == ["digits 0-6 1", "digits 0-6 2", "letters"]
    shown = [pixels(base64.b64decode(each.source.split(",")[1])) for each in figure.chart.layout.images]
    assert len(shown) == 3 * (1 + len(digits.levels)) == len(figure.rows)
    stored = table.set_index(["image_id", "level"])["png"]
    for row, picture in zip(figure.rows.itertuples(), shown, strict=True):
        original = pixels(stored[row.image_id, row.level])
        factor = len(picture) // len(original)
        assert (picture[::factor, ::factor] == original).all()
        assert np.isnan(row.lam) if row.level == -1 else row.lam == digits.levels[row.level].lam


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_a_run_without_images_has_no_pictures(digits, letters, monkeypatch):
    run, table = Run(digits.path), digits.table("level_pictures").iloc[:0]
    monkeypatch.setattr(run, "table", lambda name: table if name == "level_pictures" else digits.table(name))
    with pytest.raises(NotMeasuredError, match="images of these sets are not part of this exploration"):
        make("protocol-pictures", run, letters)


def test_the_rank_correlation_is_that_of_the_two_maps_in_reach(digits, letters):
    figure, table = make("protocol-sensitivity", digits, letters), digits.table("alignment_maps")
    table = table[table["ood"] == "letters"]
    levels = digits.table("alignment_levels").set_index(["variant", "index"])["reachable"]
    own, moved = (
        table[table["variant"] == name].set_index(["index", "tap"])["auroc"] for name in ("logsnr", "lam - 0.5")
    )
    reached = [cell for cell in own.index if levels["lam - 0.5", cell[0]]]
    assert len(reached) < len(own)
    expected = spearmanr(own[reached], moved[reached]).statistic
    assert trace(figure, "λ − 0.5: spearman").x[0] == pytest.approx(expected)
    assert f"λ − 0.5: rank correlation {expected:.2f}" in figure.alt


def test_every_alignment_has_its_map(digits, letters):
    figure, table = make("protocol-alignments", digits, letters), digits.table("alignment_maps")
    heats = [each for each in figure.chart.data if each.type == "heatmap"]
    variants = table["variant"].unique()
    assert len(heats) == len(variants)
    for variant, heat in zip(variants, heats, strict=True):
        cells = table[(table["variant"] == variant) & (table["ood"] == "letters")]
        expected = cells.pivot(index="index", columns="tap", values="auroc")[[tap.name for tap in digits.taps]]
        assert np.allclose(without_gaps(heat.z), expected)
    missed = digits.table("alignment_levels").query("not reachable")["variant"].value_counts()
    assert missed["lam - 0.5"] == 1 and "left out of the correlation: 1 of λ − 0.5, 1 of λ + 0.5." in figure.caption


def without_gaps(z) -> np.ndarray:
    """A map's values without the empty columns between regions."""
    values = np.array(z, float)
    return values[:, ~np.isnan(values).all(axis=0)]


def test_the_loss_is_the_truth_minus_the_level_most_too_clean(digits, letters, conditioning):
    figure, aurocs = make("protocol-told", digits, letters), conditioning["auroc"]
    expected = (aurocs["matched"] - aurocs["lam + 2"]).unstack()[[tap.name for tap in digits.taps]]
    assert np.allclose(without_gaps(figure.chart.data[0].z), expected)
    assert (
        "AUROC with conditioning 2 too clean (log-SNR)" in figure.caption
        and figure.stem == "digits-letters-told-lam-+-2"
    )


def test_lines_are_medians_over_a_regions_cells(digits, letters, conditioning):
    figure, aurocs = make("protocol-conditioning", digits, letters), conditioning["auroc"]
    decoder = [tap.name for tap in digits.taps if tap.region == "decoder"]
    line = trace(figure, "Decoder")
    for offset, median in zip(line.x, line.y, strict=True):
        wrong = aurocs[f"lam {'+' if offset > 0 else '-'} {abs(offset):g}"] if offset else aurocs["matched"]
        losses = (aurocs["matched"] - wrong)[lambda rows: rows.index.get_level_values("tap").isin(decoder)]
        assert median == pytest.approx(losses.median(), abs=1e-9)
    assert list(line.x) == [-2, -1, 0, 1, 2]


def test_labels_of_the_conditioning():
    assert [conditioning_label(name) for name in ("lam + 2", "lam - 0.5", "published")] == [
        "2 too clean",
        "0.5 too noisy",
        "As published",
    ]


def test_no_detector_beats_one_of_the_front_for_less(digits, letters):
    figure = make("protocol-cost", digits, letters)
    rows, depth = figure.rows, {tap.name: tap.depth for tap in digits.taps}
    cells = rows[rows["kind"] == "cell"]
    paid = [row.draws * depth[row.detector.split(" @ ")[0]] for row in cells.itertuples()]
    assert np.allclose(cells["effective"], paid) and len(cells) == 2 * len(digits.taps) * len(digits.levels)
    cost, found = rows["effective"].to_numpy(), rows["picked_auroc"].to_numpy()
    beaten = [((cost <= c) & (found >= a) & ((cost < c) | (found > a))).any() for c, a in zip(cost, found, strict=True)]
    front = rows[~np.array(beaten)].sort_values("effective")
    points = trace(figure, "On the front")
    assert set(points.x) == set(front["effective"]) and set(points.y) == set(front["judged_auroc"])
