"""Sets whose images are not on this machine: which stages that leaves out, and how to get them, in plain words."""

import copy
import shutil
import urllib.error

import pytest

from cfs_explore.cli import main
from cfs_explore.errors import SourceError
from cfs_explore.explorations.absent import absent_sets, computable, explain, needed
from cfs_explore.images import open_source
from cfs_explore.pipeline import explore
from cfs_explore.safe_io import fetching
from cfs_explore.studies import DIAGNOSTICS, STANDARD

WITHOUT_FORWARDS = list(STANDARD)


@pytest.fixture(scope="module")
def whole(tiny_folder, places, tmp_path_factory):
    spec = {
        "name": "two folders",
        "backbone": str(tiny_folder),
        "id": {"train": {"name": "ramps", "source": str(places["id"])}},
        "ood": [{"name": "bright", "source": str(places["ood"])}],
        "levels": [5.0],
        "taps": "sparse_ed",
        "diagnostics": "map",
    }
    return explore(spec, tmp_path_factory.mktemp("whole") / "run", device="cpu")


@pytest.fixture
def run(whole, tmp_path, monkeypatch):
    """A run whose spec a test may change."""
    monkeypatch.setenv("CFS_EXPLORE_DATA", str(tmp_path / "no data"))
    monkeypatch.delenv(fetching._VISITORS, raising=False)
    changed = copy.copy(whole)
    changed.manifest = whole.manifest.model_copy(update={"spec": copy.deepcopy(whole.manifest.spec)})
    return changed


def sources(run, train, ood) -> None:
    run.manifest.spec["id"]["train"]["source"] = train
    run.manifest.spec["ood"][0]["source"] = ood


def test_with_all_images_here_every_stage_can_be_computed(run):
    assert absent_sets(run) == []
    assert computable(list(DIAGNOSTICS), []) == list(DIAGNOSTICS) and explain(run, []) == ""


def test_pictures_that_were_deleted_leave_out_the_stages_that_read_them(run, places, tmp_path):
    sources(run, str(places["id"]), str(tmp_path / "gone"))
    absent = absent_sets(run)
    assert [(each.role, each.name, each.fetched) for each in absent] == [("ood", "bright", False)]
    assert computable(list(DIAGNOSTICS), absent) == [*WITHOUT_FORWARDS, "stability", "sharing", "prediction"]
    assert needed(["stability"], absent) == [] and needed(["controls"], absent) == absent
    message = explain(run, absent)
    assert message.startswith("The images of bright are not on this machine any more. Put the files back")
    (tmp_path / "gone").mkdir()  # an empty folder is no set either
    assert absent_sets(run) == absent


def test_public_sets_are_fetched_by_the_owner_and_the_command_is_named(run, places):
    sources(run, {"torchvision": "CIFAR10", "split": "train"}, str(places["ood"]))
    absent = absent_sets(run)
    assert [(each.role, each.origin, each.fetched) for each in absent] == [
        ("id_train", "torchvision's CIFAR10", True),
        ("id_test", "torchvision's CIFAR10", True),
    ]
    assert computable(list(DIAGNOSTICS), absent) == list(DIAGNOSTICS)
    message = explain(run, absent)
    assert message.startswith(
        "Not on this machine: the images of ramps from torchvision's CIFAR10. They are fetched first"
    )
    assert f"`cfs-explore fetch {run.path}`" in message
    sources(run, {"torchvision": "CIFAR10", "split": "train", "download": False}, str(places["ood"]))
    absent = absent_sets(run)
    assert computable(["stability", "separation"], absent) == ["separation"]
    assert "Get them by `cfs-explore fetch" in explain(run, absent) and "CFS_EXPLORE_DATA" in explain(run, absent)


def test_a_server_that_may_not_fetch_offers_nothing(run, places, monkeypatch):
    altered = {"altered": "flipped", "of": {"torchvision": "CIFAR10", "split": "test"}}
    sources(run, str(places["id"]), altered)
    monkeypatch.setenv(fetching._VISITORS, "owner/*")
    absent = absent_sets(run)
    assert [each.fetched for each in absent] == [False] and computable(["ablation"], absent) == []
    assert "This server does not fetch them for its visitors. Its administrator gets" in explain(run, absent)
    monkeypatch.setenv(fetching._VISITORS, "torchvision")
    assert computable(["ablation"], absent_sets(run)) == ["ablation"]


def test_a_source_of_several_sets_is_looked_up_once(run, monkeypatch):
    asked = []
    monkeypatch.setattr("cfs_explore.explorations.absent.is_here", lambda source: asked.append(source) or False)
    plain = {"torchvision": "CIFAR10", "split": "test"}
    sources(run, plain, {"altered": "flipped", "of": plain})
    assert len(absent_sets(run)) == 3 and asked == [plain]


def test_a_copy_in_the_data_folder_counts_as_here(run, places, tmp_path):
    sources(run, str(places["id"]), {"torchvision": "CIFAR10", "split": "test"})
    (tmp_path / "no data").mkdir()
    shutil.copytree(places["ood"], tmp_path / "no data" / "CIFAR10-test")
    assert absent_sets(run) == []


def test_the_command_line_says_so_before_the_work(whole, tmp_path, capsys, places):
    """A run whose pictures were deleted after its map."""
    folder = shutil.copytree(places["ood"], tmp_path / "pictures")
    (tmp_path / "spec.yaml").write_text(
        f"name: short\nbackbone: {{path: {whole.manifest.spec['backbone']['path']}}}\n"
        f"id: {{train: {{name: ramps, source: {places['id']}}}}}\nood: [{{name: bright, source: {folder}}}]\n"
        "levels: [5]\ntaps: sparse_ed\ndiagnostics: map\n"
    )
    main(["run", str(tmp_path / "spec.yaml"), "--out", str(tmp_path / "run"), "--device", "cpu"])
    assert "for want of images" not in capsys.readouterr().out
    shutil.rmtree(folder)
    main(["diagnose", str(tmp_path / "run"), "--stages", "separation"])
    can, cannot = capsys.readouterr().out.splitlines()[-2:]
    assert can.startswith("Not computed: complementarity, sealed, stability, sharing, prediction (")
    assert can.endswith("--stages complementarity,sealed,stability,sharing,prediction")
    assert cannot.startswith(
        "Not computed, for want of images: where, controls, ablation, levels, alignment, conditioning, detectors. "
    )
    assert "The images of bright are not on this machine any more." in cannot


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (urllib.error.URLError(OSError(-2, "Name or service not known")), "this computer has no network, or knows no"),
        (urllib.error.URLError(TimeoutError("timed out")), "the server did not answer in time"),
        (urllib.error.HTTPError("https://a", 404, "Not Found", {}, None), "the server answered 404 Not Found"),
        (ConnectionRefusedError(111, "Connection refused"), "the server takes no connection"),
        (OSError("3 of 9 bytes came"), "3 of 9 bytes came"),
        (RuntimeError("Error downloading a.gz: <urlopen error [Errno -2] Name or service not known>"), "this computer"),
    ],
)
def test_why_a_fetch_failed_is_reported_in_plain_words(error, reason):
    assert fetching.plain_reason(error).startswith(reason)


@pytest.mark.parametrize("name", ["CIFAR10", "MNIST", "SVHN"])
def test_a_set_that_cannot_be_fetched_is_named_without_the_librarys_words(tmp_path, monkeypatch, name):
    pytest.importorskip("torchvision")

    def unreachable(request, *args, **kwargs):
        raise urllib.error.URLError(OSError(-2, "Name or service not known"))

    monkeypatch.setenv("CFS_EXPLORE_DATA", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(SourceError) as refused:
        open_source({"torchvision": name, "split": "test"})
    said = str(refused.value)
    assert said.startswith(f"{name} test is not (whole) in") and "this computer has no network" in said
    assert "urlopen" not in said and said.endswith("or connect this computer.")
