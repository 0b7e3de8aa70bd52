"""Covariance matrices of resampled rows, all at once, and intervals from what is computed of them.

Whole clusters are drawn, as many as there are, with replacement; rows of a persona stay together. The graph is held
fixed: the intervals know nothing of an edge that was found wrongly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyvalue.effects.effect_rows import EffectRows

Floats = NDArray[np.float64]

# Draws are made and summed in blocks of about this many entries, 64 MiB of doubles.
_BLOCK = 1 << 23


def covariance(rows: Floats) -> Floats:
    """(d, d) of rows (n, d)."""
    centred = rows - rows.mean(axis=0)
    found: Floats = centred.T @ centred / (len(rows) - 1)
    return found


def resampled_covariances(data: EffectRows, resamples: int, seed: int) -> Floats:
    """(R, d, d) covariance matrices of resampled clusters.

    Rows are summed into moments of their clusters once; a replicate is then a weighted sum of these.
    """
    count, sums, upper = _moments(data)
    clusters, d = sums.shape
    rng = np.random.default_rng(seed)
    table = np.column_stack([count, sums, upper])
    totals = np.empty((resamples, table.shape[1]))
    step = max(1, _BLOCK // clusters)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(clusters, size=(size, clusters)) + clusters * np.arange(size)[:, None]
        weight = np.bincount(drawn.ravel(), minlength=size * clusters).reshape(size, clusters)
        totals[start : start + size] = weight.astype(float) @ table
    n, mean = totals[:, :1], totals[:, 1 : d + 1] / totals[:, :1]
    above = np.triu_indices(d)
    packed = (totals[:, d + 1 :] - n * (mean[:, above[0]] * mean[:, above[1]])) / (n - 1)
    return unpacked(packed, d)


def unpacked(packed: Floats, d: int) -> Floats:
    """(R, d, d) symmetric matrices from their upper triangles (R, d (d + 1) / 2)."""
    above = np.triu_indices(d)
    matrices = np.empty((len(packed), d, d))
    matrices[:, above[0], above[1]] = matrices[:, above[1], above[0]] = packed
    return matrices


def _moments(data: EffectRows) -> tuple[Floats, Floats, Floats]:
    """Of every cluster the rows, their sums (C, d) and sums of products (C, d (d + 1) / 2), about the grand mean."""
    centred = data.rows - data.rows.mean(axis=0)
    above = np.triu_indices(centred.shape[1])
    products = centred[:, above[0]] * centred[:, above[1]]
    starts = np.flatnonzero(np.diff(data.cluster, prepend=-1))
    count = np.diff(np.append(starts, len(centred))).astype(float)
    return count, np.add.reduceat(centred, starts), np.add.reduceat(products, starts)


def reach(replicates: Floats, clusters: int, confidence: float) -> Floats:
    """Half the width of an interval: Student's t with C - 1 degrees of freedom times the spread of the replicates.

    The spread is widened by sqrt(C / (C - 1)): drawing C of C clusters finds a variance that is too small by this much.

    Args:
        replicates: (R, ...) of an estimate; NaN where it had no answer, and NaN results where a tenth had none.
        clusters: C.
        confidence: in (0, 1).
    """
    from scipy.special import stdtrit

    known = np.isfinite(replicates)
    enough = known.sum(axis=0) > 0.9 * len(replicates)
    count = np.maximum(known.sum(axis=0), 2)
    mean = np.where(known, replicates, 0.0).sum(axis=0) / count
    variance = (np.where(known, replicates - mean, 0.0) ** 2).sum(axis=0) / (count - 1)
    factor = float(stdtrit(clusters - 1, (1 + confidence) / 2)) * np.sqrt(clusters / (clusters - 1))
    return np.where(enough, factor * np.sqrt(variance), np.nan)
