"""How much all values move together: the sign of a bias that runs through every answer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd


def common_factor(matrix: pd.DataFrame) -> dict[str, Any]:
    """Mean correlation between different values, and the share of the first principal component.

    Args:
        matrix: rows by values; rows that lack a value, and values that do not vary, are left out.

    Returns:
        ``values`` and ``rows`` used; ``mean_correlation``, of all pairs of values; ``mean_absolute``, of their absolute
        values; ``first_component``, its share of the variance of the standardised values, which is 1 / values where
        nothing goes together. NaN with fewer than 2 values or 3 rows.
    """
    rows = matrix.dropna(axis=1, how="all").dropna()
    rows = rows.loc[:, (rows.max() - rows.min()) > 1e-12]
    n, k = rows.shape
    nothing = {"mean_correlation": math.nan, "mean_absolute": math.nan, "first_component": math.nan}
    if k < 2 or n < 3:
        return {"values": k, "rows": n, **nothing}
    r = np.corrcoef(rows.to_numpy(), rowvar=False)
    pairs = r[np.triu_indices(k, 1)]
    return {
        "values": k,
        "rows": n,
        "mean_correlation": float(pairs.mean()),
        "mean_absolute": float(np.abs(pairs).mean()),
        "first_component": float(np.linalg.eigvalsh(r)[-1] / k),
    }
