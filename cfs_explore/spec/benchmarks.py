"""Published benchmarks: which sets are in-distribution, near, far and covariate-shifted, and where each one lies.

Of OpenOOD v1.5 (Zhang et al. 2023, arXiv 2306.09301) by the image lists that its ``DATA_INFO`` and ``configs/datasets``
name; of the paper (arXiv 2605.11014) by its own configurations, which name sets of torchvision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["near", "far", "covariate"]


@dataclass(frozen=True)
class Part:
    """One set of a benchmark.

    Attributes:
        name: what figures call it.
        source: of OpenOOD: "FOLDER/LIST", the folder of images below the data and the list below
            ``benchmark_imglist``; of the paper: a name of torchvision's and its split, "CIFAR10 test".
        group: how it differs from ID; None where the benchmark does not say, and for ID itself.
        images: in the published list; None where that is not written down here.
        centre_crop: as of the spec's image sets.
    """

    name: str
    source: str
    group: Group | None = None
    images: int | None = None
    centre_crop: int | None = None


@dataclass(frozen=True)
class Benchmark:
    """Sets that are judged together.

    Attributes:
        title: what people call it.
        kind: "openood" or "torchvision": what the sources are.
        train, test: in-distribution.
        ood: out-of-distribution, in the published order.
        spec: further fields of the run.
    """

    title: str
    kind: Literal["openood", "torchvision"]
    train: Part
    test: Part
    ood: tuple[Part, ...]
    spec: dict


def _openood(name: str, folder: str, title: str, short: str, images: int | None, *ood: Part) -> Benchmark:
    """A benchmark of OpenOOD, which brings every image to the network's size by its centre, bilinear."""
    train, test = (
        Part(f"{short}{ending}", f"{folder}/{name}/{split}_{name}.txt", images=n)
        for split, ending, n in (("train", " (train)", None), ("test", "", images))
    )
    return Benchmark(f"OpenOOD v1.5: {title}", "openood", train, test, ood, {"filter": "bilinear"})


def _classic(name: str, other: Part) -> tuple[Part, ...]:
    """What CIFAR-10 and CIFAR-100 are judged against; beside the other of the two."""
    path = f"images_classic/{name}/test_"
    return (
        other,
        Part("Tiny ImageNet", f"{path}tin.txt", "near"),
        Part("MNIST", f"{path}mnist.txt", "far"),
        Part("SVHN", f"{path}svhn.txt", "far"),
        Part("Textures", f"{path}texture.txt", "far"),
        Part("Places365", f"{path}places365.txt", "far"),
    )


def _large(name: str, covariate: dict[str, str]) -> tuple[Part, ...]:
    """What ImageNet and its part of 200 classes are judged against."""
    path = f"images_largescale/{name}/test_"
    return (
        Part("SSB-hard", f"{path}ssb_hard.txt", "near", 49_000),
        Part("NINCO", f"{path}ninco.txt", "near", 5_879),
        Part("iNaturalist", f"{path}inaturalist.txt", "far", 10_000),
        Part("Textures", f"images_classic/{name}/test_textures.txt", "far", 5_160),
        Part("OpenImage-O", f"{path}openimage_o.txt", "far", 15_869),
        *(Part(title, f"{path}{file}.txt", "covariate") for title, file in covariate.items()),
    )


def _paper(title: str, own: str, *others: str) -> Benchmark:
    """A setting of the paper: images squashed to 32 x 32, bilinear; CelebA by the 140 pixels in its middle."""
    train, test = _torchvision(own, "train"), _torchvision(own, "test")
    ood = tuple(_torchvision(name, "test") for name in others)
    fields = {"filter": "bilinear", "resize": "squash", "levels": [9, 7, 5, 3, 1, -1, -3, -5], "keep": "sparse_ed_id"}
    return Benchmark(f"The paper: {title}", "torchvision", train, test, ood, fields)


_NAMES = {"CIFAR10": "CIFAR-10", "CIFAR100": "CIFAR-100", "DTD": "Textures"}


def _torchvision(name: str, split: str) -> Part:
    title = _NAMES.get(name, name) + (" (train)" if split == "train" else "")
    return Part(title, f"{name} {split}", centre_crop=140 if name == "CelebA" else None)


_CIFAR10 = Part("CIFAR-10", "images_classic/cifar100/test_cifar10.txt", "near", 9_000)
_CIFAR100 = Part("CIFAR-100", "images_classic/cifar10/test_cifar100.txt", "near", 9_000)
#: Name of the preset -> benchmark.
BENCHMARKS: dict[str, Benchmark] = {
    "openood-cifar10": _openood(
        *("cifar10", "images_classic", "CIFAR-10", "CIFAR-10", 9_000),
        *_classic("cifar10", _CIFAR100),
        Part("CIFAR-10-C", "images_classic/cifar10/test_cifar10c.txt", "covariate"),
    ),
    "openood-cifar100": _openood(
        *("cifar100", "images_classic", "CIFAR-100", "CIFAR-100", 9_000), *_classic("cifar100", _CIFAR10)
    ),
    "openood-imagenet200": _openood(
        *("imagenet200", "images_largescale", "ImageNet-200", "ImageNet-200", None),
        *_large(
            "imagenet200",
            {
                "ImageNet-V2": "imagenet200_v2",
                "ImageNet-C": "imagenet200_c",
                "ImageNet-R": "imagenet200_r",
            },
        ),
    ),
    "openood-imagenet": _openood(
        *("imagenet", "images_largescale", "ImageNet-1k", "ImageNet-1k", None),
        *_large(
            "imagenet",
            {
                "ImageNet-V2": "imagenet_v2",
                "ImageNet-C": "imagenet_c",
                "ImageNet-R": "imagenet_r",
                "ImageNet-ES": "imagenet_es",
            },
        ),
    ),
    "paper-cifar10": _paper("CIFAR-10", "CIFAR10", "SVHN", "CelebA", "CIFAR100", "DTD"),
    "paper-svhn": _paper("SVHN", "SVHN", "CIFAR10", "CIFAR100", "CelebA", "DTD"),
    "paper-celeba": _paper("CelebA", "CelebA", "CIFAR10", "SVHN", "CIFAR100", "DTD"),
}
