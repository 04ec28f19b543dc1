"""docs/cifar10.md says what ``cfs-explore claims`` says of each CIFAR-10 bundle."""

import re
from pathlib import Path

import pandas as pd
import pytest
from bundles import bundle

from cfs_explore.figures import claims
from cfs_explore.locations import BUNDLES

pytestmark = pytest.mark.slow

TEXT = (Path(__file__).parents[2] / "docs" / "cifar10.md").read_text()
PROSE = " ".join(TEXT.split())
NAMES = sorted(path.parent.name for path in BUNDLES.glob("cifar10-*/manifest.json"))
MARKS = {"yes": "**{}**", "no": "*{}*", "open": "{}", "no evidence": "({})", "missing": "not measurable"}


@pytest.fixture(scope="module")
def tables():
    return {name: claims.claims_table(bundle(name)) for name in NAMES}


def read_table(heading: str) -> list[list[str]]:
    """Rows of the table below a heading, its head first."""
    below = TEXT.split(f"# {heading}\n", 1)[1].split("\n#", 1)[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in below.splitlines() if line[:1] == "|"]
    return [lines[0], *lines[2:]]


def with_interval(row) -> str:
    return f"{row['value']:.3f} [{row['lo']:.3f}, {row['hi']:.3f}]"


@pytest.mark.parametrize("name", NAMES)
def test_each_table_holds_the_claims(name, tables):
    run, table = bundle(name), tables[name]
    (_, *said), *rows = read_table(name)
    assert [row[0] for row in rows] == [f"{ood} ({run.entry('ood', ood).count})" for ood in run.ood_names]
    for ood, (_, *cells) in zip(run.ood_names, rows, strict=True):
        for claim, cell in zip(said, cells, strict=True):
            row = table[(table["claim"] == claim) & (table["ood"] == ood)].iloc[0]
            assert cell == MARKS[row["verdict"]].format(with_interval(row)), (ood, claim)


def test_the_counts_of_all(tables):
    (_, *names), *rows = read_table("In how many of the nine sets")
    assert names == NAMES and {row[0] for row in rows} == set(claims.CLAIMS)
    for claim, *cells in rows:
        for name, cell in zip(names, cells, strict=True):
            table = tables[name][tables[name]["claim"] == claim]
            counts = table["verdict"].value_counts()
            expected = " / ".join(str(counts.get(verdict, 0)) for verdict in ("yes", "open", "no"))
            assert cell == (with_interval(table.iloc[0]) if claim == "stable" else expected), (claim, name)


@pytest.mark.parametrize(
    ("claim", "verdict", "sets"),
    [
        ("low noise", "yes", {"SVHN", "textures", "blurred"}),
        ("complementary", "yes", {"CIFAR-100", "SVHN", "textures", "blurred"}),
        ("plateau", "no", {"SVHN", "textures", "faces", "blurred"}),
        ("few cells", "no", {"SVHN", "faces"}),
        ("trained", "yes", {"SVHN", "textures", "blurred"}),
        ("beyond statistics", "yes", {"SVHN", "textures"}),
        ("beyond statistics", "no", {"faces"}),
    ],
)
def test_what_all_agree_on(tables, claim, verdict, sets):
    each = [set(t[(t["claim"] == claim) & (t["verdict"] == verdict)]["ood"]) for t in tables.values()]
    assert set.intersection(*each) == sets


def test_the_exceptions_in_the_text(tables):
    against = {name: t[t["verdict"] == "no"].groupby("claim")["ood"].agg(set) for name, t in tables.items()}
    low = [(name, sets["low noise"]) for name, sets in against.items() if "low noise" in sets]
    compared = pd.concat(tables).query("claim == 'low noise' and verdict in ['yes', 'no', 'open']")
    gains = compared.query("ood in ['SVHN', 'textures', 'blurred']")["value"]
    (worst,) = compared.query("verdict == 'no'")["value"]
    assert low == [("cifar10-edm", {"flipped"})]
    assert f"by {gains.min():.3f} to {gains.max():.3f} AUROC. One of {len(compared)} comparisons" in PROSE
    assert f"(EDM, upside-down images: {worst:.3f})" in PROSE
    assert against["cifar10-edm"]["pair"] == {"blurred", "noisy"} and against["cifar10-ddpm"]["pair"] == {"noisy"}
    assert against["cifar10-edm"]["complementary"] == {"faces", "flipped", "inverted"}
    assert against["cifar10-ddpm"]["complementary"] == {"inverted"}
    assert against["cifar10-uvit"]["trained"] == {"inverted", "faces"}
    assert all({"blurred", "noisy"} < against[name]["few cells"] for name in ("cifar10-ddpm", "cifar10-edm"))
    for name in NAMES:  # "CIFAR-100 is separated as well by these as by any of the networks"
        best = bundle(name).table("best_excess")
        near = best[(best["ood"] == "CIFAR-100") & (best["control"] == "statistics")]
        assert (near["lo"] < 0).all() and (near["hi"] > 0).all()


def test_what_is_said_of_trajectories(tables):
    led = pd.concat([t[t["claim"] == "no trajectory"].assign(run=name) for name, t in tables.items()])
    left = led["verdict"].eq("open").sum()
    assert f"of {len(led)} comparisons of fifteen detectors with CFS, {left} stay open" in PROSE
    assert led["note"].str.contains("; 15 detectors, 4 more not measured").all()
    assert not (led["verdict"] == "yes").any()
    no = led[led["verdict"] == "no"].groupby("ood")["run"].agg(set)
    assert no.to_dict() == {"faces": {"cifar10-ddpm", "cifar10-uvit"}, "noisy": {"cifar10-ddpm", "cifar10-edm"}}
    assert set(led[led["survives"]]["ood"]) == {"noisy"}
    decoders = []
    for name, said in (("cifar10-ddpm", "DDPM (0.836)"), ("cifar10-edm", "EDM (0.662)"), ("cifar10-uvit", "")):
        rows = bundle(name).table("falsifier").query("ood == 'noisy' and network == 'trained'")
        auroc = rows.set_index("detector")["auroc"]
        assert auroc["msma"] == auroc["nll"] == 1
        assert f"{name.removeprefix('cifar10-').upper()} ({auroc['cfs_1x2']:.3f})" == said or auroc["cfs_1x2"] == 1
        assert said in PROSE
        decoders.append(f"{auroc['cfs_dec_1x1']:.3f}")
    assert f"their decoders alone ({decoders[0]} and {decoders[1]})" in PROSE


def test_what_chance_would_give(tables):
    firm = [table["verdict"].isin(["yes", "no"]).sum() for table in tables.values()]
    survivors = [table["survives"].sum() for table in tables.values()]
    assert (
        "{} (DDPM), {} (EDM) and {} (U-ViT) are, and {}, {} and {} of these survive".format(*firm, *survivors) in PROSE
    )


def test_every_claim_is_explained():
    explained = re.findall(r"^- \*(.+?)\*: ", TEXT, flags=re.MULTILINE)
    assert sorted(explained) == sorted(claims.CLAIMS)


def test_where_patches_are_found():
    (_, *names), *rows = read_table("Where in the image")
    assert names == NAMES
    better: dict[str, set[str]] = {}
    for name, column in zip(NAMES, list(zip(*rows, strict=True))[1:], strict=True):
        table = bundle(name).table("localisation_best").query("part == 'score' and control == 'untrained'")
        better[name] = set(table[table["lo"] > 0]["ood"])
        assert (table["hi"] > 0).all()  # no network is worse than its copy
        for (_, row), cell in zip(table.iterrows(), column, strict=True):
            mark = "**{}**" if row["lo"] > 0 else "*{}*" if row["hi"] < 0 else "{}"
            said = f"{row['trained']:.2f}, {row['excess']:+.2f} [{row['lo']:.2f}, {row['hi']:.2f}]"
            assert cell == mark.format(said.replace("-0.00", "0.00").replace("+0.00", "0.00")), (name, row["ood"])
    all_three = {"noisy", "textures", "faces"}
    more = {"cifar10-ddpm": {"CIFAR-100"}, "cifar10-edm": set(), "cifar10-uvit": {"inverted"}}
    assert better == {name: all_three | sets for name, sets in more.items()}
    digits = bundle("digits").table("localisation_best").query("part == 'score' and control == 'untrained'")
    assert (digits["lo"] > 0).all()
    assert f"by {digits['trained'].min():.2f} to {digits['trained'].max():.2f}." in PROSE
