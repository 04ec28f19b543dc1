"""Hostile files: each is refused with a plain error, nothing in it is run, and it takes no memory to speak of."""

import contextlib
import pickle
import time
import tracemalloc
import zipfile

import pytest
from hostile_pickles import MEGABYTE, hostile

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.nesting import MOST, nests_too_deep
from cfs_explore.errors import BackboneError

#: What the refusal names, where that is not the same for all.
COMPLAINTS = {
    "os.system": r"'(posix|nt)\.system'",
    "dotted name": r"'torch\.nn\.modules\.module\.torch\.os\.system'",
    "nested stream with code": r"'os\.system'",
    "subprocess": r"'subprocess\.Popen'",
    "a call among the items of a dictionary": r"'(posix|nt)\.system'",
    "getattr chain": r"'builtins\.getattr'",
    "bytearray": r"'builtins\.bytearray'",
    "old-style object": "pickle instruction INST",
    "old-style object from the stack": "pickle instruction OBJ",
    "extension code": "pickle instruction EXT1",
    "extension code of two bytes": "pickle instruction EXT2",
    "extension code of four bytes": "pickle instruction EXT4",
    "an object made with keywords": "pickle instruction NEWOBJ_EX",
    "build on a name": "adds to something that is not a plain container",
    "persistent id": "data outside itself",
    "text persistent id": "pickle instruction PERSID",
    "buffers outside the file": "pickle instruction NEXT_BUFFER",
    "huge tensor": "1,000,000,000,000 numbers in a storage of 4",
    "huge storage": "a storage of 1,000,000,000,000 numbers with 0 bytes of them",
    "deep lists": "nests values deeper",
    "deep marks": "nests values deeper",
    "instructions without end": "more instructions than a network needs",
    "bytes that are not there": "cut short",
    "a frame of more than there is": "cut short",
    "a number of two gigabytes": "cut short",
    "a number of negative length": "damaged or not a pickle",
    "a list copied again and again": "far more data than it holds",
    "one storage, many tensors": "far more data than it holds",
}

#: Processor seconds that a refusal may take; most take milliseconds.
SECONDS = 5

#: Would take tracemalloc long, and take no memory.
LONG = ("instructions without end", "deep tuples as a key")


@contextlib.contextmanager
def soon():
    start = time.process_time()
    yield
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("kind", hostile("marker"))
def test_hostile_pickles_are_refused_and_nothing_in_them_is_run(kind, tmp_path):
    marker, path = tmp_path / "marker", tmp_path / "network.pkl"
    path.write_bytes(hostile(marker)[kind])
    if kind not in LONG:
        tracemalloc.start()
    try:
        with soon(), pytest.raises(BackboneError, match=rf"network\.pkl.*{COMPLAINTS.get(kind, '')}"):
            load_backbone(path, device="cpu")
        assert kind in LONG or tracemalloc.get_traced_memory()[1] < 200 * MEGABYTE
    finally:
        tracemalloc.stop()
    assert not marker.exists()


#: What torch's own reader of weights is trusted with; the others are EDM's.
IN_TORCH_FILES = (
    "os.system", "os.system in protocol 0", "posix.system through a tuple", "eval", "builtins.exec", "subprocess",
    "a call nested in the arguments of an allowed one", "a call among the items of a dictionary", "getattr chain",
    "copyreg", "add an extension", "extension code", "old-style object", "old-style object with arguments",
    "old-style object from the stack", "build on a name", "persistent id", "text persistent id", "bytearray",
    "numpy array", "bytes that are not there", "a number of two gigabytes", "a number of negative length",
    "huge storage", "a dictionary in itself", "a tuple in itself", "lists that double", "no container",
    "a list as a key", "stack underflow",
)  # fmt: skip


@pytest.mark.parametrize("kind", IN_TORCH_FILES)
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_hostile_files_of_torch_are_refused_and_nothing_in_them_is_run(kind, zipped, tmp_path):
    marker, path = tmp_path / "marker", tmp_path / "network.pt"
    write_torch(path, hostile(marker)[kind], zipped)
    with soon(), pytest.raises(BackboneError, match=r"network\.pt"):
        load_backbone(path, device="cpu")
    assert not marker.exists()


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_nesting_that_would_break_the_stack_of_torchs_reader_is_refused(zipped, tmp_path):
    path = tmp_path / "network.pt"
    write_torch(path, hostile(tmp_path / "marker")["deep tuples as a key"], zipped)
    with soon(), pytest.raises(BackboneError, match=r"network\.pt was refused.*nests values deeper"):
        load_backbone(path, device="cpu")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_keys_that_nest_less_are_not_spelled_out(tmp_path):
    path = tmp_path / "network.pt"
    write_torch(path, b"\x80\x02})" + b"\x85" * (MOST - 1) + b"Ns.", zipped=True)
    with soon(), pytest.raises(BackboneError, match="holds no weights: its entries are tuple"):
        load_backbone(path, device="cpu")


@pytest.mark.parametrize("zipped", [False, True])
def test_depth_is_read_from_number(zipped, tmp_path):
    """Shared tuples count once per level, many flat ones not at all."""
    path, flat = tmp_path / "network.pt", [(n, (n,)) for n in range(MOST)]
    write_torch(path, pickle.dumps(flat, 2), zipped)
    assert not nests_too_deep(path)
    chain = b"\x80\x02" + b")" + b"\x85q\x00h\x00" * (MOST + 1) + b"."
    write_torch(path, chain, zipped)
    assert nests_too_deep(path)


@pytest.mark.parametrize("family", ["improved-diffusion", "guided-diffusion", "score-sde", "dit", "u-vit"])
@pytest.mark.parametrize("kind", ["os.system", "builtins.exec"])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_naming_the_family_makes_no_file_trusted(family, kind, tmp_path):
    marker, path = tmp_path / "marker", tmp_path / "network.pth"
    write_torch(path, hostile(marker)[kind], zipped=True)
    with pytest.raises(BackboneError, match="not a file of weights only, and nothing in it was run"):
        load_backbone(path, family=family, device="cpu")
    assert not marker.exists()


def write_torch(path, content: bytes, zipped: bool) -> None:
    """A file of torch.save around this pickle: a zip file, or the plain stream from before."""
    if not zipped:
        path.write_bytes(content)
        return
    with zipfile.ZipFile(path, "w") as file:
        for name, part in {"data.pkl": content, "version": b"3\n", "byteorder": b"little"}.items():
            file.writestr(f"archive/{name}", part)
