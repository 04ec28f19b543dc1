"""Commands that compute: run, diagnose, train."""

from __future__ import annotations

import argparse
from pathlib import Path

from cfs_explore.cli.progress import progress_bar
from cfs_explore.stages import STAGES


def add(commands) -> None:
    """Add the commands to the parser's."""
    run = commands.add_parser("run", help="measure a layer x noise map from a spec, or resume a run directory")
    run.add_argument("spec", type=Path, help="a spec.yaml, or a run directory that holds one")
    run.add_argument("--out", type=Path, help="run directory (default: runs/<name>-<random id>)")
    run.add_argument("--device", help="torch device, such as cpu, cuda, cuda:1 (default: CUDA where there is one)")
    run.add_argument("--fresh", action="store_true", help="measure again what the directory or the cache holds")
    run.set_defaults(command=_run)

    diagnose = commands.add_parser(
        "diagnose", help="compute the diagnostics of a finished map, or what of them is missing"
    )
    diagnose.add_argument("run", help="a run directory, or a bundle's name")
    diagnose.add_argument("--stages", help=f"comma-separated, out of {', '.join(STAGES)} (default: those of the spec)")
    diagnose.add_argument("--device", help="torch device of the stages that need forwards")
    diagnose.add_argument("--fresh", action="store_true", help="compute again what is there")
    diagnose.set_defaults(command=_diagnose)

    train = commands.add_parser("train", help="train a small reference backbone from a spec")
    train.add_argument("spec", type=Path)
    train.add_argument("--out", type=Path, required=True, help="folder for the weights")
    train.add_argument("--data", type=Path, help="the spec's images in another place")
    train.add_argument("--device")
    train.add_argument("--fresh", action="store_true", help="begin anew instead of going on")
    train.set_defaults(command=_train)


def _run(options: argparse.Namespace) -> None:
    from cfs_explore import jobs
    from cfs_explore.pipeline import claim
    from cfs_explore.spec import RunSpec

    source = options.spec / "spec.yaml" if options.spec.is_dir() else options.spec
    spec = RunSpec.parse(source)
    if options.spec.is_dir() and options.out is None:
        out = options.spec
    elif options.out is None:
        out = jobs.create(spec)
    else:
        out = options.out
    claim(spec, out)
    with progress_bar() as report:
        jobs.work(out, fresh=options.fresh, device=options.device, report=report)
    print(f"Finished: {out}")


def _diagnose(options: argparse.Namespace) -> None:
    from cfs_explore import jobs
    from cfs_explore.locations import locate_run
    from cfs_explore.spec import RunSpec
    from cfs_explore.store import open_run

    path = locate_run(options.run)
    names = options.stages.split(",") if options.stages else RunSpec.parse(path / "spec.yaml").stages
    with progress_bar() as report:
        jobs.work(path, stages=names, fresh=options.fresh, device=options.device, report=report)
    run = open_run(path)
    for name in names:
        if name in run.manifest.stages:
            entry = run.manifest.stages[name]
            print(f"{name}: {entry.state} ({entry.seconds:.1f} s){': ' * bool(entry.why)}{entry.why}")


def _train(options: argparse.Namespace) -> None:
    from cfs_explore.train import TrainSpec, train

    spec, places = TrainSpec.from_yaml(options.spec), {"device": options.device, "data": options.data}
    place = train(spec, options.out, fresh=options.fresh, **places)
    print(f"Saved: {place}")
