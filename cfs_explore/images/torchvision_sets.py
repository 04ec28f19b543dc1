"""Image classification sets by torchvision's names, through that optional library."""

from __future__ import annotations

import difflib
import os
import urllib.error
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from ..errors import ImageError, SourceError
from ..safe_io import fetching
from .decode import decode
from .folder import read_file
from .hub import INSTALL
from .listed import OUTSIDE, Root, class_name
from .listing import numbered, printable
from .local_copies import data_folder
from .record import Record, Source

_DAMAGE = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AssertionError,
    AttributeError,
    EOFError,
    OverflowError,
    NotImplementedError,
    ImportError,
    MemoryError,
)


@dataclass(frozen=True)
class TorchvisionSet:
    """How torchvision's class of a set is called.

    Attributes:
        splits: split -> the arguments that choose it.
        megabytes: about what fetching all splits takes on the disk, packed and unpacked.
        files: where the class keeps its image files: '' for sets of arrays, an attribute of paths (with ``_labels``
            beside it, or ``people``), or one of (path, label) pairs.
        folder: below the root, where those paths start; '' where they are absolute.
        people: attribute of the numbers of the people shown, who are the images' groups; such a set has no classes.
    """

    splits: Mapping[str, Mapping[str, object]]
    megabytes: int
    files: str = ""
    folder: str = ""
    people: str = ""


def _by_flag(megabytes: int) -> TorchvisionSet:
    return TorchvisionSet({"train": {"train": True}, "test": {"train": False}}, megabytes)


def _by_name(megabytes: int, *names: str, files: str = "", **renamed: str) -> TorchvisionSet:
    """Splits by torchvision's names; ``renamed`` has those that it calls otherwise."""
    splits = {name: {"split": name} for name in names} | {k: {"split": v} for k, v in renamed.items()}
    return TorchvisionSet(splits, megabytes, files)


#: Name -> set. Others of torchvision are not open: they are no classification sets, or read pickles of unknown origin.
TORCHVISION_SETS: dict[str, TorchvisionSet] = {
    "CIFAR10": _by_flag(360),
    "CIFAR100": _by_flag(360),
    "SVHN": _by_name(1_600, "train", "test", "extra"),
    "MNIST": _by_flag(70),
    "FashionMNIST": _by_flag(90),
    "KMNIST": _by_flag(80),
    "USPS": _by_flag(10),
    "STL10": _by_name(5_800, "train", "test", "unlabeled"),
    "DTD": _by_name(1_300, "train", "val", "test", files="_image_files"),
    "Food101": _by_name(10_500, "train", "test", files="_image_files"),
    "Flowers102": _by_name(700, "train", "val", "test", files="_image_files"),
    "FGVCAircraft": _by_name(5_600, "train", "val", "test", files="_image_files"),
    "OxfordIIITPet": _by_name(1_700, "test", train="trainval", files="_images"),
    "GTSRB": _by_name(1_000, "train", "test", files="_samples"),
    "Country211": _by_name(22_500, "train", "test", val="valid", files="samples"),
    "Imagenette": _by_name(3_200, "train", "val", files="_samples"),
    "EuroSAT": TorchvisionSet({"all": {}}, 200, "samples"),
    "SUN397": TorchvisionSet({"all": {}}, 78_000, "_image_files"),
    "Places365": TorchvisionSet(
        {"train": {"split": "train-standard", "small": True}, "val": {"split": "val", "small": True}}, 52_000, "imgs"
    ),
    "CelebA": TorchvisionSet(
        {name: {"split": "valid" if name == "val" else name} for name in ("train", "val", "test", "all")},
        2_900,
        "filename",
        folder="celeba/img_align_celeba",
        people="identity",
    ),
}


def open_torchvision(
    torchvision: str, split: str | None = None, root: str | None = None, download: bool | None = None
) -> Source:
    """A set by its name, fetched once.

    Args:
        torchvision: a key of ``TORCHVISION_SETS``.
        split: one of the set's; test when None, or the only one.
        root: folder that holds the set, as torchvision lays it out; when None, ``torchvision`` in the folder that the
            environment variable CFS_EXPLORE_DATA names, else in ~/.cache/cfs-explore.
        download: fetch what is not there; when None, only where ``root`` is None.

    Raises:
        SourceError: unknown set or split, the library is missing, the set is not there, damaged, or out of reach.
    """
    chosen = TORCHVISION_SETS.get(torchvision)
    if chosen is None:
        close = difflib.get_close_matches(torchvision.upper(), [name.upper() for name in TORCHVISION_SETS], 1)
        hint = f" Did you mean {next(n for n in TORCHVISION_SETS if n.upper() == close[0])!r}?" if close else ""
        raise SourceError(f"no torchvision set {torchvision!r}; allowed are {', '.join(TORCHVISION_SETS)}.{hint}")
    split = split or next(name for name in ("test", "val", "all") if name in chosen.splits)
    if split not in chosen.splits:
        raise SourceError(f"{torchvision} has no split {split!r}; allowed are {', '.join(chosen.splits)}.")
    folder = Path(os.path.expanduser(root)) if root else data_folder() / "torchvision"
    download = root is None if download is None else download
    if download and fetching.is_restricted():
        data, folder = _load_for_visitors(torchvision, split, folder)
    else:
        data = _load(torchvision, split, folder, download)
    where = f"{torchvision} {split} of torchvision"
    if not chosen.files:
        return _ArraySet(where, data)
    try:
        return _FileSet(where, data, chosen, Root(folder))
    except _DAMAGE as error:
        raise SourceError(f"{where} is laid out otherwise in this version of torchvision ({error}).") from error


def _load_for_visitors(name: str, split: str, folder: Path) -> tuple[Any, Path]:
    """The set as it lies in ``folder``, else fetched, if the administrator allows it; and where it lies.

    Raises:
        FetchError: it is not here, and may not be fetched or is too large.
        SourceError: it cannot be opened.
    """
    try:
        return _load(name, split, folder, download=False), folder
    except SourceError:
        fetching.check_name("torchvision")
    home = fetching.kept_in("torchvision")
    try:
        return _load(name, split, home, download=False), home
    except SourceError:
        fetching.check_size(TORCHVISION_SETS[name].megabytes * 10**6, f"torchvision's {name}")
    return _load(name, split, home, download=True), home


def _load(name: str, split: str, folder: Path, download: bool) -> Any:
    """torchvision's data set; two processes do not download it at once."""
    try:
        from torchvision import datasets
    except ImportError as error:
        raise SourceError(f"torchvision's sets need the library `torchvision`: {INSTALL}") from error
    try:
        if download:
            folder.mkdir(parents=True, exist_ok=True)
        lock, patience = (FileLock(folder / f".{name}.lock"), fetching.patience()) if download else (nullcontext(),) * 2
        with fetching.quiet(), lock, patience:
            return getattr(datasets, name)(str(folder), download=download, **TORCHVISION_SETS[name].splits[split])
    except _DAMAGE as error:
        reason = _reason(error)
        remedy = "connect this computer" if download else "say {'torchvision': ..., 'download': true} to fetch it"
        raise SourceError(
            f"{name} {split} is not (whole) in {printable(str(folder))} and could not be opened: {reason}. Put the "
            f"files there as torchvision lays them out, or {remedy}."
        ) from error


def _reason(error: BaseException) -> str:
    """Why a set cannot be fetched: network errors in plain words, others as torchvision reports them."""
    text = printable(" ".join(str(error).split())) or type(error).__name__
    if isinstance(error, urllib.error.URLError | TimeoutError | ConnectionError) or "urlopen error" in text:
        return f"it could not be fetched, since {printable(fetching.plain_reason(error))}"
    return text


def _classes(data: Any) -> Sequence:
    return getattr(data, "classes", None) or []


class _ArraySet(Source):
    """A set that torchvision holds as an array."""

    kind = "torchvision"

    def __init__(self, location: str, data: Any) -> None:
        super().__init__(location)
        self._data = data
        self.names = numbered(len(data))

    def _read(self, index: int) -> Record:
        name = self.names[index]
        try:
            image, label = self._data[index]
        except _DAMAGE as error:
            raise ImageError(f"{name}: cannot be read ({error}).") from error
        pixels = np.array(image)
        pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
        label = class_name(label, _classes(self._data))
        return Record.of(pixels, name=name, label=label, format="array", mode=image.mode)

    def close(self) -> None:
        self._data = ()


class _FileSet(Source):
    """A set of image files, decoded here, so that their codec and mode are known; sorted as torchvision sorts it."""

    kind = "torchvision"

    def __init__(self, location: str, data: Any, chosen: TorchvisionSet, root: Root) -> None:
        super().__init__(location)
        listed = list(getattr(data, chosen.files))
        people = np.asarray(getattr(data, chosen.people)).ravel().tolist() if chosen.people else []
        self._groups = [f"{type(data).__name__} person {number}" for number in people]
        labels = [""] * len(people) if chosen.people else getattr(data, "_labels", None)
        pairs = listed if listed and isinstance(listed[0], tuple) else list(zip(listed, labels, strict=True))
        self._root = root
        below = os.path.join(root.path, chosen.folder) if chosen.folder else ""
        self._paths = [os.path.join(below, path) for path, _ in pairs]
        self._labels = [class_name(label, _classes(data)) for _, label in pairs]
        files = (printable(os.path.basename(path)) for path in self._paths)
        self.names = [f"{number}/{file}" for number, file in zip(numbered(len(pairs)), files, strict=True)]

    def labels(self) -> list[str]:
        return self._labels

    def _read(self, index: int) -> Record:
        name = self.names[index]
        path = self._root.check(self._paths[index])
        if path is None:
            raise ImageError(f"{name}: {OUTSIDE} of the data set.")
        record = decode(read_file(Path(path), name), name, self._labels[index])
        return replace(record, group=self._groups[index]) if self._groups else record
