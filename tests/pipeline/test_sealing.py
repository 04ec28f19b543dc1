"""Seals: made before any OOD image is opened, at no cost beyond the run's; what judges what, and what is refused."""

import json
import shutil

import numpy as np
import pytest
from scipy.stats import spearmanr

from cfs_explore.cli import main
from cfs_explore.diagnostics.metrics import auroc
from cfs_explore.errors import RunError, SourceError
from cfs_explore.pipeline import claim, diagnose, explore
from cfs_explore.pipeline.predict import predict
from cfs_explore.spec import RunSpec
from cfs_explore.store import write_json
from cfs_explore.store.bundle import read_zip, write_zip
from cfs_explore.store.seal import has_seal, read_seal
from cfs_explore.studies.prediction import PROXIES


def begin(spec, out):
    out.mkdir(parents=True, exist_ok=True)
    claim(RunSpec.parse(spec), out)
    return out


@pytest.fixture(scope="module")
def sealed(spec, tiny, tmp_path_factory):
    """A run that was sealed, then measured with its prediction stage; the seal, forwards before and after it."""
    out, sizes = begin(spec | {"diagnostics": ["prediction", "sealed"]}, tmp_path_factory.mktemp("sealed") / "run"), []
    from torch.nn.modules.module import register_module_forward_pre_hook

    from cfs_explore.backbones.nets.plain_unet import PlainUNet

    hook = register_module_forward_pre_hook(lambda m, i: sizes.append(len(i[0])) if isinstance(m, PlainUNet) else None)
    seal = predict(out, device="cpu")
    before = sum(sizes)
    assert not (out / "opened.json").exists() and not list((out / "work").glob("ood-*"))
    run = explore(out / "spec.yaml", out, device="cpu")
    hook.remove()
    return run, seal, before, sum(sizes) - before


def with_seal(run, folder, change=lambda content: None, *, closed=True):
    """A copy of a run whose seal is changed; closed: with a digest that fits."""
    shutil.copytree(run.path, folder)
    seal = read_seal(run.path)
    content = seal.model_dump(mode="json")
    change(content)
    again = type(seal)(**content)
    write_json(folder / "seal.json", (again.with_digest() if closed else again).model_dump(mode="json"))
    return diagnose(folder, ["sealed"], fresh=True)


def test_a_seal_opens_no_ood_image(spec, tmp_path):
    """Sets that are not even there do not matter before the map is measured."""
    gone = spec | {"ood": [{"name": "gone", "source": str(tmp_path / "gone.npz")}]}
    out = begin(gone, tmp_path / "run")
    seal = predict(out, device="cpu")
    assert has_seal(out) and len(seal.predicted) == len(seal.levels) * len(seal.taps)
    with pytest.raises(SourceError, match="gone"):
        explore(out / "spec.yaml", out, device="cpu")


def test_it_costs_nothing_beyond_the_run(sealed):
    """ID-train with its draws, and the proxies on one draw, are measured once: the run and its stage take them over."""
    run, _, before, after = sealed
    train, levels = run.entry("id_train").count, len(run.levels)
    chosen = 2 * train  # forwards that choose the published taps, as for every run
    assert before <= train * run.draws * levels + train * (1 + len(PROXIES)) * levels + chosen + 2
    scored = run.id_test.count + sum(run.entry("ood", name).count for name in run.ood_names)
    assert after <= scored * run.draws * levels + chosen + 2


def test_it_predicts_what_the_stage_predicts(sealed):
    run, seal, *_ = sealed
    table = run.table("proxies").sort_values(["level", "tap_index"], kind="stable")
    for kind, values in seal.proxies.items():
        assert values == table[table["proxy"] == kind]["predicted"].tolist()
    assert seal.predicted == pytest.approx(np.mean(list(seal.proxies.values()), axis=0))
    assert (np.diff(np.array(seal.predicted)[seal.ranking]) <= 0).all()
    assert all(lo <= value <= hi for lo, value, hi in zip(seal.lo, seal.predicted, seal.hi, strict=True))


def test_the_judgement_is_that_of_plain_formulas(sealed):
    run, seal, *_ = sealed
    ranking, choice = (run.table(name) for name in ("sealed_ranking", "sealed_choice"))
    assert (ranking["refused"] == "").all() and ranking["ood"].tolist() == [*run.ood_names, ""]
    for ood in run.ood_names:
        measured = run.auroc_map(ood).sort_values(["level", "tap_index"])["auroc"].to_numpy()
        rho = ranking.set_index("ood").loc[ood, "spearman"]
        assert rho == pytest.approx(spearmanr(seal.predicted, measured).statistic)
        rows = choice[choice["ood"] == ood].set_index("policy")
        assert rows.loc["sealed", "auroc"] == pytest.approx(measured[seal.chosen.cell])
        assert rows.loc["sealed", "regret"] == pytest.approx(measured.max() - measured[seal.chosen.cell])
        assert rows.loc["random", "gain"] == pytest.approx(measured[seal.chosen.cell] - measured.mean())
        assert rows.loc["sealed", "gain"] == 0
        level, tap = run.cell(seal.chosen.cell)
        scores = (run.scores("id_test"), run.scores("ood", ood))
        again = auroc(*(part.mean(axis=1, dtype=float)[:, level, tap] for part in scores)).value
        assert again == pytest.approx(measured[seal.chosen.cell])
    means = choice[choice["ood"] == ""].set_index("policy")
    of_sets = choice[choice["ood"] != ""].groupby("policy")["gain"].mean()
    assert means["gain"].to_dict() == pytest.approx(of_sets[means.index].to_dict())


def test_a_second_seal_is_asked_for_and_keeps_the_first(sealed, tmp_path):
    run, seal, *_ = sealed
    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy)
    with pytest.raises(RunError, match=rf"has a seal of .*{seal.digest}.*--again"):
        predict(copy)
    again = predict(copy, again=True)
    assert again.earlier == [seal.digest] and read_seal(copy) == again
    assert json.loads((copy / "seals" / f"{seal.digest}.json").read_text())["digest"] == seal.digest
    late = diagnose(copy, ["sealed"], fresh=True).table("sealed_ranking")
    assert late["verdict"].unique().tolist() == ["refused"] and late["spearman"].isna().all()
    assert late["refused"].str.contains("is later than the measurement of").all()


def other_time(content):
    content["created"] = "2999-01-01T00:00:00+00:00"


def other_level(content):
    content["levels"][0]["native"] += 1


REFUSALS = {
    "late": (other_time, "is later than the measurement of bright: its images were first opened"),
    "backbone": (lambda content: content.update(backbone="other"), "The seal is of another backbone"),
    "images": (lambda content: content.update(id_train="other"), "other ID-train images"),
    "levels": (other_level, "other noise levels"),
    "taps": (lambda content: content["taps"].reverse(), "other taps"),
    "conditioning": (lambda content: content.update(conditioning=("published", 0.0)), "conditioned otherwise"),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_a_late_or_strange_seal_is_refused(sealed, tmp_path, why):
    change, sentence = REFUSALS[why]
    run = with_seal(sealed[0], tmp_path / "copy", change)
    ranking, choice = (run.table(name) for name in ("sealed_ranking", "sealed_choice"))
    assert sentence in ranking["refused"].iloc[0] and (ranking["verdict"] == "refused").all()
    assert choice["gain"].isna().all() and len(ranking) == len(choice) == len(run.ood_names)


def test_an_altered_seal_is_refused(sealed, tmp_path):
    run = with_seal(sealed[0], tmp_path / "copy", lambda content: content["ranking"].reverse()
                    or content["chosen"].update(cell=content["ranking"][0]), closed=False)  # fmt: skip
    assert run.table("sealed_ranking")["refused"].str.contains("was altered: its digest does not fit").all()


def test_without_a_seal_each_set_says_so(finished, tmp_path):
    shutil.copytree(finished.path, tmp_path / "copy")
    run = diagnose(tmp_path / "copy", ["sealed"])
    assert run.table("sealed_ranking")["refused"].str.startswith("There was no seal when").all()


def test_measuring_afresh_does_not_make_a_late_seal_early(sealed, tmp_path):
    """When images were first opened stands, whatever is measured again."""
    copy = tmp_path / "copy"
    shutil.copytree(sealed[0].path, copy)
    predict(copy, again=True)
    for name in ("manifest.json", "work", "scores.zarr", "moments.zarr", "snapshots.zarr", "tables"):
        shutil.rmtree(copy / name) if (copy / name).is_dir() else (copy / name).unlink(missing_ok=True)
    run = explore(copy / "spec.yaml", copy, device="cpu")
    assert (run.table("sealed_ranking")["verdict"] == "refused").all()


def test_an_upload_is_judged_by_the_base_runs_seal(sealed, spec, write_images, tmp_path):
    """A set that the base run had measured before its seal is not: those images might be known."""
    base = tmp_path / "base"
    shutil.copytree(sealed[0].path, base)
    predict(base, again=True)
    fresh = {"name": "fresh", "source": str(write_images(9, "npz", seed=12, shift=40))}
    upload = spec | {"id": {"run": str(base)}, "ood": [fresh, spec["ood"][0]], "diagnostics": "standard"}
    run = explore(upload, tmp_path / "upload", device="cpu")
    assert read_seal(run.path) == read_seal(base)
    ranking = run.table("sealed_ranking").set_index("ood")
    assert ranking.loc["fresh", "refused"] == "" and ranking.loc["fresh", "verdict"] != "refused"
    assert ranking.loc["bright", "refused"].startswith("11 images of bright had been measured before the seal")


def test_a_spec_asks_for_a_seal(quick_spec, tmp_path):
    run = explore(quick_spec | {"seal": True, "diagnostics": ["sealed"]}, tmp_path / "run", device="cpu")
    assert has_seal(run.path) and (run.table("sealed_ranking")["refused"] == "").all()


def test_a_seal_travels_in_a_zip_and_an_altered_one_does_not(sealed, tmp_path):
    write_zip(sealed[0].path, tmp_path / "run.zip")
    run = read_zip(tmp_path / "run.zip", tmp_path / "runs", backbone=False)
    assert read_seal(run) == sealed[1]
    copy = tmp_path / "copy"
    shutil.copytree(sealed[0].path, copy)
    write_json(copy / "seal.json", sealed[1].model_dump(mode="json") | {"seed": 99})
    write_zip(copy, tmp_path / "bad.zip")
    with pytest.raises(RunError, match="was altered"):
        read_zip(tmp_path / "bad.zip", tmp_path / "runs", backbone=False)


def test_the_commands(sealed, tmp_path, capsys):
    run, seal, *_ = sealed
    main(["verify", str(run.path), "--digest", seal.digest, "--csv", str(tmp_path / "out.csv")])
    out = capsys.readouterr().out
    assert f"seal {seal.digest}" in out and "mean of the sets: " in out and (tmp_path / "out.csv").is_file()
    with pytest.raises(SystemExit):
        main(["verify", str(run.path), "--digest", "00"])
    assert "not the published one (00)" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["predict", str(run.path)])
    assert "--again" in capsys.readouterr().err
