"""Commands that read finished explorations: protocol, claims, evidence."""

from __future__ import annotations

import argparse
from pathlib import Path

from cfs_explore.cli.outputs import Output
from cfs_explore.locations import locate_run


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
    from cfs_explore.safe_io.csv_export import to_csv
    from cfs_explore.store import open_run

    run = open_run(locate_run(options.run))
    table = claims.claims_table(run)
    if options.csv is None:
        print(claims.as_text(table, run.name))
    else:
        options.csv.parent.mkdir(parents=True, exist_ok=True)
        options.csv.write_text(to_csv(table), encoding="utf-8", newline="")
        print(f"Saved: {options.csv}")


def _evidence(options: argparse.Namespace) -> None:
    from cfs_explore.reports.evidence import as_markdown, evidence, gathered
    from cfs_explore.store import open_run

    runs = [open_run(path) for path in dict.fromkeys(map(locate_run, options.runs))]
    print(as_markdown(evidence(gathered(runs))), end="")
