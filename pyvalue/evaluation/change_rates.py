"""How often one value's score changes given that another's does, and over whom that is averaged.

These are the rates behind Table 2 of Kang et al. (2025), arXiv 2501.00581. They are descriptive: they hold no null,
no interval and no correction for values that change often anyway.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def conditional_change_rates(change: ArrayLike, threshold: float = 0.0) -> Floats:
    """Share of the rows in which value j changed, of those in which value i did.

    Args:
        change: (n, d) changes of scores, one row a comparison; NaN where a change is not known.
        threshold: a value changed where ``|change| > threshold``, at least 0. With 0 any difference counts, to the
            last bit: scores that are equal must have been computed in the same way.

    Returns:
        (d, d) rates f with ``f[i, j] = #(i and j changed) / #(i changed, j known)``; NaN where the denominator is 0,
        and 1 on the diagonal of every value that changed at all.

    Raises:
        ValueError: ``change`` is no table, holds an infinite change, or the threshold is negative or no number.
    """
    table = np.asarray(change, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"change must have 2 dimensions (rows, values), got shape {table.shape}")
    if np.isinf(table).any():
        raise ValueError("change must be finite or NaN, got an infinite change")
    if not (np.isfinite(threshold) and threshold >= 0):
        raise ValueError(f"threshold must be a number of at least 0, got {threshold!r}")
    changed = (np.abs(table) > threshold).astype(np.float64)  # a comparison with NaN is false
    known = (~np.isnan(table)).astype(np.float64)
    return _ratio(changed.T @ changed, changed.T @ known)


def expected_and_unexpected(rates: ArrayLike, reach: ArrayLike) -> tuple[Floats, Floats]:
    """Mean rate over the values that a graph lets follow from i, and over the rest without i.

    Args:
        rates: (d, d), as ``conditional_change_rates`` gives; NaN entries are left out of the means.
        reach: (d, d) flags: j is a descendant of i. The diagonal is not read.

    Returns:
        Two arrays (d,): the mean over descendants and over the others. NaN where there is nothing to average: i never
        changed, has no descendant, or reaches every value.

    Raises:
        ValueError: the shapes are not square and equal.
        TypeError: ``reach`` holds no flags.
    """
    table, flags = np.asarray(rates, dtype=np.float64), np.asarray(reach)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or flags.shape != table.shape:
        raise ValueError(f"rates and reach must both be square of one size, got shapes {table.shape} and {flags.shape}")
    if flags.dtype != np.bool_:
        raise TypeError(f"reach must hold booleans, got {flags.dtype}; pass reach.astype(bool)")
    others = ~np.eye(len(table), dtype=bool)
    return _mean_where(table, flags & others), _mean_where(table, ~flags & others)


def _mean_where(table: Floats, keep: NDArray[np.bool_]) -> Floats:
    keep = keep & ~np.isnan(table)
    return _ratio(np.where(keep, table, 0.0).sum(axis=1), keep.sum(axis=1, dtype=np.float64))


def _ratio(count: Floats, total: Floats) -> Floats:
    out = np.full_like(total, np.nan)
    np.divide(count, total, out=out, where=total > 0)
    return out
