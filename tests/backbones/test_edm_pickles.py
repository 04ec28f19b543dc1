"""The restricted unpickler: what EDM's training writes is read, everything else is refused, and nothing is ever run."""

import io
import os
import pickle
import struct
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest
import torch
from edm_pickle_writer import EasyDict, Persistent, network, original_modules, write_snapshot
from original_weights import fixture, state_dict_of

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.edm_snapshot import read_snapshot
from cfs_explore.errors import BackboneError

MEGABYTE = 2**20


class Calls:
    """Pickles as a call of ``function``."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def name(module: str, attribute: str) -> bytes:
    """STACK_GLOBAL of a name."""
    return text(module) + text(attribute) + b"\x93"


def storage_stream(main: bytes, keys: bytes = b"]X\x01\x00\x00\x000a.", data: bytes = b"") -> bytes:
    """What torch.save wrote before its zip files, with the pickle of the storage given."""
    start = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}]
    return b"".join(pickle.dumps(value, 2) for value in start) + main + keys + data


def load_from_bytes(data: bytes) -> bytes:
    """A call of torch.storage._load_from_bytes."""
    return name("torch.storage", "_load_from_bytes") + b"B" + struct.pack("<I", len(data)) + data + b"\x85R"


def storage_pickle(count: int) -> bytes:
    """The persistent id of a storage of ``count`` float32 numbers."""
    number = b"\x8a\x08" + struct.pack("<q", count)
    return b"\x80\x02(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number + b"NtQ."


def storage(data: bytes) -> bytes:
    """A call that reads a storage of float32 numbers."""
    count = len(data) // 4
    return load_from_bytes(storage_stream(storage_pickle(count), data=struct.pack("<q", count) + data))


def tensor(size: bytes, stride: bytes, source: bytes | None = None) -> bytes:
    """A tensor over a storage, by default of four numbers."""
    view = (source or storage(bytes(16))) + b"K\x00" + size + stride + b"\x89N"
    return name("torch._utils", "_rebuild_tensor_v2") + b"(" + view + b"tR"


def shared_tensors(count: int, data: bytes) -> bytes:
    """Tensors over one storage that is kept in the memo."""
    size = b"J" + struct.pack("<i", len(data) // 4) + b"\x85"
    first = tensor(size, b"K\x01\x85", storage(data) + b"q\x00")
    return first + tensor(size, b"K\x01\x85", b"h\x00") * (count - 1)


def hostile(marker) -> dict[str, bytes]:
    """Files that would write the marker, take all memory, or never end."""
    command = f"touch {marker}"
    code = f"open({str(marker)!r}, 'w')"
    trillion = b"\x8a\x06" + struct.pack("<Q", 10**12)[:6]
    bomb = b"]q\x00" + b"K\x01a" * 1000
    return {
        "os.system": pickle.dumps({"ema": Calls(os.system, command)}),
        "os.system in protocol 0": b"cos\nsystem\n(S'" + command.encode() + b"'\ntR.",
        "posix.system through a tuple": pickle.dumps([1, (2, Calls(os.system, command))], 2),
        "eval": pickle.dumps({"ema": Calls(eval, code)}),
        "builtins.exec": pickle.dumps({"ema": Calls(exec, code)}),
        "a call nested in the arguments of an allowed one": pickle.dumps(
            Calls(OrderedDict, [("ema", Calls(exec, code))])
        ),
        "exec as a persistent object's state": b"\x80\x04"
        + name("torch_utils.persistence", "_reconstruct_persistent_obj")
        + b"}" + text("state") + name("builtins", "exec") + text(code) + b"\x85Rs\x85R.",
        "getattr chain": b"\x80\x04" + name("builtins", "getattr") + name("torch", "os") + text("system") + b"\x86R.",
        "dotted name": b"\x80\x04" + name("torch.nn.modules", "module.torch.os.system") + text(command) + b"\x85R.",
        "dotted name under an allowed one": b"\x80\x04" + name("collections", "OrderedDict.__init__") + b".",
        "copyreg": b"\x80\x04" + name("copyreg", "_reconstructor") + name("builtins", "object") + b"\x85R.",
        "add an extension": b"\x80\x04" + name("copyreg", "add_extension") + text("posix") + b"\x85R.",
        "extension code": b"\x80\x04\x82\x01.",
        "a class called like a function": b"\x80\x04"
        + name("torch.nn.modules.container", "ModuleDict") + text(code) + b"\x85R.",
        "a class made with arguments": b"\x80\x04" + name("torch.nn.modules.linear", "Linear") + b"K\x01K\x01\x86\x81.",
        "old-style object": b"(ios\nsystem\n.",
        "build on a name": b"\x80\x04" + name("collections", "OrderedDict") + b"}b.",
        "build on a tensor": b"\x80\x04" + tensor(b"K\x04\x85", b"K\x01\x85") + b"}b.",
        "persistent id": b"\x80\x04" + text(command) + b"Q.",
        "text persistent id": b"Psomething\n.",
        "huge tensor": b"\x80\x04" + tensor(trillion + b"\x85", b"K\x01\x85") + b".",
        "huge tensor of one number": b"\x80\x04" + tensor(trillion + b"\x85", b"K\x00\x85") + b".",
        "tensor outside its storage": b"\x80\x04" + tensor(b"K\x02\x85", b"K\x09\x85") + b".",
        "one storage, many tensors": b"\x80\x04(" + shared_tensors(100, bytes(2**16)) + b"t.",
        "huge storage": b"\x80\x04" + load_from_bytes(storage_stream(storage_pickle(10**12))) + b".",
        "bytearray": pickle.dumps({"ema": Calls(bytearray, 10**10)}),
        "bytearray8": b"\x80\x05\x96" + struct.pack("<Q", 10**10) + b"x.",
        "bytes that are not there": b"\x80\x04\x8e" + struct.pack("<Q", 10**12) + b"x.",
        "memo far away": b"\x80\x04]r\xff\xff\xff\x7f.",
        "numpy array": pickle.dumps({"ema": Calls(np.zeros, 10**10)}),
        "a list copied again and again": b"\x80\x04" + bomb
        + (name("torch", "Size") + b"h\x00\x85R") * 2000 + b".",
        "instructions without end": b"\x80\x04" + b"}" + b"NNs" * MEGABYTE + b".",
        "deep lists": b"\x80\x04" + b"]" * MEGABYTE + b"a" * (MEGABYTE - 1) + b".",
        "deep tuples as a key": b"\x80\x04}" + b")" + b"\x85" * 200_000 + b"Ns.",
        "deep marks": b"\x80\x04" + b"(" * 100_000 + b"t" * 100_000 + b".",
        "a list in itself": b"\x80\x04]q\x00h\x00a.",
        "a list as a key": b"\x80\x04}]Ns.",
        "a giant number as a key": b"\x80\x04}\x8a\x10" + b"\x7f" * 16 + b"Ns.",
        "nested stream with code": b"\x80\x04"
        + load_from_bytes(storage_stream(b"\x80\x02cos\nsystem\n" + text(command) + b"\x85R.")) + b".",
        "nested zip": b"\x80\x04" + load_from_bytes(zip_of(Calls(os.system, command))) + b".",
        "stream in a nested stream": b"\x80\x04"
        + load_from_bytes(storage_stream(b"\x80\x02" + load_from_bytes(b"") + b".")) + b".",
        "stack underflow": b"\x80\x04R.",
        "no container": b"\x80\x04NNa.",
    }  # fmt: skip


def zip_of(value) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


HOSTILE = tuple(hostile("marker"))


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pickles_are_refused_and_nothing_in_them_is_run(kind, tmp_path):
    marker, path = tmp_path / "marker", tmp_path / "network.pkl"
    path.write_bytes(hostile(marker)[kind])
    tracemalloc.start()
    try:
        with pytest.raises(BackboneError, match=r"network\.pkl"):
            load_backbone(path, device="cpu")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200 * MEGABYTE
    assert not marker.exists()


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        ("os.system", "'posix.system'|'nt.system'"),
        ("dotted name", r"'torch\.nn\.modules\.module\.torch\.os\.system'"),
        ("nested stream with code", "'os.system'"),
        ("extension code", "pickle instruction EXT1"),
        ("persistent id", "data outside itself"),
        ("huge tensor", "1,000,000,000,000 numbers in a storage of 4"),
        ("deep lists", "nests values deeper"),
        ("instructions without end", "more instructions than a network needs"),
        ("bytes that are not there", "cut short"),
        ("a list copied again and again", "far more data than it holds"),
        ("one storage, many tensors", "far more data than it holds"),
    ],
)
def test_the_refusal_names_what_the_file_asked_for(kind, complaint, tmp_path):
    path = tmp_path / "network.pkl"
    path.write_bytes(hostile(tmp_path / "marker")[kind])
    with pytest.raises(BackboneError, match=complaint):
        load_backbone(path, device="cpu")


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
