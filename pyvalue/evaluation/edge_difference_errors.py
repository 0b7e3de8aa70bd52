"""How sure a difference of two associations is: its standard error from what every persona adds to either.

The influence function of a correlation r of two standardised variables is z_i z_j - r (z_i² + z_j²) / 2; that of a
partial correlation is the same in the rows of z times the precision matrix, scaled to variance 1. A persona's part is
the sum over its rows, divided by 1 - h as in HC3 (MacKinnon & White 1985), where the leverage h says how much of the
fit is its own: far rows pull it towards themselves and would look harmless. Divided by such an error, a difference is
on the same scale in a group of heavy tails and in one of none, so that a permutation test, which mixes the two, is one
of equal associations and not only of equal distributions (Chung & Romano 2013, Annals of Statistics 41).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyvalue.evaluation.circumplex_moments import PersonaMoments

Floats = NDArray[np.float64]
#: largest leverage that is believed; with .95, a few personas of many rows among personas of one made errors too large
_MOST_LEVERAGE = 0.7
_TINY = 1e-12


def difference_errors(
    moments: tuple[PersonaMoments, PersonaMoments], counts: tuple[Floats, Floats, Floats, Floats], partial: bool
) -> Floats:
    """Standard errors (B, pairs) of differences of Fisher's z between two mixtures of the groups' personas.

    Args:
        moments: of the two groups, both over all P personas, zero where one is not in a group.
        counts: (B, P) each, 0 or 1: what of the first and of the second group is in one mixture, and in the other.
        partial: whether of partial correlations.
    """
    pairs = len(np.triu_indices(moments[0].total.shape[1], 1)[0])
    errors = np.full((len(counts[0]), pairs), np.nan)
    for k in range(len(errors)):
        one, other = (_parts(moments, counts[first][k], counts[first + 1][k], partial) for first in (0, 2))
        if one is not None and other is not None:  # a persona in both mixtures adds its own difference
            errors[k] = np.sqrt(np.maximum(((other - one) ** 2).sum(axis=0), _TINY**2))
    return errors


def _parts(
    moments: tuple[PersonaMoments, PersonaMoments], first: Floats, second: Floats, partial: bool
) -> Floats | None:
    """(P, pairs) what every persona adds to z of one mixture; None where it has no associations."""
    there = np.flatnonzero((first > 0) | (second > 0))
    a, b = first[there], second[there]
    weight = a * moments[0].weight[there] + b * moments[1].weight[there]
    total = a[:, None] * moments[0].total[there] + b[:, None] * moments[1].total[there]
    product = a[:, None, None] * moments[0].product[there] + b[:, None, None] * moments[1].product[there]
    whole = weight.sum()
    mean = total.sum(axis=0) / whole
    crossed = total[:, :, None] * mean
    product = product - crossed - crossed.transpose(0, 2, 1) + weight[:, None, None] * np.outer(mean, mean)
    covariance = product.sum(axis=0) / whole
    spread = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    if not (spread > _TINY).all():
        return None
    product = product / np.outer(spread, spread)
    r = covariance / np.outer(spread, spread)
    row, column = np.triu_indices(len(r), 1)
    share = weight / whole
    if partial:
        if np.linalg.eigvalsh(r)[0] <= 1e-8:
            return None
        precision = np.linalg.inv(r)
        own = precision @ product
        norm = np.sqrt(np.maximum((own * own.transpose(0, 2, 1)).sum(axis=(1, 2)), 0.0))[:, None]
        scale = np.sqrt(np.diagonal(precision))
        product = (own @ precision) / np.outer(scale, scale)
        r = precision / np.outer(scale, scale)  # less the partial correlations
    squares = np.diagonal(product, axis1=1, axis2=2)
    across, mine, theirs, c = product[:, row, column], squares[:, row], squares[:, column], r[row, column]
    free = np.maximum(1.0 - c**2, _TINY)
    if not partial:
        # That of the two values alone: the norm of R⁻¹S, whose square is its trace squared less twice its determinant.
        trace = (mine + theirs - 2 * c * across) / free
        norm = np.sqrt(np.maximum(trace**2 - 2 * (mine * theirs - across**2) / free, 0.0))
    leverage = np.minimum(share[:, None] + norm / whole, _MOST_LEVERAGE)
    parts = np.zeros((len(first), len(row)))
    influence = across - c / 2 * (mine + theirs)
    parts[there] = influence / (whole * free * (1.0 - leverage))
    return -parts if partial else parts
