"""Effects of several values that are changed together (joint IDA).

Nandy, Maathuis & Richardson (2017), "Estimating the effect of joint interventions from observational data in sparse
high-dimensional settings". Which sets of parents the values have together is told by
:mod:`pyvalue.effects.valid_parents`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pyvalue.effects.ida import effects_given
from pyvalue.effects.valid_parents import ParentSets

Floats = NDArray[np.float64]


def joint_effects(covariance: Floats, causes: Sequence[int], sets: ParentSets) -> Floats:
    """Effect of each cause on every value while the other causes are held, for one combination of parents.

    A path from cause a to a value has a last cause b on it, and what leads on from b avoids all causes. So the total
    effects T of the causes on a value are T(causes, causes) times their joint effects, which are had by solving this.
    Those are the recursive regressions (RRC) of the paper in one step.

    Args:
        covariance: (..., d, d), one or a stack of them.
        causes: column numbers of k values.
        sets: their parents.

    Returns:
        (..., k, d); among the causes 1 on themselves and 0 on each other, and 0 where no path leads past the others.
    """
    return past_each_other(
        np.stack([effects_given(covariance, cause, sets, place) for place, cause in enumerate(causes)], axis=-2),
        causes,
        sets,
    )


def past_each_other(total: Floats, causes: Sequence[int], sets: ParentSets) -> Floats:
    """(..., k, d) joint effects of the causes from their total effects (..., k, d) by the same sets of parents."""
    among = total[..., list(causes)]
    known = np.isfinite(among).all(axis=(-2, -1), keepdims=True)
    found: Floats = np.asarray(np.linalg.solve(np.where(known, among, np.eye(len(causes))), total), dtype=np.float64)
    found[..., list(causes)] = np.eye(len(causes))
    found = np.where(sets.past_others | ~np.isfinite(found), found, 0.0)
    return np.where(known, found, np.nan)
