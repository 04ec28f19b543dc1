"""The command that takes away what triage flags: pictures with the maps of where their scores come from."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cfs_explore.cli.outputs import Output
from cfs_explore.cli.progress import progress_bar
from cfs_explore.cli.publishing import name_and_value
from cfs_explore.errors import RunError
from cfs_explore.locations import locate_run
from cfs_explore.wording import counted


def add(commands) -> None:
    """Add the command to the parser's."""
    triage = commands.add_parser(
        "triage", help="the flagged images of an OOD set with the maps of where their scores come from, as a zip"
    )
    triage.add_argument("run", help="a run directory, or a bundle's name, with its backbone on this computer")
    triage.add_argument("--ood", help="OOD set (default: the one whose map says most)")
    triage.add_argument(
        "--detector",
        nargs="+",
        default=[],
        metavar="CELL",
        help="a preset, or cells such as up1.res1@5 (default: the best that the exploration can justify)",
    )
    triage.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="triage_rate=5 (percent) or triage_by=discovery, as in the app's addresses; may be given several times",
    )
    triage.add_argument("--most", type=int, metavar="N", help="images of the highest scores (default and at most: 200)")
    triage.add_argument("--out", type=Path, metavar="FILE", default=Path("flagged-maps.zip"), help="the zip")
    triage.set_defaults(command=_triage, writes=lambda options: Output(options.out))


def _triage(options: argparse.Namespace) -> None:
    from cfs_explore.figures import triage
    from cfs_explore.figures.backbone import backbone_of, measured_image
    from cfs_explore.figures.choices import choose
    from cfs_explore.figures.image_where import Looked, nothing_to_localise
    from cfs_explore.figures.needs import NotMeasuredError
    from cfs_explore.figures.options import check
    from cfs_explore.pipeline import ProgressEvent
    from cfs_explore.reports import flagged_maps
    from cfs_explore.store import open_run, write_aside

    most = flagged_maps.MOST if options.most is None else options.most
    if not 1 <= most <= flagged_maps.MOST:
        raise RunError(f"--most takes a whole number from 1 to {flagged_maps.MOST}. Got {most} instead.")
    run = open_run(locate_run(options.run))
    given = dict(name_and_value(each) for each in options.set)
    check(given, (triage.RATE, triage.KEEPS))
    choices = choose(run, ood=options.ood, detector=options.detector, options=given)
    cells = triage.scoring_cells(run, choices)
    if not cells:
        raise RunError(f"{choices.measured} is no mean of cells: it has no maps. Give cells or a preset.")
    found = triage.find(run, choices)
    rows = flagged_maps.flagged(found)
    if not len(rows):
        raise RunError(f"No image of {found.ood} is flagged by {found.detector}.")
    probe, looked, absent = backbone_of(run), [], []
    facts = run.images("ood", found.ood, columns=("image_id", "name", "label", "thumbnail"))
    with progress_bar() as report:
        for done, row in enumerate(rows[:most], start=1):
            try:
                image = measured_image(run, run.entry("ood", found.ood), facts.iloc[row])
            except NotMeasuredError as why:
                absent.append(str(why))
                continue
            looked.append(Looked(image, probe.where(image, [run.cell(cell) for cell in cells])))
            if why := nothing_to_localise(found.detector, looked[0].where):
                raise RunError(why)
            report(ProgressEvent("maps", found.ood, done, min(most, len(rows)), "images", None, None))
    if absent:
        print(f"Left out: {counted(len(absent), 'image')}. The first: {absent[0]}", file=sys.stderr)
    if not looked:
        raise RunError(f"None of the flagged images of {found.ood} is here with the pixels that were measured.")
    with write_aside(options.out) as partial:
        partial.write_bytes(flagged_maps.maps_zip(run, found, cells, looked, len(rows)))
    print(f"Saved: {options.out} ({len(looked)} of {len(rows)} flagged images)")
