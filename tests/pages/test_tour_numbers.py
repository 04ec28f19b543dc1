"""The numbers that the tour states, against what stored scores and tables give here, step by step."""

import re

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import betabinom

from cfs_explore.locations import BUNDLES
from cfs_explore.ui import data
from cfs_explore.ui.tour_steps import STEPS

ENCODER, DECODER = "down_blocks.1.resnets.1", "up_blocks.1.resnets.2"
three = "{:.3f}".format


def scores(run, level: int, tap: str) -> tuple[np.ndarray, np.ndarray]:
    """Slot scores of a cell for digits and letters, mean over draws, straight from the stored ones."""
    place = [each.name for each in run.taps].index(tap)
    sets = (("id_test",), ("ood", "letters"))
    return tuple(run.scores(*each)[:, :, level, place].astype(float).mean(axis=1) for each in sets)


def average(run) -> tuple[np.ndarray, np.ndarray]:
    """The same of CFS(1x2)."""
    return tuple(np.mean(each, axis=0) for each in zip(scores(run, 2, ENCODER), scores(run, 2, DECODER), strict=True))


def by_pairs(id_scores, ood_scores) -> float:
    """AUROC by comparing every pair."""
    above = ood_scores[:, None] > id_scores
    return float((above + 0.5 * (ood_scores[:, None] == id_scores)).mean())


def of(table, **where):
    """The first row with these values."""
    for column, value in where.items():
        table = table[table[column] == value]
    return table.iloc[0]


def on_map(run) -> set[str]:
    best = (4, "up_blocks.2.resnets.0")
    auroc, row = by_pairs(*scores(run, *best)), of(run.auroc_map("letters"), level=4, tap=best[1])
    noisiest = max(by_pairs(*scores(run, 7, tap.name)) for tap in run.taps)
    interval = {three(row["auroc_lo"]), three(row["auroc_hi"])}
    return {three(auroc), f"{100 * auroc:.0f}", f"{noisiest:.2f}", "1.0", "0", "6", "100", "0.5"} | interval


def on_noise(run) -> set[str]:
    return {three(value) for k in (2, 5) for value in (run.levels[k].a, run.levels[k].b)} | {"−1.0", "5"}


def on_snapshot(run) -> set[str]:
    first = []
    for which, values in zip((("id_test",), ("ood", "letters")), scores(run, 2, DECODER), strict=True):
        median = np.sort(values)[(len(values) - 1) // 2]
        first.append(run.scores(*which)[int(np.flatnonzero(values == median)[0]), 0, 2, 22])
    return {three(first[0]), f"{first[1]:.2f}", "64", "128"}


def on_images(run) -> set[str]:
    return {f"{100 * _letters_by_digits(run):.1f}", f"{100 * 421 / (421 + 250 - 1):.0f}", "256"}


def on_separation(run) -> set[str]:
    row = of(run.table("separation"), ood="letters", tap=DECODER, level=2)
    heads = [of(run.table("cell_heads"), ood="letters", tap=DECODER, head=head)["auroc"] for head in ("diag", "knn")]
    id_scores, letters = scores(run, 2, DECODER)
    delta = letters.mean() - id_scores.mean()
    assert row["mean_shift"] + row["variance_change"] == pytest.approx(delta, rel=1e-3)
    return {f"{delta:.2f}", f"{row['mean_shift']:.2f}", f"{row['variance_change']:.2f}", *map(three, heads)}


def on_complementarity(run) -> set[str]:
    pair = [scores(run, 2, tap) for tap in (ENCODER, DECODER)]
    adjusted = of(run.table("complementarity"), ood="letters", level=2, preset="sparse_ed")["adjusted_d"]
    caught = [letters > np.quantile(id_scores, 0.95, method="inverted_cdf") for id_scores, letters in pair]
    aurocs = (by_pairs(*each) for each in (*pair, average(run)))
    return {*map(three, aurocs), three(adjusted), str((caught[1] & ~caught[0]).sum())}


def on_lab(run) -> set[str]:
    pays = next(d / 10 for d in range(31) if (1.2 + d / 10) / np.sqrt(2 + 2 * 0.4) > 1.2)
    return {"1.2", "0.4", "0.3", f"{pays:g}", "7"}


def on_stability(run) -> set[str]:
    icc = [of(run.table("stability"), role="id_test", tap=DECODER, level=k)["icc_features"] for k in (2, 5)]
    curve = [by_pairs(*scores(run, k, DECODER)) for k in range(8)]
    assert int(np.argmax(curve)) == 4
    return {*(f"{100 * value:.0f}" for value in icc), three(curve[4]), three(curve[2]), "5.0", "−1.0", "1.0"}


def on_controls(run) -> set[str]:
    table = run.table("best_excess")
    easy = of(table, ood="inverted", control="untrained", draws=1)[["trained", "auroc"]]
    statistic = of(table, ood="inverted", control="best statistic", draws=1)["auroc"]
    letters = of(table, ood="letters", control="untrained", draws=1)[["trained", "auroc", "excess", "lo", "hi"]]
    return set(map(three, (*easy, statistic, *letters)))


def on_triage(run) -> set[str]:
    id_scores, letters = average(run)
    p = np.array([(1 + (id_scores >= each).sum()) / (len(id_scores) + 1) for each in letters])
    alarms = betabinom(250, int(0.05 * 422), 422 - int(0.05 * 422))
    flagged = {str((p <= 0.05).sum()), str((p <= 0.01).sum())}
    interval = {f"{alarms.ppf(0.025):.0f}", f"{alarms.ppf(0.975):.0f}"}
    return flagged | interval | {"250", "5", "1", f"{alarms.mean():.1f}"}


def on_image(run) -> set[str]:
    """In how many cells the image is in the top 1 %, and how many digits are in as many, cell by cell."""
    id_means, means = (run.scores(*which).mean(axis=1, dtype=float) for which in (("id_test",), ("ood", "letters")))
    image = means[int(np.argmax(average(run)[1]))]
    group = np.concatenate([id_means, image[None]]).reshape(len(id_means) + 1, -1)
    lower = int(0.99 * len(group))
    top = np.array([(group < row).sum(axis=0) >= lower for row in group]).sum(axis=1)
    return {str(top[-1]), f"{(top >= top[-1]).mean():.3f}", "232", "421", "1"}


def _letters_by_digits(run) -> float:
    """Share of the letters whose nearest other image, by standardised snapshots, is a digit."""
    moments, features = run.moments("id_train"), {"id_test": [], "ood": []}
    start = dict(
        zip([tap.name for tap in run.taps], np.cumsum([0, *(2 * tap.channels for tap in run.taps)]), strict=False)
    )
    for tap in (ENCODER, DECODER):
        v = moments.m2[2, start[tap] : start[tap] + 128] / moments.count
        for role, name in (("id_test", None), ("ood", "letters")):
            features[role].append(run.snapshots(tap, role, name).astype(float) / np.sqrt(v))
    of_id, letters = (np.concatenate(features[role], axis=1) for role in ("id_test", "ood"))
    among = cdist(letters, letters)
    np.fill_diagonal(among, np.inf)
    return float((cdist(letters, of_id).min(axis=1) < among.min(axis=1)).mean())


EXPECTED = (
    *(on_map, on_noise, on_snapshot, on_images, on_separation, on_complementarity),
    *(on_lab, on_stability, on_controls, on_triage, on_image),
)


@pytest.mark.parametrize(("step", "expected"), list(zip(STEPS, EXPECTED, strict=True)))
def test_every_number_that_a_step_states_is_the_explorations(digits, step, expected):
    known = step.facts(data.load_run(BUNDLES / "digits"))
    text = re.sub(r"\b(up|down)\d\.\w+", "", f"{step.do} {step.see}".format(**known))  # without names of taps
    stated = set(re.findall(r"−?\d+(?:\.\d+)?", text))
    assert stated and stated <= expected(digits), stated - expected(digits)


def test_what_the_steps_claim_beyond_numbers_is_so(digits):
    letters = digits.auroc_map("letters")
    assert letters["auroc"].idxmax() == digits.table("best_cell").set_index("ood").loc["letters", "cell_index"]
    row = of(digits.table("complementarity"), ood="letters", level=2, preset="sparse_ed")
    assert row["auroc_gain_hi"] < 0 and row["better"] == "decoder"  # the average is less than the decoder
    assert row["adjusted_d_lo"] > 0.5  # the decoder knows something else
    heads = digits.table("cell_heads")
    assert of(heads, ood="letters", tap=DECODER, head="knn")["difference_lo"] > 0
    controls = digits.table("best_excess")
    assert of(controls, ood="inverted", control="untrained", draws=1)["lo"] <= 0
    assert of(controls, ood="letters", control="untrained", draws=1)["lo"] > 0
    curve = letters[letters["tap"] == DECODER].set_index("level")
    assert curve["auroc_lo"][4] > curve["auroc_hi"][2]  # low noise is not always best
