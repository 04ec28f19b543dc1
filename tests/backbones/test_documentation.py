"""docs/backbones.md names every family, preset and schedule that can be loaded."""

import re
from pathlib import Path

import pytest

from cfs_explore.backbones import dit_family, openai_presets, score_sde_presets, uvit_family
from cfs_explore.backbones.diffusers_schedule import NAMED_SCHEDULES
from cfs_explore.backbones.openai_config import SCHEDULES
from cfs_explore.backbones.score_sde_config import SDES
from cfs_explore.families import FAMILIES

TEXT = (Path(__file__).parents[2] / "docs" / "backbones.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*FAMILIES, *NAMED_SCHEDULES, *SCHEDULES, *SDES, *uvit_family._SCHEDULES])
def test_families_and_schedules(name):
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize(
    ("family", "presets"),
    [*openai_presets.PRESETS.items(), ("score-sde", score_sde_presets.PRESETS), ("u-vit", uvit_family.PRESETS)],
)
def test_presets(family, presets):
    (row,) = re.findall(rf"^\| `{family}` \| (\S*, .*) \|$", TEXT, re.MULTILINE)
    assert row.split(", ") == list(presets)


def test_presets_of_dit():
    sizes = {f"DiT-{size}/{patch}" for size in ("S", "B", "L", "XL") for patch in (2, 4, 8)}
    assert set(dit_family.PRESETS) == sizes | {"DiT-XL/2-256x256", "DiT-XL/2-512x512"}
