"""Judge the bundles' seals by sets that were never measured on their backbones: docs/evidence/sealed.csv, which
docs/evidence.md quotes.

    python scripts/sealed_evidence.py FOLDER

Each set is measured on each bundle's backbone into FOLDER, by the settings of the bundle; a run that was broken off
goes on, a finished one is only judged. The public sets are fetched by their names, or taken from copies
(docs/inputs.md).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from cfs_explore import explore
from cfs_explore.locations import BUNDLES
from cfs_explore.spec import RunSpec
from cfs_explore.store import Run, open_run

TABLE = Path(__file__).parents[1] / "docs" / "evidence" / "sealed.csv"
#: Images of a set, and noise draws.
IMAGES, DRAWS = 200, 2
_GREY = {
    "MNIST": {"torchvision": "MNIST", "split": "test"},
    "Fashion-MNIST": {"torchvision": "FashionMNIST", "split": "test"},
    "notMNIST": {"hub": "davidflanagan/notMNIST-to-MNIST"},
}
_COLOUR = {
    "CIFAR-10": {"torchvision": "CIFAR10", "split": "test"},
    "textures": {"hub": "pan8915/DeepTexture"},
    "faces": {"hub": "udacity/P1_Facial_Keypoints"},
}
_DRAWN = {
    "letters": {"builtin": "letters"},
    "digits": {"builtin": "digits"},
    "photo patches": {"builtin": "photo-patches"},
}
#: Bundle -> its new sets.
SETS = {
    "digits": _GREY | _COLOUR,
    "digits-narrow": _GREY | _COLOUR,
    "cifar10-ddpm": _GREY | _DRAWN,
    "cifar10-edm": _GREY | _DRAWN,
    "cifar10-uvit": _GREY | _DRAWN,
}
#: Of both tables of the stage.
RANKING = ["ood", "seal", "sealed_at", "opened_at", "verdict", "refused", "n_id", "n_ood"]
RANKING += ["spearman", "spearman_lo", "spearman_hi"]
CHOICES = ["policy", "regret", "gain", "gain_lo", "gain_hi"]


def spec_of(bundle: str) -> RunSpec:
    """The bundle's backbone, ID images and levels, and new OOD sets."""
    own = open_run(BUNDLES / bundle)
    people = {"faces": {"group": {"before_last": "_"}}}  # several frames of a person
    sets = [
        {"name": name, "source": source, "limit": IMAGES, **people.get(name, {})}
        for name, source in SETS[bundle].items()
    ]
    return RunSpec.parse(
        {
            "name": f"{own.name} - later sets",
            "backbone": str(BUNDLES / bundle / "backbone"),
            "id": {"run": str(BUNDLES / bundle)},
            "ood": sets,
            "levels": own.manifest.spec["levels"],
            "draws": DRAWS,
            "diagnostics": ["sealed"],
        }
    )


def measured(bundle: str, folder: Path) -> Run:
    """The run of a bundle's new sets, of this or an earlier call."""
    out = folder / bundle
    return open_run(out) if (out / "manifest.json").is_file() else explore(spec_of(bundle), out)


def rows_of(bundle: str, run: Run) -> pd.DataFrame:
    """A row per set and policy; the mean of the sets, whose name is empty, comes last."""
    both = run.table("sealed_ranking")[RANKING].merge(run.table("sealed_choice")[["ood", *CHOICES]], on="ood")
    return both.assign(bundle=bundle)[["bundle", *both.columns]]


def _all_rows(folder: Path) -> Iterator[pd.DataFrame]:
    for bundle in SETS:
        print(f"{bundle} ...", flush=True)
        yield rows_of(bundle, measured(bundle, folder))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    table = pd.concat(list(_all_rows(Path(sys.argv[1]))))
    TABLE.parent.mkdir(exist_ok=True)
    table.to_csv(TABLE, index=False, float_format="%.4f", lineterminator="\n")
    print(f"{TABLE}: {len(table)} rows")
