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
from ..safe_io import fetching
from ..safe_io.fetching import reads_as_hub_id
from .decode import decode
from .encoded import EncodedSource
from .folder import read_file
from .listed import OUTSIDE, Root, class_name
from .listing import numbered, printable
from .path_tables import GROUP_COLUMNS, find_column
from .record import Record

_ONE_AT_A_TIME = threading.Lock()
_LABELS = ("label", "labels", "fine_label")
INSTALL = 'pip install "cfs-explore[hub]"'


class HubSource(EncodedSource):
    """The rows of a data set, in their order; its image files are read as they are and decoded here.

    Args:
        location: how messages call it.
        rows: a ``datasets.Dataset`` whose column ``column`` gives {bytes, path}.
        column: of the images.
        label: column of the labels, or None.
        group_column: of images that belong together, text or numbers; None: every image is alone.
        roots: folders that image paths may not leave.

    Raises:
        SourceError: the groups cannot be read.
    """

    kind = "hub"

    def __init__(
        self, location: str, rows: Any, column: str, label: str | None, group_column: str | None, roots: list[Root]
    ) -> None:
        super().__init__(location)
        self._rows = rows
        self._column = column
        self._label = label
        self._roots = roots
        self._label_names = [str(n) for n in getattr(rows.features.get(label), "names", None) or []]
        self.names = numbered(len(rows))
        self.groups = None if group_column is None else self._texts_of(group_column)

    def labels(self) -> list[str]:
        return self._texts_of(self._label) if self._label else [""] * len(self)

    def _texts_of(self, column: str) -> list[str]:
        try:
            names = getattr(self._rows.features[column], "names", None) or []
            return [printable(class_name(cell, names)) for cell in self._rows.select_columns([column])[column]]
        except _errors() as error:
            raise SourceError(
                f"{self.location}: the column {column!r} cannot be read ({printable(str(error))})."
            ) from error

    def _read(self, index: int) -> Record:
        data, label, name = self._row(index)
        return self.grouped(decode(data, name, label, self.value_range), index)

    def encoded(self, index: int) -> tuple[bytes, str]:
        return self._row(index)[:2]

    def _row(self, index: int) -> tuple[bytes, str, str]:
        """The bytes, the label and the name of an image.

        Raises:
            ImageError: they cannot be read.
        """
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
        return data, class_name(row[self._label], self._label_names) if self._label else "", name

    def _file(self, path: str, name: str) -> bytes:
        if not path:
            raise ImageError(f"{name}: the row holds no image.")
        real = next((real for root in self._roots if (real := root.check(path)) is not None), None)
        if real is None:
            raise ImageError(f"{name}: {OUTSIDE} of the data set.")
        return read_file(Path(real), name)


def open_hub(
    hub: str,
    split: str | None = None,
    column: str | None = None,
    label: str | None = None,
    config: str | None = None,
    download: bool = True,
    group_column: str | None = None,
) -> HubSource:
    """A data set by its hub id, or a local data set folder. No code of a data set is ever run.

    Args:
        hub: ``owner/name``, or a folder on this computer.
        split: such as train or test; the only one when None.
        column: of the images; the first of that type when None.
        label: column of the labels; ``label``, ``labels`` or ``fine_label`` when None.
        config: configuration, where there are several.
        download: fetch what is not there.
        group_column: of images that belong together; the first of ``GROUP_COLUMNS``, in any case, when None.

    Raises:
        SourceError: the library is missing, no network, or no such data set, configuration, split or column; the
            message lists what there is.
    """
    local = os.path.expanduser(hub)
    is_local = os.path.isdir(local) and not (fetching.is_restricted() and reads_as_hub_id(hub))
    if not is_local and not reads_as_hub_id(hub):
        raise SourceError(f"{hub!r} is neither a folder nor a data set id: write owner/name, such as ylecun/mnist.")
    library = _library()
    where = f"the data set {hub!r}"
    if not is_local and download and fetching.is_restricted():
        rows = _load_for_visitors(library, hub, config, split, where)
    else:
        rows = _load(library, os.path.abspath(local) if is_local else hub, config, split, where, download)
    column = _image_column(library, rows.features, column, where)
    label = _label_column(rows.features, label, where)
    groups = find_column(list(rows.features), group_column, GROUP_COLUMNS, where, "group_column")
    try:
        rows = rows.select_columns(list(dict.fromkeys(filter(None, (column, label, groups)))))
        rows = rows.cast_column(column, library.Image(decode=False))
    except _errors() as error:
        raise SourceError(f"{where}: the column {column!r} holds no images ({printable(str(error))}).") from error
    return HubSource(where, rows, column, label, groups, _roots(library, local if is_local else None))


def _library() -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        raise SourceError(f"Data sets of the hub need the library `datasets`: {INSTALL}") from error
    return datasets


def _load_for_visitors(library: ModuleType, hub: str, config: str | None, split: str | None, where: str) -> Any:
    """The rows of one split, of what is here or, if the administrator allows it, of a copy below the runs.

    Raises:
        FetchError: it is not here, and may not be fetched or is too large.
    """
    if not fetching.may_fetch(hub):
        try:
            return _load(library, hub, config, split, where, download=False)
        except SourceError:
            fetching.check_name(hub)
    try:
        copy = fetching.fetch_repository(hub, "dataset")
    except _errors() as error:
        raise SourceError(
            f"{where} cannot be fetched: {printable(fetching.plain_reason(error))}. Check its spelling."
        ) from error
    kept = str(fetching.kept_in("datasets"))
    return _load(library, str(copy), config, split, where, download=False, kept=kept)


def _load(
    library: ModuleType,
    place: str,
    config: str | None,
    split: str | None,
    where: str,
    download: bool,
    kept: str | None = None,
) -> Any:
    """The rows of one split; what the library makes of it is kept in its own cache, or in the folder ``kept``."""
    splits: list[str] = []
    away = fetching.hub_out_of_reach() if download and not os.path.isabs(place) else ""
    try:
        with fetching.quiet(), contextlib.nullcontext() if download and not away else _offline(library):
            if split is None:
                splits = library.get_dataset_split_names(place, config)
                split = splits[0] if len(splits) == 1 else None
            if split is not None:
                return library.load_dataset(place, name=config, split=split, cache_dir=kept)
    except ConnectionError as error:
        raise SourceError(
            f"{where} cannot be fetched: the hub is out of reach{f' ({away})' * bool(away)}. Connect this computer, or "
            "name the folder of a downloaded data set instead of the id."
        ) from error
    except _errors() as error:
        reason = printable(" ".join(str(error).split())) or type(error).__name__
        cause = f" ({printable(' '.join(str(error.__cause__).split()))})" if error.__cause__ else ""
        raise SourceError(f"{where} cannot be opened: {reason}{cause}") from error
    raise SourceError(f"{where}: which split? It has {', '.join(map(printable, splits))}; give one as `split`.")


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
    raise SourceError(f"{where}: {wrong}, `column` names one. {_its_columns(features)}")


def _label_column(features: Any, label: str | None, where: str) -> str | None:
    if label is None:
        return next((name for name in _LABELS if name in features), None)
    if label not in features:
        raise SourceError(f"{where}: it has no column {label!r}, which `label` names. {_its_columns(features)}")
    return label


def _its_columns(features: Any) -> str:
    columns = ", ".join(printable(f"{name}: {type(feature).__name__}") for name, feature in list(features.items())[:20])
    return f"Its columns are {columns or 'none'}."


def _roots(library: ModuleType, local: str | None) -> list[Root]:
    """Where the image files of a data set may lie: its own folder, or the caches that the library fills."""
    if local is not None:
        return [Root(local)]
    from huggingface_hub.constants import HF_HUB_CACHE

    own = (fetching.kept_in("hub"), fetching.kept_in("datasets"))
    caches = (HF_HUB_CACHE, library.config.HF_DATASETS_CACHE, library.config.DOWNLOADED_DATASETS_PATH, *own)
    return [Root(str(cache)) for cache in caches]
