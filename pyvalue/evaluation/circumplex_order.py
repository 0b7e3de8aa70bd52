"""Do correlations fall with distance on the circle? Two statistics, and the same permutation test for both.

The first is the correlation of r_ij with minus the circular distance. The second asks for order only: of every two
pairs of values the one that is closer on the circle should correlate higher (Hubert & Arabie 1987, "Evaluating order
hypotheses within proximity matrices", Psychological Bulletin 102; 72 predictions for Holland's hexagon).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: arrangements are all looked at, rather than a sample, up to this many (8! = 40320)
EXACT = 50_000
_BLOCK = 20_000
_EQUAL = 1e-9


@dataclass(frozen=True)
class OrderFit:
    """How well the order of correlations is that of the circle.

    Attributes:
        correlation: of r_ij with minus the circular distance over the pairs.
        correlation_p: share of arrangements of the values on the circle with one at least as high.
        predictions: number of "this pair correlates higher than that one".
        met, tied: how many hold, and where the two are equal.
        index: correspondence index, (met - violated) / predictions, from -1 to 1; 0 is expected of no structure.
        index_p: share of arrangements with as many met predictions or more.
        arrangements: how many were compared; with ``exact`` all there are, else a sample, and p = (1 + #) / (1 + R).
        exact: whether all were.
    """

    correlation: float
    correlation_p: float
    predictions: int
    met: int
    tied: int
    index: float
    index_p: float
    arrangements: int
    exact: bool


def order_fit(correlation: Floats, distance: Floats, *, permutations: int | None = 10_000, seed: int = 0) -> OrderFit:
    """Compare correlations (d, d) with circular distances (d, d) over all pairs of values.

    Args:
        correlation: symmetric, without missing entries.
        distance: in degrees.
        permutations: how many arrangements are sampled where there are more than 50,000; None to look at all, however
            many (for ten values 3.6 million, or 181,440 in the equal layout).
        seed: of the sample.

    Raises:
        ValueError: fewer than 3 values, or all distances are equal.
    """
    d = len(correlation)
    row, column = np.triu_indices(d, 1)
    apart = distance[row, column]
    if d < 3 or np.ptp(apart) < _EQUAL:
        raise ValueError(f"distance: expected at least 3 values at different distances, got {d} values")
    close, far = np.nonzero(apart[:, None] < apart[None, :] - _EQUAL)
    own = _statistics(correlation, np.arange(d)[None], row, column, apart, close, far)
    fit, met, tied = (float(part[0]) for part in own)
    turns = _is_circulant(distance)
    exact = permutations is None or (math.factorial(d - 1) // 2 if turns else math.factorial(d)) <= EXACT
    as_high = as_many = looked = 0
    for block in _all_arrangements(d, turns) if exact else _sampled(d, permutations or 0, seed):
        fits, mets, _ = _statistics(correlation, block, row, column, apart, close, far)
        as_high += int((fits >= fit - _EQUAL).sum())
        as_many += int((mets >= met).sum())
        looked += len(block)
    extra = 0 if exact else 1
    return OrderFit(
        correlation=fit,
        correlation_p=(extra + as_high) / (extra + looked) if math.isfinite(fit) else math.nan,
        predictions=len(close),
        met=int(met),
        tied=int(tied),
        index=correspondence(met, tied, len(close)),
        index_p=(extra + as_many) / (extra + looked),
        arrangements=looked,
        exact=exact,
    )


def order_statistics(correlations: Floats, distance: Floats) -> tuple[Floats, Floats]:
    """The correlation with minus distance, and the correspondence index, of many matrices (B, d, d): no test."""
    row, column = np.triu_indices(len(distance), 1)
    apart = distance[row, column]
    close, far = np.nonzero(apart[:, None] < apart[None, :] - _EQUAL)
    r = correlations[:, row, column]
    met = (r[:, close] > r[:, far]).sum(axis=1)
    tied = (r[:, close] == r[:, far]).sum(axis=1)
    return _with_distance(r, apart), (2 * met + tied - len(close)) / len(close)


def falls(correlations: Floats, distance: Floats) -> Floats:
    """How much r falls from one place to the one across, (B,): the slope of r_ij on distance, times -180°."""
    row, column = np.triu_indices(len(distance), 1)
    centred = distance[row, column] - distance[row, column].mean()
    return np.asarray(-180.0 * (correlations[:, row, column] @ centred) / (centred @ centred))


def correspondence(met: float, tied: float, predictions: int) -> float:
    """(met - violated) / predictions."""
    return (2 * met + tied - predictions) / predictions


def _statistics(
    correlation: Floats,
    arrangements: NDArray[np.intp],
    row: NDArray[np.intp],
    column: NDArray[np.intp],
    apart: Floats,
    close: NDArray[np.intp],
    far: NDArray[np.intp],
) -> tuple[Floats, Floats, Floats]:
    """For arrangements (b, d), [k, i] the value at place i: correlation, predictions met and tied, (b,) each."""
    r = correlation[arrangements[:, row], arrangements[:, column]]
    nearer, farther = r[:, close], r[:, far]
    return _with_distance(r, apart), (nearer > farther).sum(axis=1), (nearer == farther).sum(axis=1)


def _with_distance(r: Floats, apart: Floats) -> Floats:
    centred = apart - apart.mean()
    spread = r - r.mean(axis=1, keepdims=True)
    scale = np.sqrt((spread**2).sum(axis=1) * (centred**2).sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(-(spread @ centred) / scale)


def _is_circulant(distance: Floats) -> bool:
    """Whether turning the circle by one place changes no distance, so that (d - 1)! / 2 arrangements differ."""
    return bool(np.allclose(distance, np.roll(distance, (1, 1), axis=(0, 1))))


def _all_arrangements(d: int, turns: bool) -> Iterator[NDArray[np.intp]]:
    """All, or where turning and reflecting the circle changes nothing, one of each kind."""
    rest = itertools.permutations(range(d))
    if turns:
        rest = (a for a in itertools.takewhile(lambda a: a[0] == 0, rest) if a[1] < a[-1])  # type: ignore[assignment]
    while block := list(itertools.islice(rest, _BLOCK)):
        yield np.array(block, dtype=np.intp)


def _sampled(d: int, permutations: int, seed: int) -> Iterator[NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    for start in range(0, permutations, _BLOCK):
        size = min(_BLOCK, permutations - start)
        yield rng.permuted(np.tile(np.arange(d), (size, 1)), axis=1)
