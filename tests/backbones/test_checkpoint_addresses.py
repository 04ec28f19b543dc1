"""Checkpoints at an address: fetched once, refused where the way is not safe; the specs of published ones."""

import http.server
from pathlib import Path

import pytest
from https_server import PEM, https_server

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.edm_family import recognise as is_edm
from cfs_explore.backbones.locate import locate
from cfs_explore.backbones.openai_presets import PRESETS
from cfs_explore.errors import BackboneError, CFSError, FetchError
from cfs_explore.spec import RunSpec

SPECS = sorted((Path(__file__).parents[2] / "docs" / "specs").glob("*.yaml"))


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder, its address, and the paths that were asked for."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "files").mkdir()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    with https_server(tmp_path / "files", Handler) as port:
        yield tmp_path / "files", f"https://127.0.0.1:{port}", asked


def test_a_file_is_fetched_once(served):
    folder, address, asked = served
    (folder / "net.safetensors").write_bytes(b"x" * 5_000_000)
    first = locate(f"{address}/net.safetensors")
    assert first.read_bytes() == b"x" * 5_000_000 and first.name == "net.safetensors"
    assert locate(f"{address}/net.safetensors") == first and asked == ["/net.safetensors"]
    (folder / "other").mkdir()
    (folder / "other" / "net.safetensors").write_bytes(b"y")
    assert locate(f"{address}/other/net.safetensors").read_bytes() == b"y"  # of the same name


def test_what_cannot_be_fetched_is_said_and_leaves_nothing(served, tmp_path):
    _, address, _ = served
    with pytest.raises(FetchError, match=r"could not be fetched: the server answered 404.*download the file"):
        locate(f"{address}/none.pt")
    assert not [path for path in (tmp_path / "torch").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://example.org/net.pt", "not an https address"),
        ("http://localhost/net.pt", "not an https address"),
        ("http://127.0.0.1:8000/net.pt", "not an https address"),
        ("https://example.org/", "names no file"),
        ("https://example.org/a/..", "names no file"),
        ("https://example.org/.hidden", "names no file"),
        ("ftp://example.org/net.pt", "not on this machine"),
    ],
)
def test_addresses_that_are_refused(address, words):
    with pytest.raises(CFSError, match=words):
        locate(address)


def test_an_unsafe_file_is_no_safer_from_an_address(served):
    folder, address, _ = served
    (folder / "net.pkl").write_bytes(b"cos\nsystem\n(S'touch /tmp/never'\ntR.")
    with pytest.raises(BackboneError, match=r"net\.pkl"):
        load_backbone(f"{address}/net.pkl", device="cpu")


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_specs_of_published_checkpoints(path):
    spec = RunSpec.parse(path)
    assert spec.id.train.source == {"torchvision": "CIFAR10", "split": "train"} and spec.id.train.limit >= 10_000
    assert spec.backbone.preset is None or spec.backbone.preset in PRESETS["improved-diffusion"]
    assert not spec.backbone.path.endswith(".pkl") or is_edm(Path(spec.backbone.path), None)
    assert f"cfs-explore run docs/specs/{path.name}" in path.read_text()


def test_there_are_three():
    assert len(SPECS) == 3
