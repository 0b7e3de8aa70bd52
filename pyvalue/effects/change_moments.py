"""Mean changes of values over personas, their squares without noise, and jackknife errors of averages of both.

The square of a mean, lessened by the mean's sampling variance, is an unbiased estimate of the square of the true mean.
Draws no conclusion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: personas with a change that a value needs to be counted
MIN_PAIRS = 3


@dataclass(frozen=True)
class Moments:
    """Mean changes of values and their squares without noise, of all personas and without each of them in turn.

    ``mean`` and ``square`` are (1 + n, d); row 0 is of all personas. NaN where a value has too few.
    """

    known: npt.NDArray[np.bool_]
    mean: Floats
    square: Floats

    @classmethod
    def of(cls, change: Floats) -> Moments:
        known = np.isfinite(change)
        # Sums of squares are taken around the mean of all, so that no digits are lost.
        with np.errstate(invalid="ignore", divide="ignore"):
            centre = np.where(known, change, 0.0).sum(axis=0) / known.sum(axis=0)
            off = np.where(known, change - centre, 0.0)
            count = known.sum(axis=0) - np.vstack([np.zeros((1, change.shape[1])), known])
            first = off.sum(axis=0) - np.vstack([np.zeros((1, change.shape[1])), off])
            second = (off**2).sum(axis=0) - np.vstack([np.zeros((1, change.shape[1])), off**2])
            shift = first / count
            variance = np.maximum(second - first * shift, 0.0) / (count - 1) / count
            mean = centre + shift
            square = mean**2 - variance
        few = known.sum(axis=0) < MIN_PAIRS
        square[:, few] = np.nan
        mean[1:, few] = np.nan
        return cls(known, mean, square)

    def average(self, of: Floats, weight: Floats) -> Floats:
        """(1 + n,) weighted mean over the values that have enough personas and a weight."""
        used = (weight != 0) & np.isfinite(self.square[0])
        if not used.any():
            return np.full(len(of), np.nan)
        found: Floats = (of[:, used] * weight[used]).sum(axis=1) / used.sum()
        return found

    def errors(self, quantities: list[Floats], weight: Floats) -> tuple[Floats, int]:
        """Jackknife covariance of quantities (1 + n,) over the personas with a change of one of their values."""
        having = (self.known & (weight != 0)).any(axis=1)
        n = int(having.sum())
        if n < MIN_PAIRS:
            return np.full((len(quantities), len(quantities)), np.nan), n
        left = np.array([q[1:][having] for q in quantities])
        spread = left - left.mean(axis=1, keepdims=True)
        covariance: Floats = (n - 1) / n * spread @ spread.T
        return covariance, n

    def counted(self, weight: Floats) -> npt.NDArray[np.bool_]:
        """Values with a weight and enough personas; where none has enough, those with any."""
        enough: npt.NDArray[np.bool_] = (weight != 0) & np.isfinite(self.square[0])
        some: npt.NDArray[np.bool_] = (weight != 0) & np.isfinite(self.mean[0])
        return enough if enough.any() else some

    def gain(self, sign: Floats) -> tuple[float, float, int]:
        """Mean change of the values with a sign in its direction, its standard error, and the personas behind it."""
        covariance, n = self.errors([self.average(self.mean, sign)], sign)
        moved = (self.mean[0] * sign)[self.counted(sign)]
        return float(moved.mean()) if len(moved) else math.nan, math.sqrt(covariance[0, 0]), n
