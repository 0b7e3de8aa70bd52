"""Do values that a graph lets follow change more often than the others, or would any graph of this shape say so?

The null keeps the graph's shape and gives its nodes the names of the values at random. So it keeps how often each value
changes, and which values change together; only the match between them and the graph is broken. A permutation p says
nothing of other personas; that takes an interval over personas.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: statistics this close are equal: sums of the same numbers in another order
TIE = 1e-12
# Numbers of a table that are worked on at once, so that many permutations of many values fit in memory.
_CELLS = 4_000_000


@dataclass(frozen=True)
class LabelPermutation:
    """An observed statistic and its distribution over names given at random.

    Attributes:
        observed: the statistic under the graph as it is.
        null: (R,) the same under permuted names; without those permutations in which it is not defined.
        p: share of the null that is at least as large: ``(1 + #) / (1 + R)``, or ``# / R`` where the null is all
            permutations. One-sided: the graph says "more often". NaN where the statistic is not defined.
        exact: whether the null is all permutations, the identity among them.
    """

    observed: float
    null: Floats = field(repr=False)
    p: float
    exact: bool


def label_permutation(
    rates: npt.ArrayLike, reach: Mask, *, permutations: int = 10_000, seed: int = 0
) -> LabelPermutation:
    """Test the contrast of ``contrasts`` against permutations of the names in the graph.

    Args:
        rates: (d, d) as ``pyvalue.evaluation.change_rates.conditional_change_rates`` gives.
        reach: (d, d) ``reach[i, j]``: the graph lets j follow from i. The diagonal is not read.
        permutations: number of random ones; all d! are taken where there are no more than that.
        seed: of the random ones, which depend on it and on d alone.

    Raises:
        ValueError: the shapes are not square and equal, or there are no permutations.
    """
    table, flags = np.asarray(rates, dtype=float), np.asarray(reach)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or flags.shape != table.shape:
        raise ValueError(f"rates, reach: expected square arrays of one size, got {table.shape} and {flags.shape}")
    orders, exact = label_orders(len(table), permutations, seed)
    observed = float(contrasts(table, flags.astype(bool)))
    chunk = max(1, _CELLS // table.size)
    null = np.concatenate(
        [contrasts(table, relabelled(flags.astype(bool), orders[k : k + chunk])) for k in range(0, len(orders), chunk)]
    )
    return compared(observed, null, exact)


def compared(observed: float, null: Floats, exact: bool) -> LabelPermutation:
    """An observed statistic with its null and p."""
    null = null[np.isfinite(null)]
    if not math.isfinite(observed) or not len(null):
        return LabelPermutation(observed, null, math.nan, exact)
    above = int((null >= observed - TIE).sum())
    return LabelPermutation(observed, null, above / len(null) if exact else (1 + above) / (1 + len(null)), exact)


def contrasts(rates: Floats, reach: Mask) -> Floats:
    """Mean over i of the mean rate of what i reaches, less the mean over i of the mean rate of the rest.

    The contrast of Table 2 of Kang et al. (2025), arXiv 2501.00581: each mean over i is over those for which it is
    defined, so the two may be over different i.

    Args:
        rates: (..., d, d); NaN is left out.
        reach: (..., d, d); broadcast against ``rates``.

    Returns:
        (...,); NaN where either side has nothing.
    """
    known = ~np.isnan(rates) & ~np.eye(rates.shape[-1], dtype=bool)
    filled = np.where(known, rates, 0.0)
    return _mean_of_means(filled, known & reach) - _mean_of_means(filled, known & ~reach)


def _mean_of_means(filled: Floats, keep: Mask) -> Floats:
    count = keep.sum(axis=-1)
    total = np.einsum("...ij,...ij->...i", np.broadcast_to(filled, keep.shape), keep)
    means = total / np.maximum(count, 1)
    rows = (count > 0).sum(axis=-1)
    mean: Floats = np.where(rows > 0, means.sum(axis=-1) / np.maximum(rows, 1), np.nan)
    return mean


def label_orders(d: int, permutations: int, seed: int) -> tuple[npt.NDArray[np.int64], bool]:
    """(R, d) orders of d names, and whether they are all there are."""
    if permutations < 1:
        raise ValueError(f"permutations: expected at least 1, got {permutations}")
    if math.factorial(d) <= permutations:
        return np.array(list(itertools.permutations(range(d))), dtype=np.int64).reshape(-1, d), True
    rng = np.random.default_rng(seed)
    return rng.permuted(np.tile(np.arange(d), (permutations, 1)), axis=1), False


def relabelled(reach: Mask, orders: npt.NDArray[np.int64]) -> Mask:
    """(R, d, d): who reaches whom once the nodes have changed names."""
    moved: Mask = reach[orders[:, :, None], orders[:, None, :]]
    return moved
