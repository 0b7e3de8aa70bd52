"""Interval of a ratio from intervals of its two parts. Knows no personas and estimates neither part."""

from __future__ import annotations

import math


def ratio_interval(
    top: float, top_low: float, top_high: float, bottom: float, reach: float, correlation: float
) -> tuple[float, float]:
    """Ends of the interval of ``top / bottom`` by the method of variance estimates recovery (MOVER-R).

    Donner & Zou (2012), "Closed-form confidence intervals for functions of the normal mean and standard deviation",
    Statistical Methods in Medical Research 21(4). Where the interval of ``top`` is symmetric, this is Fieller's. Unlike
    the delta method it stays valid where ``bottom`` is only just known to differ from 0.

    Args:
        top: estimate above the line, with its interval ``top_low`` to ``top_high``, which may be lopsided.
        top_low: see ``top``.
        top_high: see ``top``.
        bottom: estimate below the line, above 0.
        reach: half of its symmetric interval, below ``bottom``.
        correlation: of the two estimates, from -1 to 1.

    Returns:
        (low, high); NaN where ``bottom - reach`` is not above 0 (the set of ratios that fit has no two ends), or where
        an argument is NaN.
    """
    if not bottom - reach > 0 or any(map(math.isnan, (top, top_low, top_high, correlation))):
        return math.nan, math.nan
    square = (bottom - reach) * (bottom + reach)

    def end(below: float, side: int) -> float:
        middle = bottom * top - correlation * below * reach
        return (middle + side * math.sqrt(max(0.0, middle**2 - square * (top**2 - below**2)))) / square

    return end(top - top_low, -1), end(top_high - top, 1)
