"""Covariance matrices of resampled rows, all at once, and intervals from what is computed of them.

Whole clusters are drawn, as many as there are, with replacement; rows of a persona stay together. Covariances are those
within edits: in every resample the mean of the rows of an edit is taken out, since what an edit adds was not drawn but
set. The graph is held fixed: the intervals know nothing of an edge that was found wrongly.
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


def covariance(rows: Floats, edit: NDArray[np.int64] | None = None) -> Floats:
    """(d, d) of rows (n, d), within edits whose numbers are given."""
    edit = np.zeros(len(rows), dtype=np.int64) if edit is None else edit
    centred = within_edits(rows, edit)
    found: Floats = centred.T @ centred / (len(rows) - len(np.unique(edit)))
    return found


def within_edits(rows: Floats, edit: NDArray[np.int64]) -> Floats:
    """(n, d) rows without the mean of the rows of the same edit."""
    count = np.bincount(edit)
    sums = np.zeros((len(count), rows.shape[1]))
    centred = rows - rows.mean(axis=0)  # so that no digits are lost
    np.add.at(sums, edit, centred)
    found: Floats = centred - (sums / np.maximum(count, 1)[:, None])[edit]
    return found


def resampled_covariances(data: EffectRows, resamples: int, seed: int) -> Floats:
    """(R, d, d) covariance matrices of resampled clusters.

    Rows are summed into moments of their clusters once; a replicate is then a weighted sum of these.
    """
    table, d = _moments(data), data.rows.shape[1]
    clusters, width = table.shape
    rng = np.random.default_rng(seed)
    found = np.empty((resamples, d, d))
    step = max(1, _BLOCK // max(clusters, width))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(clusters, size=(size, clusters)) + clusters * np.arange(size)[:, None]
        weight = np.bincount(drawn.ravel(), minlength=size * clusters).reshape(size, clusters)
        found[start : start + size] = _of_totals(weight.astype(float) @ table, d, data.n_edits)
    return found


def left_out_covariances(data: EffectRows) -> Floats:
    """(C, d, d) covariance matrices without one cluster each; none where there are more than ``MOST_LEFT_OUT``."""
    d = data.rows.shape[1]
    if data.n_clusters > MOST_LEFT_OUT:
        return np.empty((0, d, d))
    table = _moments(data)
    return _of_totals(table.sum(axis=0) - table, d, data.n_edits)


def cluster_worth(data: EffectRows) -> float:
    """How many clusters of equal size the clusters are worth: (sum of sizes)² / sum of squared sizes."""
    sizes = np.bincount(data.cluster).astype(float)
    return float(sizes.sum() ** 2 / (sizes @ sizes))


def _of_totals(totals: Floats, d: int, edits: int) -> Floats:
    """(R, d, d) covariances within edits; NaN where no edit has two rows."""
    count = np.rint(totals[:, :edits])
    sums = totals[:, edits : edits * (1 + d)].reshape(-1, edits, d)
    means = sums / np.maximum(count, 1)[..., None]
    products = unpacked(totals[:, edits * (1 + d) :], d) - sums.swapaxes(1, 2) @ means
    freedom = count.sum(axis=1) - (count > 0).sum(axis=1)
    found: Floats = products / np.where(freedom > 0, freedom, np.nan)[:, None, None]
    return (found + found.swapaxes(1, 2)) / 2


def unpacked(packed: Floats, d: int) -> Floats:
    """(R, d, d) symmetric matrices from their upper triangles (R, d (d + 1) / 2)."""
    above = np.triu_indices(d)
    matrices = np.empty((len(packed), d, d))
    matrices[:, above[0], above[1]] = matrices[:, above[1], above[0]] = packed
    return matrices


def _moments(data: EffectRows) -> Floats:
    """Of every cluster (C): its rows under each of E edits, their sums, and sums of products over all edits.

    Sums are about the means of the edits: (C, E (1 + d) + d (d + 1) / 2).
    """
    centred = within_edits(data.rows, data.edit)
    d, edits, clusters = centred.shape[1], data.n_edits, data.n_clusters
    place = data.cluster * edits + data.edit
    count = np.bincount(place, minlength=clusters * edits).reshape(clusters, edits).astype(float)
    sums = np.zeros((clusters * edits, d))
    np.add.at(sums, place, centred)
    above = np.triu_indices(d)
    products = centred[:, above[0]] * centred[:, above[1]]
    starts = np.flatnonzero(np.diff(data.cluster, prepend=-1))
    return np.column_stack([count, sums.reshape(clusters, edits * d), np.add.reduceat(products, starts)])


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
