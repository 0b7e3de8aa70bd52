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

#: clusters above which the bootstrap alone is good enough
MOST_LEFT_OUT = 500


def covariance(rows: Floats) -> Floats:
    """(d, d) of rows (n, d)."""
    centred = rows - rows.mean(axis=0)
    found: Floats = centred.T @ centred / (len(rows) - 1)
    return found


def resampled_covariances(data: EffectRows, resamples: int, seed: int) -> Floats:
    """(R, d, d) covariance matrices of resampled clusters.

    Rows are summed into moments of their clusters once; a replicate is then a weighted sum of these.
    """
    table = _moments(data)
    clusters = len(table)
    rng = np.random.default_rng(seed)
    totals = np.empty((resamples, table.shape[1]))
    step = max(1, _BLOCK // clusters)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(clusters, size=(size, clusters)) + clusters * np.arange(size)[:, None]
        weight = np.bincount(drawn.ravel(), minlength=size * clusters).reshape(size, clusters)
        totals[start : start + size] = weight.astype(float) @ table
    return _of_totals(totals, data.rows.shape[1])


def left_out_covariances(data: EffectRows) -> Floats:
    """(C, d, d) covariance matrices without one cluster each; none where there are more than ``MOST_LEFT_OUT``."""
    table, d = _moments(data), data.rows.shape[1]
    if len(table) > MOST_LEFT_OUT:
        return np.empty((0, d, d))
    return _of_totals(table.sum(axis=0) - table, d)


def cluster_worth(data: EffectRows) -> float:
    """How many clusters of equal size the clusters are worth: (sum of sizes)² / sum of squared sizes."""
    sizes = np.bincount(data.cluster).astype(float)
    return float(sizes.sum() ** 2 / (sizes @ sizes))


def _of_totals(totals: Floats, d: int) -> Floats:
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


def _moments(data: EffectRows) -> Floats:
    """Of every cluster the rows, their sums and sums of products about the grand mean: (C, 1 + d + d (d + 1) / 2)."""
    centred = data.rows - data.rows.mean(axis=0)
    above = np.triu_indices(centred.shape[1])
    products = centred[:, above[0]] * centred[:, above[1]]
    starts = np.flatnonzero(np.diff(data.cluster, prepend=-1))
    count = np.diff(np.append(starts, len(centred))).astype(float)
    return np.column_stack([count, np.add.reduceat(centred, starts), np.add.reduceat(products, starts)])


def reach(estimate: Floats, replicates: Floats, left_out: Floats, worth: float, confidence: float) -> Floats:
    """Half the width of an interval: Student's t times the spread of the estimate.

    The spread is the larger of two. One is the standard deviation over replicates, widened by sqrt(W / (W - 1)) for
    clusters worth W equal ones, because drawing as many as there are finds a variance too small by this much. The
    other is the jackknife over clusters (Efron & Stein 1981), which is better with few clusters of unequal sizes. The
    t has W - 1 degrees of freedom.

    Args:
        estimate: (...,) over all rows.
        replicates: (R, ...) over resamples; NaN where there was no answer. NaN results where a tenth had none.
        left_out: (C, ...) without one cluster each, or (0, ...).
        worth: number of clusters of equal size; see ``cluster_worth``.
        confidence: in (0, 1).
    """
    from scipy.special import stdtrit

    variance = _variance(replicates, replicates.mean(axis=0), len(replicates) - 1) * worth / (worth - 1)
    if len(left_out):
        variance = np.maximum(variance, _variance(left_out, estimate, len(left_out) / (len(left_out) - 1)))
    width: Floats = float(stdtrit(max(worth - 1, 1.0), (1 + confidence) / 2)) * np.sqrt(variance)
    return width


def _variance(values: Floats, middle: Floats, divisor: float) -> Floats:
    """Sum of squares about the middle over the divisor, scaled up for missing ones; NaN where a tenth is missing."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    if known.all():
        squares = ((values - middle) ** 2).sum(axis=0)
    else:
        mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1)
        middle = np.where(np.isfinite(middle), middle, mean)
        squares = (np.where(known, values - middle, 0.0) ** 2).sum(axis=0) * len(values) / np.maximum(count, 1)
    return np.where(count > 0.9 * len(values), squares / divisor, np.nan)
