"""How much all else should move per unit that the target moves, by the graph: a range, and its interval.

A root mean square, because that is what ``pyvalue.effects.leakage`` can free from noise and so what can be compared.
The square of an estimated effect is too large by its sampling variance, which is taken off here, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyvalue.effects.joint_ida import joint_effects
from pyvalue.effects.total_effects import Effects
from pyvalue.effects.valid_parents import ParentSets, TooManySetsError, determined_sets, joint_parent_sets

Floats = NDArray[np.float64]


class ExpectedLeakage(NamedTuple):
    """Root mean square change of other values per unit of target change.

    Attributes:
        minimum: least estimate over the directions that the graph leaves open; 0 where the squares are below noise.
        maximum: largest estimate.
        low: least lower end of the intervals of these estimates.
        high: largest upper end.
    """

    minimum: float
    maximum: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there are numbers."""
        return not math.isnan(self.minimum)


UNKNOWN = ExpectedLeakage(math.nan, math.nan, math.nan, math.nan)


def expected_leakage(
    effects: Effects, target: Mapping[str, int], values: Sequence[str] | None = None
) -> ExpectedLeakage:
    """Expected leakage over some values, by every set of parents that the target may have.

    The estimate is the root of the mean over values of (effect² - its variance over resampled personas), and 0 where
    that is below 0. The interval has the percentiles of the same over the resamples, whose squares have the noise
    twice; its confidence is that of the effects, and the graph is held fixed. In simulations (12 to 150 personas, 1 or
    7 other values, effects of 0 to .8) a 95% interval held the truth in 89 to 100%.

    Args:
        effects: of the values on each other.
        target: value -> +1 or -1.
        values: that count; default all but the target's. Those without an effect by some set of parents do not count.

    Returns:
        NaN where no value counts, or the sets of parents are not known or too many.
    """
    names = effects.names
    causes = [names.index(value) for value in target]
    counted = np.array([name not in target and (values is None or name in values) for name in names])
    try:
        sets = _parents(effects, causes)
    except TooManySetsError:
        return UNKNOWN
    signs = np.array([float(sign) for sign in target.values()])
    stack = np.concatenate([effects.covariance[None], effects.replicates])
    found = [signs @ joint_effects(stack, causes, one) for one in sets]
    if found:
        counted &= np.all([np.isfinite(one[0]) for one in found], axis=0)
    if not found or not counted.any():
        return UNKNOWN
    ends = np.array([_of_one(one[:, counted], effects.facts) for one in found])
    return ExpectedLeakage(
        float(ends[:, 0].min()), float(ends[:, 0].max()), float(ends[:, 1].min()), float(ends[:, 2].max())
    )


def _parents(effects: Effects, causes: list[int]) -> list[ParentSets]:
    """Sets of parents of the causes; none where the graph does not tell them."""
    determined = effects.facts["determined"]
    if determined is None:
        return joint_parent_sets(effects.graph.marks, causes)
    if not all(effects.names[i] in determined for i in causes):
        return []
    return [determined_sets(effects.graph.marks, causes)]


def _of_one(changes: Floats, facts: Mapping[str, float]) -> tuple[float, float, float]:
    """(estimate, low, high) of changes (1 + R, k), those of all rows first."""
    again = changes[1:][np.isfinite(changes[1:]).all(axis=1)]
    # Drawing as many personas as there are finds a variance too small by this much.
    widened = facts["worth"] / (facts["worth"] - 1)
    noise = float(again.var(axis=0, ddof=1).mean()) * widened if len(again) > 1 else math.nan
    estimate = float((changes[0] ** 2).mean()) - noise
    tail = (1 - facts["confidence"]) / 2
    low, high = np.quantile((again**2).mean(axis=1) - 2 * noise, [tail, 1 - tail]) if len(again) > 1 else (noise, noise)
    return _root(estimate), _root(float(low)), _root(float(high))


def _root(square: float) -> float:
    return math.sqrt(max(square, 0.0)) if square == square else math.nan
