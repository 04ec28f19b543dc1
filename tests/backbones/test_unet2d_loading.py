"""Loading diffusers folders: every layout, and a message for everything that is not a backbone."""

import json
import shutil

import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from safetensors.torch import load_file

from cfs_explore.backbones import load_backbone
from cfs_explore.errors import BackboneError

DDPM = {"_class_name": "DDPMScheduler"}


def test_pipeline_network_and_bare_folders_are_the_same_backbone(tiny_folder, tiny, tmp_path):
    DDPMPipeline(UNet2DModel.from_pretrained(tiny_folder / "unet"), DDPMScheduler()).save_pretrained(tmp_path / "pipe")
    shutil.copytree(tiny_folder / "unet", tmp_path / "bare")
    loaded = [
        load_backbone(tmp_path / "pipe", device="cpu"),
        load_backbone(tiny_folder / "unet", device="cpu"),
        load_backbone(tmp_path / "bare", device="cpu", schedule="ddpm-linear-1000"),
        load_backbone(tiny_folder, "unet2d", "cpu"),
    ]
    assert {b.fingerprint for b in loaded} == {tiny.fingerprint}
    assert tiny.name == "tiny" and tiny.image_shape == (1, 8, 8) and tiny.family == "unet2d"
    assert not tiny.module.training
    assert not any(p.requires_grad for p in tiny.module.parameters())


def test_fingerprint_tells_weights_and_schedules_apart(save_unet, tiny):
    others = [
        load_backbone(save_unet(DDPM, seed=1), device="cpu"),
        load_backbone(save_unet({"_class_name": "DDPMScheduler", "beta_end": 0.03}), device="cpu"),
    ]
    assert len({tiny.fingerprint, *(b.fingerprint for b in others)}) == 3


def test_half_precision_weights_load_as_fp32(tiny_folder, tmp_path):
    UNet2DModel.from_pretrained(tiny_folder / "unet").half().save_pretrained(tmp_path / "unet")
    backbone = load_backbone(tmp_path, device="cpu", schedule="ddpm-linear-1000")
    assert {p.dtype for p in backbone.module.parameters()} == {torch.float32}


def test_levels_of_one_batch_equal_separate_batches(tiny, tiny_images):
    x = torch.from_numpy(tiny_images[:4])
    levels = [tiny.match(lam) for lam in (9.0, 5.0, 0.0, -5.0)]
    with torch.no_grad():
        for function in (tiny.forward, tiny.predict_eps, tiny.predict_x0):
            together = function(x, levels)
            apart = torch.cat([function(x[i : i + 1], levels[i]) for i in range(4)])
            torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)
        assert (tiny.forward(x[:1], levels[0]) - tiny.forward(x[:1], levels[3])).abs().max() > 1e-3
        with pytest.raises(ValueError, match="got 2 levels for 4 images"):
            tiny.forward(x, levels[:2])


def test_nothing_there(tmp_path):
    with pytest.raises(BackboneError, match="not on this machine, nor a hub id"):
        load_backbone(tmp_path / "missing" / "folder")


def test_empty_or_other_folder_lists_the_families(tmp_path):
    with pytest.raises(BackboneError, match=r"not a backbone of a known family\. Known: unet2d"):
        load_backbone(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "AutoencoderKL"}))
    with pytest.raises(BackboneError, match="not a backbone of a known family"):
        load_backbone(tmp_path)
    with pytest.raises(BackboneError, match="does not hold a unet2d backbone"):
        load_backbone(tmp_path, "unet2d")


def test_unknown_family_and_schedule(tiny_folder):
    with pytest.raises(BackboneError, match="no backbone family 'vae'"):
        load_backbone(tiny_folder, "vae")
    with pytest.raises(BackboneError, match=r"must be one of ddpm-linear-1000, .*; got 'cosine'"):
        load_backbone(tiny_folder, schedule="cosine")


@pytest.mark.parametrize("content", ["{", "[]"])
def test_damaged_config(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(BackboneError, match=r"config\.json"):
        load_backbone(tmp_path)


def test_no_scheduler_asks_for_one(save_unet):
    with pytest.raises(BackboneError, match=r"noise schedule is unknown\. Name it with `schedule`"):
        load_backbone(save_unet(None), device="cpu")


def test_damaged_missing_or_pickled_weights(save_unet):
    folder = save_unet(DDPM)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(BackboneError, match="is damaged or was cut short"):
        load_backbone(folder, device="cpu")
    weights.unlink()
    torch.save({}, folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(BackboneError, match="holds no weights: its entries are nothing"):
        load_backbone(folder, device="cpu")


class Harm:
    """Writes a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


def test_weights_in_a_torch_file_load_unless_they_carry_code(save_unet, tmp_path):
    folder = save_unet(DDPM)
    wanted = load_backbone(folder, device="cpu").fingerprint
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    assert load_backbone(folder, device="cpu").fingerprint == wanted
    torch.save({"a": Harm(tmp_path / "harm")}, weights.with_suffix(".bin"))
    with pytest.raises(BackboneError, match="nothing in it was run"):
        load_backbone(folder, device="cpu")
    assert not (tmp_path / "harm").exists()


def test_a_class_for_a_network_without_classes_is_refused(save_unet):
    with pytest.raises(BackboneError, match="knows no classes: leave `label` out"):
        load_backbone(save_unet(DDPM), device="cpu", label=0)


def test_a_class_conditional_network_asks_for_the_class(save_unet):
    folder = save_unet(DDPM, num_class_embeds=10)
    for label in (None, 10):
        with pytest.raises(BackboneError, match=r"no null class: give `label`, .* 0 to 9"):
            load_backbone(folder, device="cpu", label=label)
    one, two = (load_backbone(folder, device="cpu", label=label) for label in (3, 4))
    assert one.fingerprint != two.fingerprint
    x = torch.zeros(1, *one.input_shape)
    assert not torch.equal(one.forward(x, one.match(5.0)), two.forward(x, two.match(5.0)))


def test_networks_that_snapshots_cannot_use(save_unet):
    with pytest.raises(BackboneError, match="no sample_size"):
        load_backbone(save_unet(DDPM, sample_size=None), device="cpu")
