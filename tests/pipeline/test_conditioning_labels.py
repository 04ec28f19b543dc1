"""Null against labels: measured like the other conditionings, 0 for a network that ignores them, and by hand."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from diffusers import AutoencoderKL

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.nets.dit import Architecture, DiT
from cfs_explore.corruption import keyed_noise, to_signed
from cfs_explore.diagnostics import auroc
from cfs_explore.diagnostics.metrics import paired_auroc_difference
from cfs_explore.errors import BackboneError, RunError
from cfs_explore.pipeline import explore
from cfs_explore.pipeline.diagnose import diagnose, run_stages
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study, conditioning
from cfs_explore.spec import RunSpec
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS

LABELS = [3, 0]
NAMES = ["matched", "lam - 2", "lam - 1", "lam + 1", "lam + 2", "label 3", "label 0"]
LOSS = ["loss", "loss_lo", "loss_hi"]
TAP = "blocks.2"


@pytest.fixture(scope="module")
def dit_file(tmp_path_factory):
    """A DiT with 5 classes and a null class, latents 4 x 8 x 8 of images 3 x 16 x 16; ``deaf``: equal classes."""
    home = tmp_path_factory.mktemp("dit")
    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    config = {"block_out_channels": (8, 8), "norm_num_groups": 4, "latent_channels": 4} | blocks
    AutoencoderKL(**config).save_pretrained(home / "vae")
    network = DiT(Architecture(8, 2, 4, 4, 16, 3, 2, 32, 6))

    def save(name: str, *, deaf: bool = False):
        weights = network.state_dict()
        if deaf:
            table = "y_embedder.embedding_table.weight"
            weights = weights | {table: torch.zeros_like(weights[table])}
        torch.save(weights, home / f"{name}.pt")
        said = {"num_heads": 2, "num_classes": 5, "vae": str(home / "vae")}
        (home / f"{name}.yaml").write_text(yaml.safe_dump(said))
        return home / f"{name}.pt"

    return save


@pytest.fixture(scope="module")
def content(dit_file, write_images):
    return {
        "name": "labels",
        "backbone": str(dit_file("hears")),
        "id": {"train": {"name": "ramps", "source": str(write_images(40, "npz", seed=1, side=16))}},
        "ood": [{"name": "bright", "source": str(write_images(12, "npz", seed=2, shift=60, side=16))}],
        "levels": [5.0, -1.0],
        "taps": ["blocks.0", TAP],
        "keep": "none",
        "diagnostics": ["conditioning"],
    }


@pytest.fixture(scope="module")
def run(content, tmp_path_factory):
    events = []
    spec = content | {"conditioning_labels": LABELS}
    run = explore(spec, tmp_path_factory.mktemp("labels") / "run", device="cpu", report=events.append)
    run.events = [event for event in events if event.stage == "conditioning"]
    return run


@pytest.fixture
def copy(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "copy")
    return open_run(tmp_path / "copy")


def test_a_row_for_every_label_set_and_cell(run):
    table = run.table("conditioning")
    assert table["variant"].unique().tolist() == NAMES
    assert len(table) == len(NAMES) * 2 * 2 and set(table["condition"]) == {"null class"}
    given = table[table["variant"].str.startswith("label")]
    assert (given["told_lam"] == given["lam"]).all() and (given["offset"] == 0).all()
    assert (given["loss"] != 0).any() and (given["loss_lo"] <= given["loss_hi"]).all()
    assert not given.query("variant == 'label 3'")["auroc"].equals(given.query("variant == 'label 0'")["auroc"])


def test_their_forwards_are_announced_and_spent(run):
    images = run.counts.train + sum(run.counts.scored)
    expected = DIAGNOSTICS["conditioning"].forwards(run.counts)
    assert expected == images * 2 * (6 + len(LABELS)) and run.counts.conditions == len(LABELS)
    assert run.events[-1].done == run.events[-1].total == expected


def test_a_label_by_hand(run, content):
    """The network called with the label's row of its table, latents and noise made here; moments by numpy."""
    backbone = load_backbone(content["backbone"], device="cpu")
    study, level = Study(run, Progress(), backbone=backbone), run.levels[1]
    study.progress.start("by hand", 1, "")
    seen = []
    handle = backbone.module.get_submodule(TAP).register_forward_hook(lambda m, i, output: seen.append(output))

    def pooled(which, label):
        sample = study.sample(*which)
        noise = torch.from_numpy(keyed_noise(sample.ids, 1, backbone.input_shape, study.spec.seed)[0])
        with torch.no_grad():
            x = level.a * backbone.encode(torch.from_numpy(to_signed(sample.pixels))) + level.b * noise
            backbone.module(x, torch.full((len(x),), int(level.native)), torch.full((len(x),), label))
        tokens = seen[-1].numpy()
        return np.concatenate([tokens.mean(axis=1), tokens.std(axis=1)], axis=1)

    def scores(label):
        train, test, out = (pooled(which, label) for which in (("id_train",), ("id_test",), ("ood", "bright")))
        return [((part - train.mean(axis=0)) ** 2 / train.var(axis=0, ddof=1)).mean(axis=1) for part in (test, out)]

    null, three = scores(5), scores(3)
    handle.remove()
    row = run.table("conditioning").query("variant == 'label 3' and level == 1 and tap == @TAP").iloc[0]
    assert (row.auroc, row.lo, row.hi) == pytest.approx(tuple(auroc(*three)), abs=1e-9)
    assert row.loss == pytest.approx(auroc(*null)[0] - auroc(*three)[0], abs=1e-9)
    by_hand = paired_auroc_difference(*null, *three)
    assert (row.loss, row.loss_lo, row.loss_hi) == pytest.approx(by_hand[:3], abs=1e-9)


def test_a_network_that_ignores_its_label_loses_exactly_nothing(content, dit_file, tmp_path):
    spec = content | {"backbone": str(dit_file("deaf", deaf=True)), "conditioning_labels": LABELS}
    table = explore(spec, tmp_path / "run", device="cpu").table("conditioning")
    given = table[table["variant"].str.startswith("label")]
    assert len(given) == 2 * 2 * 2 and (given[LOSS] == 0).all(axis=None)
    assert (table.query("variant == 'lam - 2'")["loss"] != 0).any()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"conditioning_labels": [9]}, r"no class 9: `conditioning_labels` may have 0 to 4 \(and 5, the null class\)"),
        ({"conditioning_labels": [1, 5]}, r"`conditioning_labels` has 5, which .* is conditioned on anyway"),
        ({"conditioning_prompts": ["cat"]}, r"takes no text \(got 'cat'\): leave `conditioning_prompts` out"),
    ],
)
def test_a_label_that_there_is_not_is_refused_before_any_image_is_read(content, wanted, message, tmp_path):
    with pytest.raises(BackboneError, match=message):
        explore(content | wanted, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "work").exists()


def test_a_network_without_classes_knows_no_labels(quick_spec, tmp_path):
    with pytest.raises(BackboneError, match="knows no classes and takes no text: leave `conditioning_labels` and"):
        explore(quick_spec | {"conditioning_labels": [1]}, tmp_path / "run", device="cpu")


def test_without_labels_the_table_is_as_before(run, content, tmp_path):
    plain = explore(content, tmp_path / "run", device="cpu")
    table = run.table("conditioning").query("not variant.str.startswith('label')").reset_index(drop=True)
    pd.testing.assert_frame_equal(plain.table("conditioning"), table)
    assert plain.counts.conditions == 0 and "conditioning_labels" not in (plain.path / "spec.yaml").read_text()


def test_a_run_of_an_older_version_lacks_the_fields_and_is_done(copy, content):
    made = copy.manifest.model_dump(mode="json")
    spec = {key: value for key, value in made["spec"].items() if not key.startswith("conditioning_l")}
    manifest = type(copy.manifest)(**made | {"spec": spec})
    (copy.path / "manifest.json").write_text(manifest.model_dump_json())
    (copy.path / "spec.yaml").write_text(RunSpec.parse(content).to_yaml())
    old, events = open_run(copy.path), []
    assert old.counts.conditions == 0
    diagnose(old, ["conditioning"], device="cpu", report=events.append)
    assert not [event for event in events if event.stage == "conditioning"]


def test_other_labels_are_measured_into_a_finished_run(copy, run, content):
    again = explore(content | {"conditioning_labels": [0, 1]}, copy.path, device="cpu")
    assert again.table("conditioning")["variant"].unique().tolist() == [*NAMES[:5], "label 0", "label 1"]
    assert again.counts.conditions == 2 and RunSpec.parse(copy.path / "spec.yaml").conditions == [0, 1]
    rows = [each.table("conditioning").query("variant == 'label 0'").reset_index(drop=True) for each in (run, again)]
    pd.testing.assert_frame_equal(*rows)
    events = []
    explore(content, copy.path, device="cpu", report=events.append)  # a spec without any takes none away
    assert RunSpec.parse(copy.path / "spec.yaml").conditions == [0, 1]
    assert not [event for event in events if event.stage == "conditioning"]
    with pytest.raises(RunError, match="another spec"):
        explore(content | {"conditioning_labels": [0], "draws": 2}, copy.path, device="cpu")


def test_pieces_of_other_labels_are_not_taken_for_these(copy, content):
    """An attempt with other labels was cut short, and left what it had measured."""
    (copy.path / "spec.yaml").write_text(RunSpec.parse(content | {"conditioning_labels": [1, 2]}).to_yaml())
    backbone = load_backbone(content["backbone"], device="cpu")
    fresh = run_stages(Study(copy, Progress(), backbone=backbone), ["conditioning"]).table("conditioning")
    (copy.path / "spec.yaml").write_text(RunSpec.parse(content | {"conditioning_labels": [2]}).to_yaml())
    study = Study(open_run(copy.path), Progress(), backbone=backbone)
    study.progress.start("left", 1, "")
    study.spec = study.spec.model_copy(update={"conditioning_labels": [1]})
    conditioning.compute(study)
    again = run_stages(Study(open_run(copy.path), Progress(), backbone=backbone), ["conditioning"])
    rows = [
        table.query("variant == 'label 2'").reset_index(drop=True) for table in (fresh, again.table("conditioning"))
    ]
    pd.testing.assert_frame_equal(*rows)


def test_labels_are_counted_where_the_stage_was_not_made(content, tmp_path):
    bare = content | {"diagnostics": "map"}
    before = explore(bare, tmp_path / "run", device="cpu")
    after = explore(bare | {"conditioning_labels": LABELS}, tmp_path / "run", device="cpu")
    assert (before.counts.conditions, after.counts.conditions) == (0, len(LABELS))
    assert "conditioning" not in after.manifest.stages
    made = diagnose(after, ["conditioning"], device="cpu")
    assert made.table("conditioning")["variant"].unique().tolist() == NAMES
