"""Whether a map finds what is marked in its images: pixel AUROC and AUPRO, with intervals over images (theory 24).

Pixels of all images are ranked together, but images are what is independent. With N unmarked and P marked pixels, C_ij
the pairs of an unmarked pixel of image i and a marked one of image j that the map puts in the right order (a tie is
half a pair), AUROC = sum C / (N P). So one number for each pair of images is all that is kept of a map: the AUROC of
any part of the images, and what each of them adds to it, follow from these.

AUPRO (Bergmann et al. 2021) is the area under the per-region overlap, the mean over regions of the share of a region
that is found, against the share x of unmarked pixels that are found too, up to x = ``FPR_LIMIT``, divided by that. A
marked pixel with the share x_q of unmarked ones above it adds max(0, 1 - x_q / ``FPR_LIMIT``); ties lie on a straight
line. Its variance is that of the bootstrap over images to first order (infinitesimal jackknife: Efron 1982).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError, require_finite
from cfs_explore.diagnostics.delong import DeLong
from cfs_explore.diagnostics.groups import Members

#: Share of unmarked pixels up to which regions are looked for, as the benchmarks of MVTec have it.
FPR_LIMIT = 0.3


@dataclass(frozen=True, eq=False)
class Truth:
    """What is marked in a set of images.

    Attributes:
        marked: bool (image, row, column).
        codes: number of each image's group (theory 28), (image,); images that are alone have numbers of their own.
        one: whether what is marked in an image is one region, in several parts perhaps, as a planted patch is.

    Raises:
        ScoreError: nothing is marked, or everything.
    """

    marked: np.ndarray
    codes: np.ndarray
    one: bool = False

    def __post_init__(self):
        if self.marked.ndim != 3 or len(self.codes) != len(self.marked):
            raise ScoreError(f"Marks must be (image, row, column), and a group each. Got shape {self.marked.shape}.")
        if self.marked.all() or not self.marked.any():
            raise ScoreError(f"{'Every' if self.marked.any() else 'No'} pixel is marked: there is nothing to find.")

    @functools.cached_property
    def group(self) -> np.ndarray:
        """Position of the group of each pixel's image, (pixel,)."""
        return np.repeat(Members(self.codes).places, self.marked[0].size)

    @functools.cached_property
    def sizes(self) -> np.ndarray:
        """Unmarked and marked pixels of each group, (2, group)."""
        flat, groups = self.marked.reshape(-1), int(self.group.max()) + 1
        return np.stack([np.bincount(self.group[part], minlength=groups) for part in (~flat, flat)])

    @functools.cached_property
    def region(self) -> np.ndarray:
        """Region of each marked pixel, 0, 1, ... over all images, (marked,): pixels that touch, corners included."""
        if self.one:
            return np.unique(np.nonzero(self.marked)[0], return_inverse=True)[1]
        from scipy import ndimage

        within_image = np.zeros((3, 3, 3), dtype=bool)
        within_image[1] = True
        regions, _ = ndimage.label(self.marked, within_image)
        return regions[self.marked] - 1

    @property
    def share(self) -> float:
        """Of the pixels that are marked."""
        return float(self.marked.mean())


class Judged(NamedTuple):
    """What is kept of a map.

    Attributes:
        pairs: twice C, whole numbers (group of the unmarked, group of the marked).
        aupro: area under the per-region overlap, 0..1.
        moved: by how much more weight of a group's unmarked, and of its marked pixels moves it, (2, group).
    """

    pairs: np.ndarray
    aupro: float
    moved: np.ndarray


def judge(maps: np.ndarray, truth: Truth) -> Judged:
    """A map of every image against what is marked there.

    Args:
        maps: (image, row, column) of ``truth.marked``; higher = more OOD.

    Raises:
        ScoreError: another shape, or values that are not finite.
    """
    if maps.shape != truth.marked.shape:
        raise ScoreError(f"Maps and marks differ in shape: {maps.shape} and {truth.marked.shape}.")
    require_finite(maps, "maps")
    flat, values = truth.marked.reshape(-1), maps.reshape(-1)
    order = np.argsort(values[flat])
    found, group, region = values[flat][order], truth.group[flat][order], truth.region[order]
    below, twice = _unmarked_below(found, values[~flat], truth)
    groups = truth.sizes.shape[1]
    pairs = np.zeros((groups, groups), dtype=np.int64)
    for each in np.unique(group):
        pairs[:, each] = twice[group == each].sum(axis=0)
    return Judged(pairs, *_aupro(twice, below, group, region, truth))


def _unmarked_below(
    found: np.ndarray, others: np.ndarray, truth: Truth
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Unmarked pixels strictly below each marked one and at most as high, (marked,); twice those of each group.

    Args:
        found: values of the marked pixels, rising. others: of the unmarked ones.

    Returns:
        The two counts over all groups, and their sum by group, (marked, group).
    """
    group, groups = truth.group[~truth.marked.reshape(-1)], truth.sizes.shape[1]
    first = np.searchsorted(found, others, "right")  # the first marked pixel that is higher
    tied = first > 0
    tied[tied] = found[first[tied] - 1] == others[tied]
    reached = first.copy()  # the first that is as high
    reached[tied] = np.searchsorted(found, others[tied], "left")
    counts = []
    for starts in (first, reached):
        counts.append(np.bincount(starts, minlength=found.size + 1)[:-1].cumsum())
    cells = np.concatenate([first, reached]) * groups + np.tile(group, 2)
    twice = np.bincount(cells, minlength=(found.size + 1) * groups)[: found.size * groups].reshape(-1, groups)
    return tuple(counts), np.cumsum(twice, axis=0, out=twice)


def _aupro(
    twice: np.ndarray, below: tuple[np.ndarray, np.ndarray], group: np.ndarray, region: np.ndarray, truth: Truth
) -> tuple[float, np.ndarray]:
    """AUPRO and what moves it; arguments of the marked pixels in one order."""
    unmarked = truth.sizes[0]
    total = unmarked.sum()
    start, end = ((total - count) / total for count in below[::-1])  # x at both ends of the pixel's tie
    width = end - start
    inside = np.clip((FPR_LIMIT - start) / np.maximum(width, 1e-12), 0, 1)  # the part of the tie before the limit
    gain = (np.maximum(FPR_LIMIT - end, 0) + inside**2 * width / 2) / FPR_LIMIT
    pixels = np.bincount(region)
    overlap = np.bincount(region, weights=gain) / pixels
    value = overlap.mean()
    weight = inside / (pixels[region] * len(pixels) * FPR_LIMIT)  # how much AUPRO falls with a pixel's x
    above = weight.sum() * unmarked - weight @ twice / 2
    share = weight @ (start + end) / 2
    moved = np.zeros((2, len(unmarked)))
    moved[0] = -(above - share * unmarked) / total
    home = np.zeros(len(pixels), dtype=int)
    home[region] = group
    moved[1] = np.bincount(home, weights=overlap - value, minlength=len(unmarked)) / len(pixels)
    return float(value), moved


class Pairs(NamedTuple):
    """Pairs of several maps of the same images, of all of the groups or of some.

    Attributes:
        pairs: (map, group, group), as of ``Judged``.
        sizes: (2, group), as of ``Truth``.
    """

    pairs: np.ndarray
    sizes: np.ndarray

    def part(self, groups: np.ndarray) -> Pairs:
        """Of some of the groups, by position."""
        return Pairs(self.pairs[:, groups][:, :, groups], self.sizes[:, groups])

    def at(self, maps: np.ndarray | list[int]) -> Pairs:
        """Some of the maps."""
        return Pairs(self.pairs[maps], self.sizes)

    @property
    def auroc(self) -> np.ndarray:
        """(map,)"""
        return self.pairs.sum(axis=(1, 2)) / (2 * np.prod(self.sizes.sum(axis=1, dtype=float)))

    @property
    def moved(self) -> np.ndarray:
        """Sums of each group's unmarked and marked pixels of placement - AUROC, over their number, (2, map, group)."""
        whole = 2 * np.prod(self.sizes.sum(axis=1, dtype=float))
        shares = self.sizes / self.sizes.sum(axis=1, keepdims=True)
        parts = [self.pairs.sum(axis=axis) / whole for axis in (2, 1)]
        return np.stack([part - self.auroc[:, None] * share for part, share in zip(parts, shares, strict=True)])

    @property
    def judged(self) -> DeLong:
        """AUROC and its variance (Obuchowski 1997, theory 28), (map,) each: those of ``delong`` with these groups."""
        return DeLong(self.auroc, group_variance(self.moved, self.sizes))

    def halves(self, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """AUROC of each map on the groups of a half and on the others, (map, split) each; NaN without a class.

        Args:
            first: of each split, the groups of its first half, bool (split, group).
        """
        found = []
        for half in (first.astype(float), (~first).astype(float)):
            sizes = 2 * np.prod(half @ self.sizes.T, axis=1)
            sums = np.array([((half @ pairs) * half).sum(axis=1) for pairs in self.pairs]).reshape(-1, len(half))
            found.append(np.divide(sums, sizes, out=np.full_like(sums, np.nan), where=sizes > 0))
        return found[0], found[1]


def group_variance(moved: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Variance of an estimate from what the groups' unmarked and marked pixels add to it (Obuchowski 1997).

    Args:
        moved: (2, map, group). sizes: pixels of both kinds, (2, group).

    Returns:
        (map,); NaN where a kind of pixels is in a single group.
    """
    unmarked, marked, both = (n / (n - 1) if n > 1 else np.nan for n in (*(sizes > 0).sum(axis=1), sizes.shape[1]))
    (a, b), squares = moved, functools.partial(np.einsum, "mk,mk->m")
    return np.maximum(unmarked * squares(a, a) + marked * squares(b, b) + 2 * both * squares(a, b), 0)
