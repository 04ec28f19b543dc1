"""docs/cifar10.md says what ``cfs-explore claims cifar10-ddpm`` says."""

import re
from pathlib import Path

import pytest

from cfs_explore import claims
from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run

TEXT = (Path(__file__).parents[2] / "docs" / "cifar10.md").read_text()
MARKS = {"yes": "**{}**", "no": "*{}*", "open": "{}"}


@pytest.fixture(scope="module")
def run():
    return open_run(BUNDLES / "cifar10-ddpm")


@pytest.fixture(scope="module")
def table(run):
    return claims.claims_table(run)


def test_the_table_holds_the_claims(run, table):
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line[:1] == "|"]
    (_, *names), _, *rows = lines
    assert [row[0] for row in rows] == [f"{name} ({run.entry('ood', name).count})" for name in run.ood_names]
    for name, (_, *cells) in zip(run.ood_names, rows, strict=True):
        for claim, cell in zip(names, cells, strict=True):
            row = table[(table["claim"] == claim) & (table["ood"] == name)].iloc[0]
            told = f"{row['value']:.3f} [{row['lo']:.3f}, {row['hi']:.3f}]"
            assert cell == MARKS[row["verdict"]].format(told), (name, claim)


def test_the_counts_in_the_text(table):
    counts = table.groupby("claim")["verdict"].value_counts()
    for claim, verdict, told in (
        ("low noise", "yes", "is at low noise: {} of 9 sets"),
        ("complementary", "yes", "adds to the encoder in {} of 9 sets"),
        ("pair", "yes", "beats the decoder alone in {}."),
        ("plateau", "no", "moves with the level in {} of 9 sets"),
        ("few cells", "no", "In {} of 9 sets it loses"),
    ):
        assert told.format(counts[claim, verdict]) in " ".join(TEXT.split()), claim
    assert counts["pair", "no"] == 1 and "no" not in counts["low noise"]
    stable = table[table["claim"] == "stable"].iloc[0]
    assert f"{stable['value']:.3f} [{stable['lo']:.3f}, {stable['hi']:.3f}]" in TEXT


def test_the_controls_in_the_text(run, table):
    of_trained = table[table["claim"] == "trained"].set_index("ood")["verdict"]
    assert set(of_trained[of_trained != "yes"].index) == {"CIFAR-100", "faces", "flipped", "inverted"}
    best = run.table("best_excess")
    near = best[(best["ood"] == "CIFAR-100") & (best["control"] == "statistics")]
    assert (near["lo"] < 0).all() and (near["hi"] > 0).all()  # "tell as much as the network does"


def test_every_claim_is_explained():
    explained = re.findall(r"^- \*(.+?)\*: ", TEXT, flags=re.MULTILINE)
    assert set(explained) <= set(claims.CLAIMS) and f"| {' | '.join(explained)} |" in TEXT
