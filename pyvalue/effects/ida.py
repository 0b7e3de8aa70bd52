"""Effects of one value on all others, for a set of its parents, from a covariance matrix (IDA).

Which sets there are is told by :mod:`pyvalue.effects.valid_parents`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pyvalue.effects.valid_parents import ParentSets

Floats = NDArray[np.float64]

# Least share of a value's variance that its parents may leave; below, a coefficient has lost ten digits.
_COLLINEAR = 1e-10

# Doubles that partial covariances may take, a gibibyte; beyond, each set is solved by itself.
_MOST = 1 << 27


def coefficients(covariance: Floats, cause: int, parents: Sequence[int]) -> Floats:
    """Coefficient of the cause in the regression of every value on the cause and its parents.

    It is the total effect of the cause where the parents are those of the cause in a linear model without hidden
    causes (Pearl 2009, back-door; Maathuis, Kalisch & Bühlmann 2009).

    Args:
        covariance: (..., d, d), one or a stack of them.
        cause: column number.
        parents: column numbers of its parents.

    Returns:
        (..., d), 1 at the cause and 0 at its parents; NaN where the parents leave the cause no variance.
    """
    given = [cause, *parents]
    inside = covariance[..., given, :]
    within = inside[..., given]
    first = np.zeros(len(given))
    first[0] = 1.0
    # The coefficient is the first row of the inverse times the covariances with the effect: one solve for all effects.
    row = _solve(within, first)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = 1 / (row[..., 0] * within[..., 0, 0])
    row = np.where((left > _COLLINEAR)[..., None], row, np.nan)
    found: Floats = (row[..., None, :] @ inside)[..., 0, :]
    exact = np.zeros(covariance.shape[-1])
    exact[cause] = 1.0
    fixed = np.zeros(len(exact), dtype=bool)
    fixed[given] = True
    return np.where(fixed & np.isfinite(found), exact, found)


def effects_given(covariance: Floats, cause: int, sets: ParentSets, place: int = 0) -> Floats:
    """(..., d) total effects of the cause where it has these parents; exactly 0 on what it cannot reach then."""
    found = coefficients(covariance, cause, sets.parents[place])
    return np.where(sets.reached[place] | ~np.isfinite(found), found, 0.0)


def effects_over_sets(
    covariance: Floats, wanted: Mapping[tuple[int, ...], Sequence[int]]
) -> Iterator[tuple[tuple[int, ...], list[int], Floats]]:
    """What ``coefficients`` gives for many sets of parents, shared between sets and between causes.

    A set is taken out of the covariances one parent after another (the sweep of Gaussian elimination). What is left
    after the parents that two sets begin with is used for both, and a set serves all causes that have it.

    Args:
        covariance: (N, d, d).
        wanted: set of parents, ascending -> columns of its causes.

    Yields:
        The set, its causes (k), and (N, k, d) effects.
    """
    n, d = covariance.shape[:2]
    if n * d * d * (2 + max(map(len, wanted), default=0)) > _MOST:
        for parents, causes in wanted.items():
            yield from ((parents, [cause], coefficients(covariance, cause, parents)[:, None]) for cause in causes)
        return
    least = _COLLINEAR * np.diagonal(covariance, axis1=1, axis2=2)
    done: list[int] = []
    left = [covariance]  # after the first 0, 1, ... parents
    for parents in sorted(wanted):
        shared = next((k for k, (a, b) in enumerate(zip(done, parents, strict=False)) if a != b), len(done))
        del done[shared:], left[shared + 1 :]
        for parent in parents[shared:]:
            done.append(parent)
            left.append(_without(left[-1], parent, least[:, parent]))
        causes = list(wanted[parents])
        variance = left[-1][:, causes, causes]
        scale = np.where(variance > least[:, causes], variance, np.nan)
        yield parents, causes, left[-1][:, causes] / scale[..., None]


def _without(covariance: Floats, parent: int, least: Floats) -> Floats:
    """(N, d, d) covariances given the parent; NaN where it has no more variance than the ``least``."""
    row = covariance[:, parent]
    variance = row[:, parent]
    scaled = row / np.where(variance > least, variance, np.nan)[:, None]
    found: Floats = covariance - row[:, :, None] * scaled[:, None, :]
    found[:, parent, :] = found[:, :, parent] = 0.0 * scaled
    return found


def _solve(matrices: Floats, right: Floats) -> Floats:
    """Solutions (..., k); NaN for singular matrices, of which one would else spoil the stack."""
    stack = matrices.reshape(-1, *matrices.shape[-2:])
    rights = np.broadcast_to(right, (len(stack), len(right)))[..., None]
    try:
        solved = np.linalg.solve(stack, rights)
    except np.linalg.LinAlgError:
        regular = np.linalg.matrix_rank(stack, hermitian=True) == stack.shape[-1]
        solved = np.full(rights.shape, np.nan)
        solved[regular] = np.linalg.solve(stack[regular], rights[regular])
    vectors: Floats = np.asarray(solved[..., 0], dtype=np.float64).reshape(*matrices.shape[:-1])
    return vectors
