"""The image sets of a run's spec: where they are, which part of them, how they are read and grouped."""

from __future__ import annotations

import json
from typing import Any, Literal

import pydantic

from cfs_explore.contracts import SET_GROUPS
from cfs_explore.studies.prediction import PROXIES

_SAFE_NAME = r"^[\w][\w .+()-]{0,63}$"
SetName = pydantic.constr(pattern=_SAFE_NAME, strip_whitespace=True)

#: A path to images, or a mapping of one kind with its options, as ``images.open_source`` takes it: ``{path: ...}``,
#: ``{files: [...]}``, ``{imglist: ...}``, ``{hub: owner/name}``, ``{torchvision: name}``, ``{builtin: name}`` or
#: ``{altered: change, of: source}``.
SourceRef = str | dict[str, Any]


#: How images are brought to the backbone's size, and by which filter: keys of ``RESIZE_POLICIES`` and ``FILTERS``.
Resize = Literal["crop", "squash", "pad"]
Filter = Literal["bicubic", "bilinear"]


class Strict(pydantic.BaseModel):
    """What refuses unknown fields, and numbers that are not finite."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def writable(source: SourceRef | None) -> SourceRef | None:
    """A source as it is; ValueError where it holds NaN or infinity, which cannot be written again."""
    try:
        json.dumps(source, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"holds what cannot be written again ({error})") from error
    return source


class NamePart(Strict):
    """The part of a file's name that says which images belong together: "Tom_Hanks" of "Tom_Hanks_50.png".

    Folders do not count, unless the separator holds a slash: ``before_first: /`` is the first folder. An image whose
    name has no such part is alone.

    Attributes:
        before_first, before_last: text in front of which the part ends, where it first or last stands; one of both.
    """

    before_first: str | None = pydantic.Field(default=None, min_length=1, max_length=8)
    before_last: str | None = pydantic.Field(default=None, min_length=1, max_length=8)

    @pydantic.model_validator(mode="after")
    def _one_end(self) -> NamePart:
        if (self.before_first is None) == (self.before_last is None):
            raise ValueError(
                "give either `before_first` or `before_last`, the text that ends the group's part of a name"
            )
        return self


class ImageSet(Strict):
    """One image set.

    Attributes:
        name: what figures call it.
        source: path (folder, zip, tar, parquet, csv, npz, image) or a mapping (docs/inputs.md).
        half: "first" or "second": only that half of every class of the source, drawn by ``half_seed``; of an odd class
            the first has one more image. Two sets of one source, each with its half, share no image.
        half_seed: of that split; two halves belong together where it is the same.
        limit: seeded subsample of this size, of the half where one is named.
        centre_crop: side in native pixels of the square that is cut out of the middle of every image, before it is
            resized; smaller images are left out.
        resize, filter: as of the run, for this set alone.
        description: one line for the page.
        thumbnails: keep small copies of the images in the run, for the pages. Without, the run holds no image, and the
            pages show them where the source can be opened (``pictures.find_pictures``).
        made_by: kinds of alteration that made the set out of ID images, which the prediction then leaves out of its
            proxies (theory 17).
        group: which images belong together (theory 28): "class", those of one label, or a part of their names. Without,
            what the source gives (a column ``group``, the original of an altered image), else each image is alone.
            Groups of the same name in two sets are one.
        set_group: of a benchmark (theory 36): "near" or "far" in meaning, or "covariate", ID images that are shifted
            only; of an OOD set. It groups sets, ``group`` groups images.
        masks: folder of masks that say what is odd in each picture of an OOD set (theory 24; docs/inputs.md).
    """

    name: SetName
    source: SourceRef
    half: Literal["first", "second"] | None = None
    half_seed: int = pydantic.Field(default=0, ge=0)
    limit: int | None = pydantic.Field(default=None, gt=0)
    centre_crop: int | None = pydantic.Field(default=None, gt=0)
    resize: Resize | None = None
    filter: Filter | None = None
    description: str = ""
    thumbnails: bool = True
    made_by: list[Literal[PROXIES]] = []
    group: Literal["class"] | NamePart | None = None
    set_group: Literal[SET_GROUPS] | None = None
    masks: str | None = pydantic.Field(default=None, min_length=1)

    @pydantic.field_validator("group", mode="before")
    @classmethod
    def _of_images(cls, group: Any) -> Any:
        if group in SET_GROUPS:
            raise ValueError(
                "`group` says which images of a set belong together; which group of a benchmark the set is in stands "
                f"in `set_group: {group}`"
            )
        return group

    _finite = pydantic.field_validator("source")(writable)

    def part(self) -> dict[str, Any]:
        """Which part of the source it is, as ``open_source`` takes it; ``limit`` aside, which the run's seed draws."""
        return self.model_dump(include={"half", "half_seed", "centre_crop"})


class IdSpec(Strict):
    """The in-distribution set: new images, or the stored statistics of another run.

    Attributes:
        run: a bundle's name or a run directory whose statistics are reused.
        train, test: image sets; without ``test``, ``train`` is split by seed.
        test_fraction: share of ``train`` that becomes the test set, when ``test`` is absent.
    """

    run: str | None = None
    train: ImageSet | None = None
    test: ImageSet | None = None
    test_fraction: float = pydantic.Field(default=1 / 3, gt=0, lt=1)

    @pydantic.field_validator("train", "test")
    @classmethod
    def _nothing_odd(cls, images: ImageSet | None) -> ImageSet | None:
        if images is not None and images.masks is not None:
            raise ValueError("`masks` say what is odd in an OOD set; leave them out of an in-distribution set")
        if images is not None and images.set_group is not None:
            raise ValueError("`set_group` is of OOD sets; leave it out of an in-distribution set")
        return images

    @pydantic.model_validator(mode="after")
    def _one_origin(self) -> IdSpec:
        if (self.run is None) == (self.train is None):
            raise ValueError("give either `run` (reuse stored statistics) or `train` (new images), not both")
        return self
