"""When bf16 may stand in for fp32: the check itself, on the CPU, and what "auto" makes of it."""

from types import SimpleNamespace

import numpy as np
import pytest

from cfs_explore.pipeline.plan import make_plan
from cfs_explore.pipeline.precision import bf16_auroc_change, choose_precision
from cfs_explore.pipeline.progress import Progress
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots
from cfs_explore.spec import RunSpec


@pytest.fixture
def plan(quick_spec, tiny, tmp_path):
    return make_plan(RunSpec.parse(quick_spec), tmp_path, tiny, Progress())


def readers(plan):
    return {p: Reader(plan.backbone, TapSnapshots(plan.levels, plan.taps), precision=p) for p in ("fp32", "bf16")}


def test_the_change_is_small_but_not_nothing_on_a_real_network(plan):
    sets = {s.role: s for s in plan.fresh}
    assert 0 <= bf16_auroc_change(readers(plan), sets, seed=7) < 0.1
    twice = {p: readers(plan)["fp32"] for p in ("fp32", "bf16")}
    assert bf16_auroc_change(twice, sets, seed=7) == 0


def test_the_largest_change_over_cells_is_reported(plan):
    """A "bf16" that ruins one of two taps: its AUROC falls to 1/2, the other cell's does not move."""
    both = readers(plan)
    sets = {s.role: s for s in plan.fresh}
    exact = both["fp32"]

    class Ruined:
        columns, backbone = exact.columns, exact.backbone

        def __call__(self, x0, noise):
            block = exact(x0, noise)
            block[..., exact.columns["conv_in"]] = 1.0
            return block

    change = bf16_auroc_change(both | {"bf16": Ruined()}, sets, seed=7)
    aurocs = np.array([_auroc(exact, sets, tap) for tap in exact.columns])
    assert change == pytest.approx(abs(aurocs[0] - 0.5), abs=1e-6) and change > 0.05


def _auroc(reader, sets, tap):
    from sklearn.metrics import roc_auc_score

    from cfs_explore.pipeline.precision import _block
    from cfs_explore.scoring import Moments, slot_scores

    blocks = {role: _block(reader, work, 7) for role, work in sets.items()}
    columns = {tap: reader.columns[tap]}
    s = [slot_scores(blocks[r], Moments.of(blocks["id_train"]), columns).ravel() for r in ("id_test", "ood")]
    return roc_auc_score(np.repeat([0, 1], [len(s[0]), len(s[1])]), np.concatenate(s))


@pytest.mark.parametrize(
    ("device", "change", "expected"), [("cpu", 0.0, "fp32"), ("cuda", 0.0019, "bf16"), ("cuda", 0.0021, "fp32")]
)
def test_auto(plan, monkeypatch, device, change, expected):
    asked = []
    monkeypatch.setattr("cfs_explore.pipeline.precision.bf16_auroc_change", lambda *a: asked.append(1) or change)
    monkeypatch.setattr("cfs_explore.pipeline.precision.Reader", lambda *a, **k: None)
    plan.backbone = SimpleNamespace(device=SimpleNamespace(type=device))
    assert choose_precision(plan) == expected
    assert len(asked) == (device == "cuda")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_was_asked_for(quick_spec, plan, precision):
    plan.spec = RunSpec.parse(quick_spec | {"precision": precision})
    assert choose_precision(plan) == precision


@pytest.mark.parametrize("noted", ["bf16", "fp32"])
def test_a_run_goes_on_with_what_it_began_with_also_when_it_was_sealed_meanwhile(plan, noted):
    (plan.out / "work" / "precision.json").write_text(f'{{"precision": "{noted}"}}')
    (plan.out / "seal.json").write_text("{}")
    assert choose_precision(plan) == noted
    (plan.out / "work" / "precision.json").write_text("damaged")
    assert choose_precision(plan) == "fp32"
