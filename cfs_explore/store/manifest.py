"""``manifest.json``: what a run is and where its rows stand. Validated when read, since bundles come from others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import pydantic

from cfs_explore.contracts import ROLES, Level, Tap
from cfs_explore.errors import DamageError, RunError
from cfs_explore.store.manifest_check import first_mistake, wrong_field

FORMAT = 1
#: Processes that measure a map, and threads of each.
MOST_WORKERS = 4096
#: The warning of a set of which only a part was measured.
LEFT_OUT = re.compile(
    r": ([\d,]+) of ([\d,]+) images were measured, drawn at random, since the run was stopped early\.$"
)
_NO_OTHERS = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False)
_LEVELS = pydantic.TypeAdapter(list[Level], config=_NO_OTHERS)
_TAPS = pydantic.TypeAdapter(list[Tap], config=_NO_OTHERS)


def left_out_warning(name: str, count: int, total: int) -> str:
    """The warning of a set of which only ``count`` images were measured; ``LEFT_OUT`` finds its numbers."""
    return f"{name}: {count:,} of {total:,} images were measured, drawn at random, since the run was stopped early."


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SetEntry(_Strict):
    """One image set of a run.

    Attributes:
        name, role, description: what it is.
        count: images used.
        start: first row of the set in images.parquet and snapshots.zarr.
        score_start: first row in scores.zarr; -1 for ID-train, which has statistics and no scores.
        skipped: files that could not be used.
        thumbnails: whether images.parquet has small copies of the images.
        samples: images x draws behind the moments.
        groups: number of groups that the images form, where fewer than images (theory 28).
        opened: when the images of an OOD set were first opened, ISO 8601 in UTC (theory 25); None in older runs.
    """

    name: str
    role: Literal[ROLES]
    description: str = ""
    count: int
    start: int
    score_start: int
    skipped: int = 0
    thumbnails: bool = True
    samples: int
    groups: int | None = None
    opened: str | None = None


class BackboneEntry(_Strict):
    """What was known of the backbone when the run was made; how it was asked for is in the spec.

    ``input_shape`` is None where the images themselves are corrupted.
    """

    name: str
    family: str
    path: str
    schedule: str | None = None
    fingerprint: str
    parameters: int
    image_shape: tuple[int, int, int]
    input_shape: tuple[int, int, int] | None = None
    reach: tuple[float, float]
    notes: list[str] = []


class StageEntry(_Strict):
    """How a diagnostic stage ended.

    Attributes:
        state: "done", or "skipped" because it could not be computed.
        why: the reason, when skipped.
        seconds: how long it took.
    """

    state: Literal["done", "skipped"]
    why: str = ""
    seconds: float = 0.0


class ShardCount(_Strict):
    """Where the snapshots of a run came from.

    Attributes:
        shards: blocks of images that the run went through.
        reused: those of them whose snapshots an earlier run had measured.
    """

    shards: int
    reused: int = 0


class WorkersEntry(_Strict):
    """How many processes measured a map: its numbers round by the threads of each.

    Attributes:
        count: processes, the leader among them.
        threads: of each.
        alone, together: forwards per second of one process and of several, as a trial found; None without one.
    """

    count: int = pydantic.Field(ge=1, le=MOST_WORKERS)
    threads: int = pydantic.Field(ge=1, le=MOST_WORKERS)
    alone: float | None = pydantic.Field(None, ge=0)
    together: float | None = pydantic.Field(None, ge=0)


class Manifest(_Strict):
    """The whole description; see the attributes of ``Run`` for how pages read it.

    ``seconds_per_forward`` is the speed at which the map was measured on its machine; None where too little was timed.
    ``workers`` says by how many processes; None where nobody counted them.
    ``files`` lists size and digest of the run's other files (``store.digests``); runs of older versions list none.
    """

    format: Literal[FORMAT] = FORMAT
    name: str
    description: str = ""
    created: str
    spec: dict[str, Any]
    versions: dict[str, str]
    backbone: BackboneEntry
    precision: str
    device: str
    draws: int
    levels: list[dict[str, float]]
    taps: list[dict[str, Any]]
    sets: list[SetEntry]
    presets: dict[str, list[str]]
    kept: dict[str, Any]
    warnings: list[str]
    timings: dict[str, float]
    measured: ShardCount | None = None
    seconds_per_forward: float | None = None
    workers: WorkersEntry | None = None
    stages: dict[str, StageEntry] = {}
    files: dict[str, tuple[int, str]] = {}

    @pydantic.model_validator(mode="after")
    def _levels_and_taps(self) -> Manifest:
        _LEVELS.validate_python(self.levels)
        _TAPS.validate_json(json.dumps(self.taps), strict=True)
        return self

    @classmethod
    def read(cls, run: Path) -> Manifest:
        """Read and validate; RunError names the file and the field."""
        path = run / "manifest.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            json.dumps(content, ensure_ascii=False).encode()  # JSON may hold half a character, which no page can show
            found = cls.model_validate(content)
            wrong = wrong_field(found, found.level_list(), found.tap_list(), texts=False)
            if wrong is not None:
                raise ValueError(wrong)
        except FileNotFoundError as error:
            raise RunError(f"{run} is not a finished run: it has no manifest.json.") from error
        except (OSError, ValueError, TypeError, RecursionError) as error:
            why = first_mistake(error) if isinstance(error, pydantic.ValidationError) else error
            raise DamageError(
                f"{path} does not describe a run of this version: {why}\n"
                f"`cfs-explore run {run} --fresh` measures everything again; an exploration that came with the project "
                "or from a zip is best taken from there again."
            ) from error
        return found

    def level_list(self) -> list[Level]:
        return [Level(**level) for level in self.levels]

    def tap_list(self) -> list[Tap]:
        return [Tap(**tap) for tap in self.taps]
