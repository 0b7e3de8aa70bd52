"""Whether measured changes agree with predicted intervals: coverage and signs. Predicts and measures nothing.

A predicted interval is of the ratio of two changes that are both measured with noise, that of a value and that of the
target. So agreement is Fieller's (1954) test of a ratio: a ratio b agrees with the changes where the interval of the
mean of (change - b * target change) over personas holds 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

#: personas with a change of the value and of the target, below which nothing is said
MIN_PAIRS = 3


def agrees(change: Floats, gain: Floats, low: float, high: float, confidence: float) -> bool | None:
    """Whether some ratio in [low, high] of change to gain agrees with the changes; None with too few personas.

    The limits of Student's t interval of the mean of (change - b * gain) hold 0 where
    (m_c - b m_g)^2 <= t^2 / n (s_cc - 2 b s_cg + b^2 s_gg): a quadratic in b, least at an end or at its vertex.

    Args:
        change: of a value, one a persona, (n,); NaN where missing.
        gain: of the target in its wanted direction, (n,).
        low: predicted change per unit of gain, lower end.
        high: upper end.
        confidence: of the test, in (0, 1).
    """
    from scipy.special import stdtrit

    known = np.isfinite(change) & np.isfinite(gain)
    n = int(known.sum())
    if n < MIN_PAIRS or math.isnan(low) or math.isnan(high):
        return None
    c, g = change[known], gain[known]
    mean_c, mean_g = float(c.mean()), float(g.mean())
    spread = np.cov(c, g)
    k = float(stdtrit(n - 1, (1 + confidence) / 2)) ** 2 / n
    a = mean_g**2 - k * spread[1, 1]
    b = -2 * (mean_c * mean_g - k * spread[0, 1])
    rest = mean_c**2 - k * spread[0, 0]
    tried = [low, high]
    if a > 0 and low < -b / (2 * a) < high:
        tried.append(-b / (2 * a))
    # Rounding leaves a change that is exactly as predicted a hair's breadth off.
    slack = 1e-12 * max(mean_c**2, mean_g**2, float(spread[0, 0]), float(spread[1, 1]))
    return bool(min(a * x * x + b * x + rest for x in tried) <= slack)


def predicted_columns(
    unit: pd.DataFrame, values: list[str], change: Floats, sign: Floats, confidence: float
) -> pd.DataFrame:
    """Columns ``predicted_low, predicted_high, covered``, and ``still``: whether no change at all would agree.

    Args:
        unit: a plan's ``unit_changes``; may be empty.
        values: the columns of ``change``.
        change: paired changes, (n, d).
        sign: +1 or -1 at target values, 0 elsewhere, (d,).
        confidence: of the test of agreement.
    """
    ends = unit.set_index("value")[["low", "high"]] if len(unit) else pd.DataFrame(columns=["low", "high"])
    gain = _row_means(change[:, sign != 0] * sign[sign != 0])
    known = gain[np.isfinite(gain)]
    moved = float(known.mean()) if len(known) else math.nan
    rows = []
    for place, value in enumerate(values):
        low, high = (float(x) for x in ends.loc[value]) if value in ends.index else (math.nan, math.nan)
        if sign[place]:  # what the target does was wished, not predicted
            low = high = math.nan
        scaled = sorted((low * moved, high * moved)) if low == low else [math.nan, math.nan]
        held = agrees(change[:, place], gain, low, high, confidence)
        still = agrees(change[:, place], gain, 0.0, 0.0, confidence) if low == low else None
        rows.append(
            {
                "predicted_low": scaled[0],
                "predicted_high": scaled[1],
                "covered": pd.NA if held is None else held,
                "still": pd.NA if still is None else still,
            }
        )
    frame = pd.DataFrame(rows, columns=["predicted_low", "predicted_high", "covered", "still"])
    return frame.astype({"covered": "boolean", "still": "boolean"})


def prediction_rows(effects: pd.DataFrame, still: pd.Series, moved: bool) -> list[dict[str, Any]]:
    """Rows of the summary about the intervals; none where nothing was predicted in numbers.

    Args:
        effects: of an ``Evaluation``.
        still: whether no change at all would have agreed, one a row of ``effects``.
        moved: whether the interval of the target's gain leaves out 0. Else the predicted signs, which turn with it, are
            those of noise, and sign accuracy is undefined.
    """
    judged = effects["covered"].notna()
    if not judged.any():
        return []
    signed = judged & moved & ((effects["predicted_low"] > 0) | (effects["predicted_high"] < 0)) & effects["changed"]
    middle = (effects["predicted_low"] + effects["predicted_high"])[signed]
    right = np.sign(middle) == np.sign(effects["change"][signed])
    return [
        _row("coverage", float(effects["covered"][judged].mean())),
        _row("coverage of no change", float(still[judged].mean())),
        _row("sign accuracy", float(right.mean()) if len(right) else math.nan),
    ]


def _row(quantity: str, estimate: float) -> dict[str, Any]:
    """A share over values, which move together; so it has no interval."""
    return {"quantity": quantity, "estimate": estimate, "low": math.nan, "high": math.nan}


def _row_means(table: Floats) -> Floats:
    """Means over known entries; NaN for rows without one."""
    known = np.isfinite(table)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(known, table, 0.0).sum(axis=1) / known.sum(axis=1)
    return mean
