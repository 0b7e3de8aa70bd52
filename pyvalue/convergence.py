"""Do two ways of asking measure the same? The multitrait-multimethod matrix of values by modes.

Campbell & Fiske (1959), "Convergent and discriminant validation by the multitrait-multimethod matrix", Psychological
Bulletin 56. The traits are values, the methods are modes, the people are personas.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pyvalue.agreement import correlation, disattenuated

CONVERGENT_COLUMNS = (
    "value", "mode_a", "mode_b", "personas", "correlation", "low", "high", "disattenuated",
    "other_modes", "other_values", "above_other_modes", "above_other_values",
)  # fmt: skip


def multitrait_matrix(scores: Mapping[str, pd.DataFrame], alphas: Mapping[tuple[str, str], float]) -> pd.DataFrame:
    """Correlations over personas between all values in all modes, with the reliabilities (α) on the diagonal.

    Args:
        scores: of each mode, personas by values.
        alphas: of (mode, value), NaN where unknown.

    Returns:
        Symmetric; both axes are (mode, value). A correlation is over the personas who have both scores.
    """
    if not scores:
        return pd.DataFrame()
    wide = pd.concat(dict(scores), axis=1, names=["mode", "value"])
    matrix = wide.corr(min_periods=3)
    for place, key in enumerate(matrix.index):
        matrix.iloc[place, place] = alphas.get(key, math.nan)
    return matrix


def convergent_table(
    scores: Mapping[str, pd.DataFrame], alphas: Mapping[tuple[str, str], float], confidence: float = 0.95
) -> pd.DataFrame:
    """Whether each value, asked in two modes, agrees with itself, and more so than with anything else.

    One row a value and pair of modes. Columns:
        value, mode_a, mode_b, personas.
        correlation, low, high: between the modes over personas (monotrait-heteromethod), interval by Fisher's z.
        disattenuated: the same over the root of both α: NaN where one is unknown or not above 0; may exceed 1.
        other_modes: mean correlation of the value in one mode with other values in the other mode.
        other_values: mean correlation of the value with other values within a mode.
        above_other_modes, above_other_values: share of those correlations that are lower than ``correlation``, which
            should be all (Campbell & Fiske's second and third criterion).

    Args:
        scores: of each mode, personas by values.
        alphas: of (mode, value), NaN where unknown.
        confidence: of the interval.
    """
    matrix = multitrait_matrix(scores, alphas)
    rows = []
    for a, b in itertools.combinations(scores, 2):
        both = scores[a].index.intersection(scores[b].index)
        values = [value for value in scores[a].columns if value in scores[b].columns]
        for value in values:
            found = correlation(scores[a].loc[both, value], scores[b].loc[both, value], confidence=confidence)
            others = [other for other in values if other != value]
            across = [matrix.loc[(a, value), (b, other)] for other in others]
            across += [matrix.loc[(b, value), (a, other)] for other in others]
            within = [matrix.loc[(mode, value), (mode, other)] for mode in (a, b) for other in others]
            alpha_a, alpha_b = (alphas.get((mode, value), math.nan) for mode in (a, b))
            r = found.value
            free = disattenuated(r, alpha_a, alpha_b)
            shares = (_share_below(across, r), _share_below(within, r))
            rows.append((value, a, b, found.n, r, found.low, found.high, free, _mean(across), _mean(within), *shares))
    return pd.DataFrame(rows, columns=list(CONVERGENT_COLUMNS))


def _mean(numbers: list[float]) -> float:
    known = [number for number in numbers if math.isfinite(number)]
    return float(np.mean(known)) if known else math.nan


def _share_below(numbers: list[float], level: float) -> float:
    known = [number for number in numbers if math.isfinite(number)]
    return float(np.mean([number < level for number in known])) if known and math.isfinite(level) else math.nan
