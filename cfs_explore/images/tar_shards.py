"""Images in many plain tar archives in WebDataset's layout: the members of an image share its key."""

from __future__ import annotations

import json
import os
import tarfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from ..errors import ImageError, SourceError
from ..safe_io import remote
from ..safe_io.bounded_reads import BoundedReads
from . import unpacking
from .encoded import EncodedSource
from .listed import MAX_LISTED, label_text
from .listing import IMAGE_EXTENSIONS, distinct, is_hidden, is_unsafe, label_of, printable, tidy
from .path_tables import GROUP_COLUMNS, LABEL_COLUMNS
from .shard_files import find_files, open_file, stems
from .tarball import TAR_DAMAGE, tar_members

#: Bytes of a member that tells a label.
MAX_FACTS_BYTES = 2**16
MAX_HEADER_BYTES = 2**17
#: Between a key and its kind.
_FACTS = ("cls", "json")


@dataclass
class _Sample:
    """The members of one key: (kind, offset, size) of images, and what its label and group are told by."""

    pictures: list[tuple[str, int, int]] = field(default_factory=list)
    facts: dict[str, tuple[int, int]] = field(default_factory=dict)
    obstacle: str = ""


class TarShardsSource(EncodedSource):
    """The images of tar shards; a few bytes of each are in memory, its file is read at its offset.

    The label of an image is its ``cls`` member, else the field of its ``json`` member that ``label_column`` names (or
    the first of ``LABEL_COLUMNS``), else the folder in its key.

    Args:
        pattern: as of ``shard_files.find_files``.
        column: kind of member that is the image, such as jpg, where a key has several.
        label_column, group_column: fields of the ``json`` members.

    Raises:
        SourceError: no tar, damaged, packed, more than 200,000 members in one, or a field that is not there; naming
            the file and the field. FetchError: remote, for visitors.
    """

    kind = "tars"

    def __init__(
        self,
        pattern: str,
        column: str | None = None,
        label_column: str | None = None,
        group_column: str | None = None,
    ) -> None:
        super().__init__(str(pattern))
        self._files = find_files(str(pattern), ".tar", "tars")
        self._column = None if column is None else column.lower()  # as kinds are
        self._label, self._group = label_column, group_column
        self._of, self._offsets, self._sizes = array("i"), array("q"), array("q")
        self._labels, self.groups = [], []
        self._open: tuple[int, BinaryIO] | None = None
        self._common: dict[str, str] = {}
        for number, (name, called) in enumerate(zip(self._files, stems(self._files), strict=True)):
            self._list(number, name, called)
            if len(self.names) > MAX_LISTED:
                raise SourceError(f"{self.location} holds more than {MAX_LISTED:,} images. Split it.")
        self.skipped.sort()

    def labels(self) -> list[str]:
        return self._labels

    def encoded(self, index: int) -> tuple[bytes, str]:
        name, size = self._files[self._of[index]], self._sizes[index]
        try:
            data = self._bytes(self._of[index], self._offsets[index], size)
        except (OSError, ValueError) as error:
            raise ImageError(f"{self.names[index]}: cannot be read from {printable(name)} ({error}).") from error
        if len(data) < size:
            raise ImageError(f"{self.names[index]}: {printable(name)} ends after {len(data)} of its bytes.")
        return data, self._labels[index]

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _bytes(self, number: int, offset: int, size: int) -> bytes:
        name = self._files[number]
        if remote.is_remote(name):
            return remote.read_range(name, offset, size)
        if self._open is None or self._open[0] != number:
            self.close()
            self._open = (number, open_file(name))
        file = self._open[1]
        file.seek(offset)
        return file.read(size)

    def _list(self, number: int, name: str, called: str) -> None:
        """Take the images of one shard, in the order of their names."""
        where = printable(name)
        try:
            with open_file(name) as file:
                found = sorted(self._samples(file, where))
        except TAR_DAMAGE as error:
            raise SourceError(
                f"{where} is not a readable plain tar archive ({printable(str(error)) or type(error).__name__}). "
                "Shards are not packed by gzip or the like; pack it again."
            ) from error
        for given, (member, offset, size, label, group) in zip(
            distinct(printable(f"{called}/{member}") for member, *_ in found), found, strict=True
        ):
            self.names.append(given)
            self._of.append(number)
            self._offsets.append(offset)
            self._sizes.append(size)
            label = label_of(member) if label is None else label
            self._labels.append(self._common.setdefault(label, label))
            self.groups.append(self._common.setdefault(group, group))

    def _samples(self, file: BinaryIO, where: str) -> Iterator[tuple[str, int, int, str | None, str]]:
        """(member, offset, size, label, group) of each image of a shard."""
        samples: dict[str, _Sample] = {}
        with tarfile.TarFile(fileobj=BoundedReads(file, MAX_HEADER_BYTES), errors="surrogateescape") as tar:
            for count, (given, (offset, size), obstacle) in enumerate(tar_members(tar, file), start=1):
                if count > unpacking.MAX_MEMBERS:
                    raise SourceError(f"{where} holds more than {unpacking.MAX_MEMBERS:,} members. Split it.")
                name = tidy(given)
                unsafe = is_unsafe(name)
                if name.endswith("/") or (is_hidden(name) and not unsafe):
                    continue
                key, kind = _parted(name)
                sample = samples.setdefault(key, _Sample())
                if unsafe or obstacle:
                    sample.obstacle = "unsafe path" if unsafe else str(obstacle)
                elif kind in _FACTS:
                    sample.facts[kind] = offset, size
                elif kind == self._column or (
                    self._column is None and f".{kind.rpartition('.')[2]}" in IMAGE_EXTENSIONS
                ):
                    sample.pictures.append((kind, offset, size))
        for key, sample in samples.items():
            chosen = [each for each in sample.pictures if "." not in each[0]] or sample.pictures
            if len(chosen) != 1 or sample.obstacle:
                self.skipped.append((printable(f"{where}/{key}"), sample.obstacle or self._why_not(chosen)))
                continue
            [(kind, offset, size)] = chosen
            yield f"{key}.{kind}", offset, size, *self._facts(file, sample, f"{where}: {printable(key)}")

    def _why_not(self, chosen: list) -> str:
        if chosen:
            return f"several images ({', '.join(sorted(printable(kind) for kind, *_ in chosen))}); `column` chooses one"
        return f"no member .{self._column}" if self._column else "no image among its members"

    def _facts(self, file: BinaryIO, sample: _Sample, where: str) -> tuple[str | None, str]:
        """Label, None where nothing tells it, and group of an image."""
        fields = (
            _fields(_read(file, *sample.facts["json"], f"{where}.json"), f"{where}.json")
            if "json" in sample.facts
            else {}
        )
        told = _named(fields, self._label, LABEL_COLUMNS, f"{where}.json", "label_column", "json" in sample.facts)
        group = _named(fields, self._group, GROUP_COLUMNS, f"{where}.json", "group_column", "json" in sample.facts)
        if "cls" in sample.facts and self._label is None:
            try:
                told = _read(file, *sample.facts["cls"], f"{where}.cls").decode("utf-8").strip()
            except UnicodeDecodeError as error:
                raise SourceError(f"{where}.cls is no text, where the label is expected.") from error
        return None if told is None else printable(label_text(told)), printable(label_text(group))


def _parted(name: str) -> tuple[str, str]:
    """Key and kind of a member: its name before and after the first dot behind its folders."""
    folder, last = os.path.split(name)
    first, _, kind = last.partition(".")
    return os.path.join(folder, first), kind.lower()


def _read(file: BinaryIO, offset: int, size: int, where: str) -> bytes:
    if size > MAX_FACTS_BYTES:
        raise SourceError(f"{where} has {size:,} bytes; allowed are {MAX_FACTS_BYTES:,}.")
    file.seek(offset)
    return file.read(size)


def _fields(data: bytes, where: str) -> dict:
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{where} is not readable JSON ({error}).") from error
    if not isinstance(fields, dict):
        raise SourceError(f"{where} is no JSON object with fields.")
    return fields


def _named(fields: dict, wanted: str | None, usual: tuple[str, ...], where: str, option: str, there: bool) -> object:
    """The field that an option names, else the first of the usual ones; None where there is none of these."""
    if wanted is None:
        return next((fields[name] for name in usual if isinstance(fields.get(name), str | int)), None)
    if wanted not in fields:
        known = ", ".join(printable(str(name)) for name in list(fields)[:20]) or "none"
        missing = f"has no field {printable(wanted)!r}" if there else "is missing, with the field"
        raise SourceError(f"{where} {missing} that `{option}` names. Its fields are {known}.")
    return fields[wanted]
