"""How many independent rows a sample, and a replicate of it, is worth, for each pair of columns.

Rows that share a persona, or an edit, repeat each other. What that does to a correlation is measured by its design
effect: its variance with whole clusters as units over its variance as if rows were independent. Both are estimated from
the influence of each row on the correlation, u = a·b - r (a² + b²) / 2 for standardised a and b: the sum over clusters
of (Σu)², each enlarged as if its cluster were left out, 1 / (1 - its share of the rows) (a jackknife; one-way: Liang &
Zeger 1986, two-way: Cameron, Gelbach & Miller 2011), over Σu². Categories count by the indicators of their levels.

Pairs differ: two columns that vary between persons alone are worth as many rows as there are persons, two that vary
within persons far more. But each pair's estimate has an error of its own, about √(2 / clusters) on the log scale. So
estimates are drawn towards their mean by what is error in their spread (empirical Bayes).

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

from pyvalue.discovery.cluster_sums import moments, squared_cluster_sums

Matrix = NDArray[np.float64]
Levels = Sequence[tuple[str, ...] | None]


@dataclass(frozen=True)
class DesignEffect:
    """Variance over that of independent rows: of the sample, and of a draw from it with replacement.

    Attributes:
        sample: (d, d), at least 1; or 1.0 for independent rows.
        draw: the same.
    """

    sample: Matrix | float = 1.0
    draw: Matrix | float = 1.0


@dataclass(frozen=True)
class EffectiveRows:
    """Rows that tests are told of.

    Attributes:
        n: the mean over pairs of columns.
        shares: (d, d), what to multiply n by for each pair; None for 1.
    """

    n: float
    shares: Matrix | None = None


def effective_rows(rows: float, effect: Matrix | float) -> EffectiveRows:
    """``rows`` over a design effect, as a mean (harmonic: that of the effect) and shares of it.

    Args:
        rows: of the sample, or of a replicate.
        effect: one for all pairs, or (d, d).
    """
    if isinstance(effect, float | int):
        return EffectiveRows(rows / effect)
    pairs = effect[np.triu_indices(len(effect), k=1)]
    mean = float(pairs.mean())
    return EffectiveRows(rows / mean, np.ascontiguousarray(mean / effect))


def design_effect(
    columns: Sequence[NDArray[np.generic]], levels: Levels, clusters: Sequence[NDArray[np.int64]]
) -> DesignEffect:
    """Design effects of the correlations between columns.

    Args:
        columns: d arrays (n,) of numbers, NaN counts as the mean; or of codes.
        levels: of a column of codes its labels, None for numbers.
        clusters: none, one, or two arrays (n,) of codes 0, 1, ...
    """
    if not clusters:
        return DesignEffect()
    ways = list(clusters)
    if len(ways) == 2:
        ways.append(np.unique(ways[0] * (int(ways[1].max()) + 1) + ways[1], return_inverse=True)[1])
    data = moments(columns, levels)
    independent = data.of_variables(data.squares)
    independent[independent == 0.0] = 1.0
    sums = [squared_cluster_sums(data, codes) for codes in ways]
    plain = [data.of_variables(one.plain) / independent for one in sums]
    enlarged = [data.of_variables(one.enlarged) / independent for one in sums]
    if len(ways) == 1:
        sample, draw = enlarged[0], plain[0]
    else:
        sample = np.maximum(enlarged[0] + enlarged[1] - enlarged[2], np.maximum(enlarged[0], enlarged[1]))
        draw = plain[0] + plain[1] + plain[2]
    fewest = min(effective_clusters(codes) for codes in clusters)
    return DesignEffect(_shrunk(sample, fewest), _shrunk(draw, fewest))


def effective_clusters(codes: NDArray[np.int64]) -> float:
    """Clusters of one size that clusters of unequal sizes are worth: n² / Σ size²."""
    sizes = np.bincount(codes).astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes @ sizes))


def small_sample_share(clusters: Sequence[NDArray[np.int64]], alpha: float) -> float:
    """What to multiply effective rows by because a variance from few clusters is itself uncertain.

    Tests take the quantiles of a normal distribution where those of Student's t with (clusters - 1) degrees of freedom
    belong (Cameron & Miller 2015, J. Human Resources 50, section VI): the squared ratio of both makes up for it.
    """
    if not clusters:
        return 1.0
    from scipy.stats import norm, t

    fewest = min(effective_clusters(codes) for codes in clusters)
    return float((norm.isf(alpha / 2) / t.isf(alpha / 2, fewest - 1)) ** 2)


def _shrunk(effects: Matrix, clusters: float) -> Matrix:
    """Effects, at least 1, drawn towards their mean by the share of their spread that is the error of estimates."""
    i, j = np.triu_indices(len(effects), k=1)
    mean = max(float(effects[i, j].mean()), 1.0)
    logs = np.log(np.maximum(effects[i, j], 1e-3) / mean)
    spread, error = float(np.mean(logs**2)), 2.0 / clusters
    kept = max(0.0, 1.0 - error / spread) if spread > 0 else 0.0
    result = np.full(effects.shape, mean)
    # Rows are never taken for more than they are.
    result[i, j] = result[j, i] = np.maximum(mean * np.exp(kept * logs), 1.0)
    return result
