"""The form's fields for a checkpoint of one's own, and for where its levels stand."""

import pytest
from page_steps import button, open_page, texts

from cfs_explore import jobs
from cfs_explore.backbones.diffusers_schedule import NAMED_SCHEDULES
from cfs_explore.backbones.openai_config import SCHEDULES as OF_OPENAI
from cfs_explore.backbones.score_sde_config import SDES
from cfs_explore.backbones.uvit_family import _SCHEDULES as OF_UVIT
from cfs_explore.locations import BUNDLES
from cfs_explore.spec import RunSpec
from cfs_explore.ui import new_backbone


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """What backbones were asked for; none is loaded, and no worker is started."""
    specs = []
    facts = {
        "seconds_per_forward": 0.01, "device": "cpu", "reach": [-10.0, 9.0], "image_shape": [3, 32, 32], "taps": [],
        "parameters": 1_000_000, "notes": ["Told the null class."],
    }  # fmt: skip
    monkeypatch.setattr(new_backbone, "inspect_backbone", lambda spec: specs.append(spec) or facts)
    monkeypatch.setattr(jobs, "start", lambda run: (run / "started").touch())
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    return specs


@pytest.fixture
def own(asked):
    """The form with a checkpoint of one's own chosen."""
    app = open_page("new")
    return app.selectbox(key="new_backbone").select("").run()


def started(root) -> RunSpec:
    (mark,) = root.glob("*/started")
    return RunSpec.parse(mark.parent / "spec.yaml")


def test_a_schedule_of_every_family_can_be_named():
    assert set(new_backbone.SCHEDULES) == {"", *NAMED_SCHEDULES, *OF_OPENAI, *SDES, *OF_UVIT}


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
    own.number_input(key="new_label").set_value(0).run()
    assert asked[-1].model_dump() == {
        "path": "/models/net.pt", "family": "guided-diffusion", "preset": "64x64_diffusion", "schedule": "cosine",
        "vae": "/models/vae", "label": 0,
    }  # fmt: skip


def test_a_path_that_is_not_there_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    app = open_page("new")
    app.selectbox(key="new_backbone").select("").run()
    app.text_input(key="new_backbone_path").set_value("/nowhere/at/all.pt").run()
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
    app.selectbox(key="new_backbone").select("").run()
    for path in ("/etc/passwd", "~/net.pt", "./net.pt", str(tmp_path)):
        app.text_input(key="new_backbone_path").set_value(path).run()
        assert "is not in a folder that this server opens" in app.error[0].value.replace("\\", "")
    assert path not in [spec.path for spec in asked]
    app.text_input(key="new_backbone_path").set_value("google/ddpm-cifar10-32").run()
    assert asked[-1].path == "google/ddpm-cifar10-32"
