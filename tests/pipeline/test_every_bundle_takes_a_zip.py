"""Every bundled exploration takes twelve pictures with its stored statistics, by the defaults, and ends on a map."""

import pytest
import yaml

from cfs_explore.cli import main
from cfs_explore.locations import BUNDLES
from cfs_explore.spec import RunSpec
from cfs_explore.store import open_run
from cfs_explore.studies import STANDARD

pytestmark = pytest.mark.slow

NAMES = sorted(path.parent.name for path in BUNDLES.glob("*/manifest.json"))


def test_there_are_bundles():
    assert {"digits", "digits-narrow", "cifar10-ddpm", "cifar10-edm", "cifar10-uvit"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_zip_of_twelve_pictures_ends_on_a_map(name, write_images, tmp_path, capsys):
    asked = {
        "name": "mine",
        "backbone": {"path": RunSpec.parse(BUNDLES / name / "spec.yaml").backbone.path},
        "id": {"run": name},
        "ood": [{"name": "pictures", "source": str(write_images(12, "zip", seed=3, side=40))}],
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(asked))
    main(["run", str(tmp_path / "spec.yaml"), "--out", str(tmp_path / "run"), "--device", "cpu"])
    run, base = open_run(tmp_path / "run"), open_run(BUNDLES / name)
    cells = run.auroc_map("pictures")
    assert len(cells) == len(run.levels) * len(base.taps)
    assert cells["auroc"].notna().all() and (cells["n_ood"] == 12).all() and (cells["n_id"] == base.id_test.count).all()
    assert {stage: entry.state for stage, entry in run.manifest.stages.items()} == dict.fromkeys(STANDARD, "done")
    assert run.manifest.kept["taps"] and run.manifest.kept.get("without") == base.manifest.kept.get("without")
    assert not any("do not serve" in warning for warning in run.manifest.warnings)
    out = capsys.readouterr().out
    assert out.startswith(f"Finished: {tmp_path / 'run'}\nNot computed: where, stability, ")
