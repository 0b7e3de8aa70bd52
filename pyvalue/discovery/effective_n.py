"""How many independent rows a sample, and a replicate of it, is worth.

Rows that share a persona, or an edit, repeat each other. What that does to a correlation is measured by its design
effect: the variance with whole clusters as units over the variance as if rows were independent, both estimated from
the influence of each row on the correlation, u = a·b - r (a² + b²) / 2 for standardised a and b (one-way: Liang & Zeger
1986; two-way: Cameron, Gelbach & Miller 2011). The average over pairs of columns gives one effective n.

A replicate's correlation varies twice: with the sample, and with the draw from the sample. So its tests are told of

    n / (design effect of the sample + design effect of the draw · (units / units drawn))

rows: n/2 for the plain bootstrap of independent rows, m / (1 + m/n) for m of n, and, for two crossed clusterings drawn
independently (the pigeonhole bootstrap, Owen 2007), less, because their draw varies more than the sample. A draw
without replacement is a smaller sample and nothing else: n · (units drawn / units) / (design effect of the sample).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Pairs of columns that a design effect is averaged over; more change its third digit.
_PAIRS = 600


@dataclass(frozen=True)
class DesignEffect:
    """Variance over that of independent rows: of the sample, and of a draw from it with replacement."""

    sample: float = 1.0
    draw: float = 1.0


def design_effect(columns: Sequence[NDArray[np.generic]], clusters: Sequence[NDArray[np.int64]]) -> DesignEffect:
    """Average design effect of the correlations between columns.

    Args:
        columns: d arrays (n,) of numbers; NaN counts as the mean.
        clusters: none, one, or two arrays (n,) of codes 0, 1, ...
    """
    if not clusters:
        return DesignEffect()
    ways = list(clusters)
    if len(ways) == 2:
        ways.append(np.unique(ways[0] * (int(ways[1].max()) + 1) + ways[1], return_inverse=True)[1])
    sums = [0.0] * len(ways)
    independent = 0.0
    standard = [_standardised(column) for column in columns]
    for i, j in _some_pairs(len(columns)):
        influence = _influence(standard[i], standard[j])
        independent += float(influence @ influence)
        for way, codes in enumerate(ways):
            totals = np.bincount(codes, weights=influence)
            sums[way] += float(totals @ totals)
    if independent == 0.0:
        return DesignEffect()
    plain = [total / independent for total in sums]
    # Fewer clusters leave less of their own variance around the sample's mean.
    counts = [int(codes.max()) + 1 for codes in ways]
    corrected = [share * count / (count - 1) for share, count in zip(plain, counts, strict=True)]
    # Rows are never taken for more than they are: below 1 the estimate is noise, or luck of a balanced design.
    if len(plain) == 1:
        return DesignEffect(max(corrected[0], 1.0), max(plain[0], 1.0))
    both = corrected[0] + corrected[1] - corrected[2]
    return DesignEffect(max(both, corrected[0], corrected[1], 1.0), max(sum(plain), 1.0))


def _standardised(column: NDArray[np.generic]) -> NDArray[np.float64]:
    values = column.astype(np.float64)
    values -= np.nanmean(values)
    scale = float(np.sqrt(np.nanmean(values**2)))
    result: NDArray[np.float64] = np.nan_to_num(values / scale if scale > 0 else values)
    return result


def _influence(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    product = a * b
    influence: NDArray[np.float64] = product - product.mean() * (a**2 + b**2) / 2
    influence -= influence.mean()
    return influence


def _some_pairs(d: int) -> list[tuple[int, int]]:
    i, j = np.triu_indices(d, k=1)
    step = max(1, len(i) // _PAIRS)
    return list(zip(i[::step].tolist(), j[::step].tolist(), strict=True))
