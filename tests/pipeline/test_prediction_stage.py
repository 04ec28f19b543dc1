"""The prediction stage on a real run of the tiny backbone: cost, resuming, left-out proxies, policies, odd runs."""

import shutil

import numpy as np
import pandas as pd
import pytest

from cfs_explore.diagnostics import auroc
from cfs_explore.diagnostics.regret import ALL_SETS
from cfs_explore.errors import RunError
from cfs_explore.images.proxies import make_proxy
from cfs_explore.pipeline import explore
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.pipeline.stages.prediction import choices, compute, left_out
from cfs_explore.spec import ImageSet
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS
from cfs_explore.studies.prediction import PROXIES

POLICIES = {"proxy", "fixed", "sparse_ed_id", "icc", "leave_one_out", "random"}


def study_of(run, folder, backbone):
    shutil.copytree(run.path, folder)
    progress = Progress()
    progress.start("prediction", 1, "forwards")
    return Study(open_run(folder), progress, backbone=backbone)


@pytest.fixture(scope="module")
def computed(finished, tiny, tmp_path_factory):
    """A study that has computed the stage, its tables, and the forwards that it took."""
    sizes = []
    handle = tiny.module.register_forward_pre_hook(lambda m, inputs: sizes.append(len(inputs[0])))
    study = study_of(finished, tmp_path_factory.mktemp("prediction") / "copy", tiny)
    tables = compute(study)
    handle.remove()
    return study, tables, sum(sizes)


def test_tables_and_cost(computed):
    study, tables, forwards = computed
    run = study.run
    cells, sets = len(run.levels) * len(run.taps), len(run.ood_names)
    assert set(tables) == set(DIAGNOSTICS["prediction"].table_names)
    assert forwards == DIAGNOSTICS["prediction"].forwards(run.counts)
    assert len(tables["proxies"]) == len(PROXIES) * cells
    assert len(tables["prediction"]) == sets * cells
    assert len(tables["regret"]) == (sets + 1) * len(POLICIES)


def test_a_second_attempt_takes_no_forwards(computed, forwards):
    study, tables, _ = computed
    for name, table in compute(study).items():
        pd.testing.assert_frame_equal(table, tables[name])
    assert not forwards


def test_a_proxy_is_measured_as_the_map_is(computed):
    """The blur's numbers in one cell, from snapshots taken here."""
    study, tables, _ = computed
    run, sample = study.run, study.sample("id_train")
    blurred = sample.altered(lambda pixels: make_proxy("blur", pixels, sample.ids, study.spec.seed))
    moments, (columns, k) = run.moments("id_train"), (slice(0, 2 * run.taps[0].channels), 1)
    scores = []
    for which in (sample, blurred):
        block = np.concatenate([b[k, 0, :, columns] for _, b in study.blocks(which, run.levels)]).astype(float)
        scores.append((np.square(block - moments.mean[k, columns]) / moments.variance[k, columns]).mean(axis=1))
    table = tables["proxies"]
    row = table[(table["proxy"] == "blur") & (table["level"] == k) & (table["tap_index"] == 0)].iloc[0]
    assert row["delta"] == pytest.approx(scores[1].mean() - scores[0].mean(), rel=1e-3)
    assert row["auroc"] == pytest.approx(auroc(*scores).value, abs=0.01)


def test_predictions_average_the_proxies_and_measure_the_map(computed):
    study, tables, _ = computed
    mean = tables["proxies"].groupby(["level", "tap_index"])["predicted"].mean()
    for ood, part in tables["prediction"].groupby("ood"):
        np.testing.assert_allclose(part.set_index(["level", "tap_index"])["predicted"], mean)
        measured = study.run.auroc_map(ood)
        np.testing.assert_allclose(part[["auroc", "lo", "hi"]], measured[["auroc", "auroc_lo", "auroc_hi"]])
        assert part["tap"].tolist() == measured["tap"].tolist()
        assert part["spearman"].nunique() == 1


def test_every_policy_follows_its_rule(computed):
    study, tables, _ = computed
    run, prediction = study.run, tables["prediction"]
    regret = tables["regret"].set_index(["ood", "policy"])
    assert set(regret.index.get_level_values("policy")) == POLICIES and (regret["note"] == "").all()
    for ood, part in prediction.groupby("ood"):
        best = part.loc[part["predicted"].idxmax()]
        assert tuple(regret.loc[(ood, "proxy"), ["level", "tap"]]) == (best["level"], best["tap"])
        others = prediction[prediction["ood"] != ood].groupby(["level", "tap_index"])["auroc"].mean()
        level, tap = others.idxmax()
        assert tuple(regret.loc[(ood, "leave_one_out"), ["level", "tap"]]) == (level, run.taps[tap].name)
        for policy, preset in (("fixed", "sparse_ed"), ("sparse_ed_id", "sparse_ed_id")):
            expected = (run.manifest.kept["level"], run.manifest.presets[preset][1])
            assert tuple(regret.loc[(ood, policy), ["level", "tap"]]) == expected
        assert regret.loc[(ood, "random"), "auroc"] == pytest.approx(part["auroc"].mean())
        own = regret.loc[ood]
        np.testing.assert_allclose(own["best_auroc"], part["auroc"].max())
        assert (own["regret"] >= -1e-12).all() and np.isfinite(own["regret"]).all()
    assert np.isfinite(regret.loc[ALL_SETS, "regret"]).all()


def test_another_set_changes_no_choice_of_its_own(computed):
    """The AUROC of a set is turned round: what leave-one-out chooses for it stays."""
    study, tables, _ = computed
    changed = tables["prediction"].copy()
    own = changed["ood"] == study.run.ood_names[0]
    changed.loc[own, "auroc"] = 1 - changed.loc[own, "auroc"]
    before, after = (choices(study.run, table)["leave_one_out"] for table in (tables["prediction"], changed))
    assert before[0] == after[0]


@pytest.mark.parametrize(
    ("source", "made_by", "expected"),
    [
        ({"builtin": "digits-blurred"}, [], ["blur"]),
        ({"builtin": "digits-rotated"}, [], ["flip"]),
        ({"builtin": "digits-inverted"}, ["jpeg"], ["jpeg", "colour"]),
        ({"builtin": "letters"}, [], []),
        ({"altered": "noisy", "of": {"torchvision": "CIFAR10"}}, [], ["noise"]),
        ("images.zip", ["mix", "noise", "mix"], ["noise", "mix"]),
    ],
)
def test_proxies_of_a_sets_own_making_are_left_out(source, made_by, expected):
    assert left_out(ImageSet(name="x", source=source, made_by=made_by)) == expected


def test_odd_runs(quick_spec, tiny, tmp_path, write_images):
    """One set made by every proxy, one image in it, one draw, two taps, one level, and no published taps."""
    source = str(write_images(1, seed=2))
    ood = [{"name": "one", "source": source, "made_by": list(PROXIES)}]
    taps = ["mid_block.resnets.0", "conv_norm_out"]
    names = [tap.name for tap in tiny.taps()]
    chosen = [name for name in taps if name in names] or names[:1]
    run = explore(quick_spec | {"ood": ood, "taps": chosen}, tmp_path / "run", device="cpu")
    assert run.manifest.presets == {}
    tables = compute(study_of(run, tmp_path / "copy", tiny))
    assert tables["prediction"]["predicted"].isna().all() and tables["prediction"]["auroc"].notna().all()
    assert tables["prediction"]["spearman"].isna().all()
    regret = tables["regret"].set_index(["ood", "policy"])
    assert np.isfinite(regret.loc[("one", "random"), "auroc"])
    for policy in POLICIES - {"random"}:
        assert regret.loc[("one", policy), "note"] and np.isnan(regret.loc[("one", policy), "auroc"])


def test_one_id_train_image_is_refused(finished, tiny, tmp_path):
    study = study_of(finished, tmp_path / "copy", tiny)
    entries = [
        entry.model_copy(update={"count": 1}) if entry.role == "id_train" else entry
        for entry in study.run.manifest.sets
    ]
    study.run.manifest = study.run.manifest.model_copy(update={"sets": entries})
    with pytest.raises(RunError, match="at least two ID-train images"):
        compute(study)
