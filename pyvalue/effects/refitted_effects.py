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
from pyvalue.discovery.options import TESTS
from pyvalue.effects.causal_relations import relations, relations_by_paths
from pyvalue.effects.effect_bootstrap import covariance, within_edits
from pyvalue.effects.effect_ranges import listed_sets
from pyvalue.effects.effect_rows import Edits, EffectRows, effect_rows
from pyvalue.effects.graph_soundness import graph_soundness
from pyvalue.effects.ida import effects_given
from pyvalue.effects.total_effects import EffectsWarning, check_confidence, pooled_note, whole_number
from pyvalue.effects.valid_parents import TooManySetsError, most_directed
from pyvalue.given_graphs import as_value_graph
from pyvalue.graph import ValueGraph
from pyvalue.responses import Score

Floats = NDArray[np.float64]

# Tests of conditional independence that see categories or a few levels, which means taken out would blur.
_BY_LEVELS = ("chisq", "gsq", "polychoric")

#: halves in which an effect must have an answer, as a share, for an interval
MIN_ANSWERED = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class RefittedEffects:
    """Effects over graphs that were learnt again; row = cause, column = effect.

    Attributes:
        names: the d values.
        low: (d, d) quantile of the least effect of each half, at half of what the confidence leaves.
        high: (d, d) the opposite quantile of the largest effect of each half.
        reached: (d, d) share of halves by whose graph the one can follow from the other.
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
    edits: Edits = "within",
    seed: int = 0,
    **discover_options: Any,
) -> RefittedEffects:
    """Learn the graph again from halves of the personas, and estimate the effects by each of these graphs.

    An estimate over half of n, drawn without replacement, differs from that over all by as much as the latter differs
    from the truth (variance 2/n - 1/n), so that the quantiles over halves make an interval (Politis & Romano 1994).
    No test sees a row twice, as it would in a bootstrap. A graph from half of the rows has fewer edges than one from
    all; the intervals are the wider for it, and where an effect is 0 by most of the graphs they say so.

    Args:
        graph: its test, level, depth, rules, knowledge and clustering are used again. Directions that were known
            beforehand are known in every half; they are not learnt again.
        data: as in ``estimate_effects``; all values of the graph must be there.
        score: of ``Responses``.
        halves: how many, at least 40.
        confidence: of the intervals.
        cluster: rows drawn together.
        edits: as in ``estimate_effects``. "within": the mean of each edit in the half is taken out before the graph is
            learnt, too, since edits that hit several values make edges between them; not for tests of categories or
            levels, which see the rows as they are (``facts["learnt from"]`` says which).
        seed: of the draws.
        discover_options: of ``pv.discover``, such as ``test="fisherz"`` for a graph whose test was one of its own. They
            stand over the graph's settings.

    Raises:
        ValueError: an argument is out of range, values are missing, the graph was made with a test of its own and no
            other is given, or half of the clusters are too few to learn a graph from.
        TypeError: ``graph`` is no graph or ``data`` cannot be read.

    Warns:
        EffectsWarning: edits are pooled.
    """
    graph = as_value_graph(graph)
    halves, seed = whole_number("halves", halves, 40), whole_number("seed", seed, 0)
    check_confidence(confidence)
    rows = effect_rows(data, graph.names, score, cluster, edits)
    if absent := [name for name in graph.names if name not in rows.names]:
        raise ValueError(f"data: expected every value of the graph, but {', '.join(absent)} missing")
    notes = list(rows.notes)
    if rows.pooled > 1:
        notes.append(pooled_note(rows))
        warnings.warn(notes[-1], EffectsWarning, stacklevel=2)
    options = _options(graph, discover_options)
    centred = rows.n_edits > 1 and options["test"] not in _BY_LEVELS
    rng = np.random.default_rng(seed)
    d = len(graph.names)
    minimum, maximum = np.full((2, halves, d, d), np.nan)
    reached, sound = np.zeros((d, d)), 0
    for number in range(halves):
        drawn = rng.permutation(rows.n_clusters)[: rows.n_clusters // 2]
        taken = np.isin(rows.cluster, drawn)
        half = within_edits(rows.rows[taken], rows.edit[taken])
        clusters = rows.cluster[taken] if graph.settings.cluster else None
        learnt = _learn(half if centred else rows.rows[taken], rows, {"cluster": clusters, **options})
        within = covariance(half, rows.edit[taken])
        sound += _effects_of(learnt, graph.names, within, minimum[number], maximum[number], reached)
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
        "edits": edits,
        "means": rows.n_edits,
        "learnt from": "rows without the means of their edits" if centred else "rows as they are",
        "test": options["test"] if isinstance(options["test"], str) else options["test"].name,
        "confidence": confidence,
        "seed": seed,
        "notes": notes,
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


def _options(graph: ValueGraph, given: dict[str, Any]) -> dict[str, Any]:
    """How the graph was learnt, and what is asked for instead."""
    made = graph.settings
    options: dict[str, Any] = {
        "test": made.test,
        "alpha": made.alpha,
        "max_depth": made.max_depth,
        "uc_rule": made.uc_rule,
        "uc_priority": made.uc_priority,
        "knowledge": made.knowledge,
    }
    lacking = [name for name in ("test", "alpha") if name not in given]
    if made.backend == "given" and lacking:
        raise ValueError(
            f"graph: it was given, not learnt, so that no search can be repeated; pass {' and '.join(lacking)} "
            "(test='fisherz', alpha=0.05) to learn graphs from halves all the same"
        )
    if "test" not in given and made.test not in TESTS:
        raise ValueError(
            f"graph: it was made with the test {made.test!r}, which is bound to the rows that it was made for; pass "
            "test='fisherz' or another of pv.discover, with which the graph is then learnt again from halves"
        )
    return options | given


def _learn(half: Floats, rows: EffectRows, options: dict[str, Any]) -> ValueGraph:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a half may hold a constant value; it then has no edge
            return discover(half, names=list(rows.names), **options)
    except ValueError as fault:
        raise ValueError(
            f"graph, data: the graph cannot be learnt again from half of the rows: {fault}; options of pv.discover, "
            "such as test= and cluster=None, can be given here, too"
        ) from fault


def _effects_of(
    learnt: ValueGraph, names: tuple[str, ...], within: Floats, minimum: Floats, maximum: Floats, reached: Floats
) -> bool:
    """Fill the ranges of one half; whether its graph is sound."""
    soundness = graph_soundness(learnt)
    determined = None if soundness.extendable else soundness.determined
    place = [names.index(name) for name in learnt.names]
    found = within[np.ix_(place, place)]
    closed = most_directed(learnt.marks)
    kinds = relations_by_paths(learnt.marks) if closed is None else relations(closed)
    reached[np.ix_(place, place)] += np.isin(kinds, ["definite", "possible"])
    for i, cause in enumerate(place):
        try:
            sets = listed_sets(learnt, [i], determined)
        except TooManySetsError:
            continue
        if sets:
            effects = np.array([effects_given(found, i, one) for one in sets])
            minimum[cause, place], maximum[cause, place] = effects.min(axis=0), effects.max(axis=0)
    return soundness.extendable
