"""How files with weights are called, and which files of a repository on the hub are wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from cfs_explore.errors import BackboneError

#: The weights of a model of diffusers or transformers: variants, shards and formats.
STORED = re.compile(
    r"(diffusion_pytorch_model|pytorch_model|model)(?:\.(?P<before>\w+))?(?:-(?P<part>\d+)-of-(?P<parts>\d+))?"
    r"(?:\.(?P<after>\w+))?\.(?P<format>safetensors|bin)"
)
#: Any file with weights.
WEIGHTS = re.compile(r".*\.(safetensors|bin|pt|pth|ckpt|pt\.tar|pth\.tar|ckpt\.tar|pkl|msgpack|onnx|gguf|h5)")
#: What is taken of a repository on the hub in any case.
PARTS = ("*.json", "*.safetensors", "*.txt", "*.model")
#: Folders of a repository without whose weights nothing can be computed; "" is its own.
_NEEDED = ("", "unet", "transformer", "vae")
#: A file that may be read where it is fetched by itself.
_SINGLE = re.compile(r".*\.(pt|pth|ckpt|pt\.tar|pth\.tar|ckpt\.tar|pkl|bin)")


def wanted_files(hub_id: str, names: Sequence[str]) -> list[str]:
    """The files of a repository that are fetched: safetensors, or files of torch in a folder that has none.

    Args:
        hub_id: for messages.
        names: of all its files.

    Raises:
        BackboneError: it holds no weights in a form that is read; what it holds, and what to do.
    """
    folders: dict[str, list[str]] = {}
    for name in names:
        folder, _, base = name.rpartition("/")
        folders.setdefault(folder, []).append(base)
    wanted = []
    for folder, bases in folders.items():
        stored = {base: found["format"] for base in bases if (found := STORED.fullmatch(base))}
        taken = [base for base in bases if any(fnmatchcase(base, part) for part in PARTS)]
        if not any(base.endswith(".safetensors") for base in bases):
            taken += [base for base, kind in stored.items() if kind == "bin"]
        if folder in _NEEDED and "config.json" in bases and not any(map(WEIGHTS.fullmatch, taken)):
            _refuse(hub_id, folder, bases)
        wanted += [f"{folder}/{base}" if folder else base for base in taken]
    if not any(map(WEIGHTS.fullmatch, wanted)):
        _refuse(hub_id, "", list(names))
    return wanted


def _refuse(hub_id: str, folder: str, names: list[str]) -> None:
    """Say that weights are missing.

    Raises:
        BackboneError: always.
    """
    held = sorted(name for name in names if WEIGHTS.fullmatch(name))
    where = f"{hub_id}, in {folder}/," if folder else hub_id
    problem = f"{where} holds no weights in a form that is read from the hub (model.safetensors, or pytorch_model.bin "
    problem += f"and the like), but {', '.join(held[:6])}" if held else "and the like)"
    single = next(filter(_SINGLE.fullmatch, held), None)
    if single is not None:
        path = f"{folder}/{single}" if folder else single
        remedy = f"A single checkpoint is given by its address: https://huggingface.co/{hub_id}/resolve/main/{path}"
    else:
        remedy = "Ask its owner for safetensors, or save it so with diffusers (save_pretrained) and give that folder."
    raise BackboneError(f"{problem}. Nothing was fetched. {remedy}")
