"""Files that are valid outside and wrong inside give images and weights, or the project's errors, nothing else.

A small seeded number runs here; more: ``CFS_EXPLORE_FUZZ=400 pytest tests/images/test_fuzz_deep.py`` (cases of each
kind), and ``CFS_EXPLORE_FUZZ_SEED`` for others.
"""
# ruff: noqa: E501

import contextlib
import io
import json
import os
import pickle
import struct
import time
import warnings
import zipfile
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.nets.plain_unet import PlainUNet
from cfs_explore.backbones.nets.plain_unet_config import Architecture
from cfs_explore.errors import CFSError, ImageError
from cfs_explore.images import open_source

CASES, SEED = int(os.environ.get("CFS_EXPLORE_FUZZ", "12")), int(os.environ.get("CFS_EXPLORE_FUZZ_SEED", "0"))
ODD = [0, 1, -1, 3, 2**31, 2**40, 2**63 - 1, -(2**63), 1.5, float("nan"), None, True, "", "x" * 300, [], [[]], {}, "\0"]
TINY_UNET = {
    "sample_size": 8, "in_channels": 1, "out_channels": 1, "layers_per_block": 1, "block_out_channels": (8, 16),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 4, "attention_head_dim": 4,
}  # fmt: skip
NAMES = ["images", "labels", "x", "y", "train_images", "data", "", "a/b", "../x", "é", "images.npy", "IMAGE", "label"]
KEYS = ["model", "ema", "shadow_params", "module.a", "ema_model.w", "a.b", "all_modules.0.W", "optimizer", "step", 3, 0.9,
        "in_blocks.0.x", "mid_block.x", "out_blocks.0.x", "blocks.0.adaLN_modulation.1.weight", "x_embedder.proj.weight",
        "t_embedder.mlp.0.weight", "input_blocks.0.0.weight", "time_embed.0.weight", "sigmas", "_orig_mod." * 40]  # fmt: skip


def pick(rng, values):
    return values[int(rng.integers(len(values)))]


def png(rng) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def npy(rng) -> bytes:
    shape = pick(
        rng, [(4, 6, 6), (4, 6, 6, 3), (3, 6, 6), (6, 6, 4), (4,), (4, 1), (0, 6, 6), (4, 2), (), (1, 1, 1, 1, 1)]
    )
    kind = pick(rng, ["u1", "<f4", "<f2", ">i2", "S3", "<U2", "?", "<c8", "<M8[s]", "<i8", "V3"])
    array = np.frombuffer(rng.bytes(max(1, int(np.prod(shape))) * np.dtype(kind).itemsize), kind)[: int(np.prod(shape))]
    header = {"descr": kind, "fortran_order": False, "shape": shape}
    if rng.random() < 0.5:
        header[pick(rng, list(header))] = pick(rng, [*ODD, (2**40, 2**40), (-4, 6, 6), (4, 6, "6"), "|O", "<f4,<f4"])
    text = repr(header).encode() + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + array.tobytes()


def npz(rng) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", pick(rng, [0, 8])) as archive:
        warnings.simplefilter("ignore")
        for _ in range(int(rng.integers(1, 4))):
            archive.writestr((pick(rng, NAMES) + pick(rng, [".npy", ".npy", ""])) or ".npy", npy(rng))
    return stream.getvalue()


def parquet(rng) -> bytes:
    images = [png(rng), None, b"", rng.bytes(40)]
    columns = {
        "bytes": pa.array(images),
        "struct": pa.array([{"bytes": value, "path": "a.png"} for value in images]),
        "odd struct": pa.array([{"bytes": [1], "path": 3}] * 4),
        "view": pa.array(images, pa.binary_view()),
        "dictionary": pa.array(images).dictionary_encode(),
        "list": pa.array([[value] for value in images]),
        "text": pa.array(["a.png", None, "\0", "../../etc/passwd"]),
        "floats": pa.array([1.0, None, float("nan"), 1e300]),
        "nothing": pa.nulls(4),
        "time": pa.array([2**62] * 4, pa.timestamp("ns")),
        "map": pa.array([[("a", 1)]] * 4, pa.map_(pa.string(), pa.int64())),
        "dates": pa.array([2**31 - 1, None, 0, 1], pa.date32()),
        "durations": pa.array([2**62] * 4, pa.duration("s")),
    }
    names = rng.choice(["image", "Image", "label", "img", "path", "y"], 3, replace=rng.random() < 0.3)
    table = pa.table([columns[pick(rng, list(columns))] for _ in names], names=list(names))
    features = {"info": {"features": {"label": pick(rng, [*ODD, {"names": [1, None]}])}}}
    stream = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), stream, row_group_size=2)
    return stream.getvalue()


def safetensors(rng) -> bytes:
    header = {}
    for _ in range(int(rng.integers(1, 6))):
        entry = {
            "dtype": pick(rng, ["F32", "F16", "BF16", "I64", "BOOL", "X"]),
            "shape": pick(rng, [[2, 2], [4], [], [0]]),
        }
        entry["data_offsets"] = pick(rng, [[0, 16], [0, 8], [16, 32], [8, 0], [0, 2**62]])
        if rng.random() < 0.3:
            entry[pick(rng, list(entry))] = pick(rng, ODD)
        header[str(pick(rng, KEYS))] = entry if rng.random() < 0.9 else pick(rng, ODD)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rng.bytes(32)


def nested(rng, depth=0):
    """Values as trainings keep them, in the wrong places."""
    kind = int(rng.integers(6 if depth < 4 else 3))
    if kind < 2:
        shape = pick(rng, [(2, 2), (3,), (), (0,), (1, 1, 1, 1), (2, 0)])
        return torch.full(shape, float(pick(rng, [0.0, 1.0, float("nan"), float("inf")])))
    if kind == 2:
        return pick(rng, ODD)
    if kind == 3:
        return [nested(rng, depth + 1) for _ in range(int(rng.integers(4)))]
    return {pick(rng, KEYS): nested(rng, depth + 1) for _ in range(int(rng.integers(1, 6)))}


def checkpoint(rng) -> bytes:
    stream = io.BytesIO()
    torch.save(
        {pick(rng, KEYS): nested(rng) for _ in range(4)}, stream, _use_new_zipfile_serialization=rng.random() < 0.8
    )
    return stream.getvalue()


def folder_config(rng) -> bytes:
    """Two configurations of a network's folder, of which one has one or two settings changed."""
    unet = TINY_UNET | {"_class_name": "UNet2DModel"}
    schedule = {"beta_start": 1e-4, "beta_end": 0.02, "num_train_timesteps": 1000, "prediction_type": "epsilon"}
    schedule |= {"_class_name": "DDPMScheduler", "beta_schedule": "linear"}
    bent = pick(rng, [unet, schedule])
    for _ in range(int(rng.integers(1, 3))):
        bent[pick(rng, list(bent))] = pick(rng, [*ODD, [8, 10**4], 10**9, "linear", [8], 2.0, [0.1], "\ud800"])
    return json.dumps([unet, schedule]).encode()


def repacked(rng) -> bytes:
    """A checkpoint whose pickle, or another member, has other bytes inside a whole zip."""
    source = io.BytesIO()
    torch.save({"ema": {"a.b": torch.ones(2, 2)}, "model": {"a.b": torch.ones(2, 2)}}, source)
    stream = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = bytearray(old.read(name))
            for _ in range(int(rng.integers(1, 4)) if name.endswith("data.pkl") or rng.random() < 0.2 else 0):
                content[int(rng.integers(len(content)))] = int(rng.integers(256))
            new.writestr(name, bytes(content))
    return stream.getvalue()


def pickled(rng) -> bytes:
    content = bytearray(
        pickle.dumps({"ema": [pick(rng, ODD), {"a": pick(rng, ODD)}], "x": (1, 2)}, int(rng.integers(5)))
    )
    for _ in range(int(rng.integers(4))):
        content[int(rng.integers(len(content)))] = int(rng.integers(256))
    return bytes(content)


def chunks(rng) -> bytes:
    """A PNG whose chunks have the right checksums and wrong contents."""
    content, at, out = png(rng), 8, [b"\x89PNG\r\n\x1a\n"]
    while at < len(content):
        (size,) = struct.unpack_from(">I", content, at)
        kind, data = content[at + 4 : at + 8], bytearray(content[at + 8 : at + 8 + size])
        at += 12 + size
        if rng.random() < 0.3:
            extra = pick(rng, [b"tRNS", b"PLTE", b"acTL", b"fcTL", b"iCCP", b"zTXt", b"eXIf", b"gAMA", b"pHYs"])
            payload = rng.bytes(int(rng.integers(40)))
            out.append(
                struct.pack(">I", len(payload)) + extra + payload + struct.pack(">I", zlib.crc32(extra + payload))
            )
        if data and rng.random() < 0.4:
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        out.append(struct.pack(">I", len(data)) + kind + bytes(data) + struct.pack(">I", zlib.crc32(kind + data)))
    return b"".join(out)


def tiff(rng) -> bytes:
    order = pick(rng, "<>")
    tags = {256: 6, 257: 6, 258: pick(rng, [8, 16, 32, 1]), 259: pick(rng, [1, 1, 5, 8]), 262: pick(rng, [0, 1, 2, 3]), 273: 8,
            277: pick(rng, [1, 3]), 278: 6, 279: 144, 339: pick(rng, [1, 2, 3, 9])}  # fmt: skip
    for _ in range(int(rng.integers(3))):
        tags[int(pick(rng, [*tags, 274, 317, 338, 700, 34675]))] = int(pick(rng, [0, 1, 7, 65535, 2**31]))
    data = rng.bytes(144)
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    follows = pick(rng, [0, 152, 8, 2**31])
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 152)
    return head + data + struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", follows)


def images_of(path, rng) -> None:
    options = pick(rng, [{}, {}, {"range": [0, 4095]}, {"pages": "all"}, {"layout": "CHW"}, {"key": "x"}])
    try:
        with open_source({"path": str(path), **options}) as source:
            for i in range(min(len(source), 6)):
                try:
                    source.read(i)
                except ImageError:
                    continue
            source.notes()
    except CFSError:
        pass


def weights_of(path, rng) -> None:
    with pytest.raises(CFSError):
        load_backbone(path, device="cpu", weights=pick(rng, [None, None, "model", "ema/0", ""]))


def folder_of(path, rng) -> None:
    """The network of a folder with these configurations is read and passes an image, or is refused."""
    unet, schedule = json.loads(path.read_bytes())
    home = path.with_suffix("")
    for name, content in {"unet/config.json": unet, "scheduler/scheduler_config.json": schedule}.items():
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text(json.dumps(content))
    save_file(WEIGHTS, home / "unet" / "diffusion_pytorch_model.safetensors")
    with contextlib.suppress(CFSError):
        backbone = load_backbone(home, device="cpu")
        assert np.isfinite(backbone.reach).all() and backbone.reach[0] < backbone.reach[1] and backbone.taps()


WEIGHTS = PlainUNet(Architecture(**TINY_UNET)).state_dict()
KINDS = {
    "npz": (npz, images_of), "npy": (npy, images_of), "parquet": (parquet, images_of), "png": (chunks, images_of),
    "tif": (tiff, images_of), "safetensors": (safetensors, weights_of), "pt": (checkpoint, weights_of),
    "json": (folder_config, folder_of), "ckpt": (repacked, weights_of), "pkl": (pickled, weights_of), "pth": (pickled, weights_of),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_what_is_wrong_inside_is_reported(tmp_path, kind):
    makes, uses = KINDS[kind]
    for case in range(CASES):
        rng = np.random.default_rng([SEED, case, list(KINDS).index(kind)])
        path = tmp_path / f"{case}.{kind}"
        path.write_bytes(makes(rng))
        begun = time.process_time()
        try:
            uses(path, rng)
        except Exception as error:
            raise AssertionError(f"case {case} of {kind}, seed {SEED}: {type(error).__name__}: {error}") from error
        assert time.process_time() - begun < 20, f"case {case} of {kind}"
        path.unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.to_sparse(), "plain real numbers"),
        (lambda v: v.to(torch.complex64), "plain real numbers"),
        (lambda v: torch.empty(v.shape, device="meta"), "plain real numbers"),
        (lambda v: torch.zeros(1).expand(10**5, 10**5), "far more than the file holds"),
        (lambda v: v.to(torch.int8), "of another type"),
    ],
)
def test_weights_that_are_no_plain_numbers_are_reported(tmp_path, change, message):
    home = tmp_path / "net"
    (home / "unet").mkdir(parents=True)
    (home / "unet" / "config.json").write_text(json.dumps(TINY_UNET | {"_class_name": "UNet2DModel"}))
    weights = WEIGHTS | {"conv_in.weight": change(WEIGHTS["conv_in.weight"])}
    torch.save(weights, home / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(CFSError, match=f"conv_in.weight.*{message}|{message}.*conv_in.weight"):
        load_backbone(home, device="cpu", schedule="ddpm-linear-1000")


@pytest.mark.parametrize("key", ["layers_per_block", "block_out_channels"])
def test_a_configuration_of_a_giant_is_refused_at_once(tmp_path, key):
    big = {"layers_per_block": 10**6, "block_out_channels": [20_000, 40_000]}
    home = tmp_path / "net"
    (home / "unet").mkdir(parents=True)
    (home / "unet" / "config.json").write_text(json.dumps(TINY_UNET | {"_class_name": "UNet2DModel", key: big[key]}))
    save_file(WEIGHTS, home / "unet" / "diffusion_pytorch_model.safetensors")
    begun = time.process_time()
    with pytest.raises(CFSError, match=r"config\.json"):
        load_backbone(home, device="cpu", schedule="ddpm-linear-1000")
    assert time.process_time() - begun < 10
