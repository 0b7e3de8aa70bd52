"""What a value graph says of side effects: who can be reached, by how much, and what its degrees alone would say."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from pyvalue.evaluation.predictors import Prediction, Training
from pyvalue.graph import ValueGraph

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class GraphReach:
    """1 where j is a descendant of i, else 0. It has no sign.

    Attributes:
        kind: "definite": over directed edges; "possible": over undirected ones, too.
    """

    kind: Literal["definite", "possible"] = "possible"

    @property
    def name(self) -> str:
        """By the kind."""
        return f"graph, {self.kind} descendants"

    def fit(self, train: Training) -> Prediction | None:
        """None without a graph. Values that the graph lacks are nobody's descendants."""
        if train.graph is None:
            return None
        step = steps(train.graph, self.kind)
        return Prediction(train.study.values, _of_values(reachable(step).astype(float), train, 0.0))


@dataclass(frozen=True)
class GraphEffects:
    """Total effects by IDA, estimated in all training rows less the mean of their edit, with persona as the cluster.

    Means are taken off because an edit may move several values itself, which would pass for effects among them.

    Score: |middle| of the range of effects of i on j. The expected change is that middle times the change of i, its
    interval the range widened by the bootstrap (``pyvalue.effects.total_effects``).

    Attributes:
        resamples: of the bootstrap.
    """

    resamples: int = 100
    name: str = "graph, effects (IDA)"

    def fit(self, train: Training) -> Prediction | None:
        """None without a graph, or where nothing can be estimated of these rows."""
        from pyvalue.effects.total_effects import EffectsWarning, estimate_effects

        if train.graph is None:
            return None
        values = train.study.values
        known = [name for name in train.graph.names if name in values]
        if len(known) < 2:
            return None
        rows = train.study.rows()[known]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", EffectsWarning)
                found = estimate_effects(
                    train.graph, rows, edits="within", resamples=self.resamples, confidence=train.confidence,
                    on_missing="drop", seed=train.seed,
                )  # fmt: skip
        except ValueError:
            return None
        middle, low, high = (
            _of_values(np.asarray(table, dtype=float), train, np.nan)
            for table in ((found.minimum + found.maximum) / 2, found.low, found.high)
        )
        return Prediction(values, np.abs(middle), slope=middle, slope_low=low, slope_high=high)


@dataclass(frozen=True)
class RandomGraphs:
    """What the degrees of the graph alone say: how often j is a possible descendant of i in graphs of the same degrees.

    Random graphs are made by swapping the ends of two edges of a kind, ten times as often as there are edges: every
    value keeps how many arrows leave it and reach it and how many undirected edges it has (Maslov & Sneppen 2002).
    Where degrees hardly differ, the order of the scores is the chance of the graphs drawn; ``p`` knows of it.

    Attributes:
        graphs: how many random graphs are averaged.
    """

    graphs: int = 100
    name: str = "random graphs of the same degrees"

    def fit(self, train: Training) -> Prediction | None:
        """None without a graph."""
        graph = train.graph
        if graph is None:
            return None
        share = _random_reach(graph.marks.tobytes(), len(graph.names), self.graphs, train.seed)
        return Prediction(train.study.values, _of_values(share, train, 0.0))


def steps(graph: ValueGraph, kind: Literal["definite", "possible"]) -> Flags:
    """(d, d) whether one edge leads from i to j."""
    return np.asarray((graph.marks == -1) & ((graph.marks.T == 1) if kind == "definite" else (graph.marks.T != 0)))


def reachable(step: Flags) -> Flags:
    """(..., d, d) whether a path of at least one step leads from i to another j; False on the diagonal."""
    d = step.shape[-1]
    found = step | np.eye(d, dtype=bool)
    for _ in range(max(int(np.ceil(np.log2(max(d, 2)))), 1)):
        found = (found.astype(np.float32) @ found.astype(np.float32)) > 0
    return np.asarray(found & ~np.eye(d, dtype=bool))


def _of_values(table: Floats, train: Training, missing: float) -> Floats:
    """A table over the graph's values as one over those of the study."""
    graph, values = train.graph, train.study.values
    assert graph is not None
    if graph.names == values:
        return table
    found = np.full((len(values),) * 2, missing)
    both = [name for name in values if name in graph.names]
    to, of = [values.index(name) for name in both], [graph.names.index(name) for name in both]
    found[np.ix_(to, to)] = table[np.ix_(of, of)]
    return found


@lru_cache(maxsize=64)
def _random_reach(marks: bytes, size: int, graphs: int, seed: int) -> Floats:
    """Kept, since a graph that was given is the same in every fold."""
    table = np.frombuffer(marks, dtype=np.int8).reshape(size, size)
    directed = np.argwhere((table == -1) & (table.T == 1))
    undirected = np.argwhere(np.triu((table == table.T) & (table != 0)))
    rng = np.random.default_rng(seed)
    drawn = np.zeros((graphs, size, size), dtype=bool)
    for step in drawn:
        arrows, lines = rewired(directed.tolist(), undirected.tolist(), rng)
        for a, b in arrows:
            step[a, b] = True
        for a, b in lines:
            step[a, b] = step[b, a] = True
    found: Floats = reachable(drawn).mean(axis=0)
    found.setflags(write=False)
    return found


def rewired(
    directed: list[list[int]], undirected: list[list[int]], rng: np.random.Generator
) -> tuple[list[list[int]], list[list[int]]]:
    """Swap ends of pairs of edges of a kind, so that no pair of values gets two edges and none one with itself."""
    taken = {frozenset(edge) for edge in (*directed, *undirected)}
    kinds = [[list(edge) for edge in edges] for edges in (directed, undirected)]
    for kind, edges in enumerate(kinds):
        if len(edges) < 2:
            continue
        draws = rng.integers(len(edges), size=(10 * len(edges), 2))
        flips = rng.random(10 * len(edges)) < 0.5
        for (first, second), flip in zip(draws.tolist(), flips.tolist(), strict=True):
            (a, b), (c, d) = edges[first], edges[second]
            if kind and flip:  # an undirected edge has no first end
                c, d = d, c
            new = frozenset((a, d)), frozenset((c, b))
            if first == second or len(new[0]) < 2 or len(new[1]) < 2 or new[0] == new[1]:
                continue
            if new[0] in taken or new[1] in taken:
                continue
            taken -= {frozenset((a, b)), frozenset((c, d))}
            taken |= set(new)
            edges[first], edges[second] = [a, d], [c, b]
    return kinds[0], kinds[1]
