"""docs/evidence.md and the results in README.md say what ``cfs-explore evidence`` says of the bundles."""

import re
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bundles import bundle

from cfs_explore.diagnostics.sealed import over_sets
from cfs_explore.locations import BUNDLES
from cfs_explore.reports import evidence_choice as choice
from cfs_explore.reports.evidence import gathered
from cfs_explore.store import find_runs
from cfs_explore.wording import format_estimate, format_value

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "evidence_page.py"))
TEXT = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
PROSE = " ".join(TEXT.split(SCRIPT["BEGIN"])[0].split())
RESULTS = (ROOT / "README.md").read_text(encoding="utf-8").split("## Results\n")[1].split("\n## ")[0].strip()
README = " ".join(RESULTS.split())
CIFAR, DIGITS = ["cifar10-ddpm", "cifar10-edm", "cifar10-uvit"], ["digits", "digits-narrow"]
#: "0.044 [0.002, 0.087]".
ESTIMATE = re.compile(r"\u2212?\d\.\d{3} \[\u2212?\d\.\d{3}, \u2212?\d\.\d{3}\]")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found():
    return gathered([bundle(path.name) for path in find_runs(BUNDLES)])


@pytest.fixture(scope="module")
def claims(found):
    return pd.concat([table.assign(run=name) for name, table in found.claims.items()])


@pytest.fixture(scope="module")
def counts(claims):
    table = pd.crosstab(claims["claim"], claims["verdict"])
    return table.assign(judged=table[["yes", "open", "no"]].sum(axis=1))


def pooled(found, names, policy):
    """Losses and the proxies' gains by set, averaged over explorations in a loop."""
    tables = [found.choices[name].set_index(["policy", "ood"]) for name in names]
    sets = [ood for ood in tables[0].loc[policy].index if ood and all((policy, ood) in table.index for table in tables)]
    return [
        np.array([np.mean([t.loc[(policy, ood), of] for t in tables]) for ood in sets]) for of in ("regret", "gain")
    ]


def over(values):
    return format_estimate(values.mean(), *over_sets(values))


def mean_row(found, name, policy):
    table = found.choices[name]
    return table[(table["policy"] == policy) & (table["ood"] == "")].iloc[0]


def test_the_page_is_what_the_script_writes(found):
    assert SCRIPT["page"](TEXT, found) == TEXT, "run python scripts/evidence_page.py"


def test_every_estimate_of_the_text_is_in_the_tables():
    tables = TEXT.split(SCRIPT["BEGIN"])[1]
    split = {"\u22120.016 [\u22120.026, \u22120.007]", "\u22120.031 [\u22120.045, \u22120.018]"}
    said = set(ESTIMATE.findall(PROSE) + ESTIMATE.findall(README))
    assert len(said) > 15 and split < said
    assert not [each for each in said if each not in tables]


def test_of_the_own_sets_nothing_was_sealed(found):
    sealed = pd.concat([run.table("sealed_ranking") for run in found.runs.values()])
    assert sealed["verdict"].eq("refused").all() and (sealed["ood"] != "").all()
    assert sealed["sealed_at"].str[:10].eq("2026-11-30").all() and "sealed on 30 November 2026" in PROSE
    assert f"of {len(sealed)} OOD sets the seals judge none" in PROSE


def test_sets_that_were_measured_after_the_seals(found):
    table = pd.read_csv(SCRIPT["SEALED_TABLE"]).assign(ood=lambda rows: rows["ood"].fillna(""))
    for name, run in found.runs.items():
        own = table[table["bundle"] == name]
        assert set(own["seal"]) == {run.table("sealed_ranking")["seal"].iloc[0]}
        assert own["refused"].isna().all() and set(own["ood"]).isdisjoint(run.ood_names)
        assert (own["sealed_at"] < own["opened_at"]).where(own["ood"] != "", True).all()
    sets = table[table["ood"] != ""].drop_duplicates(["bundle", "ood"])
    counts = {
        of: sets[sets["bundle"].isin(of)]["verdict"].value_counts().to_dict() for of in map(tuple, (DIGITS, CIFAR))
    }
    assert counts == {tuple(DIGITS): {"confirmed": 12}, tuple(CIFAR): {"open": 13, "confirmed": 5}}
    assert (
        "all twelve verdicts confirm" in PROSE and "five of eighteen verdicts confirm them, none refutes them" in PROSE
    )
    assert "12 of 12 far sets" in README and "5 of 18 with CIFAR-10's (none refuted)" in README
    means = table[table["ood"] == ""].set_index(["policy", "bundle"])
    assert set(means.loc["sealed"].loc[CIFAR, "verdict"]) == {"open"}

    def lost(policy):
        first, second, third = (format_value(means.loc[(policy, name), "regret"]) for name in CIFAR)
        return f"{first}, {second} and {third}"

    assert f"loses {lost('sealed')} AUROC to the best one (DDPM, EDM, U-ViT), the fixed cell {lost('fixed')}" in PROSE
    assert f"loses less on CIFAR-10: {lost('leave_one_out')}" in PROSE
    assert table[(table["policy"] == "fixed") & table["bundle"].isin(DIGITS)]["regret"].max() < 0.0015
    fashion = table[(table["bundle"] == "cifar10-ddpm") & (table["ood"] == "Fashion-MNIST")].set_index("policy")
    assert fashion.loc["random", "gain_hi"] < 0
    others = [over_sets(rows["gain"]) for _, rows in table[(table["policy"] == "fixed") & (table["ood"] != "")]
              [lambda rows: rows["bundle"].isin(CIFAR)].groupby("bundle", sort=False)]  # fmt: skip
    assert [lo > 0 for lo, _ in others] == [False, False, True]


def test_how_often_each_claim_holds(counts):
    of = counts.to_dict("index")
    assert f"In {of['complementary']['yes']} of {of['complementary']['judged']} verdicts the decoder tells" in PROSE
    assert f"alike; {of['complementary']['no']} speak against" in PROSE
    assert (
        f"{of['low noise']['yes']} of {of['low noise']['judged']} verdicts in all, {of['low noise']['no']} against"
        in PROSE
    )
    assert f"in {of['trained']['yes']} of {of['trained']['judged']} verdicts against untrained copies" in PROSE
    assert f"copies, {of['trained']['no']} against; in {of['beyond statistics']['yes']} of" in PROSE
    assert f"of {of['beyond statistics']['judged']} the best cell goes beyond plain image statistics" in PROSE
    assert f"statistics, {of['beyond statistics']['no']} against" in PROSE
    assert of["plateau"]["yes"] == 0 == of["no trajectory"]["yes"]
    assert f"no verdict of {of['plateau']['judged']} supports it and {of['plateau']['no']} speak against" in PROSE
    few, pair = of["few cells"], of["pair"]
    assert f"cell in {few['no']} of {few['judged']} verdicts; {few['yes']} say that it does not" in PROSE
    assert f"{pair['yes']} of {pair['judged']} verdicts say so, {pair['no']} the contrary" in PROSE
    rival = of["no trajectory"]
    assert f"In {rival['no']} of {rival['judged']} verdicts a trajectory detector leads" in PROSE
    both, low = of["complementary"], of["low noise"]
    assert f"in {both['yes']} of {both['judged']} verdicts ({both['no']} against); the signal is at" in README
    assert f"at low noise in {low['yes']} of {low['judged']} ({low['no']} against)" in README
    assert f"(0 of {of['plateau']['judged']}, {of['plateau']['no']} against)" in README
    assert f"leads in {rival['no']} of {rival['judged']} ({rival['open']} open)" in README


def test_which_sets_agree(claims):
    def agree(claim, verdict="yes"):
        """Sets of which every exploration that has them says the same."""
        of_sets = claims[(claims["claim"] == claim)].groupby("ood")["verdict"].agg(set)
        return {ood for ood, said in of_sets.items() if said == {verdict}}

    assert agree("complementary") == {"CIFAR-100", "SVHN", "textures", "blurred", "digits 7-9", "letters"}
    assert agree("low noise") == {"blurred", "SVHN", "textures"}
    assert claims.loc[claims["ood"] == "blurred", "run"].nunique() == 5
    rivals = claims[(claims["claim"] == "no trajectory") & (claims["verdict"] == "no")].groupby("run")["ood"].agg(set)
    assert all({"digits 7-9", "letters", "flipped"} == rivals[name] for name in DIGITS)
    pairs = claims[(claims["claim"] == "pair") & claims["run"].isin(DIGITS)]
    assert not pairs["verdict"].eq("yes").any()
    on_cifar = claims[(claims["claim"] == "no trajectory") & claims["run"].isin(CIFAR)]
    assert f"{on_cifar['verdict'].eq('open').sum()} of {len(on_cifar)} verdicts, since 64 images a side" in PROSE
    assert (on_cifar["n_ood"] == 64).all() and on_cifar["note"].str.endswith("4 more not measured").all()


def test_stability(claims):
    stable = claims[claims["claim"] == "stable"].set_index("run")
    shares = stable["value"].drop("cifar10-uvit")
    assert len(shares) == 4
    assert f"four U-Nets {shares.min():.3f} to {shares.max():.3f}" in PROSE
    least = format_estimate(*stable.loc[shares.idxmin(), ["value", "lo", "hi"]])
    lone = format_estimate(*stable.loc["cifar10-uvit", ["value", "lo", "hi"]])
    assert f"the share is {lone}" in PROSE
    assert f"four networks (at least {least}, over images), not with the U-ViT ({lone})" in README


def test_chance(claims):
    judged, firm = claims["p"].notna().sum(), claims["verdict"].isin(["yes", "no"]).sum()
    said = re.search(r"Of (\d+) verdicts about (\d+) would be firm by chance alone; (\d+) are, and (\d+) stand", PROSE)
    tables = " ".join(TEXT.split(SCRIPT["BEGIN"])[1].split())
    assert [int(said[1]), int(said[2]), int(said[3])] == [judged, round(0.05 * judged), firm]
    by_chance = f"Of {said[1]} verdicts, about {said[2]} would be firm by chance alone; {said[3]} are, and {said[4]} of"
    assert f"All together: {by_chance}" in tables


def test_separation(found):
    tables = {name: run.table("separation") for name, run in found.runs.items()}
    miss = [(t["predicted"] - t["auroc"]).abs().groupby(t["ood"]).mean().mean() for t in tables.values()]
    ranks = [
        t.groupby("ood")[["predicted", "auroc"]].apply(lambda own: own.corr("spearman").iloc[0, 1]).mean()
        for t in tables.values()
    ]
    assert f"within {min(miss):.3f} to {max(miss):.3f} on average" in PROSE
    assert f"(Spearman {min(ranks):.3f} to {max(ranks):.3f})" in PROSE
    bounded = sum(t["bound"].notna().sum() for t in tables.values())
    assert f"Of {bounded:,} cells to which the lower bound applies, none" in PROSE
    assert not any((t["auroc"] < t["bound"]).any() for t in tables.values())


def test_ledoit_wolf_on_the_decoder_tap(found):
    said = {"cifar10-edm": "with the EDM", "cifar10-ddpm": "with the DDPM", "cifar10-uvit": ""}
    for name, run in found.runs.items():
        table = run.table("cell_heads")
        rows = table[(table["tap"] == run.manifest.presets["sparse_ed"][1]) & (table["head"] == "ledoit_wolf")]
        assert name == "cifar10-uvit" or not (rows["difference_hi"] < 0).any()
        if name in said:
            assert f"{over(rows['difference'].to_numpy())} {said[name]}".strip() in PROSE


def test_the_choice_of_a_cell(found):
    for names, policies in ((CIFAR, ("proxy", "fixed", "random")), (DIGITS, ("proxy", "fixed"))):
        lost = [[format_value(mean_row(found, name, policy)["regret"]) for name in names] for policy in policies]
        if names is CIFAR:
            assert "loses {}, {} and {} AUROC to the best cell of each set".format(*lost[0]) in PROSE
            assert "loses {}, {} and {}, a random cell {}, {} and {}".format(*lost[1], *lost[2]) in PROSE
        else:
            assert "they lose {} and {}, it loses {} and {}".format(*lost[0], *lost[1]) in PROSE
    gains = [format_estimate(*mean_row(found, name, "fixed")[["gain", "gain_lo", "gain_hi"]]) for name in DIGITS]
    assert "gain is {} and {} for other images".format(*gains) in PROSE
    for name in DIGITS:
        assert mean_row(found, name, "fixed")["sets_lo"] < 0 < mean_row(found, name, "fixed")["sets_hi"]


def test_the_choice_of_a_cell_over_networks(found):
    losses, gains = zip(*(pooled(found, CIFAR, policy) for policy in ("proxy", "fixed", "random", "icc")), strict=True)
    digits, gain = zip(*(pooled(found, DIGITS, policy) for policy in ("proxy", "fixed")), strict=True)
    assert len(losses[0]) == 9 and len(digits[0]) == 5
    assert f"averaged over the three networks, is {over(gains[1])} for other sets" in PROSE
    sets = [ood for ood in found.choices[CIFAR[0]]["ood"].unique() if ood]
    assert sets[gains[1].argmax()] == "noisy"
    assert (
        f"noisy images, it is {over(np.delete(gains[1], gains[1].argmax()))}. For the digits it is {over(gain[1])}"
        in PROSE
    )
    assert f"the gain on CIFAR-10 is {over(gains[3])}" in PROSE
    assert f"On CIFAR-10 (nine sets) a cell chosen by the theory's proxies loses {over(losses[0])} AUROC" in README
    assert (
        f"fixed cell {over(losses[1])}, a random one {over(losses[2])}; gain over the fixed one {over(gains[1])}"
        in README
    )
    assert (
        f"On digits (five sets) they lose {over(digits[0])} and {over(digits[1])}; gain {over(gain[1])}, open" in README
    )
    means = choice.means([found.choices[name] for name in CIFAR], sets)
    assert np.allclose(np.sort(means["fixed"][1]), np.sort(gains[1]))


def test_ranks_and_transfer(found):
    wrong, said = {}, []
    for name in CIFAR:
        ranks = found.runs[name].table("prediction").groupby("ood", sort=False)[["spearman", "spearman_hi"]].first()
        wrong[name] = set(ranks.index[ranks["spearman_hi"] < 0])
        said.append(over(ranks["spearman"].to_numpy()))
    assert "Spearman {}, {} and {} on CIFAR-10; with the DDPM, faces and turned".format(*said) in PROSE
    assert wrong == {"cifar10-ddpm": {"faces", "rotated"}, "cifar10-edm": set(), "cifar10-uvit": set()}
    (family,) = (each for each in found.families if each.names == CIFAR)
    pairs = family.transfer.query("ood == '' and source not in ['fixed', 'random']")
    assert f"loses {pairs['loss'].min():.3f} to {pairs['loss'].max():.3f} AUROC on CIFAR-10" in PROSE
    assert len(pairs) == 6 and ((pairs["loss_sets_lo"] < 0) & (pairs["loss_sets_hi"] > 0)).sum() == 3


def test_the_results_are_ten_lines_at_most():
    assert len(RESULTS.splitlines()) <= 10
