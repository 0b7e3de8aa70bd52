"""Squares of the influence of rows on correlations, summed over rows and over clusters, without a copy of the data.

Everything is made of products of standardised columns Z: the influence of row t on the correlation r of i and j is
u = z_i z_j - r (z_i² + z_j²) / 2, so that Σu over a cluster needs the cluster's ZᵀZ alone, and Σu² over all rows needs
ZᵀZ of the squares and cubes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

# Rows that are standardised at once.
_BLOCK = 20_000


@dataclass(frozen=True)
class Moments:
    """Columns, what standardises them, and sums over all rows.

    Attributes:
        columns: d arrays (n,).
        codes_of: for every standardised column its column and, of a category, its level.
        mean: (D,) of the standardised columns.
        scale: (D,), 0 for one that does not vary.
        correlation: (D, D).
        squares: (D, D), Σu² over the rows.
    """

    columns: Sequence[NDArray[np.generic]]
    codes_of: tuple[tuple[int, int | None], ...]
    mean: Matrix
    scale: Matrix
    correlation: Matrix
    squares: Matrix

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.columns[0])

    def block(self, rows: NDArray[np.intp] | slice) -> Matrix:
        """Standardised columns (rows, D); missing entries 0."""
        return _standardised(_gathered(self.columns, self.codes_of, rows), self.mean, self.scale)

    def of_variables(self, sums: Matrix) -> Matrix:
        """(d, d) from (D, D): summed over the levels of categories."""
        member = np.zeros((len(self.codes_of), len(self.columns)))
        member[np.arange(len(self.codes_of)), [column for column, _ in self.codes_of]] = 1.0
        return member.T @ sums @ member


@dataclass(frozen=True)
class ClusterSums:
    """Σ (Σu)² over clusters (D, D), and the same with each Σu enlarged by 1 / (1 - the cluster's share of the rows)."""

    plain: Matrix
    enlarged: Matrix


def moments(columns: Sequence[NDArray[np.generic]], levels: Sequence[tuple[str, ...] | None]) -> Moments:
    """Means, scales, correlations and Σu² of columns, of categories by the indicators of their levels."""
    codes_of: list[tuple[int, int | None]] = []
    for index, labels in enumerate(levels):
        codes_of += [(index, None)] if labels is None else [(index, level) for level in range(len(labels))]
    n = len(columns[0])
    total, square, count = np.zeros((3, len(codes_of)))
    for rows in _blocks(n):
        values = _gathered(columns, codes_of, rows)
        total += np.nansum(values, axis=0)
        count += np.count_nonzero(~np.isnan(values), axis=0)
    mean = total / np.maximum(count, 1)
    for rows in _blocks(n):
        square += np.nansum((_gathered(columns, codes_of, rows) - mean) ** 2, axis=0)
    scale = np.sqrt(square / n)
    size = len(codes_of)
    products, cubes, fourth = np.zeros((3, size, size))
    for rows in _blocks(n):
        z = _standardised(_gathered(columns, codes_of, rows), mean, scale)
        products += z.T @ z
        cubes += (z**3).T @ z
        fourth += (z**2).T @ (z**2)
    r = products / n
    own = np.diagonal(fourth)
    squares = fourth - r * (cubes + cubes.T) + r**2 / 4 * (own[:, None] + own[None, :] + 2 * fourth)
    return Moments(columns, tuple(codes_of), mean, scale, r, np.maximum(squares, 0.0))


def squared_cluster_sums(data: Moments, codes: NDArray[np.int64]) -> ClusterSums:
    """Sums over clusters of rows with the same code."""
    sizes = np.bincount(codes)
    size = len(data.codes_of)
    plain, enlarged = np.zeros((2, size, size))
    if len(sizes) == data.n:  # the rows themselves
        return ClusterSums(data.squares, data.squares * (data.n / (data.n - 1)) ** 2)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(sizes)
    first = 0
    half = data.correlation / 2
    while first < len(sizes):
        last = max(first + 1, int(np.searchsorted(ends, (ends[first - 1] if first else 0) + _BLOCK, side="right")))
        start = int(ends[first - 1]) if first else 0
        z = data.block(order[start : int(ends[last - 1])])
        for cluster in range(first, last):
            rows = z[int(ends[cluster] - sizes[cluster]) - start : int(ends[cluster]) - start]
            products = rows.T @ rows
            own = np.diagonal(products)
            influence = products - half * (own[:, None] + own[None, :])
            squared = influence**2
            plain += squared
            enlarged += squared / (1 - sizes[cluster] / data.n) ** 2
        first = last
    # A jackknife's sum is (C - 1) / C of this: for clusters of one size C / (C - 1) of the plain sum.
    return ClusterSums(plain, enlarged * (len(sizes) - 1) / len(sizes))


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK))


def _gathered(
    columns: Sequence[NDArray[np.generic]], codes_of: Sequence[tuple[int, int | None]], rows: NDArray[np.intp] | slice
) -> Matrix:
    values = [columns[column][rows] if level is None else columns[column][rows] == level for column, level in codes_of]
    return np.column_stack([one.astype(np.float64) for one in values])


def _standardised(values: Matrix, mean: Matrix, scale: Matrix) -> Matrix:
    with np.errstate(divide="ignore", invalid="ignore"):
        z: Matrix = np.where(scale > 0, (values - mean) / scale, 0.0)
    return np.nan_to_num(z)
