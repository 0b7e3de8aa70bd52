"""How much all values move together: the sign of a bias that runs through every answer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd


def common_factor(matrix: pd.DataFrame) -> dict[str, Any]:
    """Mean correlation between different values, and the share of the first principal component.

    A correlation is over the rows that have both values (pairwise), so that one missing score costs no other.

    Args:
        matrix: rows by values; values that do not vary are left out.

    Returns:
        ``values`` used and ``rows``, the fewest behind any correlation; ``mean_correlation``, of all pairs of values;
        ``mean_absolute``, of their absolute values; ``first_component``, its share of the variance of the standardised
        values, which is 1 / values where nothing goes together. NaN with fewer than 2 values or 3 rows, and
        ``first_component`` where any correlation is unknown.
    """
    kept = matrix.loc[:, (matrix.max() - matrix.min()) > 1e-12]
    k = kept.shape[1]
    known = kept.notna().to_numpy(dtype=float)
    above = np.triu_indices(k, 1)
    rows = int((known.T @ known)[above].min()) if k > 1 else int(known.sum())
    nothing = {"mean_correlation": math.nan, "mean_absolute": math.nan, "first_component": math.nan}
    if k < 2:
        return {"values": k, "rows": rows, **nothing}
    r = np.array(kept.corr(min_periods=3))
    pairs = r[above]
    pairs = pairs[np.isfinite(pairs)]
    if not len(pairs):
        return {"values": k, "rows": rows, **nothing}
    complete = len(pairs) == len(above[0])
    if complete:
        np.fill_diagonal(r, 1.0)
    return {
        "values": k,
        "rows": rows,
        "mean_correlation": float(pairs.mean()),
        "mean_absolute": float(np.abs(pairs).mean()),
        "first_component": float(np.linalg.eigvalsh(r)[-1] / k) if complete else math.nan,
    }
