"""``seal.json``: what a run predicts of its cells from ID-train alone, before OOD images are opened (theory 25).

A seal is of a backbone, an ID-train set and the cells of a map; it holds no time but its own, and no OOD set. Its
digest is over all of its content: whoever publishes the digest can show later that nothing was changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import pydantic

from cfs_explore.errors import RunError
from cfs_explore.store.digests import content_digest
from cfs_explore.store.files import write_json
from cfs_explore.store.manifest import Manifest
from cfs_explore.store.manifest_check import first_mistake
from cfs_explore.store.run import Run

FORMAT, FILE = 1, "seal.json"
_OPENED = "opened.json"
#: How the cells are ranked for a set; part of the digest, so that it cannot be chosen afterwards.
RULE = (
    "Cells are ranked by the mean over the kinds of proxy of the predicted AUROC (theory 13, 17); for an OOD set that "
    "was made in the way of a kind, by the mean over the other kinds."
)


class SealedCell(pydantic.BaseModel):
    """A cell of the map by name: its number, tap and log-SNR."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    cell: int
    tap: str
    lam: float


class Seal(pydantic.BaseModel):
    """A sealed prediction; cells are numbered as in the map, levels outermost.

    Attributes:
        created: when it was written, ISO 8601 in UTC.
        backbone: fingerprint. backbone_name: what it is called.
        id_train: digest of the ids of ID-train's images. n_train: how many.
        levels: requested, lam and native of each. taps: their names.
        conditioning: how the network is conditioned, and the offset.
        seed, n_proxy, precision: of the forwards of the proxies.
        rule: how the cells are ranked.
        proxies: kind -> predicted AUROC of each cell (theory 13).
        predicted, lo, hi: mean over the kinds, and its 95 % interval for other ID-train images.
        interval: how: resamples of the images, or their means and variances alone, which is wider.
        ranking: cells from the highest prediction to the lowest. chosen: the first of them.
        earlier: digests of the seals that this one took the place of.
        digest: of everything else.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    format: Literal[FORMAT] = FORMAT
    created: str
    backbone: str
    backbone_name: str
    id_train: str
    n_train: int = pydantic.Field(ge=2)
    levels: list[dict[str, float]]
    taps: list[str]
    conditioning: tuple[str, float]
    seed: int
    n_proxy: int = pydantic.Field(ge=2)
    precision: str
    rule: str = RULE
    proxies: dict[str, list[float]]
    predicted: list[float]
    lo: list[float]
    hi: list[float]
    interval: Literal["bootstrap", "moments"]
    ranking: list[int]
    chosen: SealedCell
    earlier: list[str] = []
    digest: str = ""

    @pydantic.model_validator(mode="after")
    def _cells(self) -> Seal:
        cells = len(self.levels) * len(self.taps)
        rows = {"predicted": self.predicted, "lo": self.lo, "hi": self.hi, **self.proxies}
        for name, values in rows.items():
            if len(values) != cells or not all(0 <= value <= 1 for value in values):
                raise ValueError(f"{name} must have a number from 0 to 1 for each of the {cells} cells")
        if not self.proxies or sorted(self.ranking) != list(range(cells)) or self.chosen.cell != self.ranking[0]:
            raise ValueError("ranking must hold each cell once, the chosen one first, and there must be proxies")
        _time(self.created)
        return self

    @property
    def time(self) -> datetime:
        return _time(self.created)

    def without(self, kinds: Sequence[str]) -> np.ndarray | None:
        """Predicted AUROC of each cell (cells,) without these kinds of proxy; None where no kind is left."""
        left = [values for kind, values in self.proxies.items() if kind not in kinds]
        return np.mean(left, axis=0) if left else None

    def with_digest(self) -> Seal:
        """The seal closed by its digest."""
        return self.model_copy(update={"digest": self._digest()})

    def is_whole(self) -> bool:
        """Whether its digest fits its content."""
        return self.digest == self._digest()

    def _digest(self) -> str:
        content = self.model_dump(mode="json", exclude={"digest"})
        return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


def now() -> str:
    """The time as seals and runs write it."""
    return datetime.now(UTC).isoformat()


def note_opened(run: Path, works: Mapping[str, Path]) -> None:
    """Write down that the images of these OOD sets are about to be opened; the first time stands, whatever follows.

    Args:
        run: its directory.
        works: set -> its work folder; where that is there already, an older version has begun: its own time counts.
    """
    known = opened_times(run)
    begun = {name: folder.stat().st_mtime for name, folder in works.items() if folder.is_dir()}
    times = dict.fromkeys(works, now())
    times |= {name: datetime.fromtimestamp(seconds, UTC).isoformat() for name, seconds in begun.items()}
    times |= known
    if times != known:
        write_json(run / _OPENED, times)


def opened_times(run: Path) -> dict[str, str]:
    """OOD set -> when its images were first opened for a run; empty for runs of older versions.

    Raises:
        RunError: the file is damaged.
    """
    path = run / _OPENED
    if not path.is_file():
        return {}
    try:
        times = pydantic.TypeAdapter(dict[str, str]).validate_json(path.read_text(encoding="utf-8"))
        for time in times.values():
            _time(time)
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} is damaged: it says when OOD images were first opened. Delete it and start the run again; a seal "
            "must then be made again, too."
        ) from error
    return times


def has_seal(run: Path) -> bool:
    """Whether a run directory has a seal, even a damaged one."""
    return (run / FILE).is_file()


def read_seal(run: Path) -> Seal:
    """The seal of a run directory.

    Raises:
        RunError: there is none, or it is not what was sealed: naming the field where it can be told.
    """
    path = run / FILE
    try:
        seal = Seal.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            "There was no seal when the sets were measured. `cfs-explore predict` makes one before, or `seal: true` in "
            "the spec."
        ) from None
    except pydantic.ValidationError as error:
        raise RunError(f"{path} is not a seal of this version: {first_mistake(error)}.{_AGAIN}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} cannot be read ({str(error)[:200]}).{_AGAIN}") from error
    if not seal.is_whole():
        raise RunError(f"{path} was altered: its digest does not fit what it says.{_AGAIN}")
    return seal


_AGAIN = (
    " Put the sealed file back, or make another by `cfs-explore predict RUN --again`, which judges later sets alone."
)


def whole_seal(run: Path) -> Seal | None:
    """The seal of a run directory; None where there is none, or it is damaged or was altered."""
    try:
        return read_seal(run)
    except RunError:
        return None


def write_seal(run: Path, seal: Seal) -> None:
    """Write a closed seal into a run directory; one that is there is kept beside it, a damaged one as it is."""
    if has_seal(run):
        path, before = run / FILE, whole_seal(run)
        name = f"damaged-{content_digest(path)}" if before is None else before.digest
        (run / "seals").mkdir(exist_ok=True)
        path.replace(run / "seals" / f"{name}.json")
    write_json(run / FILE, seal.model_dump(mode="json"))


def id_train_digest(image_ids: Sequence[str]) -> str:
    """Of an ID-train set, in any order."""
    return hashlib.blake2b("\n".join(sorted(image_ids)).encode(), digest_size=16).hexdigest()


def conditioning_of(manifest: Manifest) -> tuple[str, float]:
    """How a run's network is conditioned (theory 1)."""
    return manifest.spec.get("conditioning", "matched"), float(manifest.spec.get("conditioning_offset", 0.0))


def sealed_levels(run: Run) -> list[dict[str, float]]:
    """A run's levels as seals have them."""
    return [{"requested": level.requested, "lam": level.lam, "native": level.native} for level in run.levels]


def foreign(seal: Seal, run: Run) -> str:
    """Why a seal is not of this run's kind, in one sentence; "" where it is."""
    if seal.backbone != run.manifest.backbone.fingerprint:
        return (
            f"The seal is of another backbone ({seal.backbone_name}, fingerprint {seal.backbone}); this run's is "
            f"{run.manifest.backbone.fingerprint}."
        )
    if seal.id_train != id_train_digest(run.images("id_train", columns=["image_id"])["image_id"]):
        return "The seal is of other ID-train images than this run's: their digest does not fit."
    if [level["native"] for level in seal.levels] != [level.native for level in run.levels]:
        return "The seal is of other noise levels than this run's."
    if seal.taps != [tap.name for tap in run.taps]:
        return "The seal is of other taps than this run's."
    if tuple(seal.conditioning) != conditioning_of(run.manifest):
        return "The seal is of a network that is conditioned otherwise than this run's."
    return ""


def late(seal: Seal, run: Run, ood: str) -> str:
    """Why a seal comes too late to judge an OOD set, in one sentence; "" where it was there before."""
    entry = run.entry("ood", ood)
    opened = _time(entry.opened or run.manifest.created)
    if seal.time <= opened:
        return ""
    what = "its images were first opened" if entry.opened else "its map was finished"
    return f"The seal ({short_time(seal.time)}) is later than the measurement of {ood}: {what} {short_time(opened)}."


def _time(text: str) -> datetime:
    """A written time; one without a zone is UTC."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def short_time(time: datetime) -> str:
    """'2026-11-30 15:20 UTC'."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
