"""Write the table of docs/detectors.md, every detector of the registry: no other argument. The text is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cfs_explore import detectors
from cfs_explore.backbones import Backbone, load_backbone
from cfs_explore.contracts import Cost
from cfs_explore.detectors.protocol import ReadingDetector
from cfs_explore.locations import BUNDLES

PAGE = Path(__file__).parents[1] / "docs" / "detectors.md"
#: Around the table.
BEGIN, END = "<!-- by scripts/detectors_page.py -->\n", "<!-- end -->\n"


def page(text: str) -> str:
    """The page with its table made anew."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return before + BEGIN + "".join(f"{line}\n" for line in _table()) + END + after


def _table() -> Iterator[str]:
    yield "| detector | title | variant | paper | #F | #J | a high score means |"
    yield "|---|---|---|---|--:|--:|---|"
    backbone, other = (load_backbone(BUNDLES / name / "backbone", device="cpu") for name in ("digits", "digits-narrow"))
    needed = {"cfs": {"cells": [("mid_block.resnets.0", 5.0)]}, "likelihood_ratio": {"background": other}}
    for name in detectors.names():
        detector = detectors.create(name, **needed.get(name, {}))
        cost, fit = _costs(detector, backbone)
        forwards = str(cost.forwards) if cost == fit else f"{cost.forwards}; fit {fit.forwards}"
        about = f"`{name}`", detector.title, detector.variant, detector.paper
        yield f"| {' | '.join((*about, forwards, str(cost.jvps), detector.meaning))} |"


def _costs(detector: ReadingDetector, backbone: Backbone) -> tuple[Cost, Cost]:
    """Per test image, and per ID-train image of the fit. What a fit keeps of the levels does not change how many."""
    fit = detector.fit_cost(backbone)
    if type(detector).fit_cost is not ReadingDetector.fit_cost:
        width = max(part.stop for part in detector.columns(backbone).values())
        detector.fit(np.random.default_rng(0).random((1, 20, width)))
    return detector.cost(backbone), fit


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{PAGE}: {len(detectors.names())} detectors")
