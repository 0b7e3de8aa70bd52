"""What taking rows about their means does to correlations, and whether there is more to them than that.

Centred rows sum to 0, so even independent values correlate: by -1/(d - 1) where their variances are equal. Where they
are not, two values that vary much correlate positively or negatively with the rest as centring has it, and if such
values are neighbours, this alone looks like a circle. Comparing arrangements of the values cannot tell, because only
one of them has the variances where they are. So independent values with just these variances are simulated.

It needs the variances of the centred rows, not the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue.evaluation.circumplex_moments import correlation_of

Floats = NDArray[np.float64]
#: the least raw variance, as a share of the mean one: an estimate can fall below 0
_LEAST = 1e-3


def raw_variances(centred: Floats) -> Floats:
    """Variances (..., d) of independent values whose variances after centring are given, (..., d), d >= 3.

    With V the sum of the variances v, those after centring are v (1 - 2/d) + V/d² and sum to V (1 - 1/d), which is
    solved for v. A habit of saying yes, which adds the same to a whole row, is gone after centring and changes nothing.
    """
    d = centred.shape[-1]
    total = centred.sum(axis=-1, keepdims=True) / (1.0 - 1.0 / d)
    raw = (centred - total / d**2) / (1.0 - 2.0 / d)
    return np.asarray(np.maximum(raw, _LEAST * total / d))


def centred_covariance(covariance: Floats) -> Floats:
    """Covariances (..., d, d) of rows taken about their means, from those of the rows."""
    centring = np.eye(covariance.shape[-1]) - 1.0 / covariance.shape[-1]
    return np.asarray(centring @ covariance @ centring)


def by_centring_alone(centred: Floats) -> Floats:
    """Population correlations (..., d, d) that independent values have once centred, from variances (..., d) then."""
    raw = raw_variances(centred)
    return correlation_of(centred_covariance(raw[..., None] * np.eye(centred.shape[-1])))


def beyond_centring(covariance: Floats) -> Floats:
    """Correlations (..., d, d) less those that centring alone makes of values with these variances."""
    variances = np.diagonal(covariance, axis1=-2, axis2=-1)
    return np.asarray(correlation_of(covariance) - by_centring_alone(variances))


def simulated_centred(centred: Floats, rows: int, number: int, seed: Any) -> Floats:
    """Sample covariances (number, d, d) of normal, independent, then centred rows with given variances (d,) then."""
    freedom = max(rows - 1, 2)
    half = np.sqrt(raw_variances(centred))[:, None] * wishart_halves(
        len(centred), freedom, number, np.random.default_rng(seed)
    )
    return centred_covariance(half @ half.transpose(0, 2, 1) / freedom)


def wishart_halves(d: int, freedom: int, number: int, rng: np.random.Generator) -> Floats:
    """Matrices H with H Hᵀ Wishart about the identity: Bartlett's decomposition, or rows where there are fewer."""
    if freedom < d:
        return rng.normal(size=(number, d, freedom))
    lower = np.tril(rng.normal(size=(number, d, d)), -1)
    lower[:, range(d), range(d)] = np.sqrt(rng.chisquare(freedom - np.arange(d), size=(number, d)))
    return lower
