"""Curves of effect against strength: monotone fit, half-maximum, rank correlation. Knows no edits and no personas."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def isotonic(curves: Floats) -> Floats:
    """Least-squares fit that never falls, of every curve.

    By the max-min formula (Robertson, Wright & Dykstra 1988, section 1.4), over all curves at once.

    Args:
        curves: (..., s) effects at growing strengths, none missing.

    Returns:
        (..., s).
    """
    s = curves.shape[-1]
    sums = np.concatenate([np.zeros((*curves.shape[:-1], 1)), np.cumsum(curves, axis=-1)], axis=-1)
    found = np.full(curves.shape, -np.inf)
    for first in range(s):
        # Means of first..last for every last, then the least over last >= k for every k >= first.
        means = (sums[..., first + 1 :] - sums[..., first : first + 1]) / np.arange(1, s - first + 1)
        least = np.minimum.accumulate(means[..., ::-1], axis=-1)[..., ::-1]
        found[..., first:] = np.maximum(found[..., first:], least)
    return found


def from_zero(curves: Floats) -> Floats:
    """``isotonic`` of curves whose first effect, that of no edit, is 0 and is known; so no fit is below 0.

    The least-squares fit under a lower bound is the fit without it, cut off there.
    """
    later = np.maximum(isotonic(curves[..., 1:]), 0.0)
    found: Floats = np.concatenate([np.zeros((*curves.shape[:-1], 1)), later], axis=-1)
    return found


def half_maximum(strengths: Floats, fitted: Floats) -> Floats:
    """Strength at which a fit first reaches half of its largest effect, by linear interpolation.

    Args:
        strengths: (s,) growing, from 0.
        fitted: (..., s) of ``from_zero``, the effect at strength 0 first.

    Returns:
        (...); NaN where the largest effect is not above 0.
    """
    top = fitted[..., -1:]
    over = fitted >= top / 2 * (1 - 1e-12)  # a plateau at half of the top is reached where it begins
    place = np.maximum(over.argmax(axis=-1), 1)[..., None]
    y0, y1 = (np.take_along_axis(fitted, place - k, axis=-1) for k in (1, 0))
    x0, x1 = strengths[place - 1], strengths[place]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(y1 > y0, (top / 2 - y0) / (y1 - y0), 1.0)
    found: Floats = np.where(top > 0, x0 + np.clip(part, 0.0, 1.0) * (x1 - x0), np.nan)[..., 0]
    return found


def rank_correlation(strengths: Floats, curves: Floats) -> Floats:
    """Spearman's correlation of every curve (..., s) with strength; NaN where a curve is constant."""
    from scipy.stats import rankdata

    x = rankdata(strengths)
    y = rankdata(curves, axis=-1)
    x, y = x - x.mean(), y - y.mean(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = (x * y).sum(axis=-1) / np.sqrt((x**2).sum() * (y**2).sum(axis=-1))
    return found
