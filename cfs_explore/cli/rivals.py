"""The command ``detectors``: CFS against every other detector on a finished map's images, and the list of them."""

from __future__ import annotations

import argparse
import textwrap

from cfs_explore.cli import workers
from cfs_explore.cli.outputs import Output
from cfs_explore.cli.progress import progress_bar
from cfs_explore.errors import SpecError
from cfs_explore.locations import locate_run, program
from cfs_explore.studies.diagnostic import BUDGET

_SETTINGS = ("images", "train", "budget", "copies", "background")
#: What a run may spend where nothing says it.
_RULE = f"the spec's, else {BUDGET:g}, or what about a minute has room for, whichever is more"


def add(commands) -> None:
    """Add the command to the parser's."""
    detectors = commands.add_parser(
        "detectors", help="CFS against every other detector on a map's images, with what each costs"
    )
    detectors.add_argument("run", nargs="?", help="a run directory, or a bundle's name")
    detectors.add_argument("--list", action="store_true", help="what there is, from where, and what a high score means")
    detectors.add_argument("--images", type=int, help="images of each scored set at most (default: the spec's)")
    detectors.add_argument("--train", type=int, help="ID-train images that all are fitted on (default: the spec's)")
    detectors.add_argument("--budget", type=float, help=f"forwards, as a multiple of the map's (default: {_RULE})")
    detectors.add_argument("--copies", type=int, help="untrained copies to compare with (default: the spec's)")
    detectors.add_argument(
        "--background", help="another run, whose backbone is the second one of likelihood_ratio; none: no second one"
    )
    detectors.add_argument("--device", help="torch device, such as cpu or cuda")
    workers.add(detectors, "as many as measured the map")
    detectors.add_argument("--fresh", action="store_true", help="measure again what is measured")
    detectors.set_defaults(command=_detectors, writes=_folder)


def _folder(options: argparse.Namespace) -> Output | None:
    return (
        None if options.list or options.run is None else Output(locate_run(options.run), is_folder=True, resumes=True)
    )


def _detectors(options: argparse.Namespace) -> None:
    if options.list:
        _list()
    elif options.run is None:
        raise SpecError("Give a run directory or the name of a bundle, or --list for what there is.")
    else:
        _measure(options)


def _list() -> None:
    from cfs_explore import detectors

    for name in detectors.names():
        detector = detectors.described(name)
        about = " · ".join(filter(None, (detector.title, detector.variant, detector.paper)))
        print(f"{name:22} {about}\n{textwrap.indent(textwrap.fill(detector.meaning, 110), '    ')}")
    print(f"\nA run spends its budget from the cheapest on: --budget times its map's forwards; {_RULE}.")


def _measure(options: argparse.Namespace) -> None:
    from cfs_explore import jobs
    from cfs_explore.figures.choices import opening_set
    from cfs_explore.figures.falsifier import detector_rows, untested
    from cfs_explore.headlines.falsifier import falsifier_headline, room_words
    from cfs_explore.pipeline.detector_settings import set_detectors
    from cfs_explore.spec import RunSpec
    from cfs_explore.store import open_run
    from cfs_explore.studies.detectors import budget_told

    path = locate_run(options.run)
    given = {name: getattr(options, name) for name in _SETTINGS if getattr(options, name) is not None}
    if given.get("background") == "none":
        given["background"] = None
    how = workers.chosen(options)
    set_detectors(path, given)
    before = open_run(path)
    settings = RunSpec.parse(path / "spec.yaml").detectors
    print(f"The detectors take {budget_told(before.counts._replace(budget=settings.budget))}.")
    with progress_bar() as report:
        jobs.work(path, stages=["detectors"], fresh=options.fresh, device=options.device, report=report, **how)
    run = open_run(path)
    entry = run.manifest.stages["detectors"]
    if entry.state != "done":
        raise SpecError(f"The detectors were not measured: {entry.why}")
    ood = opening_set(run)
    rows, leads = (detector_rows(run, name, ood) for name in ("falsifier", "leads"))
    rows = rows[rows["network"] == "trained"].sort_values("auroc", ascending=False)
    columns = ["title", "forwards", "jvps", "ms", "auroc", "lo", "hi", "to_pair", "to_best"]
    print(rows[rows["auroc"].notna()][columns].to_string(index=False, float_format="{:.3f}".format))
    for row in rows[rows["auroc"].isna()].to_dict("records"):
        print(f"{row['title']}: {row['note']}")
    if room := room_words(rows):
        most = rows["needed"].max()
        print(f"{room} {program()} detectors {options.run} --budget {most:.10g} measures all that had no room.")
    print(falsifier_headline(ood, leads, untested(rows)).replace("**", ""))
