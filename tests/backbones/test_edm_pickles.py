"""The restricted unpickler: what EDM's training writes is read, everything else is refused, and nothing is ever run."""

import pickle

import numpy as np
import pytest
import torch
from edm_pickle_writer import EasyDict, Persistent, network, original_modules, write_snapshot
from hostile_pickles import zip_of
from original_weights import fixture, state_dict_of

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.edm_snapshot import read_snapshot
from cfs_explore.errors import BackboneError


@pytest.fixture
def tiny():
    """A fixture's network, as the training holds it."""
    original = fixture("edm_vp_ddpmpp")
    return network(original, state_dict_of(original))


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_embedded_source_code_is_not_run(tiny, tmp_path, monkeypatch, protocol):
    marker = tmp_path / "marker"
    monkeypatch.setattr(Persistent, "source", f"open({str(marker)!r}, 'w').close()")
    path = write_snapshot(tmp_path / "network.pkl", tiny, protocol, numbers=np.float32(0.5))
    assert b"open(" in path.read_bytes()
    backbone = load_backbone(path, device="cpu")
    assert not marker.exists()
    expected = state_dict_of(fixture("edm_vp_ddpmpp"))
    assert all(torch.equal(value, expected[key]) for key, value in backbone.module.state_dict().items())


def test_recorded_numpy_numbers_and_positional_arguments_become_plain_ones(tiny, tmp_path):
    arguments = tiny._init_kwargs
    tiny._init_args = (arguments.pop("img_resolution"), arguments.pop("img_channels"))
    arguments["dropout"] = np.float64(0.13)
    arguments["sigma_max"] = float("inf")
    config = read_snapshot(write_snapshot(tmp_path / "network.pkl", tiny)).config
    assert (config["img_resolution"], config["img_channels"]) == (32, 3)
    assert type(config["dropout"]) is float
    assert "sigma_max" not in config


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_a_file_that_was_cut_short_is_said_to_be(tiny, tmp_path, share):
    path = write_snapshot(tmp_path / "network.pkl", tiny)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BackboneError, match="cut short, as by a broken download"):
        load_backbone(path, device="cpu")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x80\x04\xffgarbage", "damaged or not a pickle"),
        (zip_of({}), "is a file of torch.save"),
        (pickle.dumps([1, 2]), "holds a list"),
        (pickle.dumps({"weights": 1, "step": "x"}), r"It holds weights \(a int\), step \(a str\)"),
        (pickle.dumps({"ema": None}), "its entry 'ema' should be"),
    ],
)
def test_other_files_are_said_to_be_what_they_are(content, complaint, tmp_path):
    path = tmp_path / "network.pkl"
    path.write_bytes(content)
    with pytest.raises(BackboneError, match=complaint):
        load_backbone(path, device="cpu")


def test_snapshots_of_generators_and_other_networks_are_named(tiny, tmp_path):
    path = tmp_path / "network.pkl"
    with original_modules():
        path.write_bytes(pickle.dumps({"G": Persistent("Generator"), "G_ema": Persistent("Generator")}))
    with pytest.raises(BackboneError, match=r"snapshot of a generator \(StyleGAN\).*G_ema \(a Generator\)"):
        load_backbone(path, device="cpu")
    tiny.recorded_class = "Precond"
    with pytest.raises(BackboneError, match=r"ema \(a Precond\)"):
        load_backbone(write_snapshot(path, tiny), device="cpu")


def test_a_network_that_contains_itself_is_refused(tiny, tmp_path):
    enc = tiny.model.enc
    enc._modules["again"] = loop = Persistent("Conv2d")
    twin = Persistent("Conv2d")
    loop._modules.update(a=twin, b=twin)
    for _ in range(40):
        following = Persistent("Conv2d")
        twin._modules.update(a=following, b=following)
        twin = following
    with pytest.raises(BackboneError, match="contains itself, or nests deeper"):
        load_backbone(write_snapshot(tmp_path / "network.pkl", tiny), device="cpu")


def test_recorded_arguments_that_multiply_are_refused(tiny, tmp_path):
    lists = [1]
    for _ in range(30):
        lists = [lists, lists]
    tiny._init_kwargs["channel_mult"] = lists
    with pytest.raises(BackboneError, match="recorded arguments are larger than any network's"):
        load_backbone(write_snapshot(tmp_path / "network.pkl", tiny), device="cpu")


def test_a_recorded_number_beyond_all_measure_is_refused(tiny, tmp_path):
    tiny._init_kwargs["num_blocks"] = 10**5000
    with pytest.raises(BackboneError, match="one of its recorded arguments is a int"):
        load_backbone(write_snapshot(tmp_path / "network.pkl", tiny), device="cpu")


def test_damage_anywhere_is_an_error_or_harmless(tmp_path):
    net = Persistent("EDMPrecond", _init_kwargs={"img_resolution": 8, "img_channels": 1})
    net.register_buffer("u", torch.ones(3))
    path = write_snapshot(tmp_path / "network.pkl", net)
    whole, random = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        changed = bytearray(whole)
        for position in random.integers(0, len(whole), 3):
            changed[position] = random.integers(256)
        path.write_bytes(changed)
        try:
            read_snapshot(path)
        except BackboneError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
def test_tensors_of_every_type_are_read(tiny, tmp_path, dtype):
    values = torch.arange(6).reshape(2, 3).to(dtype)
    tiny.register_buffer("more", values.t())
    tiny.register_buffer("none", None)
    tiny.register_buffer("nothing", torch.zeros(0, dtype=dtype))
    tiny.register_buffer("hidden", values, persistent=False)
    tensors = read_snapshot(write_snapshot(tmp_path / "network.pkl", tiny)).tensors
    assert torch.equal(tensors["more"], values.t())
    assert tensors["nothing"].shape == (0,)
    assert not {"none", "hidden"} & set(tensors)


def test_the_wrong_family_is_refused(tiny, tmp_path):
    path = write_snapshot(tmp_path / "network.pkl", tiny, extra=EasyDict(a=1))
    with pytest.raises(BackboneError, match="It looks like edm"):
        load_backbone(path, family="unet2d", device="cpu")
