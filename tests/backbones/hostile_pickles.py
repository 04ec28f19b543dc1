"""Files that would run code, take all memory, or never end, if the wrong reader were to read them."""

import io
import os
import pickle
import struct
import subprocess
from collections import OrderedDict

import numpy as np
import torch

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
        "bytearray": pickle.dumps({"ema": Calls(bytearray, 10**12)}),
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
        "subprocess": pickle.dumps({"ema": Calls(subprocess.Popen, ["touch", str(marker)])}),
        "a call among the items of a dictionary": pickle.dumps({"ema": {"a": {"b": (1, [Calls(os.system, command)])}}}),
        "old-style object with arguments": b"(" + text(command) + b"ios\nsystem\n.",
        "old-style object from the stack": b"(c__builtin__\nset\n" + text(command) + b"o.",
        "extension code of two bytes": b"\x80\x04\x83\x01\x00.",
        "extension code of four bytes": b"\x80\x04\x84\x01\x00\x00\x00.",
        "an object made with keywords": b"\x80\x04" + name("torch.nn.modules.linear", "Linear") + b")}\x92.",
        "an object that restores itself": b"\x80\x04" + name("torch.nn.modules.linear", "Linear") + b")\x81}"
        + text("__setstate__") + name("collections", "OrderedDict") + b"sb" + text(command) + b"b.",
        "a number of negative length": b"\x80\x04\x8b\xff\xff\xff\xff.",
        "a number of two gigabytes": b"\x80\x04\x8b\xff\xff\xff\x7f.",
        "a frame of more than there is": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"}.",
        "a frame that ends inside an instruction": b"\x80\x04\x95" + struct.pack("<Q", 1)
        + pickle.dumps({"ema": Calls(os.system, command)}, 2)[2:],
        "a dictionary in itself": b"\x80\x04}q\x00" + text("ema") + b"h\x00s.",
        "a tuple in itself": b"\x80\x04]q\x00h\x00\x85a.",
        "lists that double": b"\x80\x04]" + b"".join(b"q%c(h%ch%cl" % (i, i, i) for i in range(1, 100)) + b".",
        "buffers outside the file": b"\x80\x05\x97.",
        "text that is none": b"\x80\x04X\x02\x00\x00\x00\xff\xfe.",
        "stack underflow": b"\x80\x04R.",
        "no container": b"\x80\x04NNa.",
    }  # fmt: skip


def zip_of(value) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()
