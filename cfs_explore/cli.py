"""The command line: ``cfs-explore`` and its commands, each a few lines around a function of the core."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from cfs_explore.errors import CFSError, RunCancelled
from cfs_explore.stages import STAGES


def main(arguments: list[str] | None = None) -> None:
    """Parse and run; a user's mistake ends with one clear line and exit code 2."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except RunCancelled as stopped:
        _tell(str(stopped))
        raise SystemExit(130) from None
    except KeyboardInterrupt:
        _tell("Stopped. Whatever a run has finished is kept; start it again to go on.")
        raise SystemExit(130) from None
    except CFSError as error:
        _tell(f"cfs-explore: {error}")
        raise SystemExit(2) from None


def _tell(text: str) -> None:
    """A line on the error output, unless that is a file on a full disk."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - what it still holds must not fail at the exit


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cfs-explore", description="Where in a diffusion model does the out-of-distribution signal live?"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

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

    protocol = commands.add_parser("protocol", help="levels, alignment, conditioning and cost of an exploration")
    protocol.add_argument("run", help="a run directory, or a bundle's name")
    protocol.add_argument("--ood", help="OOD set (default: the first)")
    protocol.add_argument("--against", nargs="+", default=[], metavar="RUN", help="other explorations to compare with")
    protocol.add_argument("--csv", type=Path, metavar="FOLDER", help="write the tables as files instead of printing")
    protocol.set_defaults(command=_protocol)

    claims = commands.add_parser("claims", help="what a map says about the paper's claims, with intervals")
    claims.add_argument("run", help="a run directory, or a bundle's name")
    claims.add_argument("--csv", type=Path, metavar="FILE", help="write the table as a file instead of printing")
    claims.set_defaults(command=_claims)

    app = commands.add_parser("app", help="open the app in the browser")
    app.add_argument("--port", type=int, default=8501)
    app.add_argument(
        "--address", default="localhost", help="0.0.0.0 serves the whole network; the default, this computer only"
    )
    app.add_argument("--headless", action="store_true", help="do not open a browser")
    app.set_defaults(command=_app)

    look = commands.add_parser("look", help="what is in an image set, before it is measured")
    look.add_argument("source", help="a folder, archive, table or array, or a mapping such as '{builtin: letters}'")
    look.add_argument("--against", metavar="ID_SOURCE", help="the in-distribution set: what both hold, how they differ")
    look.add_argument("--sample", type=int, metavar="N", help="look at N images drawn by seed (default: all)")
    look.add_argument("--sheet", type=Path, metavar="PNG", help="write a contact sheet")
    look.add_argument("--json", action="store_true")
    look.set_defaults(command=_look)

    export = commands.add_parser("export", help="an exploration as one zip file")
    export.add_argument("run", help="a run directory, or a bundle's name")
    export.add_argument("file", type=Path, help="the zip to write")
    export.add_argument("--hide-places", action="store_true", help="leave out where its images and backbone lie")
    export.set_defaults(command=_export)

    take = commands.add_parser("import", help="take over an exploration from a zip that `export` or the app wrote")
    take.add_argument("file", type=Path)
    take.set_defaults(command=_import)

    slim = commands.add_parser("slim", help="remove ID-train's stored snapshots from an exploration; its tables stay")
    slim.add_argument("run", help="a run directory, or a bundle's name")
    slim.add_argument("--all", action="store_true", help="those of every set")
    slim.set_defaults(command=_slim)

    inspect = commands.add_parser("inspect", help="what a backbone is: input, reach, taps with region and depth")
    inspect.add_argument("path", help="a checkpoint file, a backbone folder or a hub id")
    inspect.add_argument("--family", help="name the family instead of recognising it")
    inspect.add_argument("--schedule", help="noise schedule by name, for weights that come without one")
    inspect.add_argument("--preset", help="name of a published configuration")
    inspect.add_argument("--vae", help="folder or hub id of the autoencoder, for a network in latent space")
    inspect.add_argument("--label", type=int, help="class that a class-conditional network is told")
    inspect.add_argument("--device")
    inspect.add_argument("--json", action="store_true", help="as JSON, with the measured time per forward")
    inspect.set_defaults(command=_inspect)

    fetch = commands.add_parser("fetch", help="get the public image sets of an exploration, so that pages show them")
    fetch.add_argument("run", help="name of a bundled exploration or a run directory")
    fetch.set_defaults(command=_fetch)

    convert = commands.add_parser("convert", help="an EDM .pkl snapshot to safetensors and a config, nothing executed")
    convert.add_argument("snapshot", type=Path, help="the .pkl file")
    convert.add_argument("folder", type=Path, help="where to write model.safetensors and config.json")
    convert.set_defaults(command=_convert)

    train = commands.add_parser("train", help="train a small reference backbone from a spec")
    train.add_argument("spec", type=Path)
    train.add_argument("--out", type=Path, required=True, help="folder for the weights")
    train.add_argument("--data", type=Path, help="the spec's images in another place")
    train.add_argument("--device")
    train.add_argument("--fresh", action="store_true", help="begin anew instead of going on")
    train.set_defaults(command=_train)
    return parser


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
    with _progress_bar() as report:
        jobs.work(out, fresh=options.fresh, device=options.device, report=report)
    print(f"Finished: {out}")


def _diagnose(options: argparse.Namespace) -> None:
    from cfs_explore import jobs
    from cfs_explore.locations import locate_run
    from cfs_explore.spec import RunSpec
    from cfs_explore.store import open_run

    path = locate_run(options.run)
    names = options.stages.split(",") if options.stages else RunSpec.parse(path / "spec.yaml").stages
    with _progress_bar() as report:
        jobs.work(path, stages=names, fresh=options.fresh, device=options.device, report=report)
    run = open_run(path)
    for name in names:
        if name in run.manifest.stages:
            entry = run.manifest.stages[name]
            print(f"{name}: {entry.state} ({entry.seconds:.1f} s){': ' * bool(entry.why)}{entry.why}")


def _protocol(options: argparse.Namespace) -> None:
    from cfs_explore import report
    from cfs_explore.locations import locate_run
    from cfs_explore.store import open_run

    run, *others = (open_run(locate_run(name)) for name in (options.run, *options.against))
    ood = run.entry("ood", options.ood).name
    parts = report.protocol_tables(run, ood, others)
    if options.csv is None:
        print(f"{run.name}, OOD set {ood}\n\n{report.as_text(parts)}")
    else:
        for path in report.write_csv(parts, options.csv):
            print(f"Saved: {path}")


def _claims(options: argparse.Namespace) -> None:
    from cfs_explore import claims
    from cfs_explore.locations import locate_run
    from cfs_explore.store import open_run

    run = open_run(locate_run(options.run))
    table = claims.claims_table(run)
    if options.csv is None:
        print(claims.as_text(table, run.name))
    else:
        table.to_csv(options.csv, index=False)
        print(f"Saved: {options.csv}")


@contextlib.contextmanager
def _progress_bar() -> Iterator[Callable]:
    """A function that shows ProgressEvents as a bar on a terminal, and nowhere else."""
    from tqdm import tqdm

    with tqdm(total=0, dynamic_ncols=True, disable=None) as bar:
        stage = ""

        def show(event) -> None:
            nonlocal stage
            if bar.disable:
                return
            if event.stage != stage:
                stage = event.stage
                bar.reset(total=event.total)
                bar.unit = f" {event.unit}"
            bar.set_description_str(f"{stage}: {event.detail}", refresh=False)
            bar.update(event.done - bar.n)

        yield show


def _app(options: argparse.Namespace) -> None:
    from cfs_explore.ui.server import serve

    serve(options.address, options.port, headless=options.headless)


def _inspect(options: argparse.Namespace) -> None:
    from cfs_explore.backbones import load_backbone
    from cfs_explore.inspect import describe_backbone

    choices = {key: getattr(options, key) for key in ("family", "schedule", "preset", "vae", "label")}
    backbone = load_backbone(options.path, device=options.device, **choices)
    facts = describe_backbone(backbone, measure_speed=options.json)
    if options.json:
        print(json.dumps(facts))
        return
    low, high = facts["reach"]
    shape, latent = (" x ".join(map(str, facts[key])) for key in ("image_shape", "input_shape"))
    print(f"{facts['name']}: family {facts['family']}, {facts['parameters']:,} parameters")
    print(f"images {shape}{'' if latent == shape else f', latents {latent}'} (channels x height x width)")
    print(f"schedule: {facts['schedule']}; reachable log-SNR {low:.2f} to {high:.2f}")
    print(f"fingerprint {facts['fingerprint']}")
    print("".join(f"note: {note}\n" for note in facts["notes"]))
    print(f"{'tap':40} {'region':8} {'kind':12} {'size':>5} {'channels':>8} {'work':>6}")
    for tap in facts["taps"]:
        print(
            f"{tap['name']:40} {tap['region']:8} {tap['kind']:12} {tap['resolution']:5d} {tap['channels']:8d} "
            f"{tap['depth']:6.1%}"
        )


def _look(options: argparse.Namespace) -> None:
    from cfs_explore import look

    sources = [None if text is None else look.parse_source(text) for text in (options.source, options.against)]
    with _progress_bar() as report:
        step = functools.partial(_report_images, report)
        found = look.look(*sources, sample=options.sample, progress=step)
    print(json.dumps(found, indent=1) if options.json else look.as_text(found))
    if options.sheet is not None:
        look.write_sheet(sources[0], options.sheet)
        print(f"Saved: {options.sheet}", file=sys.stderr)


def _report_images(report: Callable, done: int, total: int) -> None:
    from cfs_explore.pipeline import ProgressEvent

    report(ProgressEvent("looking", "", done, total, "images", None, None))


def _export(options: argparse.Namespace) -> None:
    from cfs_explore import bundles
    from cfs_explore.locations import locate_run

    bundles.export(locate_run(options.run), options.file, hide=options.hide_places)
    print(f"Saved: {options.file}")


def _import(options: argparse.Namespace) -> None:
    from cfs_explore import bundles

    print(f"Imported: {bundles.import_zip(options.file, trusted=True)}")


def _slim(options: argparse.Namespace) -> None:
    from cfs_explore.locations import locate_run
    from cfs_explore.store import drop_snapshots

    print(f"Freed: {drop_snapshots(locate_run(options.run), everything=options.all) / 1e6:.1f} MB")


def _fetch(options: argparse.Namespace) -> None:
    from cfs_explore.locations import locate_run
    from cfs_explore.pictures import fetch
    from cfs_explore.store import open_run

    fetch(open_run(locate_run(options.run)), print)


def _convert(options: argparse.Namespace) -> None:
    from cfs_explore.backbones.edm_snapshot import convert

    print(f"Saved: {convert(options.snapshot, options.folder)}")


def _train(options: argparse.Namespace) -> None:
    from cfs_explore.train import TrainSpec, train

    spec, places = TrainSpec.from_yaml(options.spec), {"device": options.device, "data": options.data}
    place = train(spec, options.out, fresh=options.fresh, **places)
    print(f"Saved: {place}")
