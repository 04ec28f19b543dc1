"""What is looked for in which images: ID images with a planted patch of each OOD set, or an OOD set with masks (24)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cfs_explore.diagnostics import Groups
from cfs_explore.diagnostics.localisation import Truth
from cfs_explore.errors import SourceError
from cfs_explore.images import MaskFolder
from cfs_explore.images.planted import corners_of, marks, planted
from cfs_explore.pipeline.stages.study import Sample, Study
from cfs_explore.store import evenly_spaced
from cfs_explore.studies import where as declared


@dataclass(frozen=True)
class JudgedSet:
    """The images of an OOD set that are judged.

    Attributes:
        ood, key: its name, and a file name, another one where something else is marked.
        sample: planted ID images, or its own ones where it has masks.
        truth: what is marked, at the size at which maps are judged.
        rows: places among the clean ID images of those that ``detection`` compares with.
        groups: of clean and of judged images.
        side: of the patch; 0 for masks.
    """

    ood: str
    key: str
    sample: Sample
    truth: Truth
    rows: np.ndarray
    groups: Groups | None
    side: int

    @property
    def facts(self) -> dict[str, object]:
        counts = {"n_id": len(self.rows), "n_ood": len(self.sample)}
        kind = {"truth": "patch" if self.side else "mask", "side": self.side}
        return {"ood": self.ood, **kind, "share": self.truth.share, **counts}


def judged_sets(study: Study, clean: Sample) -> list[JudgedSet]:
    """Of every OOD set; ``clean`` are the ID-test images that patches are planted in, or that masks are compared with.

    Raises:
        SourceError: masks that do not fit their pictures.
    """
    masks = {image_set.name: image_set.masks for image_set in study.spec.ood}
    return [(_masked if masks.get(ood) else _planted)(study, clean, ood) for ood in study.run.ood_names]


def judged_size(study: Study) -> tuple[int, int]:
    """The size at which maps are judged: the image's, ``JUDGED_SIDE`` at most."""
    return tuple(min(side, declared.JUDGED_SIDE) for side in study.backbone.image_shape[1:])


def _at_centres(marked: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Marks (n, H, W) at the pixels nearest to the centres of a smaller grid."""
    rows, columns = ((np.arange(new) + 0.5) * old / new for new, old in zip(size, marked.shape[1:], strict=True))
    return marked[:, rows.astype(int)][:, :, columns.astype(int)]


def _planted(study: Study, clean: Sample, ood: str) -> JudgedSet:
    """ID images with patches of an OOD set."""
    run, shape = study.run, study.backbone.image_shape
    count = declared.planted_images(run.id_test.count, run.entry("ood", ood).count)
    rows = evenly_spaced(len(clean), count)
    donors = study.sample("ood", ood, limit=count)
    ids = [clean.ids[row] for row in rows]
    side = max(1, round(declared.PATCH_SHARE * min(shape[1:])))
    corners = corners_of(ids, study.spec.seed, shape[1:])
    own = Sample(clean.original[rows], ids, clean.rows[rows])
    sample = own.altered(lambda pixels: planted(pixels, donors.pixels, corners, side))
    names = run.names_of_groups("id_test")[own.rows], run.names_of_groups("ood", ood)[donors.rows]
    codes = _joined(*names)
    truth = Truth(_at_centres(marks(corners, side, shape[1:]), judged_size(study)), codes, one=True)
    return JudgedSet(ood, _key(study, ood, truth), sample, truth, rows, Groups(codes, codes), side)


def _masked(study: Study, clean: Sample, ood: str) -> JudgedSet:
    """An OOD set's own images with its masks."""
    run, images = study.run, next(each for each in study.spec.ood if each.name == ood)
    count = declared.planted_images(run.id_test.count, run.entry("ood", ood).count)
    sample = study.sample("ood", ood, limit=count)
    facts = run.images("ood", ood, columns=["name", "width", "height"]).iloc[sample.rows]
    pictures = [(row.of, (row.width, row.height)) for row in facts.rename(columns={"name": "of"}).itertuples()]
    fitting = (study.backbone.image_shape, study.spec.fitting(images)["policy"], images.centre_crop)
    try:
        marked = MaskFolder(images.masks).stack(pictures, *fitting)
    except SourceError as error:
        raise SourceError(f"The set {ood}: {error}") from error
    names = [run.names_of_groups("id_test")[clean.rows], run.names_of_groups("ood", ood)[sample.rows]]
    truth = Truth(_at_centres(marked, judged_size(study)), _joined(names[1]))
    return JudgedSet(ood, _key(study, ood, truth), sample, truth, np.arange(len(clean)), Groups.of(*names), 0)


def _key(study: Study, ood: str, truth: Truth) -> str:
    marked = hashlib.blake2b(np.packbits(truth.marked).tobytes(), digest_size=8).hexdigest()
    return f"ood-{study.run.ood_names.index(ood):02d}-{marked}"


def _joined(*names: Sequence[str | None]) -> np.ndarray:
    """A number for each image, the same where images share a name of one of these lists, directly or through others."""
    codes = np.arange(len(names[0]))
    groups = [np.array(list(map(_number_of(each), range(len(each))))) for each in names]
    while True:
        before = codes.copy()
        for group in groups:
            lowest = np.full(len(codes), len(codes))
            np.minimum.at(lowest, group, codes)
            codes = lowest[group]
        if (codes == before).all():
            return codes


def _number_of(names: Sequence[str | None]) -> Callable[[int], int]:
    """Place -> the first place with the same name; its own where it has none."""
    first: dict[str, int] = {}
    return lambda place: first.setdefault(names[place], place) if isinstance(names[place], str) else place
