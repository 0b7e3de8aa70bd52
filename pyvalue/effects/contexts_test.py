"""A linear test of conditional independence for rows that come in clusters, such as one persona's under two edits.

It does no search and knows nothing of edits; :mod:`pyvalue.effects.contexts` gives it to one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pyvalue.discovery.custom_test import CITest

#: a residual this much smaller than its column is rounding
_ROUNDING = 1e-9


def clustered_test(clusters: NDArray[np.int64]) -> CITest:
    """Test whether what is left of x and of y after regression on z goes together, with clusters as units.

    The products of both residuals are summed within each cluster, and the mean of these sums is tested against 0 by
    Student's t: the generalised covariance measure (Shah & Peters 2020, Ann. Stat. 48) with linear regressions, made
    robust to clusters (Liang & Zeger 1986, Biometrika 73). With k columns in z and C clusters, t is lessened by
    √((C - 1 - k) / (C - 1)) and has C - 1 - k degrees of freedom.

    It needs no equal variances. Of x = 0/1 for two rows a cluster and no z, it is the paired t test. In clusters that
    rows share, two values count for as little as they are worth, and a change within the clusters for as much.

    Args:
        clusters: (n,) codes 0 ... C - 1 of the rows that the search will see, in their order.

    Returns:
        The test, for ``discover(..., test=...)``. It is bound to these rows and to no others.

    Raises:
        ValueError: fewer than 3 clusters.
    """
    count = int(clusters.max()) + 1 if len(clusters) else 0
    if count < 3:
        raise ValueError(f"clusters: expected at least 3, got {count}")

    def clustered(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]) -> float:
        """The p-value of x ⟂ y | z."""
        from scipy.special import stdtr

        freedom = count - 1 - z.shape[1]
        if freedom < 1:
            return 1.0
        pair = np.column_stack([x, y])
        centred = pair - pair.mean(axis=0)
        # An orthonormal basis, so that columns of z that depend on each other do no harm.
        basis = np.linalg.qr(np.column_stack([np.ones(len(x)), z]))[0]
        left = pair - basis @ (basis.T @ pair)
        if (np.linalg.norm(left, axis=0) <= _ROUNDING * np.linalg.norm(centred, axis=0)).any():
            return 1.0  # z determines one of them: nothing is left to go together
        sums = np.bincount(clusters, left[:, 0] * left[:, 1], count)
        spread = float(np.std(sums, ddof=1))
        if spread == 0.0:
            return 1.0 if sums.mean() == 0.0 else 0.0
        t = abs(float(sums.mean())) * math.sqrt(count) / spread * math.sqrt(freedom / (count - 1))
        return float(2.0 * stdtr(freedom, -t))

    return CITest(clustered, compiled=False)
