"""Normal scores of known AUROCs, and slow references, that the tests of the falsifier share."""

import itertools

import numpy as np
from scipy import special

from cfs_explore.diagnostics import paired_auroc_difference


def shift_of(value):
    """Distance of two unit normals with this AUROC."""
    return float(np.sqrt(2) * special.ndtri(value))


def scored(rng, aurocs, n_id=120, n_ood=80, shared=0.5, size=1):
    """Normal scores (rows, n) of these AUROCs; rows, and images of a group of ``size``, share a part."""
    parts = []
    for n in (n_id, n_ood):
        codes = np.arange(n) // size

        def unit(rows, codes=codes, n=n):
            if size == 1:
                return rng.normal(size=(rows, n))
            of_group = rng.normal(size=(rows, codes[-1] + 1))[:, codes]
            return 0.8**0.5 * of_group + 0.2**0.5 * rng.normal(size=(rows, n))

        parts.append(shared**0.5 * unit(1) + (1 - shared) ** 0.5 * unit(len(aurocs)))
    return parts[0], parts[1] + np.array([[shift_of(value)] for value in aurocs])


def slow_auroc(ids, oods):
    return np.mean([(o > i) + 0.5 * (o == i) for i, o in itertools.product(ids, oods)])


def at(scores, *rows):
    return tuple(part[list(rows)] for part in scores)


def paired(rival, variant, **options):
    """Paired difference of two single rows."""
    return paired_auroc_difference(rival[0][0], rival[1][0], variant[0][0], variant[1][0], **options)
