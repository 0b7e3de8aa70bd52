"""Effects of one value on all others, for a set of its parents, from a covariance matrix (IDA).

Which sets there are is told by :mod:`pyvalue.effects.valid_parents`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pyvalue.effects.valid_parents import ParentSets

Floats = NDArray[np.float64]

# Least share of a value's variance that its parents may leave; below, a coefficient has lost ten digits.
_COLLINEAR = 1e-10


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
