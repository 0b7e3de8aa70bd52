"""How far effects move when the graph is learnt again: intervals that know of its uncertainty, too.

:mod:`pyvalue.effects.total_effects` holds the graph fixed. Here half of the personas are drawn without replacement,
the graph is learnt from them and the effects estimated by it, many times over.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyvalue.discovery import discover
from pyvalue.effects.effect_bootstrap import covariance
from pyvalue.effects.effect_rows import EffectRows, effect_rows
from pyvalue.effects.graph_soundness import graph_soundness
from pyvalue.effects.ida import effects_given
from pyvalue.effects.valid_parents import TooManySetsError
from pyvalue.effects.value_effects import listed_sets
from pyvalue.graph import ValueGraph
from pyvalue.responses import Score

Floats = NDArray[np.float64]

#: halves in which an effect must have an answer, as a share, for an interval
MIN_ANSWERED = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class RefittedEffects:
    """Effects over graphs that were learnt again; row = cause, column = effect.

    Attributes:
        names: the d values.
        low: (d, d) quantile of the least effect of each half, at half of what the confidence leaves.
        high: (d, d) the opposite quantile of the largest effect of each half.
        reached: (d, d) share of halves whose graph has a possibly directed path.
        answered: (d, d) share of halves with an effect; below ``MIN_ANSWERED`` there is no interval.
        sound: share of halves whose graph some DAG agrees with.
        facts: how they were made.
    """

    names: tuple[str, ...]
    low: Floats
    high: Floats
    reached: Floats
    answered: Floats
    sound: float
    facts: dict[str, Any] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """One row an ordered pair: ``source, target, low, high, reached, answered``."""
        rows = [
            {
                "source": a,
                "target": b,
                **{name: float(getattr(self, name)[i, j]) for name in ("low", "high", "reached", "answered")},
            }
            for i, a in enumerate(self.names)
            for j, b in enumerate(self.names)
            if i != j
        ]
        return pd.DataFrame(rows, columns=["source", "target", "low", "high", "reached", "answered"])

    def __repr__(self) -> str:
        return (
            f"RefittedEffects({len(self.names)} values, {self.facts['halves']} halves of {self.facts['clusters']} "
            f"clusters, {self.sound:.0%} of the graphs sound)"
        )


def refitted_effects(
    graph: ValueGraph,
    data: Any,
    *,
    score: Score = "corrected",
    halves: int = 200,
    confidence: float = 0.95,
    cluster: Any = "persona",
    seed: int = 0,
) -> RefittedEffects:
    """Learn the graph again from halves of the personas, and estimate the effects by each of these graphs.

    An estimate over half of n, drawn without replacement, differs from that over all by as much as the latter differs
    from the truth (variance 2/n - 1/n), so that the quantiles over halves make an interval (Politis & Romano 1994).
    No test sees a row twice, as it would in a bootstrap. A graph from half of the rows has fewer edges than one from
    all; the intervals are the wider for it, and where an effect is 0 by most of the graphs they say so.

    Args:
        graph: its test, level, depth, rules, knowledge and clustering are used again.
        data: as in ``estimate_effects``; all values of the graph must be there.
        score: of ``Responses``.
        halves: how many, at least 40.
        confidence: of the intervals.
        cluster: rows drawn together.
        seed: of the draws.

    Raises:
        ValueError: an argument is out of range, values are missing, the graph was made with a test of your own, or
            half of the clusters are too few to learn a graph from.
    """
    if not isinstance(halves, int) or isinstance(halves, bool) or halves < 40:
        raise ValueError(f"halves: expected a whole number of at least 40, got {halves!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    rows = effect_rows(data, graph.names, score, cluster)
    if absent := [name for name in graph.names if name not in rows.names]:
        raise ValueError(f"data: expected every value of the graph, but {', '.join(absent)} missing")
    rng = np.random.default_rng(seed)
    d = len(graph.names)
    minimum, maximum = np.full((2, halves, d, d), np.nan)
    reached, sound = np.zeros((d, d)), 0
    for number in range(halves):
        drawn = rng.permutation(rows.n_clusters)[: rows.n_clusters // 2]
        taken = np.isin(rows.cluster, drawn)
        learnt = _learn(graph, rows, taken)
        sound += _effects_of(learnt, graph.names, rows.rows[taken], minimum[number], maximum[number], reached)
    answered = np.isfinite(minimum).mean(axis=0)
    tail = (1 - confidence) / 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of effects without any answer
        low, high = np.nanquantile(minimum, tail, axis=0), np.nanquantile(maximum, 1 - tail, axis=0)
    facts = {
        "halves": halves,
        "rows": len(rows.rows),
        "clusters": rows.n_clusters,
        "cluster": rows.cluster_name,
        "confidence": confidence,
        "seed": seed,
        "notes": list(rows.notes),
    }
    few = answered < MIN_ANSWERED
    return RefittedEffects(
        graph.names,
        np.where(few, np.nan, low),
        np.where(few, np.nan, high),
        reached / halves,
        answered,
        sound / halves,
        facts,
    )


def _learn(graph: ValueGraph, rows: EffectRows, taken: NDArray[np.bool_]) -> ValueGraph:
    made = graph.settings
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a half may hold a constant value; it then has no edge
            return discover(
                rows.rows[taken],
                names=list(rows.names),
                test=made.test,
                alpha=made.alpha,
                max_depth=made.max_depth,
                uc_rule=made.uc_rule,
                uc_priority=made.uc_priority,
                knowledge=made.knowledge,
                cluster=rows.cluster[taken] if made.cluster else None,
            )
    except ValueError as fault:
        raise ValueError(f"graph, data: the graph cannot be learnt again from half of the rows: {fault}") from fault


def _effects_of(
    learnt: ValueGraph, names: tuple[str, ...], rows: Floats, minimum: Floats, maximum: Floats, reached: Floats
) -> bool:
    """Fill the ranges of one half; whether its graph is sound."""
    soundness = graph_soundness(learnt)
    determined = None if soundness.extendable else soundness.determined
    place = [names.index(name) for name in learnt.names]
    found = covariance(rows[:, place])
    for i, name in enumerate(learnt.names):
        possible = [b in learnt.possible_descendants(name) for b in learnt.names]
        reached[place[i], np.array(place)] += possible
        try:
            sets = listed_sets(learnt, [i], determined)
        except TooManySetsError:
            continue
        if sets:
            effects = np.array([effects_given(found, i, one) for one in sets])
            minimum[place[i], place], maximum[place[i], place] = effects.min(axis=0), effects.max(axis=0)
    return soundness.extendable
