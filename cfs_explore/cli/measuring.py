"""Commands that compute: run, work, diagnose, train."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cfs_explore.cli import workers
from cfs_explore.cli.outputs import Output
from cfs_explore.cli.progress import progress_bar
from cfs_explore.errors import SpecError
from cfs_explore.locations import locate_run, runs_root
from cfs_explore.studies import DIAGNOSTICS, WORDS, named_stages
from cfs_explore.wording import counted


def add(commands) -> None:
    """Add the commands to the parser's."""
    run = commands.add_parser("run", help="measure a layer x noise map from a spec, or resume a run directory")
    run.add_argument("spec", type=Path, help="a spec.yaml, or a run directory that holds one")
    run.add_argument("--out", type=Path, help="run directory (default: runs/<name>-<random id>)")
    run.add_argument("--device", help="torch device, such as cpu, cuda, cuda:1 (default: CUDA where there is one)")
    workers.add(run, "what a short trial finds fastest")
    run.add_argument(
        "--fresh", action="store_true", help="measure everything again, also what the directory or the cache holds"
    )
    run.add_argument(
        "--keep",
        action="store_true",
        help="stop measuring as soon as every set has some images, and make a smaller exploration of them",
    )
    run.set_defaults(command=_run, writes=_run_folder)

    work = commands.add_parser("work", help="help with a run that another process leads, from any computer")
    work.add_argument("run", type=Path, help="its directory, which both computers see")
    work.add_argument("--device", help="torch device (default: CUDA where there is one)")
    work.add_argument("--beside", type=int, help=argparse.SUPPRESS)  # the process that started this one
    work.set_defaults(command=_join, writes=_joined_run)

    diagnose = commands.add_parser("diagnose", help="compute the diagnostics that a finished map lacks")
    diagnose.add_argument("run", help="a run directory, or a bundle's name")
    diagnose.add_argument(
        "--stages",
        help=f"{', '.join(WORDS)}, or comma-separated out of {', '.join(DIAGNOSTICS)} (default: those of the spec). "
        "standard: those without forwards, which take seconds",
    )
    diagnose.add_argument("--device", help="torch device of the stages that need forwards")
    workers.add(diagnose, "as many as measured the map")
    diagnose.add_argument("--fresh", action="store_true", help="recompute diagnostics that are already there")
    diagnose.set_defaults(
        command=_diagnose, writes=lambda options: Output(locate_run(options.run), is_folder=True, resumes=True)
    )

    train = commands.add_parser("train", help="train a small reference backbone from a spec")
    train.add_argument("spec", type=Path, help="a train.yaml: network, images and training")
    train.add_argument("--out", type=Path, required=True, help="folder for the weights")
    train.add_argument("--data", type=Path, help="path of the training images, if not the spec's")
    train.add_argument("--device", help="torch device, such as cpu or cuda")
    train.add_argument("--fresh", action="store_true", help="start again instead of resuming")
    train.set_defaults(command=_train, writes=lambda options: Output(options.out, is_folder=True, resumes=True))


def _run_folder(options: argparse.Namespace) -> Output:
    out = options.out or (options.spec if options.spec.is_dir() else runs_root())
    return Output(out, is_folder=True, resumes=True)


def _run(options: argparse.Namespace) -> None:
    from cfs_explore import jobs
    from cfs_explore.pipeline import claim
    from cfs_explore.spec import RunSpec
    from cfs_explore.store import open_run

    source = options.spec / "spec.yaml" if options.spec.is_dir() else options.spec
    if not source.is_file():
        there = f"{options.spec} holds no spec.yaml" if options.spec.is_dir() else f"There is no {options.spec}"
        raise SpecError(f"{there}. Give the file of a spec (spec.yaml), or a run directory, which holds one.")
    spec = RunSpec.parse(source)
    if options.spec.is_dir() and options.out is None:
        out = options.spec
    elif options.out is None:
        out = jobs.create(spec)
    else:
        out = options.out
    how = workers.chosen(options)
    claim(spec, out)
    with progress_bar() as report:
        jobs.work(
            out,
            fresh=options.fresh,
            device=options.device,
            **how,
            keep=options.keep,
            report=report,
            on_map=_tell_map,
        )
    for warning in open_run(out).manifest.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"Finished: {out}")
    _tell_left_out(out)
    _tell_missing(out)


def _joined_run(options: argparse.Namespace) -> Output | None:
    """The run's folder; None where there is none, which the command itself says: nothing is made then."""
    return Output(options.run, is_folder=True, resumes=True) if (options.run / "spec.yaml").is_file() else None


def _join(options: argparse.Namespace) -> None:
    from cfs_explore.jobs.helpers import has_lost, turn_on
    from cfs_explore.pipeline.crew import PATIENCE, join

    lost, cancel = has_lost(options.beside), options.run / "cancel"

    def stopped() -> bool:
        return cancel.exists() or lost()

    def say(text: str) -> None:
        print(text, flush=True)

    patience = PATIENCE if options.beside is None else float("inf")
    with turn_on(options.device, say, stopped):
        hired = options.beside is not None
        done = join(options.run, device=options.device, patience=patience, hired=hired, say=say, cancelled=stopped)
    print(f"Helped with {counted(done, 'piece')}.")


def _tell_left_out(path: Path) -> None:
    """A line about a run that was stopped early: how much it has, and how to measure all."""
    from cfs_explore.explorations.missing import measured_of
    from cfs_explore.store import open_run

    found = measured_of(open_run(path))
    if found is not None:
        print(
            f"It was stopped early and stays as it is, with {found[0]:,} of {found[1]:,} images measured. To measure "
            f"all: cfs-explore run {path / 'spec.yaml'} makes another run, which takes what is measured from the cache."
        )


def _tell_map(run) -> None:
    """A line about the map so far."""
    from tqdm import tqdm

    from cfs_explore.figures.choices import opening_set
    from cfs_explore.figures.map import headline

    ood = opening_set(run)
    count = sum(entry.count for entry in run.manifest.sets if entry.role == "ood")
    said = headline(run, ood).replace("**", "")
    tqdm.write(f"So far, {run.id_test.count:,} ID and {count:,} OOD images. {said}")


def _diagnose(options: argparse.Namespace) -> None:
    from cfs_explore import jobs
    from cfs_explore.spec import RunSpec
    from cfs_explore.store import open_run

    path = locate_run(options.run)
    names = _named(options.stages) if options.stages else RunSpec.parse(path / "spec.yaml").stages
    how = workers.chosen(options)
    with progress_bar() as report:
        jobs.work(path, stages=names, fresh=options.fresh, device=options.device, report=report, **how)
    run = open_run(path)
    for name in names:
        if name in run.manifest.stages:
            entry = run.manifest.stages[name]
            print(f"{name}: {entry.state} ({entry.seconds:.1f} s){': ' * bool(entry.why)}{entry.why}")
    _tell_missing(path)


def _named(stages: str) -> list[str]:
    """The stages that a word or a list with commas names."""
    return named_stages(stages) if stages in WORDS else [name.strip() for name in stages.split(",")]


def _tell_missing(path: Path) -> None:
    """Lines about the stages that this run lacks: their cost, and which of them lack images."""
    from cfs_explore.explorations.absent import absent_sets, computable, explain, needed
    from cfs_explore.explorations.missing import cost_of, missing_stages
    from cfs_explore.store import open_run

    run = open_run(path)
    rest = missing_stages(run)
    absent = absent_sets(run) if rest else []
    names = computable(rest, absent)
    if names:
        asked = "all" if names == rest else ",".join(names)
        command = f"cfs-explore diagnose {path} --stages {asked}"
        images = explain(run, needed(names, absent))
        print(f"Not computed: {', '.join(names)} ({cost_of(run, names)}). To compute them: {command}")
        if images:
            print(images)
    if names != rest:
        lacking = [name for name in rest if name not in names]
        images = explain(run, [each for each in needed(lacking, absent) if not each.fetched])
        print(f"Not computed, for want of images: {', '.join(lacking)}. {images}")


def _train(options: argparse.Namespace) -> None:
    from cfs_explore.train import TrainSpec, train

    spec, places = TrainSpec.from_yaml(options.spec), {"device": options.device, "data": options.data}
    place = train(spec, options.out, fresh=options.fresh, **places)
    print(f"Saved: {place}")
