"""Size and digest of every file that readers of a run open: written with its manifest, compared before its use."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from cfs_explore.errors import DamageError
from cfs_explore.store.manifest import Manifest
from cfs_explore.studies import writer_of

#: Name within the run directory -> bytes, and blake2b of the content (16 bytes, hexadecimal).
Digests = dict[str, tuple[int, str]]
_READ = ("images.parquet", "tables/*.parquet", "*.zarr/**/*")
#: Path -> what its content's digest was, and when.
_KNOWN: dict[str, tuple[tuple[int, int, int], str]] = {}


def file_digests(run: Path, names: Iterable[str] | None = None) -> Digests:
    """Of these files of a run; None means of all that readers open."""
    if names is None:
        found = {path for pattern in _READ for path in run.glob(pattern)}
        names = sorted(path.relative_to(run).as_posix() for path in found if path.is_file())
    return {name: (path.stat().st_size, content_digest(path)) for name in names if (path := run / name).is_file()}


def content_digest(path: Path) -> str:
    """Digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def check_file(run: Path, manifest: Manifest, name: str) -> bool:
    """Compare a file with its digest in the manifest, once per process and change.

    Returns:
        Whether the manifest lists it.

    Raises:
        DamageError: it is missing or another one.
    """
    recorded = manifest.files.get(name)
    if recorded is None:
        return False
    path = run / name
    try:
        facts = path.stat()
        if facts.st_size != recorded[0]:
            why = f"it has {facts.st_size:,} bytes, not the {recorded[0]:,} that were written"
            raise damaged(run, manifest, name, why)
        if known_digest(path) != recorded[1]:
            raise damaged(run, manifest, name, "its content is not what was written")
    except OSError as error:
        raise damaged(run, manifest, name, _reason(run, error)) from error
    return True


def check_files(run: Path, manifest: Manifest) -> None:
    """Compare all files that the manifest lists.

    Raises:
        DamageError: naming the first that is missing or another one.
    """
    for name in manifest.files:
        check_file(run, manifest, name)


def first_difference(one: Mapping[str, tuple[int, str]], other: Mapping[str, tuple[int, str]]) -> str | None:
    """Name of the first file that differs between two listings; None where they agree."""
    return next((name for name in sorted({*one, *other}) if one.get(name) != other.get(name)), None)


def damaged(run: Path, manifest: Manifest, name: str, why: str) -> DamageError:
    """The error about a file: which, why, and what brings it back."""
    return DamageError(f"{name} of {manifest.name} is damaged: {why}. {_remedy(run, name)}")


def _reason(run: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is missing" if run.exists() else f"it is missing, as is the whole folder {run}"
    return f"it cannot be read ({error.strerror or error})"


def _remedy(run: Path, name: str) -> str:
    writer = writer_of(Path(name).stem) if Path(name).parent == Path("tables") else None
    if writer is not None:
        return f"`cfs-explore diagnose {run} --stages {writer.name} --fresh` computes it again."
    return (
        f"`cfs-explore run {run} --fresh` measures everything again; an exploration that came with the project or "
        "from a zip is best taken from there again."
    )


def known_digest(path: Path) -> str:
    """The same, computed once per process and change of the file."""
    status = path.stat()
    facts, known = (status.st_mtime_ns, status.st_ctime_ns, status.st_size), _KNOWN.get(str(path))
    if known is None or known[0] != facts:
        known = _KNOWN[str(path)] = facts, content_digest(path)
    return known[1]
