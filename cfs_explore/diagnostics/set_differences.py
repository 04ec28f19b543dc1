"""Do ID and OOD images differ in how they were stored: lossy or lossless, native size, grey or colour? (theory 18)

Such a difference can be what a detector finds. Codecs that lose nothing leave no trace in the pixels, so that of codecs
only lossy against lossless is a difference. Two sets are compared by the total-variation distance of the
distributions of each property, TV = sum over values of |share in ID - share in OOD| / 2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

#: Distances up to this are not worth a warning.
THRESHOLD = 0.1
#: What the images must be known by.
COLUMNS = ("format", "colour", "width", "height")
#: Codecs, as images.parquet names them, that leave traces in the pixels; every other one is lossless.
LOSSY = ("JPEG", "WEBP", "TIFF (JPEG)")
#: The end of every warning, by which it is known among others.
CONSEQUENCE = "part of the AUROC may come from that."
#: With more different sizes than these, sizes are compared in this many classes of equal count.
_MOST_SIZES, _SIZE_CLASSES = 20, 10
_SHUFFLES, _CONFIDENCE = 400, 0.95


class Difference(NamedTuple):
    """A property in which two sets differ.

    Attributes:
        name: "codec", "native size" or "colour".
        distance: total variation, 0..1.
        ood, id: what is typical of either set.
    """

    name: str
    distance: float
    ood: str
    id: str


def set_differences(id_rows: pd.DataFrame, ood_rows: pd.DataFrame, *, seed: int = 0) -> list[Difference]:
    """Properties in which an OOD set is farther than ``THRESHOLD`` from the ID images, and farther than chance.

    A few images with many values are far from anything; so a distance must also exceed the 95 % quantile of the
    distances after shuffling the images between the two sets. Native sizes of which there are many are compared in
    ten classes of the geometric mean of the sides, equally filled by both sets together.

    Args:
        id_rows, ood_rows: one row per image, with ``COLUMNS`` (native, as a run's images.parquet has them; "grey" or
            "colour" by the pixels).
        seed: of the shuffles.
    """
    pooled = pd.concat([id_rows, ood_rows], ignore_index=True)
    is_ood = np.arange(len(pooled)) >= len(id_rows)
    rng = np.random.default_rng(seed)
    found = []
    for name, classes, shown in _properties(pooled):
        counts = [np.bincount(classes[part], minlength=classes.max() + 1) for part in (~is_ood, is_ood)]
        distance = float(_distance(*counts))
        if distance > THRESHOLD and distance > _by_chance(sum(counts), int(is_ood.sum()), rng):
            found.append(Difference(name, distance, _typical(shown[is_ood]), _typical(shown[~is_ood])))
    return found


def difference_warning(ood: str, differences: list[Difference]) -> str:
    """One sentence about an OOD set; '' without differences."""
    if not differences:
        return ""
    listed = ", ".join(f"{d.name} ({d.ood}; ID: {d.id})" for d in differences)
    return f"{ood} differs from the ID set in {listed}: {CONSEQUENCE}"


def _properties(rows: pd.DataFrame) -> list[tuple[str, np.ndarray, pd.Series]]:
    """Name, class of each image as an integer, and the value as people read it."""
    exact = rows["width"].astype(str) + "x" + rows["height"].astype(str)
    sizes = pd.factorize(exact)[0]
    shown = exact
    if sizes.max(initial=0) >= _MOST_SIZES:
        side = np.sqrt(rows["width"].to_numpy(dtype=np.float64) * rows["height"].to_numpy(dtype=np.float64))
        edges = np.unique(np.quantile(side, np.linspace(0, 1, _SIZE_CLASSES + 1)[1:-1]))
        sizes, shown = np.searchsorted(edges, side, side="right"), pd.Series(side)
    return [
        ("codec", rows["format"].isin(LOSSY).to_numpy().astype(int), rows["format"]),
        ("native size", sizes, shown),
        ("colour", pd.factorize(rows["colour"])[0], rows["colour"]),
    ]


def _distance(id_counts: np.ndarray, ood_counts: np.ndarray) -> np.ndarray:
    """Total variation of counts (..., classes)."""
    shares = [counts / counts.sum(axis=-1, keepdims=True) for counts in (id_counts, ood_counts)]
    return np.abs(shares[0] - shares[1]).sum(axis=-1) / 2


def _by_chance(counts: np.ndarray, n_ood: int, rng: np.random.Generator) -> float:
    """The distance that shuffled sets seldom exceed; counts (classes,) of both sets together."""
    drawn = rng.multivariate_hypergeometric(counts, n_ood, size=_SHUFFLES, method="marginals")
    return float(np.quantile(_distance(counts - drawn, drawn), _CONFIDENCE))


def _typical(values: pd.Series) -> str:
    """'98 % JPEG', 'all PNG', or of measured sides 'median side 224'."""
    if pd.api.types.is_float_dtype(values):
        return f"median side {values.median():.0f}"
    shares = values.value_counts(normalize=True)
    share = round(100 * shares.iloc[0])
    return f"all {shares.index[0]}" if share == 100 else f"{share} % {shares.index[0]}"
