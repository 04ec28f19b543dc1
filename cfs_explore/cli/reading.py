"""Commands that read finished explorations: protocol, claims, groups, evidence."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cfs_explore.cli.outputs import Output
from cfs_explore.errors import RunError
from cfs_explore.locations import locate_run

if TYPE_CHECKING:
    import pandas as pd


#: Group of OOD sets -> what putting a set there says.
_SET_GROUPS = {
    "near": "put this OOD set into the group of those that are near in meaning",
    "far": "the same, of those that are far",
    "covariate": "the same, of ID images that are only shifted, which count as ID in the full spectrum",
}


def add(commands) -> None:
    """Add the commands to the parser's."""
    protocol = commands.add_parser("protocol", help="levels, alignment, conditioning and cost of an exploration")
    protocol.add_argument("run", help="a run directory, or a bundle's name")
    protocol.add_argument("--ood", help="OOD set (default: the first)")
    protocol.add_argument("--against", nargs="+", default=[], metavar="RUN", help="other explorations to compare with")
    protocol.add_argument("--csv", type=Path, metavar="FOLDER", help="write the tables as files instead of printing")
    protocol.set_defaults(command=_protocol, writes=lambda options: options.csv and Output(options.csv, is_folder=True))

    claims = commands.add_parser("claims", help="what a map says about the paper's claims, with intervals")
    claims.add_argument("run", help="a run directory, or a bundle's name")
    claims.add_argument("--csv", type=Path, metavar="FILE", help="write the table as a file instead of printing")
    claims.set_defaults(command=_claims, writes=lambda options: options.csv and Output(options.csv))

    groups = commands.add_parser(
        "groups", help="mean AUROC over near and far OOD sets, and full-spectrum AUROC; or which set is in which group"
    )
    groups.add_argument("run", help="a run directory, or a bundle's name")
    for group, what in _SET_GROUPS.items():
        groups.add_argument(
            f"--{group}", action="append", metavar="SET", help=f"{what}; several times for several sets"
        )
    groups.add_argument("--none", action="store_true", help="take the sets that are not named out of their groups")
    groups.add_argument("--csv", type=Path, metavar="FILE", help="write the table as a file instead of printing")
    groups.set_defaults(command=_groups, writes=lambda options: options.csv and Output(options.csv))

    evidence = commands.add_parser(
        "evidence", help="what several maps say for and against the paper's diagnostics, as Markdown"
    )
    evidence.add_argument("runs", nargs="+", metavar="RUN", help="run directories, or bundles' names")
    evidence.set_defaults(command=_evidence)


def _protocol(options: argparse.Namespace) -> None:
    from cfs_explore.reports import protocol
    from cfs_explore.store import open_run

    run, *others = (open_run(locate_run(name)) for name in (options.run, *options.against))
    ood = run.entry("ood", options.ood).name
    parts = protocol.protocol_tables(run, ood, others)
    if options.csv is None:
        print(f"{run.name}, OOD set {ood}\n\n{protocol.as_text(parts)}")
    else:
        for path in protocol.write_csv(parts, options.csv):
            print(f"Saved: {path}")


def _claims(options: argparse.Namespace) -> None:
    from cfs_explore.figures import claims
    from cfs_explore.store import open_run

    run = open_run(locate_run(options.run))
    table = claims.claims_table(run)
    _print_or_save(options, table, lambda: claims.as_text(table, run.name))


def _groups(options: argparse.Namespace) -> None:
    from cfs_explore.figures import set_groups
    from cfs_explore.store import open_run

    path = locate_run(options.run)
    pairs = [(name, group) for group in _SET_GROUPS for name in dict.fromkeys(getattr(options, group) or ())]
    named = dict(pairs)
    for name, group in pairs:
        if named[name] != group:
            raise RunError(f"{name} cannot be both {group} and {named[name]}. Name it in one group.")
    if named or options.none:
        _regroup(path, named, options.none)
    run = open_run(path)
    table = set_groups.detector_groups(run)
    _print_or_save(options, table, lambda: set_groups.as_text(table, run))


def _regroup(path: Path, named: dict[str, str], alone: bool) -> None:
    """Put these sets into their groups, in the run; the others stay where they are, or with ``alone`` leave theirs."""
    from cfs_explore import jobs
    from cfs_explore.pipeline.set_groups import write_set_groups
    from cfs_explore.store import open_run

    if jobs.is_alive(jobs.read_status(path)) or jobs.is_held(path):
        raise RunError(f"{path} is being worked on. Group its sets when that is done.")
    before = {name: group for group, names in open_run(path).set_groups.items() for name in names}
    write_set_groups(path, named if alone else before | named)


def _print_or_save(options: argparse.Namespace, table: pd.DataFrame, text: Callable[[], str]) -> None:
    """A table as text, or as the CSV file that is asked for."""
    from cfs_explore.safe_io.csv_export import to_csv

    if options.csv is None:
        print(text())
    else:
        options.csv.parent.mkdir(parents=True, exist_ok=True)
        options.csv.write_text(to_csv(table), encoding="utf-8", newline="")
        print(f"Saved: {options.csv}")


def _evidence(options: argparse.Namespace) -> None:
    from cfs_explore.reports.evidence import as_markdown, evidence, gathered
    from cfs_explore.store import open_run

    runs = [open_run(path) for path in dict.fromkeys(map(locate_run, options.runs))]
    print(as_markdown(evidence(gathered(runs))), end="")
