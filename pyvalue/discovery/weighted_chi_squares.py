"""Tail of a weighted sum of chi-squares. Import it only when numba is there."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pyvalue.discovery.numba_kernel import kernel


@kernel
def weighted_chi_squares_tail(statistic: float, covariance: NDArray[np.float64]) -> float:
    """P(Σ λ_i χ²_1 > statistic), λ the eigenvalues of a covariance (m, m), by matching three cumulants.

    Hall (1983), "Chi squared approximations to the distribution of a sum of independent random variables", Annals of
    Probability 11; Buckley & Eagleson (1988), Australian Journal of Statistics 30. The cumulants come from the traces
    of the covariance's powers, so that no eigenvalue is needed. NaN in gives NaN.
    """
    m = len(covariance)
    first, second, third = 0.0, 0.0, 0.0
    for a in range(m):
        first += covariance[a, a]
        for b in range(m):
            square = 0.0
            for c in range(m):
                square += covariance[a, c] * covariance[b, c]
            second += covariance[a, b] * covariance[a, b]
            third += square * covariance[a, b]
    if second == 0.0:
        return 1.0
    freedom = second**3 / third**2
    chi_square = freedom + math.sqrt(freedom / second) * (statistic - first)
    return gamma_tail(0.5 * freedom, 0.5 * chi_square)


@kernel
def gamma_tail(shape: float, x: float) -> float:
    """P(Γ > x) for a gamma variable of unit scale. A kernel that calls SciPy's ``gammaincc`` cannot be kept on disk.

    A series below shape + 1, Lentz's continued fraction above (DLMF 8.11.4 and 8.9.2). Relative error below 1e-12 for
    shapes from 0.05 to 50.
    """
    if x <= 0.0:
        return 1.0
    if not math.isfinite(shape + x):
        return 0.0 if x == math.inf else math.nan
    scale = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1.0:
        term = 1.0 / shape
        total = term
        order = shape
        while term > 1e-17 * total:
            order += 1.0
            term *= x / order
            total += term
        return 1.0 - scale * total
    denominator = x + 1.0 - shape
    c, d = 1e300, 1.0 / denominator
    fraction, step = d, 0.0
    i = 0
    while abs(step - 1.0) > 1e-16 and i < 10_000:
        i += 1
        numerator = i * (shape - i)
        denominator += 2.0
        d = 1.0 / (numerator * d + denominator)
        c = denominator + numerator / c
        step = c * d
        fraction *= step
    return scale * fraction
