"""Every figure of the app by name, made from a run alone."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from cfs_explore import studies
from cfs_explore.diagnostics import ScoreError
from cfs_explore.errors import RunError
from cfs_explore.figures import (
    image,
    image_where,
    images,
    lab,
    map_severity,
    options,
    probe,
    protocol_compare,
    protocol_transfer,
    triage,
    verdict,
)
from cfs_explore.figures import map as map_page
from cfs_explore.figures.choices import Choices, choose
from cfs_explore.figures.figure import Figure
from cfs_explore.figures.needs import Kind, NotMeasuredError
from cfs_explore.store import Run

#: Page -> its figures; the verdict first, as in a report.
PAGES: dict[str, dict[str, Kind]] = {
    "verdict": verdict.KINDS,
    "map": map_page.KINDS | map_severity.KINDS,
    **{page.name: importlib.import_module(f"{__package__}.{page.name}").KINDS for page in studies.PAGES},
    "compare": protocol_compare.KINDS | protocol_transfer.KINDS,
    "images": images.KINDS,
    "image": image.KINDS | image_where.KINDS,
    "triage": triage.KINDS,
    "probe": probe.KINDS,
    "lab": lab.KINDS,
}
#: Page -> heading of its figures in a report.
CHAPTERS = {
    **{page.name: page.chapter for page in studies.PAGES},
    "verdict": "The paper's claims, judged by this map",
    "map": "Where the signal lives",
    "compare": "Side by side",
    "images": "Images",
    "image": "One image",
    "triage": "Triage",
    "probe": "What the backbone sees",
    "lab": "Simulated scores",
}
#: Made only where they or their page are named: what needs another run or the backbone beside the run, and simulated
#: scores.
ON_REQUEST = ("compare", "probe", "lab", *image_where.KINDS)
KINDS: dict[str, Kind] = {name: kind for kinds in PAGES.values() for name, kind in kinds.items()}


def named(what: Sequence[str] = ()) -> list[str]:
    """Names of figures for names of pages or figures; where nothing is named, all that are of one run.

    Raises:
        RunError: a name is neither.
    """
    if not what:
        return [name for page in PAGES for name in PAGES[page] if not {page, name} & set(ON_REQUEST)]
    names = []
    for each in what:
        if each not in PAGES and each not in KINDS:
            raise RunError(f"There is no figure {each!r}. Pages: {', '.join(PAGES)}. Figures: {', '.join(KINDS)}.")
        names += list(PAGES.get(each, [each]))
    return list(dict.fromkeys(names))


def make_figures(
    run: Run, what: Sequence[str] = (), choices: Choices | None = None, theme: str = "light"
) -> tuple[dict[str, Figure], dict[str, str]]:
    """The figures of a run, and for the figures that it has no data for, why.

    Args:
        run: the exploration.
        what: names of pages or figures; empty means all that are of one run.
        choices: what they are of; by default what the pages open with.
        theme: "light" or "dark".

    Raises:
        RunError: an unknown name, or an option or value of the choices that none of these figures has.
    """
    choices = choices or choose(run)
    names = [name for name in named(what) if name in what or KINDS[name].applies(run)]
    if what and not names:  # of a page that was named nothing is of this run: each says why
        names = named(what)
    options.check(choices.options, [option for name in names for option in KINDS[name].options])
    if choices.measured and not any("measured" in KINDS[name].of for name in names):
        raise RunError(f"Only the figures of triage can be of {choices.measured}. Give cells or a preset.")
    figures, missing = {}, {}
    for name in names:
        try:
            figures[name] = KINDS[name].make(run, choices, theme)
        except (NotMeasuredError, ScoreError) as reason:  # not measured, or too few images for it
            missing[name] = str(reason)
    return figures, missing
