"""Folders in diffusers' format as trainings and the hub hold them: averages beside, variants, shards, wrappers."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cfs_explore.backbones import load_backbone
from cfs_explore.cli import main
from cfs_explore.errors import BackboneError
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots

DDPM = {"_class_name": "DDPMScheduler"}
STEM = "diffusion_pytorch_model"


@pytest.fixture
def folder(save_unet, tmp_path):
    """A pipeline whose network may be changed."""
    return shutil.copytree(save_unet(DDPM), tmp_path / "net")


@pytest.fixture
def weights(folder):
    return load_file(folder / "unet" / f"{STEM}.safetensors")


def move(folder, *suffixes, change=lambda value: value):
    """The network's weights under other file names only."""
    path = folder / "unet" / f"{STEM}.safetensors"
    content = {name: change(value) for name, value in load_file(path).items()}
    path.unlink()
    for suffix in suffixes:
        write = save_file if suffix.endswith("safetensors") else torch.save
        write(content, folder / "unet" / f"{STEM}{suffix}")


def shards(folder, write, ending):
    path = folder / "unet" / f"{STEM}.safetensors"
    content = load_file(path)
    path.unlink()
    names = list(content)
    for i in range(3):
        part = {name: content[name] for name in names[i::3]}
        write(part, folder / "unet" / f"{STEM}-{i + 1:05d}-of-00003{ending}")
    where = {name: f"{STEM}-{i % 3 + 1:05d}-of-00003{ending}" for i, name in enumerate(names)}
    index = {"metadata": {"total_size": 1}, "weight_map": where}
    (folder / "unet" / f"{STEM}{ending}.index.json").write_text(json.dumps(index))


def assert_holds(backbone, wanted):
    found = backbone.module.state_dict()
    assert all(torch.equal(found[name], value.float()) for name, value in wanted.items())


@pytest.mark.parametrize("ending", [".bin", ".safetensors"])
def test_shards_are_read(folder, weights, ending):
    shards(folder, torch.save if ending == ".bin" else save_file, ending)
    assert_holds(load_backbone(folder, device="cpu"), weights)
    (folder / "unet" / f"{STEM}-00002-of-00003{ending}").unlink()
    with pytest.raises(BackboneError, match="holds 2 of the 3 parts of its weights"):
        load_backbone(folder, device="cpu")


@pytest.mark.parametrize("suffix", [".bf16.safetensors", ".fp16.bin", ".ema.safetensors", ".ema.bin"])
def test_variants_are_read_and_said(folder, weights, suffix):
    move(folder, suffix)
    backbone = load_backbone(folder, device="cpu")
    assert_holds(backbone, weights)
    assert f"Of the weights' files, {suffix.split('.')[1]} is used" in " ".join(backbone.notes)


def test_of_variants_the_average_is_used(folder, weights):
    save_file({name: value + 1 for name, value in weights.items()}, folder / "unet" / f"{STEM}.ema.safetensors")
    backbone = load_backbone(folder, device="cpu")
    assert_holds(backbone, {name: value + 1 for name, value in weights.items()})
    assert "Of the weights' files, ema is used; the usual one left aside." in backbone.notes


def test_weights_before_averaging_are_not_used(folder, weights):
    save_file({name: value + 1 for name, value in weights.items()}, folder / "unet" / f"{STEM}.non_ema.safetensors")
    assert_holds(load_backbone(folder, device="cpu"), weights)


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod.", "model."])
@pytest.mark.parametrize("ending", [".safetensors", ".bin"])
def test_wrappers_inside_a_folder_are_taken_off(folder, weights, prefix, ending):
    (folder / "unet" / f"{STEM}.safetensors").unlink()
    write = torch.save if ending == ".bin" else save_file
    write({f"{prefix}{name}": value for name, value in weights.items()}, folder / "unet" / f"{STEM}{ending}")
    assert_holds(load_backbone(folder, device="cpu"), weights)


def test_a_form_that_is_not_read_is_named(folder):
    (folder / "unet" / f"{STEM}.safetensors").rename(folder / "unet" / "diffusion_flax_model.msgpack")
    with pytest.raises(BackboneError, match=r"no weights in a form that is read.*holds diffusion_flax_model\.msgpack"):
        load_backbone(folder, device="cpu")


def average_beside(folder, name="unet_ema", by=1.0):
    """As ``EMAModel.save_pretrained`` writes it: the network with the averaging's own settings in its config."""
    other = shutil.copytree(folder / "unet", folder / name)
    path = other / f"{STEM}.safetensors"
    content = {key: value + by for key, value in load_file(path).items()}
    save_file(content, path)
    config = json.loads((other / "config.json").read_text()) | {"decay": 0.9999, "optimization_step": 100}
    (other / "config.json").write_text(json.dumps(config))
    return content


@pytest.mark.parametrize("name", ["unet_ema", "ema_unet", "ema", "averaged_unet"])
def test_an_averaged_network_beside_the_raw_one_is_used(folder, name):
    averaged = average_beside(folder, name)
    backbone = load_backbone(folder, device="cpu")
    assert_holds(backbone, averaged)
    assert f"The averaged (EMA) weights in {name}/ are used; unet/ left aside." in backbone.notes


def test_an_averaged_network_alone_is_used(folder):
    averaged = average_beside(folder)
    shutil.rmtree(folder / "unet")
    backbone = load_backbone(folder, device="cpu")
    assert_holds(backbone, averaged)
    assert "The averaged (EMA) weights in unet_ema/ are used." in backbone.notes


def test_the_raw_network_is_used_where_it_is_asked_for_and_that_is_said(folder, weights, capsys):
    average_beside(folder)
    for backbone in (load_backbone(folder, device="cpu", weights="unet"), load_backbone(folder / "unet", device="cpu")):
        assert_holds(backbone, weights)
        assert "raw weights; averaged (EMA) ones stand beside them in unet_ema/" in " ".join(backbone.notes)
    assert main(["inspect", str(folder), "--weights", "unet", "--device", "cpu"]) in (None, 0)
    assert "raw weights" in capsys.readouterr().out


def test_several_averaged_networks_are_named(folder):
    average_beside(folder, "unet_ema")
    wanted = average_beside(folder, "unet_ema_0.999", by=2.0)
    with pytest.raises(BackboneError, match=r"several averages of the weights: unet_ema, unet_ema_0\.999.*`weights`"):
        load_backbone(folder, device="cpu")
    assert_holds(load_backbone(folder, device="cpu", weights="unet_ema_0.999"), wanted)


@pytest.mark.parametrize("plain", [True, False])
def test_weights_that_are_no_numbers_are_refused_by_name(folder, weights, plain):
    weights["conv_in.weight"].view(-1)[0] = torch.nan
    save_file(weights, folder / "unet" / f"{STEM}.safetensors")
    if not plain:  # an option that only diffusers itself knows
        config = json.loads((folder / "unet" / "config.json").read_text()) | {"decay": 0.9}
        (folder / "unet" / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackboneError, match=r"not finite \(NaN or infinity\): 1 parameters: conv_in\.weight\."):
        load_backbone(folder, device="cpu")


def test_a_network_that_gives_nan_stops_at_its_first_batch(folder, tiny_images):
    backbone = load_backbone(folder, device="cpu")
    with torch.no_grad():
        backbone.module.conv_out.weight.fill_(1e38)
        backbone.module.conv_in.weight.mul_(1e30)
    batches = []
    snapshots = TapSnapshots([backbone.match(5.0)], backbone.taps())
    reader = Reader(backbone, snapshots, batch_size=2, after_batch=batches.append)
    with pytest.raises(BackboneError, match=r"not finite \(NaN or infinity\) for \d of the 2 forwards.*at the tap"):
        reader(tiny_images[:8], np.zeros((1, 8, 1, 8, 8), np.float32))
    assert not batches
