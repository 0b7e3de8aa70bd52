"""How much a group of values moved, with the noise of few personas taken out.

The mean of |change| over values is above 0 even where nothing moves, the more so the noisier the values are. Here the
square of each mean change is lessened by its sampling variance, which makes it an unbiased estimate of the squared
true change; groups average these squares. Reported is the signed root, in the units of the scores: a negative number
says that the values moved less than noise alone makes them seem to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: personas with a score both times that a value needs
MIN_PAIRS = 3
#: in the order of the columns of ``_squares``
QUANTITIES = ("target gain", "expected change", "unexpected change", "contrast")


def summarise(change: Floats, sign: Floats, groups: Mapping[str, Mask], confidence: float) -> pd.DataFrame:
    """The rows of ``Evaluation.summary``.

    Intervals: jackknife over personas with Student's t, on the squared scale for all but the gain (Efron & Stein 1981).
    Each quantity counts the personas who have a change on one of its values.

    Args:
        change: paired change of every persona and value, (n, d); NaN where missing. Values with fewer than
            ``MIN_PAIRS`` changes are left out.
        sign: +1 or -1 at target values, 0 elsewhere, (d,).
        groups: ``"expected"`` and ``"unexpected"`` -> which values belong to it, (d,).
        confidence: of the intervals, in (0, 1).

    Returns:
        Columns ``quantity, estimate, low, high``; NaN where a group is empty or has no value with enough changes.
    """
    from scipy.special import stdtrit

    enough = np.isfinite(change).sum(axis=0) >= MIN_PAIRS
    change = np.where(enough, change, np.nan)
    whole = _squares(change, sign, groups)
    without = np.array([_squares(np.delete(change, i, axis=0), sign, groups) for i in range(len(change))])
    target, expected, unexpected = sign != 0, groups["expected"], groups["unexpected"]
    concerned = [target, expected, unexpected, expected | unexpected]
    reach = np.full(len(QUANTITIES), np.nan)
    for place, values in enumerate(concerned):
        having = np.isfinite(change[:, values]).any(axis=1)
        n = int(having.sum())
        if n < MIN_PAIRS:
            continue
        spread = without[having, place] - without[having, place].mean()
        error = np.sqrt((n - 1) / n * (spread**2).sum())
        reach[place] = float(stdtrit(n - 1, (1 + confidence) / 2)) * error
    table = np.column_stack([whole, whole - reach, whole + reach])
    table[1:] = np.sign(table[1:]) * np.sqrt(np.abs(table[1:]))
    rows: list[dict[str, Any]] = [
        {"quantity": name, "estimate": e, "low": low, "high": high}
        for name, (e, low, high) in zip(QUANTITIES, table.tolist(), strict=True)
    ]
    return pd.DataFrame(rows)


def _squares(change: Floats, sign: Floats, groups: Mapping[str, Mask]) -> Floats:
    """Target gain, then the squared scale of the other quantities."""
    known = np.isfinite(change)
    count = known.sum(axis=0)
    filled = np.where(known, change, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=0) / count
        variance = (np.where(known, change - mean, 0.0) ** 2).sum(axis=0) / (count - 1) / count
        square = mean**2 - variance
        targets = sign != 0
        gain = np.float64(_mean((mean * sign)[targets]))
        moved, stray = (_mean(square[groups[name]]) for name in ("expected", "unexpected"))
        return np.array([gain, moved, stray, moved - stray])


def _mean(x: Floats) -> float:
    known = x[np.isfinite(x)]
    return float(known.mean()) if len(known) else np.nan
