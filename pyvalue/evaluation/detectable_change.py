"""The smallest mean change that a number of personas can tell from none, where several values are looked at at once.

It knows the spread over personas only: what other items, or another run of the same ones, would add is not in it.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: differences below this are rounding: scores are means of a few numbers between -2 and 2
ROUNDING = 1e-12


def detectable_change(
    change: npt.ArrayLike, *, confidence: float = 0.95, comparisons: int | None = None, power: float = 0.5
) -> Floats:
    """Minimal detectable effect of every value: (t of the level + t of the power) * standard error over personas.

    The level is two-sided and Bonferroni's: 1 - ``confidence`` over ``comparisons``. With power .5 it is the critical
    value of that test, so "above the minimal detectable effect" and "significant" are the same. With more power it is
    the usual approximation of the noncentral t by a shifted one (Bloom 1995, Evaluation Review 19).

    Args:
        change: paired changes (personas, values); NaN where missing.
        confidence: in (0, 1).
        comparisons: tests that share the level; default the number of values.
        power: probability, in [.5, 1), with which a true change of this size is to be found.

    Returns:
        (values,); NaN with fewer than 2 changes. 0 where all personas changed alike.

    Raises:
        ValueError: ``change`` is no table, or a number is out of its range.
        TypeError: what should be a number is none.
    """
    table = np.asarray(change, dtype=float)
    if table.ndim != 2:
        raise ValueError(f"change: expected shape (personas, values), got {table.shape}")
    comparisons = table.shape[1] if comparisons is None else comparisons
    for name, given in (("confidence", confidence), ("power", power), ("comparisons", comparisons)):
        if isinstance(given, bool) or not isinstance(given, Real):
            raise TypeError(f"{name}: expected a number, got {given!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    if not 0.5 <= power < 1:
        raise ValueError(f"power: expected a number of at least .5 and below 1, got {power}")
    if comparisons < 1:
        raise ValueError(f"comparisons: expected at least 1, got {comparisons}")
    n, _, error = mean_and_error(table, np.ones((1, len(table))))
    return np.asarray(multiplier(n, confidence, comparisons, power) * error, dtype=float)[0]  # type: ignore[no-any-return]


def mean_and_error(change: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Number, mean and standard error of the mean under repeated personas, as a bootstrap draws them.

    Args:
        change: (personas, values), NaN where missing.
        weights: (replicates, personas), how often each persona was drawn.

    Returns:
        Three arrays (replicates, values); means NaN without a change, errors NaN with fewer than two.
    """
    known = np.isfinite(change)
    filled = np.where(known, change, 0.0)
    centre = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)  # so that squares lose no digits
    apart = np.where(known, change - centre, 0.0)
    n = weights @ known
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = np.where(n > 0, weights @ apart / n, np.nan)
        variance = np.maximum(weights @ apart**2 - n * shift**2, 0.0) / (n - 1)
        error = np.where(n > 1, np.sqrt(variance / n), np.nan)
    return n, centre + shift, np.where(error < ROUNDING, 0.0, error)


def multiplier(n: Floats, confidence: float, comparisons: int, power: float = 0.5) -> Floats:
    """Standard errors between no change and the smallest detectable one, for n changes; NaN for fewer than 2."""
    from scipy.special import stdtrit

    n = np.asarray(n, dtype=float)
    sizes, where = np.unique(n, return_inverse=True)
    degrees = np.where(sizes > 1, sizes - 1, np.nan)
    found: Any = stdtrit(degrees, 1 - (1 - confidence) / (2 * comparisons)) + stdtrit(degrees, power)
    return np.asarray(found[where].reshape(n.shape), dtype=float)


def moved(change: Floats, weights: Floats, confidence: float, comparisons: int) -> tuple[Floats, Floats]:
    """Which mean changes are above the minimal detectable effect, and the means.

    Args:
        change, weights: see ``mean_and_error``.
        confidence, comparisons: see ``detectable_change``.

    Returns:
        (replicates, values): 1 moved, 0 not, NaN where that cannot be told; and the mean changes.
    """
    n, mean, error = mean_and_error(change, weights)
    bound = multiplier(n, confidence, comparisons) * error
    above = np.abs(mean) > np.maximum(bound, ROUNDING)
    return np.where(np.isfinite(bound), above.astype(float), np.nan), mean
