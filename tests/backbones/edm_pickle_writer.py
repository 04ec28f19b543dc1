"""Writes network snapshots as EDM's training does: objects that carry their source code into the pickle."""

import contextlib
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import torch
from original_weights import Fixture

#: Constructor arguments that EDM's training always records.
_RECORDED = set(
    """img_resolution img_channels label_dim use_fp16 model_type model_channels channel_mult num_blocks attn_resolutions
    dropout embedding_type encoder_type decoder_type channel_mult_noise resample_filter augment_dim sigma_data beta_d
    beta_min M epsilon_t C_1 C_2 sigma_min sigma_max channel_mult_emb label_dropout""".split()  # noqa: SIM905
)
_BUFFERS = ("resample_filter", "freqs", "u")


class EasyDict(dict):
    """A dictionary of training settings."""


class Persistent(torch.nn.Module):
    """A module that pickles as its class name, its state and the source code of its class."""

    source = "raise RuntimeError('source code of the snapshot was run')"

    def __init__(self, class_name: str, **attributes):
        super().__init__()
        self.__dict__.update(attributes, recorded_class=class_name, _init_args=())
        self.__dict__.setdefault("_init_kwargs", {})

    def __reduce__(self):
        state = {key: value for key, value in self.__dict__.items() if key != "recorded_class"}
        meta = {"type": "class", "version": 6, "module_src": self.source, "class_name": self.recorded_class}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta | {"state": state},), None


def recorded_arguments(config: dict) -> dict:
    """The constructor arguments in a fixture's configuration."""
    return {key: value for key, value in config.items() if key in _RECORDED}


def network(original: Fixture, tensors: dict[str, torch.Tensor]) -> Persistent:
    """The preconditioned network with these weights, as the training holds it."""
    arguments = EasyDict(recorded_arguments(original.config))
    return hang(Persistent(original.config["precond"], _init_kwargs=arguments, sigma_data=0.5), tensors)


def hang(root: Persistent, tensors: dict[str, torch.Tensor]) -> Persistent:
    """Parameters and buffers in a tree of modules below the root, by their dotted names."""
    for name, value in tensors.items():
        *path, leaf = name.split(".")
        module = root
        for part in path:
            if part not in module._modules:
                module._modules[part] = _module(part)
            module = module._modules[part]
        if leaf in _BUFFERS:
            module.register_buffer(leaf, value)
        else:
            module.register_parameter(leaf, torch.nn.Parameter(value, requires_grad=False))
    return root.eval()


def _module(name: str) -> torch.nn.Module:
    if name in ("enc", "dec"):
        return torch.nn.ModuleDict()
    scale = {"skip_scale": np.sqrt(0.5), "_init_kwargs": {"init": {"init_weight": np.sqrt(0.2)}}}
    return Persistent("SongUNet" if name == "model" else "UNetBlock" if "block" in name else "Conv2d", **scale)


def write_snapshot(path: Path, ema: Persistent, protocol: int = pickle.DEFAULT_PROTOCOL, **entries) -> Path:
    """A .pkl file with the averaged network and what else the training writes."""
    augment = Persistent("AugmentPipe", wavelets=np.arange(6.0).reshape(2, 3))
    augment.register_buffer("Hz_geom", torch.ones(3))
    augment._non_persistent_buffers_set.add("Hz_geom")
    dataset = EasyDict(class_name="training.dataset.ImageFolderDataset", path="cifar10-32x32.zip", xflip=False)
    content = {"ema": ema, "loss_fn": Persistent("EDMLoss"), "augment_pipe": augment, "dataset_kwargs": dataset}
    with original_modules():
        path.write_bytes(pickle.dumps(content | entries, protocol))
    return path


@contextlib.contextmanager
def original_modules():
    """The names that the pickle refers to exist while it is written."""

    def _reconstruct_persistent_obj(meta):
        raise AssertionError("an original function was called")

    persistence = types.ModuleType("torch_utils.persistence")
    _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    persistence._reconstruct_persistent_obj = _reconstruct_persistent_obj
    util = types.ModuleType("dnnlib.util")
    util.EasyDict = EasyDict
    fakes = {"torch_utils": types.ModuleType("torch_utils"), "torch_utils.persistence": persistence,
             "dnnlib": types.ModuleType("dnnlib"), "dnnlib.util": util}  # fmt: skip
    EasyDict.__module__ = "dnnlib.util"
    sys.modules.update(fakes)
    try:
        yield
    finally:
        for name in fakes:
            del sys.modules[name]
