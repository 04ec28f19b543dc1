"""A run's spec from a published benchmark and the folder that its images lie in."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from cfs_explore.contracts import SET_GROUPS
from cfs_explore.errors import SpecError
from cfs_explore.spec.benchmarks import BENCHMARKS, Benchmark, Part
from cfs_explore.spec.run import RunSpec

LISTS = "benchmark_imglist"
_GET_OPENOOD = (
    "OpenOOD's scripts/download/download.py (github.com/Jingkang50/OpenOOD) fetches lists and images into this layout; "
    "those of ImageNet come from image-net.org"
)


def benchmark_spec(
    name: str,
    data: Path,
    backbone: str,
    *,
    groups: Collection[str] = ("near", "far"),
    limit: int | None = None,
    download: bool = False,
) -> RunSpec:
    """The spec of a benchmark.

    Args:
        name: a key of ``BENCHMARKS``.
        data: folder that holds ``benchmark_imglist`` and the images, as OpenOOD lays them out; of the paper's settings
            the root of torchvision's sets.
        backbone: file, folder or hub id of the network.
        groups: which OOD sets of OpenOOD, out of ``SET_GROUPS``.
        limit: of every set; None for all images.
        download: the paper's settings may fetch what is not there.

    Raises:
        SpecError: no such benchmark or group, or of OpenOOD a list or a folder of images is not there: all of them, and
            where to get them.
    """
    if name not in BENCHMARKS:
        raise SpecError(f"There is no preset {name!r}. Presets: {', '.join(BENCHMARKS)}.")
    benchmark, data = BENCHMARKS[name], data.expanduser().resolve()
    if unknown := [each for each in groups if each not in SET_GROUPS]:
        raise SpecError(f"There is no group {unknown[0]!r} of OOD sets; allowed are {', '.join(SET_GROUPS)}.")
    chosen = [part for part in benchmark.ood if part.group is None or part.group in groups]
    if not chosen:
        raise SpecError(f"{name} has no OOD set of {', '.join(groups) or 'no group'}; see `cfs-explore preset --list`.")
    if benchmark.kind == "openood":
        _require([benchmark.train, benchmark.test, *chosen], data)
    more = {} if limit is None else {"limit": limit}

    def image_set(part: Part) -> dict[str, Any]:
        cut = {} if part.centre_crop is None else {"centre_crop": part.centre_crop}
        return {"name": part.name, "source": _source(benchmark, part, data, download), **cut, **more}

    return RunSpec.parse(
        {
            "name": benchmark.title.replace(":", ""),
            "backbone": {"path": backbone},
            "id": {"train": image_set(benchmark.train), "test": image_set(benchmark.test)},
            "ood": [image_set(part) | _about(part) for part in chosen],
            **benchmark.spec,
        }
    )


def _about(part: Part) -> dict[str, str]:
    """What the benchmark says of an OOD set."""
    if part.group is None:
        return {}
    text = {"near": "Near OOD.", "far": "Far OOD.", "covariate": "ID classes, another look (covariate shift)."}
    return {"description": text[part.group], "set_group": part.group}


def _source(benchmark: Benchmark, part: Part, data: Path, download: bool) -> dict[str, Any]:
    if benchmark.kind == "torchvision":
        name, split = part.source.split()
        return {"torchvision": name, "split": split, "root": str(data), "download": download}
    folder, imglist = _places(part, data)
    return {"imglist": str(imglist), "root": str(folder)}


def _places(part: Part, data: Path) -> tuple[Path, Path]:
    """The folder of a set's images, and its list."""
    folder, _, imglist = part.source.partition("/")
    return data / folder, data / LISTS / imglist


def _require(parts: list[Part], data: Path) -> None:
    """Raise SpecError where lists are not there, or the folders that their first lines name."""
    missing = []
    for part in parts:
        folder, imglist = _places(part, data)
        images = folder / _first_folder(imglist)
        missing += [f"{part.name}: {place}" for place in (imglist, images) if not place.exists()][:1]
    if missing:
        raise SpecError(f"These are not there: {'; '.join(missing)}. {_GET_OPENOOD}.")


def _first_folder(imglist: Path) -> str:
    """The folder that the first line of a list starts with; "" of a list that is not there or has no line."""
    if not imglist.is_file():
        return ""
    with imglist.open(encoding="utf-8", errors="replace") as lines:
        first = next((line.split()[0] for line in lines if line.strip()), "")
    return first.split("/")[0] if "/" in first else ""


def listed(imglist: Path) -> int:
    """How many images a list has."""
    with imglist.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


def other_sizes(name: str, spec: RunSpec) -> list[str]:
    """A sentence for each list that does not have the published number of images; of OpenOOD."""
    benchmark = BENCHMARKS[name]
    if benchmark.kind != "openood":
        return []
    given = {each.name: each.source["imglist"] for each in [spec.id.test, *spec.ood]}
    sizes = [
        (part, listed(Path(given[part.name])))
        for part in (benchmark.test, *benchmark.ood)
        if part.name in given and part.images is not None
    ]
    return [
        f"{part.name}: {n:,} images in the list; the published one has {part.images:,}."
        for part, n in sizes
        if n != part.images
    ]
