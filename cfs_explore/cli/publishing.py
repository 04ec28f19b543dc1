"""What leaves an exploration for a paper: figures, report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cfs_explore.cli.outputs import Output
from cfs_explore.errors import RunError
from cfs_explore.locations import locate_run


def add(commands) -> None:
    """Add the commands to the parser's."""
    figures = commands.add_parser(
        "figures", help="the app's figures as files, each with its data (CSV) and its caption (text)"
    )
    _add_choices(figures)
    figures.add_argument("--list", action="store_true", help="list pages and figures, and write nothing")
    figures.add_argument("--out", type=Path, metavar="FOLDER", default=Path("figures"), help="default: figures")
    figures.add_argument("--format", default="pdf", help="comma-separated, out of pdf, svg, png (default: pdf)")
    figures.add_argument(
        "--width",
        default="84mm",
        help="a number with mm, cm or in (default: 84mm, a single column; 174mm a double one; 3.25in and 6.75in for "
        "ICML's column and text, 5.5in for NeurIPS's text)",
    )
    figures.add_argument("--grey", action="store_true", help="in greys, for a greyscale printer")
    figures.set_defaults(
        command=_figures, writes=lambda options: None if options.list else Output(options.out, is_folder=True)
    )

    report = commands.add_parser("report", help="one HTML file with all figures, tables, the spec and the citation")
    _add_choices(report)
    report.add_argument("--out", type=Path, metavar="FILE", help="default: <run>-report.html")
    report.set_defaults(command=_report, writes=lambda options: Output(_report_file(options)))


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a run directory, or a bundle's name")
    parser.add_argument(
        "--what",
        default="",
        help="comma-separated names of pages or figures, from `figures --list` (default: all but those of compare, "
        "probe and lab, and image-where)",
    )
    parser.add_argument("--ood", help="OOD set (default: the one whose map says most)")
    parser.add_argument("--lam", type=float, help="log-SNR of the level, as the app shows it (default: as the app)")
    parser.add_argument("--tap", help="tap, for figures of one cell (default: as the app)")
    parser.add_argument(
        "--cell", help="tap and level in one, such as up1.res1@5, as in the app's addresses; instead of --lam and --tap"
    )
    parser.add_argument("--pair", nargs=2, metavar="TAP", help="the two taps that are compared (default: CFS(1x2)'s)")
    parser.add_argument("--metric", default="auroc", help="auroc, aupr or fpr95 (default: auroc)")
    parser.add_argument("--scale", default="ln s", help="scale of the scores of a pair: 'ln s' or s (default: ln s)")
    parser.add_argument(
        "--detector",
        nargs="+",
        default=[],
        metavar="CELL",
        help="detector: a preset, or cells such as up1.res1@5, whose slot scores are averaged (default: CFS(1x2)); "
        "for triage also another detector that the run measured",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of a figure, as in `figures --list` and the app's addresses; may be given several times",
    )


def _figures(options: argparse.Namespace) -> None:
    from cfs_explore.charts import NO_BROWSER, has_browser
    from cfs_explore.figures import catalogue, folder

    if options.list:
        for page, kinds in catalogue.PAGES.items():
            print(page)
            for name, kind in kinds.items():
                print(f"  {name:32} {kind.title}")
                for option in kind.options:
                    means = ": ".join(filter(None, (option.title, option.written)))
                    print(f"      --set {option.name + '=' + option.allowed():48} {means}")
        return
    figures = _made(options)
    if not has_browser():
        print(NO_BROWSER, file=sys.stderr)
    formats = [part.strip() for part in options.format.split(",")]
    for path in folder.write(figures, options.out, formats=formats, width=options.width, grey=options.grey):
        print(f"Saved: {path}", flush=True)


def _report(options: argparse.Namespace) -> None:
    from cfs_explore.reports import html
    from cfs_explore.store import write_aside

    run, choices, what = _chosen(options)
    path = _report_file(options)
    content = html.html_report(run, what, choices)
    with write_aside(path) as partial:
        partial.write_text(content, encoding="utf-8")
    print(f"Saved: {path}")


def _report_file(options: argparse.Namespace) -> Path:
    return options.out or Path(f"{locate_run(options.run).name}-report.html")


def _chosen(options: argparse.Namespace):
    """The run, the choices, and the names of what is asked for."""
    from cfs_explore.figures.choices import choose
    from cfs_explore.store import open_run

    run = open_run(locate_run(options.run))
    names = ("ood", "lam", "tap", "cell", "pair", "metric", "scale", "detector")
    given = dict(name_and_value(each) for each in options.set)
    choices = choose(run, **{name: getattr(options, name) for name in names}, options=given)
    return run, choices, [part.strip() for part in options.what.split(",") if part.strip()]


def name_and_value(each: str) -> tuple[str, str]:
    """Name and value of 'name=value'."""
    name, sign, value = each.partition("=")
    if not sign:
        raise RunError(f"--set takes NAME=VALUE. Got {each!r} instead.")
    return name.strip(), value.strip()


def _made(options: argparse.Namespace) -> dict:
    """The figures; what the run has no data for is left out, and the reason printed."""
    from cfs_explore.figures import catalogue

    run, choices, what = _chosen(options)
    figures, missing = catalogue.make_figures(run, what, choices)
    for name, reason in missing.items():
        print(f"Left out: {name}. {reason}", file=sys.stderr)
    return figures
