"""Averaged weights win under every name and nesting that trainings write; raw ones are never used in silence."""

import shutil

import pytest
import torch
from native_files import save, weights_of
from torch.optim.swa_utils import AveragedModel

from cfs_explore.backbones import load_backbone
from cfs_explore.cli import main
from cfs_explore.errors import BackboneError
from cfs_explore.spec import RunSpec

FAMILY = "improved-diffusion"
CONFIG = {"decay": 0.999, "num_updates": 12}


def under(prefix, weights):
    return {f"{prefix}.{name}": value for name, value in weights.items()}


def dotless(weights):
    return {name.replace(".", ""): value for name, value in weights.items()}


def counter(value=3):
    return torch.tensor(value)


#: Layout -> what it holds, of the raw and the averaged weights.
LAYOUTS = {
    "model, ema": lambda raw, ema: {"model": raw, "ema": ema},
    "state_dict, ema_state_dict": lambda raw, ema: {"state_dict": raw, "ema_state_dict": ema},
    "state_dict_ema": lambda raw, ema: {"state_dict": raw, "state_dict_ema": ema},
    "model_ema": lambda raw, ema: {"model": raw, "model_ema": ema},
    "net, net_ema": lambda raw, ema: {"net": raw, "net_ema": ema},
    "G_ema": lambda raw, ema: {"G": raw, "G_ema": ema},
    "EMA": lambda raw, ema: {"model": raw, "EMA": ema},
    "emaModel": lambda raw, ema: {"model": raw, "emaModel": ema},
    "modelEma": lambda raw, ema: {"model": raw, "modelEma": ema},
    "shadow": lambda raw, ema: {"model": raw, "shadow": ema},
    "averaged_model": lambda raw, ema: {"model": raw, "averaged_model": ema},
    "avg_model": lambda raw, ema: {"model": raw, "avg_model": ema},
    "swa_state_dict": lambda raw, ema: {"model": raw, "swa_state_dict": ema},
    "polyak": lambda raw, ema: {"model": raw, "polyak": ema},
    "nested state dict": lambda raw, ema: {"model": raw, "ema": {"state_dict": ema, **CONFIG}},
    "nested shadow": lambda raw, ema: {"model": raw, "ema": {"shadow": ema, "decay": 0.99}},
    "nested twice": lambda raw, ema: {"state": {"network": raw, "ema": {"params": ema}}, "step": 1},
    "in callbacks": lambda raw, ema: {"state_dict": under("model", raw), "callbacks": {"EMA": {"weights": ema}}},
    "a list": lambda raw, ema: {"model": raw, "ema": list(ema.values())},
    "shadow_params": lambda raw, ema: {"model": raw, "ema": {"shadow_params": list(ema.values()), **CONFIG}},
    "numbered": lambda raw, ema: {"model": raw, "ema_params": dict(enumerate(ema.values()))},
    "in the optimizer": lambda raw, ema: {"state_dict": raw, "optimizer_states": [{"ema": tuple(ema.values())}]},
    "by rate": lambda raw, ema: {"model": raw, "ema": {0.9999: ema}},
    "list of one": lambda raw, ema: {"model": raw, "ema": [ema], "ema_rates": [0.9999]},
    "counter inside": lambda raw, ema: {"model": raw, "ema": {"num_updates": counter(), "decay": counter(0.9), **ema}},
    "averaging wrapper": lambda raw, ema: {"model": raw, "ema": {"n_averaged": counter(), **under("module", ema)}},
    "ema_pytorch": lambda raw, ema: {
        "initted": counter(1), "step": counter(), **under("online_model", raw), **under("ema_model", ema)
    },
    "ema_pytorch, nested": lambda raw, ema: {
        "model": under("module", raw),
        "ema": {"initted": counter(1), "step": counter(), **under("online_model", raw), **under("ema_model", ema)},
    },
    "Lightning": lambda raw, ema: {"state_dict": under("model", raw) | under("model_ema", ema), "epoch": 3},
    "Lightning, module of a wrapper": lambda raw, ema: {
        "state_dict": under("net._orig_mod", raw) | under("net_ema.module", ema) | {"net_ema.n_averaged": counter()}
    },
    "buffers without dots": lambda raw, ema: {
        "state_dict": under("model.diffusion_model", raw)
        | under("model_ema", {f"diffusion_model{name}": value for name, value in dotless(ema).items()})
        | {"model_ema.decay": counter(0.9), "model_ema.num_updates": counter(), "betas": torch.ones(1000)}
    },
    "flat beside raw ones": lambda raw, ema: {**raw, **under("ema", ema)},
    "alone": lambda raw, ema: {"ema": under("module", ema)},
    "in data parallel": lambda raw, ema: {"model": under("module", raw), "ema": ema},
    "the same under two names": lambda raw, ema: {"model": raw, "ema": ema, "model_ema": ema},
    "a loss that is smoothed": lambda raw, ema: {"model": raw, "ema": ema, "loss_ema": {"value": torch.ones(1)}},
    "half of it": lambda raw, ema: {"model": raw, "ema": {name: value.half() for name, value in ema.items()}},
}  # fmt: skip


@pytest.fixture(scope="module")
def ema():
    return {name: value.half().float() for name, value in weights_of(FAMILY).items()}


@pytest.fixture(scope="module")
def raw(ema):
    return {name: value + 1 for name, value in ema.items()}


def assert_holds(backbone, wanted):
    found = backbone.module.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_averaged_weights_are_found_and_that_is_said(raw, ema, tmp_path, layout):
    backbone = load_backbone(save(tmp_path / "model.pt", FAMILY, LAYOUTS[layout](raw, ema)), device="cpu")
    assert_holds(backbone, ema)
    assert "averaged (EMA) weights" in " ".join(backbone.notes)


def test_as_averaged_model_itself_writes_it(raw, ema, tmp_path):
    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, value in ema.items():
                self.register_buffer(name.replace(".", "/"), value)

    stored = {name.replace("/", "."): value for name, value in AveragedModel(Plain()).state_dict().items()}
    assert "n_averaged" in stored and all(name.startswith("module.") for name in stored if name != "n_averaged")
    assert_holds(load_backbone(save(tmp_path / "m.pt", FAMILY, {"model": raw, "ema": stored}), device="cpu"), ema)


SEVERAL = {
    "by rate": lambda raw, ema: ({"model": raw, "ema": {0.999: raw | {}, 0.9999: ema}}, "ema/0.999, ema/0.9999"),
    "names": lambda raw, ema: ({"model": raw, "ema_0.999": raw | {}, "ema_0.9999": ema}, "ema_0.999, ema_0.9999"),
    "lists": lambda raw, ema: (
        {"model": raw, "ema_params": [list(raw.values()), list(ema.values())]}, "ema_params/0, ema_params/1"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SEVERAL)
def test_several_averages_are_named_and_one_is_chosen(raw, ema, tmp_path, kind, capsys):
    near = {name: value + 0.5 for name, value in ema.items()}
    content, names = SEVERAL[kind](near, ema)
    content["model"] = raw
    path = save(tmp_path / "model.pt", FAMILY, content)
    with pytest.raises(BackboneError, match=f"several averages of the weights: {names}.*`weights`"):
        load_backbone(path, device="cpu")
    first, last = names.split(", ")
    assert_holds(load_backbone(path, device="cpu", weights=last), ema)
    assert_holds(load_backbone(path, device="cpu", weights=first), near)
    network, ood = {"path": str(path), "weights": last}, [{"name": "a", "source": "b"}]
    spec = RunSpec.parse({"name": "x", "backbone": network, "id": {"run": "digits"}, "ood": ood})
    assert_holds(load_backbone(spec.backbone.path, device="cpu", **spec.backbone.options()), ema)
    assert main(["inspect", str(path), "--weights", last, "--device", "cpu"]) in (None, 0)
    assert f"as `weights: {last}` asks" in capsys.readouterr().out
    path.with_suffix(".yaml").write_text(path.with_suffix(".yaml").read_text() + f"weights: {last}\n")
    assert_holds(load_backbone(path, device="cpu"), ema)


def test_raw_weights_are_used_where_they_are_asked_for_and_that_is_said(raw, ema, tmp_path):
    path = save(tmp_path / "model.pt", FAMILY, {"model": raw, "ema": ema})
    backbone = load_backbone(path, device="cpu", weights="model")
    assert_holds(backbone, raw)
    assert "These are raw weights" in " ".join(backbone.notes)
    with pytest.raises(BackboneError, match=r"has no weights 'emma'.*one of: model, ema"):
        load_backbone(path, device="cpu", weights="emma")


@pytest.mark.parametrize("wrong", ["other shapes", "other names", "a list too short", "no list"])
def test_averages_that_do_not_fit_are_no_reason_for_raw_ones(raw, ema, tmp_path, wrong):
    averages = {
        "other shapes": {name: value[None] for name, value in ema.items()},
        "other names": {f"x{name}": value for name, value in ema.items()},
        "a list too short": {"shadow_params": list(ema.values())[1:]},
        "no list": {"shadow_params": ["a", "b"]},
    }[wrong]
    path = save(tmp_path / "model.pt", FAMILY, {"model": raw, "ema": averages})
    with pytest.raises(BackboneError, match=r"its averaged weights \(ema.*`weights`"):
        load_backbone(path, device="cpu")
    assert_holds(load_backbone(path, device="cpu", weights="model"), raw)


def test_what_has_no_average_is_named(raw, ema, tmp_path):
    left = list(ema)[-1]
    part = {name: value for name, value in ema.items() if name != left}
    backbone = load_backbone(save(tmp_path / "model.pt", FAMILY, {"model": raw, "ema": part}), device="cpu")
    assert_holds(backbone, part | {left: raw[left]})
    assert f"no average is kept of them: {left}." in " ".join(backbone.notes)


def test_an_optimizers_moving_averages_are_no_weights(raw, tmp_path):
    moments = {"state": {i: {"exp_avg": value, "step": 3} for i, value in enumerate(raw.values())}}
    content = {"model": raw, "optimizer": moments | {"exp_avg": list(raw.values())}, "use_ema": False, "ema": None}
    backbone = load_backbone(save(tmp_path / "model.pt", FAMILY, content), device="cpu")
    assert_holds(backbone, raw)
    assert "averaged" not in " ".join(backbone.notes)


def test_several_networks_are_named(raw, tmp_path):
    path = save(tmp_path / "model.pt", FAMILY, {"first": raw, "second": {name: -value for name, value in raw.items()}})
    with pytest.raises(BackboneError, match=r"weights of several networks: first, second.*`weights`"):
        load_backbone(path, device="cpu")
    assert_holds(load_backbone(path, device="cpu", weights="first"), raw)


PREFIXES = ("_orig_mod.module", "module._orig_mod", "module.module", "model", "model.net._orig_mod", "_forward_module")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_wrappers_are_taken_off_in_any_order(ema, tmp_path, prefix):
    assert_holds(load_backbone(save(tmp_path / "m.pt", FAMILY, under(prefix, ema)), device="cpu"), ema)


def test_wrappers_of_parts_are_taken_off(ema, tmp_path):
    parts = {name.replace("input_blocks.", "input_blocks._orig_mod."): value for name, value in ema.items()}
    assert_holds(load_backbone(save(tmp_path / "m.pt", FAMILY, parts), device="cpu"), ema)


@pytest.mark.parametrize("ending", [".ckpt", ".pth.tar", ".bin", ".pth", ".PT"])
def test_endings(ema, tmp_path, ending):
    path = save(tmp_path / "model.pt", FAMILY, {"state_dict": under("model", ema)})
    assert_holds(load_backbone(shutil.copy(path, tmp_path / f"model{ending}"), device="cpu"), ema)


def test_a_wrong_ending_is_named(ema, tmp_path):
    torch.save(ema, tmp_path / "model.weights")
    with pytest.raises(BackboneError, match=r"model\.weights ends as no file with weights does.*\.safetensors.*rename"):
        load_backbone(tmp_path / "model.weights", device="cpu")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(ema, tmp_path, value):
    name = list(ema)[5]
    broken = ema[name].clone()
    broken.view(-1)[0] = value
    with pytest.raises(BackboneError, match=rf"not finite \(NaN or infinity\): 1 parameters: {name}\."):
        load_backbone(save(tmp_path / "model.pt", FAMILY, ema | {name: broken}), device="cpu")
