"""Commands that look at images and backbones before they are measured: survey, inspect, fetch, convert."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from cfs_explore.cli.outputs import Output
from cfs_explore.cli.progress import progress_bar
from cfs_explore.errors import FetchError


def add(commands) -> None:
    """Add the commands to the parser's."""
    survey = commands.add_parser("survey", aliases=["look"], help="what is in an image set, before it is measured")
    survey.add_argument("source", help="a folder, archive, table or array, or a mapping such as '{builtin: letters}'")
    survey.add_argument(
        "--against", metavar="ID_SOURCE", help="the ID set to compare with: shared images, and how the two differ"
    )
    survey.add_argument("--sample", type=int, metavar="N", help="survey a random sample of N images (default: all)")
    survey.add_argument("--sheet", type=Path, metavar="PNG", help="write a contact sheet")
    survey.add_argument("--json", action="store_true", help="print as JSON")
    survey.set_defaults(command=_survey, writes=lambda options: options.sheet and Output(options.sheet))

    inspect = commands.add_parser("inspect", help="what a backbone is: input, reach, taps with region and depth")
    inspect.add_argument("path", help="a checkpoint file, a backbone folder or a hub id")
    inspect.add_argument("--family", help="family of the checkpoint (default: recognised from the files)")
    inspect.add_argument("--schedule", help="name of the noise schedule, where the files do not say it")
    inspect.add_argument("--preset", help="name of a published configuration, for what the weights do not say")
    inspect.add_argument("--vae", help="folder or hub id of the autoencoder, for a network in latent space")
    inspect.add_argument("--label", type=int, help="class on which a class-conditional network is conditioned")
    inspect.add_argument("--weights", help="which weights of a training checkpoint: an entry, a variant or a folder")
    inspect.add_argument("--device", help="torch device, such as cpu or cuda")
    inspect.add_argument("--json", action="store_true", help="as JSON, with the measured time per forward")
    inspect.set_defaults(command=_inspect)

    fetch = commands.add_parser(
        "fetch", help="download the public image sets of an exploration that came without its images"
    )
    fetch.add_argument("run", help="name of a bundled exploration or a run directory")
    fetch.set_defaults(command=_fetch)

    convert = commands.add_parser(
        "convert", help="convert an EDM .pkl snapshot to safetensors and a config, without executing anything in it"
    )
    convert.add_argument("snapshot", type=Path, help="the .pkl file")
    convert.add_argument("folder", type=Path, help="where to write model.safetensors and config.json")
    convert.set_defaults(command=_convert, writes=lambda options: Output(options.folder, is_folder=True))


def _survey(options: argparse.Namespace) -> None:
    from cfs_explore.reports import image_set

    sources = [None if text is None else image_set.parse_source(text) for text in (options.source, options.against)]
    with progress_bar() as report:

        def step(done: int, total: int) -> None:
            from cfs_explore.pipeline import ProgressEvent

            report(ProgressEvent("looking", "", done, total, "images", None, None))

        found = image_set.facts(*sources, sample=options.sample, progress=step)
    print(json.dumps(found, indent=1) if options.json else image_set.as_text(found))
    if options.sheet is not None:
        image_set.write_sheet(sources[0], options.sheet)
        print(f"Saved: {options.sheet}", file=sys.stderr)


def _inspect(options: argparse.Namespace) -> None:
    from cfs_explore.backbones import load_backbone
    from cfs_explore.readings.inspect import describe_backbone

    choices = {key: getattr(options, key) for key in ("family", "schedule", "preset", "vae", "label", "weights")}
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


def _fetch(options: argparse.Namespace) -> None:
    from cfs_explore.explorations.pictures import fetch
    from cfs_explore.locations import locate_run
    from cfs_explore.store import open_run

    left = fetch(open_run(locate_run(options.run)), print)
    if left:
        raise FetchError(f"Not fetched: {', '.join(left)}; the lines above say why. The same command tries again.")


def _convert(options: argparse.Namespace) -> None:
    from cfs_explore.backbones.edm_snapshot import convert

    print(f"Saved: {convert(options.snapshot, options.folder)}")
