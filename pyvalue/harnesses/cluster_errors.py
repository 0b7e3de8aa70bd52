"""Standard error of a mean whose numbers come in clusters, such as the answers of one persona."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np


def clustered_error(numbers: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Cluster-robust standard error of the mean, with the factor C / (C - 1) for C clusters (Liang & Zeger 1986).

    Args:
        numbers: (n,).
        clusters: (n,), the cluster of each.

    Returns:
        NaN for fewer than two clusters, which say nothing of how clusters differ.
    """
    names = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    if len(names) < 2:
        return math.nan
    values = np.asarray(numbers, dtype=np.float64)
    sums = np.bincount([names[name] for name in clusters], weights=values - values.mean())
    return float(np.sqrt((sums**2).sum() * len(names) / (len(names) - 1)) / len(values))
