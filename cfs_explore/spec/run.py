"""What a run is, in one frozen description: page, command line and Python build the same spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pydantic
import yaml

from cfs_explore.errors import SpecError
from cfs_explore.levels import ALIGNMENTS, DEFAULT_LAMS, MAIN_LAM, RELATIVE_ALIGNMENTS, lam_range
from cfs_explore.spec.conditions import Labels, Prompts, fit_conditions
from cfs_explore.spec.detectors import DetectorSettings
from cfs_explore.spec.files import explain, read_yaml, resolve_paths
from cfs_explore.spec.image_sets import Filter, IdSpec, ImageSet, Resize, SetName, SourceRef, Strict, writable
from cfs_explore.spec.severities import with_severities
from cfs_explore.studies import DIAGNOSTICS, WORDS, named_stages

#: Levels of a run.
MAX_LEVELS = 1_000
#: Stage -> fields that only it reads, so that they may be others when the map is measured.
OWN_FIELDS = {"detectors": ("detectors",), "conditioning": ("conditioning_labels", "conditioning_prompts")}


class BackboneSpec(Strict):
    """Which frozen network.

    Attributes:
        path: file, folder or hub id.
        family: if it is not to be recognised from the files.
        schedule: noise schedule by name, for weights that come without one.
        preset: name of a published configuration.
        vae: folder or hub id of the autoencoder, for networks in latent space that come without one.
        label: class that a class-conditional network is given; the null class where absent.
        weights: which weights of a training checkpoint (an entry, a variant, a folder); averaged ones where absent.
        trained_on: image source that it was trained on, where no ``training.json`` beside it says so; only to be
            compared with the ID set.
        milestones: folder of the weights that its training kept on the way, each in a folder called by its number of
            steps; where absent, a folder ``milestones`` in ``path`` or beside it, if there is one.
    """

    path: str
    family: str | None = None
    schedule: str | None = None
    preset: str | None = None
    vae: str | None = None
    label: int | None = pydantic.Field(default=None, ge=0)
    weights: str | None = None
    trained_on: SourceRef | None = None
    milestones: str | None = None

    _finite = pydantic.field_validator("trained_on")(writable)

    def options(self) -> dict[str, Any]:
        """What ``load_backbone`` takes beside the path."""
        return self.model_dump(exclude={"path", "trained_on", "milestones"})


class LevelRange(Strict):
    """``count`` levels from ``high`` to ``low`` log-SNR, picked on a grid of ``grid`` points."""

    high: float
    low: float
    count: int = pydantic.Field(ge=2, le=MAX_LEVELS)
    grid: int = pydantic.Field(default=200, ge=2, le=100_000)


class RunSpec(Strict):
    """Everything that decides a run's numbers.

    Attributes:
        name: title of the exploration.
        backbone: the frozen network.
        id: in-distribution images or stored statistics.
        ood: at least one out-of-distribution set.
        levels: log-SNRs, or a range.
        alignment: how requested levels become the backbone's own (theory 1): "logsnr", "uniform_t", or "score_norm" and
            "perceptual", which stand where ``reference`` has the same expected score magnitude or visible change.
        reference: a bundle's name or a run directory whose backbone the levels are aligned to.
        conditioning: whether the network is conditioned on the level that it sees ("matched"), or as by the paper's
            own code ("published").
        conditioning_offset: how far above the log-SNR that it sees the network is conditioned.
        conditioning_labels: of a class-conditional network, up to 8 classes that the stage ``conditioning`` compares
            with what the network is conditioned on otherwise: its null class, or ``backbone.label``.
        conditioning_prompts: of a network that takes text, up to 8 prompts that it compares with the empty one.
        draws: noise draws per image; 5 or more give a spread over draws.
        taps: "all", "sparse_ed", "sparse_ed_id", or names.
        keep: whose snapshots are stored at ``keep_level`` for the other heads: "none", a policy, or names.
        keep_level: log-SNR of the kept cells.
        seed: keys noise, splits and subsamples.
        resize: how images are brought to the backbone's size: crop, squash, pad; a set may have its own.
        filter: by which filter they are resized: bicubic, bilinear; a set may have its own.
        precision: "auto" (bf16 on CUDA where it keeps AUROC within 0.002 of fp32), "fp32" or "bf16".
        batch_size: forwards per batch; chosen by device when absent.
        shard_size: images per atomic step; chosen from the size of the snapshots when absent.
        diagnostics: stages that follow the map: "map" (none), "standard" (those that need no forwards), "all", or names
            out of ``studies.DIAGNOSTICS``.
        detectors: images and budget of the stage ``detectors``.
        seal: predict from ID-train alone which cell will do best, before any OOD image is opened (theory 25).
        description: shown on the first page.
    """

    name: SetName
    backbone: BackboneSpec
    id: IdSpec
    ood: list[ImageSet] = pydantic.Field(min_length=1)
    levels: list[float] | LevelRange = pydantic.Field(default=list(DEFAULT_LAMS))
    alignment: Literal[ALIGNMENTS] = "logsnr"
    reference: str | None = None
    conditioning: Literal["matched", "published"] = "matched"
    conditioning_offset: float = 0.0
    conditioning_labels: Labels = pydantic.Field(default=[])
    conditioning_prompts: Prompts = pydantic.Field(default=[])
    draws: int = pydantic.Field(default=1, ge=1, le=100)
    taps: Literal["all", "sparse_ed", "sparse_ed_id"] | list[str] = "all"
    keep: Literal["none", "sparse_ed", "sparse_ed_id"] | list[str] = "sparse_ed"
    keep_level: float = MAIN_LAM
    seed: int = 0
    resize: Resize = "crop"
    filter: Filter = "bicubic"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    batch_size: int | None = pydantic.Field(default=None, gt=0)
    shard_size: int | None = pydantic.Field(default=None, gt=0)
    diagnostics: Literal[tuple(WORDS)] | list[Literal[tuple(DIAGNOSTICS)]] = "standard"
    detectors: DetectorSettings = DetectorSettings()
    seal: bool = False
    description: str = ""

    @pydantic.field_validator("ood")
    @classmethod
    def _distinct_names(cls, sets: list[ImageSet]) -> list[ImageSet]:
        names = [s.name for s in sets]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"two sets are called {', '.join(twice)}; give each its own name")
        return sets

    @pydantic.field_validator("levels")
    @classmethod
    def _some_levels(cls, levels: list[float] | LevelRange) -> list[float] | LevelRange:
        if isinstance(levels, list) and not levels:
            raise ValueError("give at least one log-SNR")
        if isinstance(levels, list) and len(levels) > MAX_LEVELS:
            raise ValueError(f"give at most {MAX_LEVELS:,} log-SNRs")
        if isinstance(levels, LevelRange) and not (levels.high > levels.low and levels.count <= levels.grid):
            raise ValueError("a range needs high > low and count <= grid")
        return levels

    _fitting_conditions = pydantic.field_validator("conditioning_labels", "conditioning_prompts")(fit_conditions)

    @pydantic.model_validator(mode="after")
    def _reference_to_align_to(self) -> RunSpec:
        if self.alignment in RELATIVE_ALIGNMENTS and self.reference is None:
            raise ValueError(f"the alignment {self.alignment} needs `reference`, another run to align to")
        return self

    @property
    def lams(self) -> list[float]:
        """Requested log-SNRs from clean to noisy, each once."""
        if isinstance(self.levels, LevelRange):
            return lam_range(self.levels.high, self.levels.low, self.levels.count, self.levels.grid)
        return sorted(set(self.levels), reverse=True)

    @property
    def conditions(self) -> list[int | str]:
        """The labels or prompts that are compared with what the network is conditioned on otherwise."""
        return [*self.conditioning_labels, *self.conditioning_prompts]

    @property
    def stages(self) -> list[str]:
        """Names of the stages that follow the map, in their order."""
        return named_stages(self.diagnostics)

    def fitting(self, images: ImageSet | None) -> dict[str, str]:
        """How a set's images are brought to the backbone's size, as ``to_input`` takes it; of none: the run's way."""
        own = ImageSet.model_construct() if images is None else images
        return {"policy": own.resize or self.resize, "filter": own.filter or self.filter}

    def regrouped(self, groups: Mapping[str, str]) -> RunSpec:
        """The same run with its OOD sets in these groups: set -> group (theory 36); in none where it is not named."""
        sets = [each.model_copy(update={"set_group": groups.get(each.name)}) for each in self.ood]
        return self.model_copy(update={"ood": sets})

    @classmethod
    def parse(cls, content: RunSpec | dict | str | Path) -> RunSpec:
        """A spec from a spec, a dict, or a YAML file whose relative paths start at its folder.

        Raises:
            SpecError: naming each wrong field, what it got and what is allowed.
        """
        if isinstance(content, RunSpec):
            return content
        base, label = Path.cwd(), "the spec"
        if not isinstance(content, dict):
            path = Path(content)
            base, label = path.resolve().parent, str(path)
            content = read_yaml(path)
        content = with_severities(content)
        try:
            return cls.model_validate(resolve_paths(content, base))
        except pydantic.ValidationError as error:
            raise SpecError(f"{label} is not a valid run: {explain(error, content)}") from error

    def to_yaml(self) -> str:
        """The spec as YAML that ``parse`` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json", exclude_defaults=True), sort_keys=False, allow_unicode=True)
