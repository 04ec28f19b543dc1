"""`open_source`: one function for every kind of image set."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import SourceError
from .altered import AlteredSource
from .archive import ZipSource
from .arrays import ArraySource
from .builtin import is_whole, open_builtin
from .encoded import with_options
from .folder import FileSource, FolderSource
from .hub import open_hub
from .listed import open_files
from .listing import IMAGE_EXTENSIONS, printable, summarise
from .local_copies import local_copy
from .parquet_shards import ParquetShardsSource
from .parts import HALVES, CentreSource, half_of, sampled
from .path_tables import open_imglist, open_text_table
from .record import Source
from .reference import read_reference
from .tables import open_parquet
from .tar_shards import TarShardsSource
from .tarball import TAR_EXTENSIONS, TarSource
from .torchvision_sets import open_torchvision


def _open_array(path: Path, **options: Any) -> ArraySource:
    return ArraySource(path, declared=options.get("range"), key=options.get("key"), layout=options.get("layout"))


_FILES = ("range", "pages")
_FOLDER = (with_options(FolderSource), _FILES)
_TABLE = ("root", "column", "label_column", "group_column", *_FILES)
#: End of the file's name -> (how it is opened, the options that it takes).
_BY_EXTENSION: dict[str, tuple[Callable[..., Source], tuple[str, ...]]] = {
    ".zip": (with_options(ZipSource), _FILES),
    **dict.fromkeys(TAR_EXTENSIONS, (with_options(TarSource), _FILES)),
    ".parquet": (with_options(open_parquet), _TABLE),
    ".csv": (with_options(open_text_table), _TABLE),
    ".tsv": (with_options(open_text_table), _TABLE),
    ".npz": (_open_array, ("range", "key", "layout")),
    ".npy": (_open_array, ("range", "layout")),
    **dict.fromkeys(sorted(IMAGE_EXTENSIONS), (with_options(FileSource), _FILES)),
}
_IMAGES = f"image files ({' '.join(sorted(IMAGE_EXTENSIONS))})"
ACCEPTED = (
    "a folder of images; a .zip, .tar, .tar.gz, .tar.zst or .tar.bz2 of images; a .parquet with image bytes or paths; "
    f"a .csv or .tsv with paths; a .npz or .npy array; {_IMAGES}; or a mapping with one of builtin, path, files, "
    "imglist, hub, torchvision, tars, parquet, altered"
)


def open_source(
    path_or_spec: str | os.PathLike | Mapping,
    *,
    limit: int | None = None,
    seed: int = 0,
    half: str | None = None,
    half_seed: int = 0,
    centre_crop: int | None = None,
) -> Source:
    """Open an image set; its kind follows from the file's extension, or from the mapping.

    Args:
        path_or_spec: a path, or one of
            {'path': path, **options}: root, column, label_column and group_column of a table; range of the numbers in
            files and arrays; pages ('all') of files; layout of an array; key in a .npz;
            {'files': [paths], 'labels': [...], 'names': [...], 'groups': [...]}: several image files;
            {'imglist': path, 'root': folder}: an OpenOOD image list;
            {'tars': pattern}, {'parquet': pattern}, with column, label_column, group_column, range, pages: many files
            of a set, in a folder or by a name with {000..012} or *, here or on object storage (``shard_files``);
            {'hub': 'owner/name', 'split', 'column', 'label', 'group_column', 'config', 'range', 'pages'}: a data set of
            the Hugging Face hub, or a local data set folder;
            {'torchvision': name, 'split', 'root', 'download'}: see ``TORCHVISION_SETS``;
            {'altered': change, 'of': source, 'seed', 'severity'}: another set's images under one of ``TRANSFORMS``, or
            of ``CORRUPTIONS`` at a severity from 1 to 5;
            {'builtin': name, **parameters}: see ``BUILTIN_SETS``.
        limit: keep only that many images, drawn without replacement, in the source's order; None keeps all.
        seed: of that draw, >= 0.
        half: 'first' or 'second': only that half of every class; ``limit`` draws from it.
        half_seed: of that split, >= 0.
        centre_crop: side in pixels of the square that is cut out of the middle of every image; None keeps all of it.

    Returns:
        A source with at least one image.

    Raises:
        SourceError: missing, of an unknown kind, with an unknown option, damaged or without images.
    """
    if limit is not None and not is_whole(limit, 1):
        raise SourceError(f"limit = {limit!r}: allowed is a whole number from 1 on, or None for all images.")
    for name, value in (("seed", seed), ("half_seed", half_seed)):
        if not is_whole(value, 0):
            raise SourceError(f"{name} = {value!r}: allowed is a whole number from 0 on.")
    if half is not None and half not in HALVES:
        raise SourceError(f"half = {half!r}: allowed are {' and '.join(HALVES)}, or None for all images.")
    if centre_crop is not None and not is_whole(centre_crop, 1):
        raise SourceError(f"centre_crop = {centre_crop!r}: allowed is a whole number of pixels from 1 on, or None.")
    source = _open(path_or_spec)
    if not len(source):
        source.close()
        if not source.skipped:
            raise SourceError(f"no images in {source.location}: found no files; put image files into it.")
        raise SourceError(f"no images in {source.location}: {summarise(source.skipped)}. Put {_IMAGES} into it.")
    try:
        source = source if half is None else half_of(source, half, int(half_seed))
    except SourceError:
        source.close()
        raise
    source = source if limit is None or limit >= len(source) else sampled(source, int(limit), seed)
    return source if centre_crop is None else CentreSource(source, int(centre_crop))


def _open(given: object) -> Source:
    if isinstance(given, str | os.PathLike):
        return _open_path(given, {})
    if not isinstance(given, Mapping):
        raise SourceError(f"{given!r:.80} names no image set. Accepted: {ACCEPTED}.")
    reference = read_reference(given)
    if reference.kind == "path":
        return _open_path(reference.value, reference.options)
    if reference.kind == "imglist":
        return with_options(open_imglist)(_existing(reference.value), **_expanded(reference.options))
    if reference.kind == "builtin":
        return open_builtin({"builtin": reference.value, **reference.options})
    if reference.kind == "altered":
        return _open_altered(reference.value, **reference.options)
    copy = local_copy(reference)
    if copy is not None:
        return _open_path(copy, _copy_options(copy, reference.options))
    opens = {
        "files": with_options(open_files),
        "tars": with_options(TarShardsSource),
        "parquet": with_options(ParquetShardsSource),
        "hub": with_options(open_hub),
        "torchvision": open_torchvision,
    }
    return opens[reference.kind](reference.value, **reference.options)


def _copy_options(copy: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a set that is known by name, as its copy here takes them."""
    names = {"range": "range", "pages": "pages", "group_column": "group_column"}
    if copy.suffix.lower() in (".parquet", ".csv", ".tsv"):  # others have neither columns of images nor of labels
        names |= {"column": "column", "label": "label_column"}
    return {names[key]: value for key, value in options.items() if key in names}


def _open_altered(change: str, of: Any = None, seed: int = 0, severity: int | None = None) -> Source:
    if of is None:
        raise SourceError("altered: give `of`, the images that are changed.")
    source = _open(of)
    try:
        return AlteredSource(source, change, seed, severity)
    except SourceError:
        source.close()
        raise


def _open_path(given: str | os.PathLike, options: dict[str, Any]) -> Source:
    path = _existing(given)
    name = path.name.lower()
    endings = sorted((ending for ending in _BY_EXTENSION if name.endswith(ending)), key=len)
    opens, known = _FOLDER if path.is_dir() else _BY_EXTENSION.get(endings[-1] if endings else "", (None, ()))
    if opens is None:
        raise SourceError(
            f"{printable(str(path))} has an unknown kind ({path.suffix.lower() or 'no extension'}). "
            f"Accepted: {ACCEPTED}."
        )
    if not path.is_dir() and not path.is_file():
        raise SourceError(f"{printable(str(path))} is neither a folder nor a regular file. Accepted: {ACCEPTED}.")
    for option in options:
        if option not in known:
            what = "a folder" if path.is_dir() else f"a {endings[-1]} file"
            raise SourceError(
                f"{printable(str(path))}: the option {option!r} does not apply to {what}, which takes "
                f"{', '.join(known) or 'none'}."
            )
    return opens(path, **_expanded(options))


def _existing(given: str | os.PathLike) -> Path:
    if not os.fspath(given):
        raise SourceError(f"no path given. Accepted: {ACCEPTED}.")
    path = Path(os.path.expanduser(given))
    if not os.path.exists(path):
        raise SourceError(f"{printable(str(path))} does not exist. Accepted: {ACCEPTED}.")
    return path


def _expanded(options: dict[str, Any]) -> dict[str, Any]:
    """The options, with a ``root`` that is there.

    Raises:
        SourceError: it is not a folder.
    """
    if "root" not in options:
        return options
    root = Path(os.path.expanduser(options["root"]))
    if not root.is_dir():
        raise SourceError(f"root = {printable(str(root))} is not a folder. Give the folder that the images lie in.")
    return options | {"root": str(root)}
