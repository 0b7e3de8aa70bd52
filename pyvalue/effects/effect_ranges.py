"""Ranges of effects over sets of parents, and the same widened by intervals, from covariances and resamples of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pyvalue.effects.effect_bootstrap import reach
from pyvalue.effects.ida import effects_over_sets
from pyvalue.effects.valid_parents import ParentSets, determined_sets, joint_parent_sets
from pyvalue.graph import ValueGraph

Floats = NDArray[np.float64]


def listed_sets(graph: ValueGraph, causes: list[int], determined: Sequence[str] | None) -> list[ParentSets]:
    """Sets of parents of the causes; none where the graph does not tell them.

    Args:
        graph: that some DAG agrees with, or not.
        causes: column numbers.
        determined: values with certain parents where no DAG agrees with the graph, else None.
    """
    if determined is None:
        return joint_parent_sets(graph.marks, causes)
    if not all(graph.names[i] in determined for i in causes):
        return []
    return [determined_sets(graph.marks, causes)]


def single_ranges(
    covariances: tuple[Floats, Floats, Floats], sets: Mapping[int, list[ParentSets]], worth: float, confidence: float
) -> Floats:
    """(4, d, d) minimum, maximum, low, high of the effects of each cause over its sets of parents; NaN of others.

    Args:
        covariances: of all rows (d, d), of resamples, and without one cluster each.
        sets: column of the cause -> its sets of parents.
        worth: of the clusters.
        confidence: of the intervals.
    """
    stack = np.concatenate([covariances[0][None], *covariances[1:]])
    d = stack.shape[-1]
    causes_of: dict[tuple[int, ...], list[int]] = defaultdict(list)
    reached = {}
    for cause, listed in sets.items():
        for one in listed:
            causes_of[one.parents[0]].append(cause)
            reached[cause, one.parents[0]] = one.reached[0]
    found = {cause: Ranges(worth, confidence, (d,)) for cause in sets}
    for parents, causes, effects in effects_over_sets(stack, causes_of):
        mask = np.array([reached[cause, parents] for cause in causes])
        ends = interval(np.where(mask | ~np.isfinite(effects), effects, 0.0), len(covariances[1]), worth, confidence)
        for place, cause in enumerate(causes):
            found[cause].widen(ends[:, place])
    ranges = np.full((4, d, d), np.nan)
    for cause, of_cause in found.items():
        ranges[:, cause] = of_cause.ends
    return ranges


def interval(stack: Floats, resamples: int, worth: float, confidence: float) -> Floats:
    """(3, ...) estimate, low and high of a stack: over all rows, over resamples, then without one cluster each."""
    point = stack[0]
    width = reach(point, stack[1 : 1 + resamples], stack[1 + resamples :], worth, confidence)
    return np.array([point, point - width, point + width])


class Ranges:
    """Minimum, maximum, low and high over sets of parents, one set after another; NaN where one has no answer."""

    def __init__(self, worth: float, confidence: float, shape: tuple[int, ...]) -> None:
        self.ends: Floats = np.full((4, *shape), np.nan)
        self._options = worth, confidence
        self._started = False

    def add(self, stack: Floats, resamples: int) -> None:
        """One set, as in ``interval``."""
        self.widen(interval(stack, resamples, *self._options))

    def widen(self, ends: Floats) -> None:
        """One set's estimate, low and high."""
        new = ends[[0, 0, 1, 2]]
        if self._started:
            for row, better in enumerate((np.minimum, np.maximum, np.minimum, np.maximum)):
                new[row] = better(new[row], self.ends[row])
        self.ends, self._started = new, True
