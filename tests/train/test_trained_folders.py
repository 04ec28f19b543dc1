"""What one command writes, the next one takes: the folder of a training or a conversion, with every family."""

import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.locate import locate
from cfs_explore.cli import main
from cfs_explore.errors import BackboneError
from cfs_explore.store import open_run
from cfs_explore.train.families import _MAKERS


def facts_of(capsys, path) -> dict:
    capsys.readouterr()
    main(["inspect", str(path), "--device", "cpu", "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("family", list(_MAKERS))
def test_train_then_inspect_then_load_then_run(family, spec_of, tmp_path, capsys):
    spec = spec_of(family, steps=2, milestones=True)
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(spec.model_dump(mode="json", exclude_defaults=True)))
    out = tmp_path / "trained here"
    main(["train", str(tmp_path / "train.yaml"), "--out", str(out), "--device", "cpu"])
    facts = facts_of(capsys, out)
    assert facts["name"] == "trained here" and facts["image_shape"] == [1, 8, 8]
    assert load_backbone(out, device="cpu").fingerprint == facts["fingerprint"]
    steps = sorted((out / "milestones").iterdir())
    assert len(steps) >= 2
    prints = {load_backbone(step, device="cpu").fingerprint for step in steps}
    assert len(prints) == len(steps)

    images = np.random.default_rng(0).integers(0, 255, (24, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    run = {
        "name": "After training",
        "backbone": {"path": str(out)},
        "id": {"train": {"name": "noise", "source": str(tmp_path / "images.npz")}},
        "ood": [{"name": "the same", "source": str(tmp_path / "images.npz"), "limit": 6}],
        "levels": [3.0],
        "diagnostics": [],
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(run))
    main(["run", str(tmp_path / "spec.yaml"), "--out", str(tmp_path / "run"), "--device", "cpu"])
    assert open_run(tmp_path / "run").manifest.backbone.fingerprint == facts["fingerprint"]


@pytest.fixture
def trained(spec_of, tmp_path):
    """The folder of a U-ViT's training, whose weights and settings are two files."""
    from cfs_explore.train import train

    train(spec_of("uvit", steps=1), tmp_path / "uvit", device="cpu")
    return tmp_path / "uvit"


def test_a_folder_of_several_checkpoints_names_them(trained):
    assert locate(trained) == trained / "uvit.safetensors"
    shutil.copy(trained / "uvit.safetensors", trained / "ema.safetensors")
    with pytest.raises(BackboneError, match=r"2 checkpoint files: ema\.safetensors, uvit\.safetensors\. Give the path"):
        load_backbone(trained, device="cpu")
    for name in "abcdef":
        (trained / f"{name}.pt").write_bytes(b"")
    with pytest.raises(BackboneError, match=r"8 checkpoint files: a\.pt, .*, e\.pt and 3 more\. Give"):
        load_backbone(trained, device="cpu")


def test_settings_beside_the_file_are_read_for_its_folder_too(trained):
    by_file, by_folder = (load_backbone(p, device="cpu") for p in (trained / "uvit.safetensors", trained))
    assert by_file.fingerprint == by_folder.fingerprint and by_file.schedule == by_folder.schedule
    assert by_file.name == by_folder.name == "uvit"
    (trained / "uvit.yaml").write_text("schedule: nothing\n")
    with pytest.raises(BackboneError, match="missing: num_heads"):
        load_backbone(trained, device="cpu")


def test_an_unfinished_training_says_so(trained):
    torch.save({}, trained / "training.pt")  # kept beside the weights while it goes on
    assert locate(trained) == trained / "uvit.safetensors"
    (trained / "uvit.safetensors").unlink()
    with pytest.raises(BackboneError, match=r"not finished\. Go on with it: cfs-explore train"):
        load_backbone(trained, device="cpu")


def test_a_folder_of_diffusers_or_of_no_checkpoint_stays_a_folder(tiny_folder, tmp_path):
    save_file({"x": torch.zeros(1)}, tiny_folder / "extra.safetensors")
    try:
        assert locate(tiny_folder) == tiny_folder and locate(tiny_folder / "unet") == tiny_folder / "unet"
    finally:
        (tiny_folder / "extra.safetensors").unlink()
    assert locate(tmp_path) == tmp_path
    with pytest.raises(BackboneError, match="not a backbone of a known family"):
        load_backbone(tmp_path)
