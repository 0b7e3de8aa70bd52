"""Interval of the length of a vector of true means, from estimates whose errors go together. Knows no ratio.

The square of an estimated length has variance 2 tr C² + 4 μ'Cμ, with C the covariance of the estimates. An error taken
at the estimate vanishes where the estimate is near 0, however uncertain it is; so here every length is judged by the
error that the estimate would have if it were the true one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: degrees of freedom above which χ² is taken for normal
_MANY = 1e6
_STEPS = 60


@dataclass(frozen=True)
class SizeInterval:
    """Ends of the interval, and how much of the error at each end lies along the estimate.

    Attributes:
        low: 0 where a length of 0 is not ruled out.
        high: above 0 even where the estimate says less than nothing.
        along_low: √ of the share of the variance of the squared length at ``low`` that is due to the error along
            the vector. Only that part can go together with the error of another normal estimate.
        along_high: the same at ``high``.
    """

    low: float
    high: float
    along_low: float
    along_high: float


def size_interval(means: Floats, excess: float, covariance: Floats, freedom: int, confidence: float) -> SizeInterval:
    """Lengths of the true means that fit the estimates.

    ``low`` is the length from which so large an estimate is as rare as half of what the confidence leaves, by a χ² with
    the first two moments of the square (Satterthwaite 1946, Biometrics Bulletin 2; Patnaik 1949, Biometrika 36): values
    whose errors go together count as fewer. ``high`` is the end of a score interval; an estimate smaller than noise
    alone makes it is taken for one of exactly that size, so that the interval is never short by luck (a
    power-constrained limit: Cowan et al. 2011, arXiv:1105.3166). Quantiles are stretched by Student's t.

    Args:
        means: (k,) estimates.
        excess: sum of their squares, less that of their sampling variances; may be below 0.
        covariance: (k, k) of their errors.
        freedom: degrees of freedom of the covariance, at least 2.
        confidence: in (0, 1).
    """
    from scipy.special import ndtri, stdtrit

    t, z = (float(q) for q in (stdtrit(freedom, (1 + confidence) / 2), ndtri((1 + confidence) / 2)))
    noise = float(np.trace(covariance))
    length = float(np.linalg.norm(means))
    if not noise > 1e-18 * length**2:
        size = math.sqrt(max(excess, 0.0))
        return SizeInterval(size, size, 1.0, 1.0)
    squared = _trace_of_square(covariance, freedom)
    along = float(means @ covariance @ means) / length**2 if length else noise / len(means)

    def spread(square: float) -> float:
        return math.sqrt(2.0 * squared + 4.0 * square * along)

    def share(square: float) -> float:
        return math.sqrt(4.0 * square * along) / spread(square)

    def too_small(square: float) -> bool:
        rare = t / z * _upper(2.0 * ((noise + square) / spread(square)) ** 2, confidence, z)
        return excess - square > rare * spread(square)

    seen = max(excess, 0.0)
    middle = seen + 2.0 * t * t * along
    high = middle + math.sqrt(max(0.0, middle**2 - seen**2 + 2.0 * t * t * squared))
    low, above = 0.0, seen
    if too_small(0.0):
        for _ in range(_STEPS):
            half = (low + above) / 2
            low, above = (half, above) if too_small(half) else (low, half)
    return SizeInterval(math.sqrt(low), math.sqrt(high), share(low), share(high))


def _trace_of_square(covariance: Floats, freedom: int) -> float:
    """tr C² without the bias of its estimate (Bai & Saranadasa 1996, Statistica Sinica 6), within what is possible."""
    trace, raw = float(np.trace(covariance)), float((covariance**2).sum())
    fair = freedom**2 / ((freedom - 1) * (freedom + 2)) * (raw - trace**2 / freedom)
    return min(max(fair, trace**2 / len(covariance)), trace**2)


def _upper(freedom: float, confidence: float, z: float) -> float:
    """Upper quantile of a χ², in standard deviations from its mean."""
    from scipy.special import chdtri

    if freedom > _MANY:
        return z
    return (float(chdtri(freedom, (1 - confidence) / 2)) - freedom) / math.sqrt(2.0 * freedom)
