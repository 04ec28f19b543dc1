"""What is fetched of a repository on the hub, and what is said before anything is; the hub is played by the test."""

from types import SimpleNamespace

import huggingface_hub
import pytest

from cfs_explore.backbones.locate import locate
from cfs_explore.backbones.weight_names import wanted_files
from cfs_explore.errors import BackboneError
from cfs_explore.safe_io import fetching

STEM = "diffusion_pytorch_model"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub whose repository has these files; gives them, and the patterns of what was fetched."""
    there = SimpleNamespace(names=[], fetched=[], reached=True)

    def info(self, repo_id, **named):
        if not there.reached:
            raise ConnectionError("Network is unreachable")
        files = [SimpleNamespace(rfilename=name, size=1) for name in there.names]
        return SimpleNamespace(siblings=files, sha="0" * 40)

    def snapshot(repo_id, **named):
        there.fetched.append(named.get("allow_patterns"))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv(fetching._VISITORS, "*")
    return there


def test_files_of_torch_where_there_is_no_safetensors(hub, tmp_path):
    hub.names = ["model_index.json", "unet/config.json", f"unet/{STEM}.bin", f"vae/{STEM}.safetensors"]
    hub.names += [f"vae/{STEM}.bin", "vae/config.json", "old.ckpt", "README.md"]
    assert locate("owner/name") == tmp_path
    expected = {"model_index.json", "unet/config.json", f"unet/{STEM}.bin", "vae/config.json"}
    assert set(hub.fetched.pop()) == expected | {f"vae/{STEM}.safetensors"}


@pytest.mark.parametrize("restricted", [False, True])
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["model_index.json", "unet/config.json", "unet/flax_model.msgpack", f"vae/{STEM}.safetensors"],
            r"owner/name, in unet/, holds no weights in a form that is read .*but flax_model\.msgpack\. Nothing was "
            r"fetched\. Ask its owner for safetensors",
        ),
        (
            ["README.md", "nets/model.ckpt"],
            r"but nets/model\.ckpt\. Nothing .* https://huggingface\.co/owner/name/resolve/main/nets/model\.ckpt",
        ),
        (["config.json", "model.pt"], r"https://huggingface\.co/owner/name/resolve/main/model\.pt"),
        (["config.json"], r"and the like\)\. Nothing was fetched"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_fetched(hub, names, message, restricted):
    if restricted:
        fetching.act_for_visitors(("owner/*",))
    hub.names = names
    with pytest.raises(BackboneError, match=message):
        locate("owner/name")
    assert hub.fetched == []


def test_without_a_network_the_copy_that_is_here_is_used(hub, tmp_path):
    hub.reached = False
    assert locate("owner/name") == tmp_path


def test_names_match_themselves_alone(hub):
    hub.names = ["a[1].json", "model.safetensors"]
    locate("owner/name")
    wanted = hub.fetched.pop()
    several = ["a[1].json", "a1.json", "model.safetensors"]
    assert list(huggingface_hub.utils.filter_repo_objects(several, allow_patterns=wanted)) == hub.names


def test_shards_and_variants():
    names = ["config.json", *(f"{STEM}-0000{i}-of-00002.bin" for i in (1, 2)), f"{STEM}.bin.index.json"]
    assert sorted(wanted_files("owner/name", names)) == sorted(names)
    names = ["config.json", f"{STEM}.fp16.safetensors", f"{STEM}.bin"]
    assert sorted(wanted_files("owner/name", names)) == sorted(names[:2])
