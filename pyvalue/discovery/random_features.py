"""Random Fourier features of a Gaussian kernel (Rahimi & Recht 2007). Import it only when numba is there."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pyvalue.discovery.numba_kernel import kernel

Float64 = NDArray[np.float64]

_BANDWIDTH_ROWS = 500


@kernel
def standardise(row: Float64) -> float:
    """Give a row (n,), n > 0, mean 0 and standard deviation 1 in place; a constant row becomes 0.

    Returns:
        The former standard deviation: 0 for a constant row, NaN where a number is not finite.
    """
    n = len(row)
    least, most, total = row[0], row[0], 0.0
    for i in range(n):
        least, most = min(least, row[i]), max(most, row[i])
        total += row[i]
    # By the range first, which tells constants apart from rounding and keeps squares from overflow.
    mean, spread, squares = total / n, most - least, 0.0
    inverse = 1.0 if spread == 0.0 else 1.0 / spread
    for i in range(n):
        row[i] = (row[i] - mean) * inverse
        squares += row[i] * row[i]
    deviation = math.sqrt(squares / n)
    constant = spread == 0.0 and math.isfinite(deviation)
    inverse = 0.0 if constant else 1.0 / deviation
    for i in range(n):
        row[i] *= inverse
    return 0.0 if constant else deviation * spread


@kernel
def bandwidth(columns: Float64) -> float:
    """Median distance between two rows that differ, to six digits, among the first 500 rows of columns (k, n).

    By bisection, whose counting runs on vector registers: four times as fast as selection.
    """
    k, n = columns.shape
    rows = min(n, _BANDWIDTH_ROWS)
    squares = np.zeros(rows * (rows - 1) // 2)
    start = 0
    for i in range(rows):
        for column in range(k):
            for j in range(i):
                squares[start + j] += (columns[column, i] - columns[column, j]) ** 2
        start += i
    zeros, high = 0, 0.0
    for square in squares:
        zeros += square == 0.0
        high = max(high, square)
    half = zeros + (len(squares) - zeros + 1) // 2
    low = 0.0
    while high - low > 1e-6 * high:
        middle = 0.5 * (low + high)
        count = 0
        for square in squares:
            count += square <= middle
        if count >= half:
            high = middle
        else:
            low = middle
    return math.sqrt(high) if high > 0.0 else 1.0


@kernel
def fill_features(columns: Float64, weights: Float64, phases: Float64, out: Float64) -> None:
    """Write standardised features cos(w·row / bandwidth + phase) of columns (k, n) to out (m, n).

    Args:
        columns: (k, n), standardised.
        weights: (drawn, m'), m' >= m, standard normal. Column j of the data takes row j; beyond the last row, the
            rows again, with the features' weights shifted by one, so that no two columns enter as their sum.
        phases: (m',), uniform on [0, 2π).
        out: (m, n).
    """
    k, n = columns.shape
    drawn, count = weights.shape
    scale = 1.0 / bandwidth(columns)
    for f in range(len(out)):
        row = out[f]
        for i in range(n):
            row[i] = phases[f]
        for column in range(k):
            weight = scale * weights[column % drawn, (f + column // drawn) % count]
            for i in range(n):
                row[i] += weight * columns[column, i]
        for i in range(n):
            row[i] = math.cos(row[i])
        standardise(row)
