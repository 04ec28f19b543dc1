"""The protocol's tables of finished runs, and the same as text and files."""

import json

import numpy as np
import pandas as pd
import pytest
from bundles import bundle

from cfs_explore.cli import main
from cfs_explore.diagnostics import auroc
from cfs_explore.errors import RunError
from cfs_explore.figures import protocol_tables as numbers
from cfs_explore.reports import protocol
from cfs_explore.store import open_run


@pytest.fixture(scope="module")
def digits():
    return bundle("digits")


@pytest.fixture(scope="module")
def narrow():
    return bundle("digits-narrow")


@pytest.fixture
def without_stages(digits, tmp_path):
    """The run's directory with no table at all."""
    for name in ("spec.yaml", "images.parquet", "scores.zarr", "moments.zarr"):
        (tmp_path / name).symlink_to(digits.path / name)
    manifest = json.loads((digits.path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"files": {}}))
    (tmp_path / "tables").mkdir()
    return open_run(tmp_path)


def mean_score(run, role, *name, draws):
    return run.scores(role, *name)[:, :draws].mean(axis=1)  # (image, level, tap)


def test_levels_are_those_of_the_run(digits):
    table = numbers.levels_table(digits)
    assert table["requested"].tolist() == [9, 7, 5, 3, 1, -1, -3, -5]
    assert np.allclose(table["lam"], np.log(table["a"] ** 2 / table["b"] ** 2), atol=1e-5)
    assert np.allclose(table["error"], table["lam"] - table["requested"])


def test_the_main_level_is_the_nearest_to_five(digits):
    assert digits.levels[numbers.main_level(digits)].requested == 5.0


def test_a_difference_is_that_of_two_single_aurocs(digits, narrow):
    frame = numbers.compare(digits, narrow, "letters")
    row = frame.loc[frame["difference"].abs().idxmax()]
    sides = []
    for run, side in ((digits, "a"), (narrow, "b")):
        tap = [t.name for t in run.taps].index(row[f"tap_{side}"])
        level = int(row[f"level_{side}"])
        of_id, of_ood = (
            mean_score(run, *key, draws=row["draws"])[:, level, tap] for key in (("id_test",), ("ood", "letters"))
        )
        sides.append(auroc(of_id, of_ood).value)
    assert row["difference"] == pytest.approx(sides[1] - sides[0], abs=1e-6)
    assert row["paired"] and row["lo"] < row["difference"] < row["hi"]


def test_turned_around_a_difference_changes_its_sign(digits, narrow):
    there, back = numbers.compare(digits, narrow, "letters"), numbers.compare(narrow, digits, "letters")
    cells = ["tap_a", "tap_b", "level_a", "level_b"]
    turned = back.rename(columns=dict(zip(cells, ["tap_b", "tap_a", "level_b", "level_a"], strict=True)))
    both = there.merge(turned, on=cells, suffixes=("", "_back"))
    assert len(both) == len(there) == len(back)
    assert np.allclose(both["difference"], -both["difference_back"])
    assert np.allclose(both["lo"], -both["hi_back"])


def test_a_set_that_one_lacks_is_named(digits, narrow):
    with pytest.raises(RunError, match=r"Digits \(narrow network\) has no OOD set called noisy; it has .*letters"):
        numbers.compare(digits, narrow, "noisy")


def test_the_summary_counts_the_cells_of_a_region():
    loss = np.array([0.0, 0.1, 0.2, 0.3])
    rows = pd.DataFrame({"variant": "lam + 1", "offset": 1.0, "region": "decoder", "loss": loss, "auroc": 0.6})
    rows = rows.assign(loss_lo=loss - 0.15, loss_hi=loss + 0.15)
    truth = rows.assign(variant="matched", offset=0.0, loss=9.0)
    (row,) = numbers.conditioning_summary(pd.concat([truth, rows])).to_dict("records")
    assert row["median"] == pytest.approx(0.15) and (row["low"], row["high"]) == pytest.approx((0.03, 0.27))
    assert (row["worse"], row["better"], row["survive"], row["cells"]) == (0.5, 0.0, 0.5, 4)
    full = rows.assign(auroc=0.999)  # saturated on both sides: no evidence
    assert numbers.conditioning_summary(full).iloc[0]["worse"] == 0.0


def test_cost_of_a_cell_is_its_share_of_a_forward(digits):
    table = numbers.cost_table(digits, "letters")
    cells = table[(table["kind"] == "cell") & (table["draws"] == 1)]
    depth = {tap.name: tap.depth for tap in digits.taps}
    taps = [name.split(" @ ")[0] for name in cells["detector"]]
    assert len(cells) == len(digits.taps) * len(digits.levels)
    assert np.allclose(cells["effective"], [depth[tap] for tap in taps])
    assert (cells["forwards"] == 1).all() and cells["ms"].gt(0).all()


def test_the_command_prints_every_table(capsys):
    main(["protocol", "digits-narrow", "--ood", "letters", "--against", "digits"])
    out = capsys.readouterr().out
    assert out.startswith("Digits (narrow network), OOD set letters\n")
    for heading in (
        "levels of Digits",
        "alignment",
        "conditioning",
        "cost front (effective)",
        "Digits minus Digits (narrow network)",
    ):
        assert f"\n{heading}\n" in out
    assert "score_norm" in out and "perceptual" in out


def test_the_command_writes_the_same_as_files(digits, tmp_path, capsys):
    main(["protocol", "digits", "--ood", "letters", "--csv", str(tmp_path / "csv")])
    saved = [line.removeprefix("Saved: ") for line in capsys.readouterr().out.splitlines()]
    assert [pd.read_csv(path).shape[0] > 0 for path in saved] == [True] * 4
    levels = pd.read_csv(next(path for path in saved if "levels" in path))
    assert np.allclose(levels["lam"], [level.lam for level in digits.levels])


def test_what_was_not_computed_is_said_with_the_command(without_stages, tmp_path):
    parts = protocol.protocol_tables(without_stages, "letters")
    for heading in ("alignment", "conditioning", "cost front (effective)"):
        assert "cfs-explore diagnose" in parts[heading]
    written = protocol.write_csv(parts, tmp_path / "csv")
    assert [path.name for path in written] == ["levels-of-Digits.csv"]


def test_mistakes_on_the_command_line(capsys):
    for arguments, message in (
        (["protocol", "digits", "--ood", "nowhere"], "letters"),
        (["protocol", "digits", "--ood", "noisy", "--against", "digits-narrow"], "has no OOD set called noisy"),
        (["protocol", "digits", "--against", "nothing"], "digits-narrow"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err


def test_numbers_of_the_terminal_have_no_negative_zero():
    assert protocol.as_text({"Table": pd.DataFrame({"delta": [-0.0001, -0.02]})}).split() == [
        "Table", "delta", "0.000", "-0.020"
    ]  # fmt: skip


@pytest.mark.parametrize("command", [["protocol"], ["figures", "--what", "map"], ["report"]])
def test_an_ood_set_that_does_not_exist(capsys, command):
    with pytest.raises(SystemExit):
        main([command[0], "digits", *command[1:], "--ood", "foo"])
    said = capsys.readouterr().err
    assert "has no OOD set called foo. It has: " in said and "letters" in said
    assert "digits 0-6" not in said and "train" not in said
