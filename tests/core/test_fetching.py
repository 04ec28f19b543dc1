"""What is fetched, for whom, from where and how much: the owner anything, visitors what the list has."""

import http.server
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from https_server import PEM, https_server

from cfs_explore.backbones.locate import locate
from cfs_explore.errors import BackboneError, CFSError, FetchError
from cfs_explore.images import open_source, torchvision_sets
from cfs_explore.locations import disk_used, runs_root
from cfs_explore.safe_io import download as downloads
from cfs_explore.safe_io import fetching
from cfs_explore.safe_io.download import download, is_public


@pytest.fixture(autouse=True)
def _own_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("MAX_DISK_GB", "MAX_FETCH_GB"):
        monkeypatch.delenv(f"CFS_EXPLORE_{name}", raising=False)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder, its https address, and the paths that were asked for; /to/... leads on to any address."""
    (tmp_path / "files").mkdir()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

        def do_GET(self):
            if not self.path.startswith("/to/"):
                return super().do_GET()
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return None

    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    with https_server(tmp_path / "files", Handler) as port:
        yield tmp_path / "files", f"https://localhost:{port}", asked


@pytest.fixture
def near_counts_as_public(monkeypatch):
    """Lets the tests' own server stand for one of the internet."""
    monkeypatch.setattr(downloads, "is_public", lambda address: True)


def test_the_owner_fetches_anything_over_https(served, tmp_path):
    folder, address, _ = served
    (folder / "net.safetensors").write_bytes(b"x" * 3_000_000)
    download(f"{address}/to//net.safetensors", tmp_path / "net")
    assert (tmp_path / "net").read_bytes() == b"x" * 3_000_000
    for url in ("http://localhost:1/net.pt", "http://127.0.0.1/net.pt", f"{address}/to/http://example.org/net.pt"):
        with pytest.raises(FetchError, match="not an https address"):
            download(url, tmp_path / "other")
    assert not list(tmp_path.glob("other*"))


def test_what_is_left_of_killed_fetches_stands_in_no_way(served, tmp_path):
    folder, address, _ = served
    (folder / "net.safetensors").write_bytes(b"x")
    (tmp_path / "gone.partial").symlink_to(tmp_path / "nowhere")  # listed, and not there any more
    (tmp_path / "old.partial").touch()
    os.utime(tmp_path / "old.partial", (0, 0))
    (tmp_path / "new.partial").touch()
    download(f"{address}/net.safetensors", tmp_path / "net")
    assert (tmp_path / "net").read_bytes() == b"x" and (tmp_path / "new.partial").exists()
    assert not (tmp_path / "old.partial").exists()


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://example.org/models/net.pt", True),
        ("https://EXAMPLE.org:443/models/a/net.pt?download=1", True),
        ("https://one.org/net.pt", True),
        ("https://one.org/other.pt", False),
        ("https://example.org/models", False),
        ("https://example.org/models-other/net.pt", False),
        ("https://example.org/models/../net.pt", False),
        ("https://example.org/models/%2e%2e/net.pt", False),
        ("https://example.org.evil.org/models/net.pt", False),
        ("https://example.org:8443/models/net.pt", False),
        ("https://example.org@evil.org/models/net.pt", False),
        ("https://a:b@example.org/models/net.pt", False),
        ("https://localhost/net.pt", False),
        ("http://example.org/models/net.pt", False),
        ("https://[/net.pt", False),
        ("https:///models/net.pt", False),
    ],
)
def test_addresses_of_the_list(url, allowed):
    fetching.act_for_visitors(("https://example.org/models/", "https://one.org/net.pt"))
    if allowed:
        fetching.check_address(url)
    else:
        with pytest.raises(FetchError):
            fetching.check_address(url)


def test_names_of_the_list():
    fetching.act_for_visitors(("google/*", "me/one"))
    assert [n for n in ("google/a", "me/one", "me/two", "goog/a", "torchvision") if fetching.may_fetch(n)] == [
        "google/a",
        "me/one",
    ]
    fetching.act_for_visitors(fetching.EVERYTHING)
    assert all(map(fetching.may_fetch, ("a/b", "torchvision")))
    fetching.check_address("https://example.org/net.pt")
    fetching.act_for_visitors(None)
    assert not fetching.is_restricted() and fetching.may_fetch("a/b")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_public_addresses(address):
    assert is_public(address)


def test_visitors_reach_nothing_near(served, tmp_path):
    folder, address, asked = served
    (folder / "net.pt").write_bytes(b"x")
    fetching.act_for_visitors((address,))
    with pytest.raises(FetchError, match="localhost is not a public address"):
        download(f"{address}/net.pt", tmp_path / "net")
    assert asked == []


def test_a_name_is_resolved_once(served, tmp_path, monkeypatch, near_counts_as_public):
    """A name that turns private between the look and the connection changes nothing."""
    folder, address, _ = served
    (folder / "net.pt").write_bytes(b"x")
    fetching.act_for_visitors((address,))
    resolve, asked = socket.getaddrinfo, []

    def once(host, *arguments, **named):
        asked.append(host)
        assert asked == ["localhost"]
        return resolve(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    download(f"{address}/net.pt", tmp_path / "net")
    assert (tmp_path / "net").read_bytes() == b"x"


def test_no_redirect_leads_off_the_list(served, tmp_path, near_counts_as_public):
    folder, address, _ = served
    (folder / "net.pt").write_bytes(b"x")
    fetching.act_for_visitors((address,))
    download(f"{address}/to/{address}/net.pt", tmp_path / "net")
    for there in ("https://elsewhere.org/net.pt", "https://169.254.169.254/net.pt", "http://localhost/net.pt"):
        with pytest.raises(FetchError, match="is not a"):
            download(f"{address}/to/{there}", tmp_path / "other")
    assert not list(tmp_path.glob("other*"))


def test_sizes_are_bounded(served, tmp_path, monkeypatch, near_counts_as_public):
    folder, address, _ = served
    (folder / "net.pt").write_bytes(b"x" * 3_000_000)
    fetching.act_for_visitors((address,))
    monkeypatch.setenv("CFS_EXPLORE_MAX_FETCH_GB", "0.002")
    with pytest.raises(FetchError, match=r"0\.00 GB for one fetch now"):
        download(f"{address}/net.pt", tmp_path / "net")
    monkeypatch.setattr(
        http.server.SimpleHTTPRequestHandler, "send_header", lambda *arguments: None
    )  # no length stated
    with pytest.raises(FetchError, match="for one fetch"):
        download(f"{address}/net.pt", tmp_path / "net")
    assert not list(tmp_path.glob("net*"))


def test_what_visitors_fetch_counts_as_runs_do(served, monkeypatch, near_counts_as_public):
    folder, address, _ = served
    (folder / "net.safetensors").write_bytes(b"x" * 3_000_000)
    (folder / "more.safetensors").write_bytes(b"x" * 3_000_000)
    fetching.act_for_visitors((address,))
    monkeypatch.setenv("CFS_EXPLORE_MAX_DISK_GB", "0.005")
    assert locate(f"{address}/net.safetensors").is_relative_to(runs_root())
    assert disk_used(runs_root()) == 3_000_000
    with pytest.raises(FetchError, match="for one fetch now"):
        locate(f"{address}/more.safetensors")


def test_a_hub_id_is_no_path_to_visitors(tmp_path, monkeypatch):
    """Else whether owner/name lies in the server's folder could be asked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here" / "model").mkdir(parents=True)
    assert locate("here/model") == Path("here/model")
    fetching.act_for_visitors(())
    messages = []
    for name in ("here/model", "none/model"):
        with pytest.raises(CFSError) as caught:
            locate(name)
        messages.append(str(caught.value).replace(name, "NAME"))
        with pytest.raises(CFSError) as caught:
            open_source({"hub": name})
        messages.append(str(caught.value).replace(name, "NAME"))
    assert len(set(messages)) == 1 and "not among what this server fetches" in messages[0]


def test_nothing_is_asked_of_the_hub_but_for_the_list(monkeypatch, tmp_path):
    import huggingface_hub

    asked = []

    def info(self, repo_id, **named):
        assert named["token"] is False  # the administrator's key is not for visitors
        asked.append(repo_id)
        files = [SimpleNamespace(rfilename=n, size=s) for n, s in (("a.safetensors", 6 * 10**9), ("a.bin", 10**12))]
        return SimpleNamespace(siblings=files, sha="0" * 40)

    def snapshot(repo_id, **named):
        if named.get("local_files_only"):
            raise huggingface_hub.errors.LocalEntryNotFoundError("not here")
        assert named["cache_dir"].is_relative_to(runs_root()) and named["token"] is False
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    fetching.act_for_visitors(("google/*",))
    with pytest.raises(FetchError, match="other/model is not among"):
        locate("other/model")
    assert asked == []
    assert locate("google/model") == tmp_path and asked == ["google/model"]
    monkeypatch.setenv("CFS_EXPLORE_MAX_FETCH_GB", "5")
    with pytest.raises(FetchError, match=r"google/model takes 6\.00 GB; this server has 5\.00 GB"):
        locate("google/model")
    # of a data set every file, and the library's copy
    with pytest.raises(FetchError, match=r"google/images takes 2,012\.00 GB"):
        open_source({"hub": "google/images", "split": "test"})


def test_torchvision_fetches_for_the_list_only(monkeypatch, tmp_path):
    monkeypatch.setenv("CFS_EXPLORE_DATA", str(tmp_path / "data"))
    asked = []

    def load(name, split, folder, download):
        asked.append((folder, download))
        if not download:
            raise torchvision_sets.SourceError("not here")
        return [[0]]

    monkeypatch.setattr(torchvision_sets, "_load", load)
    fetching.act_for_visitors(())
    with pytest.raises(FetchError, match="torchvision is not among"):
        open_source({"torchvision": "CIFAR10", "split": "test", "download": True})
    assert not any(fetches for _, fetches in asked)
    fetching.act_for_visitors(("torchvision",))
    assert len(open_source({"torchvision": "CIFAR10", "split": "test"})) == 1
    assert asked[-1] == (runs_root() / ".fetched" / "torchvision", True)
    with pytest.raises(FetchError, match="Places365 takes 52"):
        open_source({"torchvision": "Places365", "split": "val"})


def test_a_worker_of_the_app_is_as_bound_as_the_app(tmp_path):
    """A spec that slipped through is stopped in the process that runs it."""
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "{name: a, backbone: {path: 'https://example.org/net.pt'}, id: {train: {name: b, source: {builtin: digits}}}, "
        "ood: [{name: c, source: {builtin: letters}}]}"
    )
    fetching.act_for_visitors(())
    command = [sys.executable, "-m", "cfs_explore", "run", str(tmp_path), "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ.copy())
    assert done.returncode == 2 and "not among the addresses that this server fetches from" in done.stderr


def test_what_is_no_hub_id(tmp_path):
    for name in ("../x", "-x/y", "a/b/c", "a b/c", "~nobody-here/x", "\0", "x" * 5000):
        with pytest.raises(BackboneError, match="not on this machine"):
            locate(name)
