"""Commands around seals: predict writes one from ID-train alone, verify judges it when the map is there (theory 25)."""

from __future__ import annotations

import argparse
from pathlib import Path

from cfs_explore.cli.outputs import Output
from cfs_explore.cli.progress import progress_bar
from cfs_explore.errors import RunError, SpecError
from cfs_explore.locations import locate_run


def add(commands) -> None:
    """Add the commands to the parser's."""
    predict = commands.add_parser(
        "predict", help="seal, from ID-train alone, which cells will do best; before any OOD image is opened"
    )
    predict.add_argument("spec", help="a spec.yaml, a run directory, or a bundle's name")
    predict.add_argument("--out", type=Path, help="run directory of a spec (default: runs/<name>-<random id>)")
    predict.add_argument("--device", help="torch device, such as cpu or cuda")
    predict.add_argument("--again", action="store_true", help="make another seal; the one that is there is kept beside")
    predict.set_defaults(command=_predict, writes=_folder)

    verify = commands.add_parser("verify", help="judge the sealed predictions of runs by what was measured after them")
    verify.add_argument("runs", nargs="+", metavar="RUN", help="run directories, or bundles' names")
    verify.add_argument("--digest", help="the digest that was published: another seal is refused")
    verify.add_argument("--csv", type=Path, metavar="FILE", help="write the table of choices as a file, too")
    verify.set_defaults(command=_verify, writes=lambda options: options.csv and Output(options.csv))


def _folder(options: argparse.Namespace) -> Output | None:
    if options.out is not None:
        return Output(options.out, is_folder=True, resumes=True)
    spec = Path(options.spec)
    return None if spec.is_file() else Output(_run_directory(options.spec), is_folder=True, resumes=True)


def _run_directory(name: str) -> Path:
    """Of a run that is begun, or finished."""
    return Path(name) if (Path(name) / "spec.yaml").is_file() else locate_run(name)


def _predict(options: argparse.Namespace) -> None:
    from cfs_explore import jobs
    from cfs_explore.pipeline import claim
    from cfs_explore.spec import RunSpec

    source = Path(options.spec)
    if source.is_file():
        spec = RunSpec.parse(source)
        out = options.out or jobs.create(spec)
        claim(spec, out)
    elif options.out is not None:
        raise SpecError("--out goes with a spec.yaml: the seal of a run stands in its own directory.")
    else:
        out = _run_directory(options.spec)
    with progress_bar() as report:
        seal = jobs.seal(out, device=options.device, again=options.again, report=report)
    finished = (out / "manifest.json").is_file()
    print(f"Sealed: {out / 'seal.json'}, digest {seal.digest}")
    value, lo, hi = (values[seal.chosen.cell] for values in (seal.predicted, seal.lo, seal.hi))
    print(
        f"Chosen: {seal.chosen.tap} at lam = {seal.chosen.lam:.4g}, predicted AUROC {value:.3f} [{lo:.3f}, {hi:.3f}], "
        f"of {len(seal.ranking):,} cells."
    )
    print(
        "It judges what is measured after now against these statistics, not the run's own sets."
        if finished
        else f"Now measure: cfs-explore run {out}"
    )


def _verify(options: argparse.Namespace) -> None:
    from cfs_explore import jobs
    from cfs_explore.figures.sealed import as_text, is_judged, over_runs
    from cfs_explore.safe_io.csv_export import to_csv
    from cfs_explore.store import open_run
    from cfs_explore.store.seal import read_seal

    runs = []
    for name in options.runs:
        path = locate_run(name)
        if options.digest is not None and (found := read_seal(path).digest) != options.digest:
            raise RunError(f"{path} has the seal {found}, not the published one ({options.digest}).")
        run = open_run(path)
        if not is_judged(run):
            jobs.work(path, stages=["sealed"], fresh=True)  # which refuses where a worker has the run
            run = open_run(path)
        runs.append(run)
    for run in runs:
        print(as_text(run))
    table = over_runs(runs)
    if len(runs) > 1:
        print(f"\nOver {len(runs)} explorations:\n{table.to_string(index=False, float_format='{:.3f}'.format)}")
    if options.csv is not None:
        options.csv.parent.mkdir(parents=True, exist_ok=True)
        options.csv.write_text(to_csv(table), encoding="utf-8", newline="")
        print(f"Saved: {options.csv}")
