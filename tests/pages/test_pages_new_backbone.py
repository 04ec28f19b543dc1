"""The form's fields for a checkpoint of one's own, and for where its levels stand."""

import subprocess

import pytest
from form_steps import choose_backbone
from page_steps import button, open_page, texts

from cfs_explore import jobs
from cfs_explore.backbones.diffusers_schedule import NAMED_SCHEDULES
from cfs_explore.backbones.openai_config import SCHEDULES as OF_OPENAI
from cfs_explore.backbones.score_sde_config import SDES
from cfs_explore.backbones.uvit_family import _SCHEDULES as OF_UVIT
from cfs_explore.cli import _parser
from cfs_explore.locations import BUNDLES
from cfs_explore.spec import BackboneSpec, RunSpec
from cfs_explore.ui import backbone_facts, new_backbone
from cfs_explore.ui.backbone_facts import inspecting
from cfs_explore.ui.new_checkpoint import SCHEDULES


@pytest.fixture
def facts():
    """What is found out about every backbone."""
    return {
        "seconds_per_forward": 0.01, "device": "cpu", "reach": [-10.0, 9.0], "image_shape": [3, 32, 32], "taps": [],
        "fingerprint": "x", "parameters": 1_000_000, "notes": ["Told the null class."],
    }  # fmt: skip


@pytest.fixture
def asked(facts, tmp_path, monkeypatch):
    """What backbones were asked for; none is loaded, and no worker is started."""
    specs = []
    monkeypatch.setattr(new_backbone, "facts_by_now", lambda spec: specs.append(spec) or facts)
    monkeypatch.setattr(jobs, "start", lambda run, workers=None: (run / "started").write_text(str(workers)))
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    return specs


@pytest.fixture
def own(asked):
    """The form with a checkpoint of one's own chosen."""
    app = open_page("new")
    return choose_backbone(app, "")


def started(root) -> RunSpec:
    (mark,) = root.glob("*/started")
    return RunSpec.parse(mark.parent / "spec.yaml")


def test_a_schedule_of_every_family_can_be_named():
    assert set(SCHEDULES) == {"", *NAMED_SCHEDULES, *OF_OPENAI, *SDES, *OF_UVIT}


def test_only_a_path_is_needed(own, asked):
    assert "Give the file or folder" in texts(own)
    own.text_input(key="new_backbone_path").set_value(" /models/net.pt ").run()
    assert asked[-1].model_dump(exclude_none=True) == {"path": "/models/net.pt"}
    assert "1.00 M parameters" in texts(own) and "Told the null class." in texts(own)


def test_what_files_do_not_say_is_handed_on(own, asked):
    own.text_input(key="new_backbone_path").set_value("/models/net.pt")
    own.selectbox(key="new_family").select("guided-diffusion")
    own.text_input(key="new_preset").set_value("64x64_diffusion")
    own.selectbox(key="new_schedule").select("cosine")
    own.text_input(key="new_vae").set_value("/models/vae")
    own.text_input(key="new_weights").set_value("ema_0.9999")
    own.number_input(key="new_label").set_value(0).run()
    assert asked[-1].model_dump(exclude_none=True) == {
        "path": "/models/net.pt", "family": "guided-diffusion", "preset": "64x64_diffusion", "schedule": "cosine",
        "vae": "/models/vae", "label": 0, "weights": "ema_0.9999",
    }  # fmt: skip


def test_a_path_that_is_not_there_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    app = open_page("new")
    choose_backbone(app, "")
    app.text_input(key="new_backbone_path").set_value("/nowhere/at/all.pt").run()
    assert "Loading the backbone and timing it on this machine" in texts(app)
    assert inspecting(BackboneSpec(path="/nowhere/at/all.pt")).wait(120)
    app.run()
    assert "/nowhere/at/all.pt" in app.error[0].value.replace("\\", "")


def test_alignment_to_another_exploration_needs_one(asked, tmp_path):
    app = open_page("new")
    app.button(key="new_ood_add").click().run()  # letters come first
    app.selectbox(key="new_alignment").select("perceptual").run()
    assert "Choose the reference that levels are aligned to" in texts(app)
    assert button(app, "Start").disabled
    app.selectbox(key="new_reference").select(str(BUNDLES / "digits-narrow")).run()
    assert not button(app, "Start").disabled
    app.selectbox(key="new_conditioning").select("published").run()
    button(app, "Start").click().run()
    assert not app.exception
    spec = started(tmp_path)
    assert (spec.alignment, spec.conditioning) == ("perceptual", "published")
    assert spec.reference == str(BUNDLES / "digits-narrow")


def test_defaults_stay_out_of_the_spec(asked, tmp_path):
    app = open_page("new")
    app.button(key="new_ood_add").click().run()  # letters come first
    button(app, "Start").click().run()
    assert "alignment" not in (next(tmp_path.glob("*/started")).parent / "spec.yaml").read_text()


def test_a_visitor_names_no_checkpoint_outside_the_open_folders(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "1")
    asked.clear()
    app = open_page("new")
    choose_backbone(app, "")
    refused = set()
    paths = ("/etc/passwd", "/etc/none", "~/net.pt", "~nobody-here/a", "./net.pt", str(tmp_path), "../../etc/passwd")
    for path in (*paths, "a/../../../etc/passwd", "app.py", "none.py", "-x", "a/b/none", "cfs_explore/ui/access.py"):
        app.text_input(key="new_backbone_path").set_value(path).run()
        assert not app.exception
        refused.add(app.error[0].value.replace("\\", "").removeprefix(path))
    assert len(refused) == 1 and " is not in a folder that this server opens" in refused.pop()  # there or not


def test_a_visitor_has_nothing_fetched_but_what_the_list_names(asked, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_PUBLIC", "1")
    app = open_page("new")
    choose_backbone(app, "")
    asked.clear()

    def answer(path: str) -> str:
        app.text_input(key="new_backbone_path").set_value(path).run()
        return "".join(each.value.replace("\\", "").replace(path, "IT") for each in app.error)

    def everything() -> list[str]:
        return [
            answer(p) for p in ("tests/pages", "google/ddpm-cifar10-32", "https://a.org/x.pt", "http://localhost/x.pt")
        ]

    refused = everything()
    assert all(refused) and refused[0] == refused[1] and "not among what this server fetches" in refused[0]
    monkeypatch.setenv("CFS_EXPLORE_FETCH", "1")
    assert everything() == refused and asked == []
    monkeypatch.setenv("CFS_EXPLORE_FETCH_FROM", "google/* https://a.org")
    assert [bool(each) for each in everything()] == [True, False, False, True]
    assert {spec.path for spec in asked} == {"google/ddpm-cifar10-32", "https://a.org/x.pt"}
    app.text_input(key="new_vae").set_value("/etc/passwd").run()
    assert "is not in a folder" in answer("google/ddpm-cifar10-32")


def test_a_path_that_begins_with_a_dash_is_a_path(monkeypatch):
    ran = []

    def run(command, **_named):
        ran.append(command)
        return subprocess.CompletedProcess(command, 0, stdout="{}\n")

    monkeypatch.setattr(backbone_facts.subprocess, "run", run)
    backbone_facts.inspect_backbone(BackboneSpec(path="--device=cuda", vae="--help"))
    options = _parser().parse_args(ran[0][3:])
    assert (options.path, options.vae, options.device) == ("--device=cuda", "--help", None)


@pytest.mark.parametrize(
    ("own", "key", "typed", "wanted"),
    [
        ("null class", "new_labels", "3, 7", {"conditioning_labels": [3, 7]}),
        ("empty prompt", "new_prompts", "a cat\n\n a dog ", {"conditioning_prompts": ["a cat", "a dog"]}),
    ],
)
def test_labels_or_prompts_of_a_network_that_takes_some(asked, facts, tmp_path, own, key, typed, wanted):
    facts["condition"] = own
    app = open_page("new")
    app.button(key="new_ood_add").click().run()  # letters come first
    field = app.text_input(key=key) if key == "new_labels" else app.text_area(key=key)
    before = texts(app)
    field.set_value(typed).run()
    app.radio(key="new_diagnostics").set_value("all").run()
    assert texts(app) != before
    button(app, "Start").click().run()
    assert not app.exception
    assert {name: getattr(started(tmp_path), name) for name in wanted} == wanted


def test_labels_that_are_no_numbers_are_said(asked, facts):
    facts["condition"] = "null class"
    app = open_page("new")
    app.button(key="new_ood_add").click().run()
    app.text_input(key="new_labels").set_value("3; cat").run()
    assert "Labels to compare are whole numbers" in texts(app) and button(app, "Start").disabled


def test_a_network_without_classes_is_asked_for_no_labels(asked):
    app = open_page("new")
    app.button(key="new_ood_add").click().run()
    assert not [each for each in (*app.text_input, *app.text_area) if each.key in ("new_labels", "new_prompts")]
