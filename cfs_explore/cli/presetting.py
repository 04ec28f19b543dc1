"""The command that writes a spec from a published benchmark: preset."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cfs_explore.cli.outputs import Output
from cfs_explore.errors import SpecError


def add(commands) -> None:
    """Add the command to the parser's."""
    preset = commands.add_parser("preset", help="write a spec from a published benchmark: OpenOOD v1.5's, the paper's")
    preset.add_argument("name", nargs="?", help="of the benchmark, as --list names it")
    preset.add_argument("--list", action="store_true", help="the benchmarks and their sets")
    preset.add_argument(
        "--data", type=Path, help="OpenOOD's data folder (benchmark_imglist beside its images), or torchvision's root"
    )
    preset.add_argument("--backbone", help="a checkpoint file, a backbone folder or a hub id")
    preset.add_argument("--out", type=Path, help="the spec to write (default: print it)")
    preset.add_argument(
        "--groups", default="near,far", help="of OpenOOD's OOD sets, comma-separated: near, far, covariate"
    )
    preset.add_argument("--limit", type=int, metavar="N", help="at most N images of every set (default: all)")
    preset.add_argument("--fetch", action="store_true", help="the paper's sets may be fetched where they are not there")
    preset.set_defaults(command=_preset, writes=lambda options: options.out and Output(options.out))


def _preset(options: argparse.Namespace) -> None:
    from cfs_explore.spec.benchmark_spec import benchmark_spec, other_sizes

    if options.list:
        _tell()
        return
    missing = [f"--{name}" for name in ("data", "backbone") if getattr(options, name) is None]
    if options.name is None or missing:
        lacks = ["the name of a benchmark (--list names them)"] * (options.name is None) + missing
        raise SpecError(f"Give {', '.join(lacks)}.")
    if options.out is not None and options.out.exists():
        raise SpecError(f"{options.out} is there already. Give another --out, or remove it.")
    groups = [name.strip() for name in options.groups.split(",") if name.strip()]
    spec = benchmark_spec(
        options.name,
        options.data,
        options.backbone,
        groups=groups,
        limit=options.limit,
        download=options.fetch,
    )
    if not options.fetch:
        _require_sets(spec)
    for sentence in other_sizes(options.name, spec):
        print(f"note: {sentence}", file=sys.stderr)
    if options.out is None:
        print(spec.to_yaml(), end="")
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(spec.to_yaml(), encoding="utf-8")
    print(f"Saved: {options.out}")


def _require_sets(spec) -> None:
    """Raise SpecError where sets of torchvision are not in their folder."""
    from cfs_explore.explorations.pictures import is_here

    sets = [each for each in (spec.id.train, spec.id.test, *spec.ood) if "torchvision" in each.source]
    missing = [each.source for each in sets if not is_here(each.source)]
    if missing:
        names = ", ".join(f"{source['torchvision']} ({source['split']})" for source in missing)
        raise SpecError(
            f"{missing[0]['root']} does not hold torchvision's {names}. Give the folder that does, or --fetch, and the "
            "run gets them."
        )


def _tell() -> None:
    """Print the benchmarks with their sets."""
    from cfs_explore.spec.benchmarks import BENCHMARKS

    for name, benchmark in BENCHMARKS.items():
        print(f"{name}: {benchmark.title}\n  ID: {benchmark.test.name}")
        for group in dict.fromkeys(part.group for part in benchmark.ood):
            of = ", ".join(part.name for part in benchmark.ood if part.group == group)
            print(f"  {group or 'OOD'}: {of}")
