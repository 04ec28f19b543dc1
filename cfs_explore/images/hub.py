"""Image data sets of the Hugging Face hub, and local data set folders, through the optional library ``datasets``."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import ImageError, SourceError
from .decode import decode
from .folder import read_file
from .listed import OUTSIDE, Root, label_text
from .listing import printable
from .record import Record, Source
from .reference import is_hub_id

_ONE_AT_A_TIME = threading.Lock()
_LABELS = ("label", "labels", "fine_label")
INSTALL = 'pip install "cfs-explore[hub]"'


class HubSource(Source):
    """The rows of a data set, in their order; its image files are read as they are and decoded here.

    Args:
        location: how messages call it.
        rows: a ``datasets.Dataset`` whose column ``column`` gives {bytes, path}.
        column: of the images.
        label: column of the labels, or None.
        roots: folders that image paths may not leave.
    """

    kind = "hub"

    def __init__(self, location: str, rows: Any, column: str, label: str | None, roots: list[Root]) -> None:
        super().__init__(location)
        self._rows = rows
        self._column = column
        self._label = label
        self._roots = roots
        self._label_names = [str(n) for n in getattr(rows.features.get(label), "names", None) or []]
        pad = max(6, len(str(len(rows))))
        self.names = [f"{i:0{pad}d}" for i in range(len(rows))]

    def _read(self, index: int) -> Record:
        name = self.names[index]
        try:
            row = self._rows[index]
        except _errors() as error:
            raise ImageError(f"{name}: the row cannot be read ({printable(str(error))}).") from error
        cell = row[self._column] or {}
        path = cell.get("path") or ""
        name = f"{name}/{printable(os.path.basename(path))}" if path else name
        data = cell.get("bytes")
        data = self._file(path, name) if data is None else data
        return decode(data, name, self._label_text(row[self._label] if self._label else None))

    def _file(self, path: str, name: str) -> bytes:
        if not path:
            raise ImageError(f"{name}: the row holds no image.")
        real = next((real for root in self._roots if (real := root.check(path)) is not None), None)
        if real is None:
            raise ImageError(f"{name}: {OUTSIDE} of the data set.")
        return read_file(Path(real), name)

    def _label_text(self, label: object) -> str:
        if isinstance(label, int) and 0 <= label < len(self._label_names):
            return self._label_names[label]
        return label_text(label)


def open_hub(
    hub: str,
    split: str | None = None,
    column: str | None = None,
    label: str | None = None,
    config: str | None = None,
    download: bool = True,
) -> HubSource:
    """A data set by its hub id, or a local data set folder. No code of a data set is ever run.

    Args:
        hub: ``owner/name``, or a folder on this computer.
        split: such as train or test; the only one when None.
        column: of the images; the first of that type when None.
        label: column of the labels; ``label``, ``labels`` or ``fine_label`` when None.
        config: configuration, where there are several.
        download: fetch what is not there.

    Raises:
        SourceError: the library is missing, no network, or no such data set, configuration, split or column; what there
            is, is told.
    """
    local = os.path.expanduser(hub)
    is_local = os.path.isdir(local)
    if not is_local and not is_hub_id(hub):
        raise SourceError(f"{hub!r} is neither a folder nor a data set id: write owner/name, such as ylecun/mnist.")
    library = _library()
    where = f"the data set {hub!r}"
    rows = _load(library, os.path.abspath(local) if is_local else hub, config, split, where, download)
    column = _image_column(library, rows.features, column, where)
    label = _label_column(rows.features, label, where)
    try:
        rows = rows.select_columns([column, *([label] if label and label != column else [])])
        rows = rows.cast_column(column, library.Image(decode=False))
    except _errors() as error:
        raise SourceError(f"{where}: the column {column!r} holds no images ({printable(str(error))}).") from error
    return HubSource(where, rows, column, label, _roots(library, local if is_local else None))


def _library() -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        raise SourceError(f"Data sets of the hub need the library `datasets`: {INSTALL}") from error
    return datasets


def _load(library: ModuleType, place: str, config: str | None, split: str | None, where: str, download: bool) -> Any:
    """The rows of one split."""
    told: list[str] = []
    try:
        with contextlib.nullcontext() if download else _offline(library):
            if split is None:
                told = library.get_dataset_split_names(place, config)
                split = told[0] if len(told) == 1 else None
            if split is not None:
                return library.load_dataset(place, name=config, split=split)
    except ConnectionError as error:
        raise SourceError(
            f"{where} cannot be fetched: the hub is out of reach. Connect this computer, or name the folder of a "
            "downloaded data set instead of the id."
        ) from error
    except _errors() as error:
        reason = printable(" ".join(str(error).split())) or type(error).__name__
        cause = f" ({printable(' '.join(str(error.__cause__).split()))})" if error.__cause__ else ""
        raise SourceError(f"{where} cannot be opened: {reason}{cause}") from error
    raise SourceError(f"{where}: which split? It has {', '.join(map(printable, told))}; give one as `split`.")


@contextlib.contextmanager
def _offline(library: ModuleType) -> Iterator[None]:
    """The libraries ask no server; without this they try for half a minute where there is no network."""
    from huggingface_hub import constants

    with _ONE_AT_A_TIME:
        before = library.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
        library.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
        try:
            yield
        finally:
            library.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before


def _errors() -> tuple[type[Exception], ...]:
    """What the library and what it stands on raise."""
    import pyarrow as pa
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    return (
        DatasetsError,
        *HfHubHTTPError.__bases__,  # those of whichever web client it uses
        pa.ArrowException,
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ImportError,
        RuntimeError,
        NotImplementedError,
    )


def _image_column(library: ModuleType, features: Any, column: str | None, where: str) -> str:
    images = [name for name, feature in features.items() if isinstance(feature, library.Image)]
    if column in features or (column is None and images):
        return column or images[0]
    wrong = "it has no column of images" if column is None else f"it has no column {column!r}"
    raise SourceError(f"{where}: {wrong}, `column` names one. {_told(features)}")


def _label_column(features: Any, label: str | None, where: str) -> str | None:
    if label is None:
        return next((name for name in _LABELS if name in features), None)
    if label not in features:
        raise SourceError(f"{where}: it has no column {label!r}, which `label` names. {_told(features)}")
    return label


def _told(features: Any) -> str:
    columns = ", ".join(printable(f"{name}: {type(feature).__name__}") for name, feature in list(features.items())[:20])
    return f"Its columns are {columns or 'none'}."


def _roots(library: ModuleType, local: str | None) -> list[Root]:
    """Where the image files of a data set may lie: its own folder, or the caches that the library fills."""
    if local is not None:
        return [Root(local)]
    from huggingface_hub.constants import HF_HUB_CACHE

    caches = (HF_HUB_CACHE, library.config.HF_DATASETS_CACHE, library.config.DOWNLOADED_DATASETS_PATH)
    return [Root(str(cache)) for cache in caches]
