"""Trainings of every family: they learn, go on after an interruption to the same weights, and are read back exactly."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from cfs_explore import load_backbone
from cfs_explore.errors import SpecError
from cfs_explore.train import TrainSpec, loop, train
from cfs_explore.train.families import make_trainee

pytestmark = pytest.mark.slow

FAMILIES = {"ddpm": "unet2d", "edm": "unet2d", "uvit": "u-vit"}


def weights(place) -> dict:
    return load_backbone(place, device="cpu").module.state_dict()


def same(first, second) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_training_learns_and_is_read_back(family, spec_of, tmp_path):
    spec = spec_of(family, steps=60, learning_rate=3e-3, ema=0.9, batch_size=16)
    place = train(spec, tmp_path / "out", device="cpu")
    backbone = load_backbone(place, device="cpu")
    assert backbone.family == FAMILIES[family] and backbone.image_shape == (1, 8, 8)
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["steps"] == 60 and record["images"] == 960 and record["parameters"] == backbone.parameters
    assert np.mean(record["loss"][-10:]) < 0.7 * np.mean(record["loss"][:5])
    assert Image.open(tmp_path / "out" / "samples.png").size == (8 * 8, 4 * 8)
    assert not (tmp_path / "out" / "training.pt").exists()


@pytest.mark.parametrize("family", FAMILIES)
def test_an_interrupted_training_goes_on_to_the_same_weights(family, spec_of, tmp_path, monkeypatch):
    network = {**spec_of(family).network, **({} if family == "uvit" else {"dropout": 0.2})}
    spec = spec_of(family, network=network, bf16=True, flip=True, warmup=3)
    whole = weights(train(spec, tmp_path / "whole", device="cpu"))
    own = loop._step

    def interrupted(progress, *others):
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)  # heard after this step
        return own(progress, *others)

    monkeypatch.setattr(loop, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt, match="Stopped after 3 of 6 steps"):
        train(spec, tmp_path / "parts", device="cpu")
    monkeypatch.setattr(loop, "_step", own)
    torch.manual_seed(99)  # another process has other numbers
    assert same(whole, weights(train(spec, tmp_path / "parts", device="cpu")))
    assert not same(whole, weights(train(spec.model_copy(update={"seed": 1}), tmp_path / "other", device="cpu")))


def test_milestones_are_the_averages_on_the_way(spec_of, tmp_path):
    spec = spec_of("ddpm", milestones=True, batch_size=4)
    train(spec, tmp_path / "out", device="cpu")
    kept = {int(folder.name): folder for folder in (tmp_path / "out" / "milestones").iterdir()}
    assert sorted(kept) == [0, 1, 2, 4]
    torch.manual_seed(spec.seed)
    first = make_trainee(spec).network.half().float().state_dict()
    assert same(weights(kept[0]), first) and not same(weights(kept[4]), first)
    plain = weights(train(spec.model_copy(update={"milestones": False}), tmp_path / "plain", device="cpu"))
    assert same(plain, weights(tmp_path / "out"))  # keeping them changes nothing


def test_a_folder_holds_one_training(spec_of, tmp_path):
    spec = spec_of("ddpm", steps=2)
    train(spec, tmp_path / "out", device="cpu")
    with pytest.raises(SpecError, match="holds a finished training"):
        train(spec, tmp_path / "out", device="cpu")
    (tmp_path / "out" / "mine.txt").write_text("kept")
    train(spec, tmp_path / "out", device="cpu", fresh=True)
    assert (tmp_path / "out" / "mine.txt").read_text() == "kept"


def test_another_unfinished_training_is_refused(spec_of, tmp_path, monkeypatch):
    own = loop._step

    def interrupted(progress, *others):
        os.kill(os.getpid(), signal.SIGINT)
        return own(progress, *others)

    monkeypatch.setattr(loop, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(spec_of("ddpm"), tmp_path / "out", device="cpu")
    with pytest.raises(SpecError, match="unfinished training by another spec"):
        train(spec_of("ddpm", seed=5), tmp_path / "out", device="cpu")


def test_a_record_names_no_place_of_this_computer(spec_of, tmp_path):
    train(spec_of("ddpm", steps=1), tmp_path / "first", device="cpu")
    written = spec_of("ddpm", steps=1, start="first").model_dump_json()  # JSON is YAML
    (tmp_path / "train.yaml").write_text(written)
    train(TrainSpec.from_yaml(tmp_path / "train.yaml"), tmp_path / "second", device="cpu")
    record = json.loads((tmp_path / "second" / "training.json").read_text())
    assert record["spec"]["start"] == "first"


def test_a_start_gives_the_first_weights(spec_of, tmp_path):
    place = train(spec_of("ddpm", steps=2), tmp_path / "first", device="cpu")
    trainee = make_trainee(spec_of("edm", start=str(place)))  # the same network, another objective
    assert same(weights(place), trainee.network.state_dict())
    other = {**spec_of("ddpm").network, "block_out_channels": [8, 16]}
    with pytest.raises(SpecError, match=r"start: the network in .* is not the one"):
        make_trainee(spec_of("ddpm", network=other, start=str(place)))


def test_weights_are_stored_in_half_precision(spec_of, tmp_path):
    from safetensors.torch import load_file

    for family in FAMILIES:
        train(spec_of(family, steps=1), tmp_path / family, device="cpu")
        (file,) = (tmp_path / family).rglob("*.safetensors")
        assert {tensor.dtype for tensor in load_file(file).values()} == {torch.float16}


@pytest.mark.parametrize(
    ("family", "changes", "words"),
    [
        ("uvit", {"schedule": {"beta": 1}}, "schedule: a U-ViT"),
        ("uvit", {"network": {"img_size": 8}}, "network: Architecture does not take"),
        ("ddpm", {"network": {"colour": 8}}, "network: colour is not an argument of UNet2DModel"),
        ("ddpm", {"network": {"in_channels": 1}}, "network.sample_size"),
        ("ddpm", {"network": {"sample_size": 8_000}}, "network.sample_size"),
        ("edm", {"schedule": {"beta_schedule": "linear"}}, "schedule: beta_schedule is not an argument of EDMEuler"),
        ("edm", {"schedule": {"sigma_min": 0.01, "sigma_max": 80.0, "sigma_data": None}}, "schedule: "),
        ("ddpm", {"schedule": {"num_train_timesteps": 2**31 - 1}}, "schedule: num_train_timesteps"),
        ("ddpm", {"network": {"sample_size": 8, "down_block_types": [1]}}, "network: "),
        ("ddpm", {"network": {"sample_size": 8, "block_out_channels": [10**5] * 4}}, "network: it has .* parameters"),
        ("ddpm", {"network": {"sample_size": 8, "in_channels": False}}, "network.in_channels"),
        ("ddpm", {"network": {"sample_size": 8, "out_channels": 0}}, "network.out_channels"),
    ],
)
def test_mistakes_name_their_field(family, changes, words, spec_of):
    with pytest.raises(SpecError, match=words):
        make_trainee(spec_of(family, **changes))


@pytest.mark.parametrize("line", ["learning_rate: .inf", "ema: .nan", "seed: 99999999999999999999"])
def test_numbers_that_train_nothing_name_their_field(line, tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text(f"data: {{builtin: letters}}\nnetwork: {{}}\nsteps: 1\n{line}\n")
    with pytest.raises(SpecError, match=rf"train\.yaml.*{line.partition(':')[0]}"):
        TrainSpec.from_yaml(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"sample_size": 7}, "network: it does not compute"), ({"out_channels": 2}, "network: it makes")],
)
def test_a_network_that_does_not_pass_its_images_is_reported(change, words, spec_of):
    network = spec_of("ddpm").network | change
    with pytest.raises(SpecError, match=words):
        make_trainee(spec_of("ddpm", network=network))
