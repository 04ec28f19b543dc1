"""Images that belong together: of one person, one video, one slide; an image and its altered copy (theory 28).

An estimate that is a mean over ID images plus a mean over OOD images, to first order, as AUROC is of its placements,
has for clustered data the variance of Obuchowski 1997. With A_k and B_k the sums over the ID and the OOD images of
group k of what they add beyond the mean, of m ID images in I_id groups, n OOD images in I_ood groups, I groups in all,

    Var = I_id / (I_id - 1) sum A_k^2 / m^2 + I_ood / (I_ood - 1) sum B_k^2 / n^2 + 2 I / (I - 1) sum A_k B_k / (m n).

Where every image is alone this is DeLong's, and ``None`` stands for it everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cfs_explore.diagnostics.bootstrap import resample_counts
from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.intervals import relative_size

#: Which images to take: positions, truth values, or a slice.
Taken = np.ndarray | slice
_EVERY = slice(None)


@dataclass(frozen=True, eq=False)
class Groups:
    """The group of each ID and each OOD image, as whole numbers; the same number in both is one group.

    Attributes:
        id: (n_id,). ood: (n_ood,).
    """

    id: np.ndarray
    ood: np.ndarray

    @classmethod
    def of(cls, id_names: Sequence[str | None], ood_names: Sequence[str | None]) -> Groups | None:
        """From names, the same name in both sets being one group; None where every image is alone.

        Args:
            id_names, ood_names: of each image's group; None (or NaN) for an image that is alone.
        """
        numbers: dict[str, int] = {}
        codes = [
            numbers.setdefault(name if isinstance(name, str) else f"\0{place}", len(numbers))
            for place, name in enumerate([*id_names, *ood_names])
        ]
        if len(numbers) == len(codes):
            return None
        cut = len(id_names)
        return cls(np.array(codes[:cut], dtype=np.int64), np.array(codes[cut:], dtype=np.int64))

    @property
    def counts(self) -> tuple[int, int]:
        """Groups with ID images, groups with OOD images."""
        return self._id.count, self._ood.count

    @property
    def shared(self) -> int:
        """Groups with both."""
        return self._strata[2].size

    def taken(self, ids: Taken = _EVERY, oods: Taken = _EVERY) -> Groups:
        """The groups of some of the images, in that order."""
        return Groups(self.id[ids], self.ood[oods])

    def variance(self, id_values: np.ndarray, ood_values: np.ndarray) -> np.ndarray:
        """Variance of mean(ID values) + mean(OOD values), (rows,); NaN where a class has a single group.

        Args:
            id_values: (rows, n_id). ood_values: (rows, n_ood).
        """
        a, b = self._parts(id_values, ood_values)
        return np.maximum(self._joined(lambda x, y: np.einsum("rk,rk->r", x, y), a, b), 0)

    def covariance(self, id_values: np.ndarray, ood_values: np.ndarray) -> np.ndarray:
        """Covariance of mean(ID values) + mean(OOD values) of the rows, (rows, rows)."""
        a, b = self._parts(id_values, ood_values)
        found = self._joined(lambda x, y: x @ y.T, a, b)
        return (found + found.T) / 2

    def weights(self, resamples: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Bootstrap over groups: how much each image counts in each resample, (n, resamples) for ID and OOD.

        Groups with ID images alone, with OOD images alone and with both are drawn apart. Each column sums to the
        number of images, as draws of single images do, though groups differ in size.
        """
        counts = np.zeros((self._total, resamples), dtype=np.float32)
        for stratum in self._strata:
            if stratum.size:
                counts[stratum] = resample_counts(stratum.size, resamples, rng)
        drawn = [counts[part.codes] for part in (self._id, self._ood)]
        return [part * (len(part) / np.maximum(part.sum(axis=0), 1)) for part in drawn]

    def halves(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Random halves of the groups: True for images of the first, (count, n_id) and (count, n_ood).

        Half of the groups with ID images alone, with OOD images alone and with both; with four groups in a class, each
        half has two at least.
        """
        first = np.zeros((count, self._total), dtype=bool)
        for stratum, more in zip(
            self._strata, (1, 1, 0), strict=True
        ):  # the odd one of the last goes to the other half
            order = rng.permuted(np.broadcast_to(np.arange(stratum.size), (count, stratum.size)), axis=1)
            first[:, stratum] = order < (stratum.size + more) // 2
        return first[:, self._id.codes], first[:, self._ood.codes]

    def folds(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A fold of 0..count - 1 for each image, the same for a group, spread over each kind of group."""
        fold = np.empty(self._total, dtype=int)
        for stratum in self._strata:
            fold[rng.permutation(stratum)] = np.arange(stratum.size) % count
        return fold[self._id.codes], fold[self._ood.codes]

    @functools.cached_property
    def _compact(self) -> tuple[np.ndarray, int]:
        """Codes 0, 1, ... of ID then OOD images, and how many groups there are."""
        found, codes = np.unique(np.concatenate([self.id, self.ood]), return_inverse=True)
        return codes.reshape(-1), len(found)

    @property
    def _total(self) -> int:
        return self._compact[1]

    @functools.cached_property
    def _id(self) -> Members:
        return Members(self._compact[0][: len(self.id)])

    @functools.cached_property
    def _ood(self) -> Members:
        return Members(self._compact[0][len(self.id) :])

    @functools.cached_property
    def _strata(self) -> list[np.ndarray]:
        """Groups with ID images alone, with OOD images alone, with both."""
        has = [np.isin(np.arange(self._total), part.codes) for part in (self._id, self._ood)]
        return [np.flatnonzero(which) for which in (has[0] & ~has[1], has[1] & ~has[0], has[0] & has[1])]

    def _parts(self, id_values: np.ndarray, ood_values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums of the groups beyond the mean, over the number of images, (rows, groups) each."""
        for values, codes in ((id_values, self.id), (ood_values, self.ood)):
            if values.ndim != 2 or values.shape[1] != len(codes):
                raise ScoreError(f"The groups are for {len(codes)} images. Got values of shape {values.shape} instead.")
        return tuple(
            part.sums(values - values.mean(axis=1, keepdims=True), self._total) / values.shape[1]
            for values, part in ((id_values, self._id), (ood_values, self._ood))
        )

    def _joined(self, product, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        cross = product(a, b) + product(b, a)
        factors = [size / (size - 1) if size > 1 else np.nan for size in (*self.counts, self._total)]
        return factors[0] * product(a, a) + factors[1] * product(b, b) + factors[2] * cross


class Members:
    """The groups of one set of images, as whole numbers ``codes`` (n,).

    Attributes:
        codes: given. count: how many groups there are.
    """

    def __init__(self, codes: np.ndarray):
        self.codes = np.asarray(codes)
        self._order = np.argsort(self.codes, kind="stable")
        ordered = self.codes[self._order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: ordered.size])
        self._present = ordered[self._starts]
        self.count = len(self._present)

    def sums(self, values: np.ndarray, total: int | None = None) -> np.ndarray:
        """Sums of (rows, n) over each group: (rows, count), or (rows, total) with a column for each code below that."""
        found = np.add.reduceat(values[:, self._order], self._starts, axis=1)
        if total is None:
            return found
        out = np.zeros((len(values), total))
        out[:, self._present] = found
        return out

    def variance(self, values: np.ndarray) -> np.ndarray:
        """Variance of the mean of (rows, n), (rows,); NaN for a single group."""
        if self.count < 2:
            return np.full(len(values), np.nan)
        sums = self.sums(values - values.mean(axis=1, keepdims=True)) / values.shape[1]
        return self.count / (self.count - 1) * np.einsum("rk,rk->r", sums, sums)

    @property
    def sizes(self) -> np.ndarray:
        """Images of each group, (count,)."""
        return np.diff(self._starts, append=self.codes.size)

    @property
    def places(self) -> np.ndarray:
        """Position of each image's group among them, (n,)."""
        return np.searchsorted(self._present, self.codes)

    @property
    def alike(self) -> float:
        """Number of independent images that would estimate a mean as well, were all images of a group alike."""
        return float(self.codes.size**2 / np.square(self.sizes).sum())

    def effective(self, hits: np.ndarray) -> np.ndarray:
        """Number of independent images that would estimate a share as well as these, (rows,).

        That is the number of groups over the measured variance as a multiple of theirs; the latter is drawn towards 1
        where few groups estimate it, as if the images of a group were all alike.

        Args:
            hits: (rows, n) truth values.
        """
        share = hits.mean(axis=1)
        informative = 2 * self.count * np.minimum(share, 1 - share)
        size = relative_size(
            self.variance(hits.astype(float)), share * (1 - share) / max(self.count - 1, 1), informative
        )
        return np.clip(self.count / size, 1, len(self.codes))


def members(names: Sequence[str | None]) -> Members | None:
    """The groups of one set of images from their names; None where every image is alone."""
    found = Groups.of(names, [])
    return None if found is None else Members(found.id)


def standard_error(values: np.ndarray, groups: Members | None) -> np.ndarray:
    """Standard error of the mean over the first axis of (n, ...), n >= 2; NaN for a single group."""
    if groups is None:
        return values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return np.sqrt(groups.variance(values.reshape(len(values), -1).T)).reshape(values.shape[1:])


def set_weights(groups: Members | None, n: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Bootstrap weights of the images of one set, (resamples, n), each row summing to n; whole groups are drawn."""
    if groups is None:
        return rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    drawn = rng.multinomial(groups.count, np.full(groups.count, 1 / groups.count), size=resamples)[:, groups.places]
    return drawn * (n / drawn.sum(axis=1, keepdims=True))


def independent(groups: Groups | None, n_id: int, n_ood: int) -> tuple[int, int]:
    """How many ID and OOD images or groups count as independent: for an interval's small-sample form."""
    return (n_id, n_ood) if groups is None else groups.counts


def taken(groups: Groups | None, ids: Taken = _EVERY, oods: Taken = _EVERY) -> Groups | None:
    """``Groups.taken`` where there are groups."""
    return None if groups is None else groups.taken(ids, oods)


def weights(groups: Groups | None, n_id: int, n_ood: int, resamples: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Bootstrap weights (n, resamples) of ID and OOD images, by group where there are groups."""
    if groups is not None:
        return groups.weights(resamples, rng)
    return [resample_counts(n, resamples, rng) for n in (n_id, n_ood)]


def variance_of_means(id_values: np.ndarray, ood_values: np.ndarray, groups: Groups | None) -> np.ndarray:
    """Variance of mean(ID values) + mean(OOD values) of the rows (rows, n); NaN where a class is too small for it."""
    if groups is not None:
        return groups.variance(id_values, ood_values)
    return sum(mean_variance(part) for part in (id_values, ood_values))


def mean_variance(values: np.ndarray) -> np.ndarray:
    """Variance of each row's mean, of independent images; NaN for a single value."""
    return sample_variance(values) / values.shape[1]


def sample_variance(values: np.ndarray) -> np.ndarray:
    """Variance of each row (rows, n) with n - 1; NaN for a single value."""
    return np.var(values, axis=1, ddof=1) if values.shape[1] > 1 else np.full(len(values), np.nan)
