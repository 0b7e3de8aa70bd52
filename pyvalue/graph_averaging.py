"""One graph out of a bootstrap: an averaged CPDAG, or of every pair the kind of edge that replicates agree on.

Reads the counts of :class:`pyvalue.edge_frequencies.EdgeFrequencies`; it searches nothing and looks at no data.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyvalue.cpdag import Dag, Marks, consistent_extension, cpdag_of_dag
from pyvalue.edge_frequencies import EdgeFrequencies
from pyvalue.errors import PyvalueError
from pyvalue.graph import ARROW, TAIL, ValueGraph

AveragingRule = Literal["plurality", "bnlearn"]
EnsembleRule = Literal["preserved", "highest", "majority"]

# Marks at i's and at j's end, for a pair i < j; of kinds that are equally frequent, the one named first is taken.
_KINDS = {"absent": (0, 0), "—": (TAIL, TAIL), "→": (TAIL, ARROW), "←": (ARROW, TAIL), "↔": (ARROW, ARROW)}


def strength_threshold(graph: ValueGraph) -> float:
    """The L1 significance threshold on edge strengths, in [0, 1]; an edge above it is taken to be there.

    Scutari & Nagarajan (2013), "Identifying significant edges in graphical models of molecular networks", Artificial
    Intelligence in Medicine 57: with F the empirical distribution of the strengths of all pairs, t minimises the L1
    distance on [0, 1] between F and the distribution that is t everywhere below 1; the threshold is the quantile
    (R's type 1) of the strengths at t. As F never falls, the constant closest to it in L1 is its value in the middle,
    t = F(1/2), and the quantile at F(1/2) is the largest strength that is at most 1/2. So the rule keeps what more
    than half of the replicates have. Where every strength is above 1/2, t is 0 and the quantile the smallest strength.

    bnlearn searches t numerically and stops up to 1e-4 beside it; beyond it, the quantile is the next larger strength,
    and bnlearn's threshold that one.

    Returns:
        The threshold; 0 where no replicate could test any pair. Pairs that were never tested have no strength.

    Raises:
        PyvalueError: the graph was made without a bootstrap.
    """
    pairs = _Pairs(_counts(graph))
    strengths = pairs.strengths[pairs.tested > 0]
    if len(strengths) == 0:
        return 0.0
    lower = strengths[strengths <= 0.5]
    return float(lower.max() if len(lower) else strengths.min())


def averaged(graph: ValueGraph, threshold: float | None = None, rule: AveragingRule = "plurality") -> ValueGraph:
    """The averaged CPDAG of a bootstrap, in the manner of bnlearn's ``averaged.network``.

    Pairs whose strength is above the threshold, or 1, are taken by decreasing strength, then by decreasing share of
    the more frequent direction, then in column order. By the rule ``"plurality"`` a pair gets the arrow that more
    replicates gave it, or a line where at least as many gave it a line: replicates are CPDAGs, whose lines say that
    both directions fit. By the rule ``"bnlearn"``, made for replicates that are DAGs, it gets the more frequent arrow
    however rare that is (— and ↔ count half for either). With as many for either it gets a line. An edge whose
    direction would close a cycle of arrows is left out, as in bnlearn, and named in the notes. The result is the
    CPDAG of the DAGs that have these edges, arrows and colliders: an arrow that no collider compels turns into a line.
    Where lines and arrows admit no such DAG, lines are directed along an order of the values that fits the arrows
    (ties in column order), which makes new colliders; the notes say so.

    Two things differ from bnlearn. Its code (4.x, and its Python port) takes the *weakest* edges first, against its
    comment, and so leaves out the strongest edge of a cycle. And paths over lines close no cycle here: bnlearn leaves
    out the third line of a triangle as soon as there is an arrow anywhere.

    Args:
        graph: a graph with a bootstrap; of its own marks nothing is used.
        threshold: in [0, 1]; :func:`strength_threshold` by default.
        rule: which arrows count.

    Returns:
        A graph that is a valid CPDAG, or has what the search's knowledge directs besides, without separating sets,
        otherwise as ``graph``; its notes have the threshold.

    Raises:
        PyvalueError: the graph was made without a bootstrap.
        ValueError: the threshold is not in [0, 1], or there is no such rule.
    """
    counts = _counts(graph)
    if rule not in get_args(AveragingRule):
        raise ValueError(f"rule must be one of {', '.join(get_args(AveragingRule))}, got {rule!r}")
    if threshold is not None and (isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number)):
        raise TypeError(f"threshold must be a share of the replicates in [0, 1] or None, got {threshold!r}")
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be a share of the replicates in [0, 1], got {threshold}")
    limit = strength_threshold(graph) if threshold is None else float(threshold)
    marks, cyclic = _partially_directed(counts, limit, rule)
    dag = consistent_extension(marks)
    source = "L1 threshold: none lies between it and half" if threshold is None else "given threshold"
    note = f"averaged over {counts.replicates} bootstrap replicates: edges in more than {limit:.3f} of them ({source})"
    if cyclic:
        edges = ", ".join(f"{graph.names[i]} → {graph.names[j]}" for i, j in cyclic)
        note += f"; left out, because they close a cycle of stronger arrows: {edges}"
    if dag is None:
        dag = _acyclic_extension(marks)
        note += "; no DAG has these arrows and lines without further colliders, so the lines made some"
    known = None
    if graph.settings.knowledge:
        forbidden, required = graph.settings.knowledge.matrices(graph.names, graph.excluded)
        known = (forbidden.T | required).astype(bool)
    return _with_marks(graph, cpdag_of_dag(dag, known), note)


def ensemble(graph: ValueGraph, rule: EnsembleRule) -> ValueGraph:
    """Of every pair the kind of edge that the replicates agree on, each pair for itself, as in Tetrad's ensembles.

    The kinds are no edge, —, →, ← and ↔, with their frequencies over the replicates that tested the pair:

    - ``"preserved"``: the most frequent kind of edge, however rare; no edge only where no replicate has one.
    - ``"highest"``: the most frequent kind, no edge among them.
    - ``"majority"``: the kind that more than half of the replicates have, else no edge.

    Of equally frequent kinds the first in the order no edge, —, → from the earlier column, ← to it, ↔ is taken. (Tetrad
    keeps an edge as frequent as no edge, and one in exactly half of the replicates.) Pairs that were never tested have
    no edge. The result need be no CPDAG: it may have cycles, and arrows that no collider compels.

    Args:
        graph: a graph with a bootstrap; of its own marks nothing is used.
        rule: one of the three.

    Returns:
        A graph without separating sets, otherwise as ``graph``; its notes have the rule.

    Raises:
        PyvalueError: the graph was made without a bootstrap.
        ValueError: there is no such rule.
    """
    counts = _counts(graph)
    if rule not in get_args(EnsembleRule):
        raise ValueError(f"rule must be one of {', '.join(get_args(EnsembleRule))}, got {rule!r}")
    pairs = _Pairs(counts)
    by_kind = np.stack([pairs.absent, pairs.undirected, pairs.forward, pairs.backward, pairs.bidirected])
    kind = by_kind.argmax(axis=0)
    if rule == "preserved":
        kind = np.where(pairs.present > 0, 1 + by_kind[1:].argmax(axis=0), 0)
    if rule == "majority":
        kind = np.where(2 * by_kind.max(axis=0) > pairs.tested, kind, 0)
    ends = np.array(list(_KINDS.values()), dtype=np.int8)[kind]
    marks = np.zeros_like(graph.marks)
    marks[pairs.i, pairs.j], marks[pairs.j, pairs.i] = ends[:, 0], ends[:, 1]
    note = f"ensemble of {counts.replicates} bootstrap replicates by the rule {rule!r}, which need give no CPDAG"
    return _with_marks(graph, marks, note)


class _Pairs:
    """The counts of all pairs i < j as vectors, signed so that they can be subtracted."""

    def __init__(self, counts: EdgeFrequencies) -> None:
        self.i, self.j = i, j = np.triu_indices(len(counts.directed), k=1)
        self.forward = counts.directed[i, j].astype(np.int64)
        self.backward = counts.directed[j, i].astype(np.int64)
        self.undirected = counts.undirected[i, j].astype(np.int64)
        self.bidirected = counts.bidirected[i, j].astype(np.int64)
        self.absent = counts.absent[i, j].astype(np.int64)
        self.tested = counts.replicates - counts.untestable[i, j].astype(np.int64)
        self.present = self.tested - self.absent
        self.strengths: NDArray[np.float64] = self.present / np.maximum(self.tested, 1)


def _counts(graph: ValueGraph) -> EdgeFrequencies:
    if graph.bootstrap is None:
        raise PyvalueError("the graph has no edge strengths: make it with discover(..., bootstrap=1000)")
    return graph.bootstrap


def _with_marks(graph: ValueGraph, marks: Marks, note: str) -> ValueGraph:
    return dataclasses.replace(graph, marks=marks, separating_sets={}, notes=(*graph.notes, note))


def _partially_directed(
    counts: EdgeFrequencies, threshold: float, rule: AveragingRule
) -> tuple[Marks, list[tuple[int, int]]]:
    """Marks (d, d) of the edges above the threshold, and (source, target) of those that would close a cycle."""
    pairs = _Pairs(counts)
    halves = pairs.undirected + pairs.bidirected
    toward = np.maximum(pairs.forward, pairs.backward) + halves / 2
    share = toward / np.maximum(pairs.present, 1)
    is_line = pairs.forward == pairs.backward
    if rule == "plurality":
        is_line |= pairs.undirected >= np.maximum(pairs.forward, pairs.backward)
    significant = (pairs.present > 0) & ((pairs.strengths > threshold) | (pairs.absent == 0))
    marks = np.zeros(counts.directed.shape, dtype=np.int8)
    reaches = np.eye(len(marks), dtype=bool)
    cyclic = []
    # The sort is stable, and pairs come in column order.
    for k in np.lexsort((-share, -pairs.strengths)):
        if not significant[k]:
            continue
        source, target = int(pairs.i[k]), int(pairs.j[k])
        if is_line[k]:
            marks[source, target] = marks[target, source] = TAIL
            continue
        if pairs.backward[k] > pairs.forward[k]:
            source, target = target, source
        if reaches[target, source]:
            cyclic.append((source, target))
            continue
        marks[source, target], marks[target, source] = TAIL, ARROW
        reaches |= np.outer(reaches[:, source], reaches[target])
    return marks, cyclic


def _acyclic_extension(marks: Marks) -> Dag:
    """A DAG with the same adjacencies and arrows, for arrows without a cycle; it may have further colliders."""
    arrows: Dag = (marks == TAIL) & (marks.T == ARROW)
    ancestors = np.eye(len(marks), dtype=bool) | arrows
    for middle in range(len(marks)):
        ancestors |= np.outer(ancestors[:, middle], ancestors[middle])
    # A value has more ancestors than any of its ancestors; the sort is stable, so the rest is in column order.
    place = np.argsort(np.argsort(ancestors.sum(axis=0), kind="stable"))
    lines: Dag = (marks == TAIL) & (marks.T == TAIL)
    dag: Dag = arrows | (lines & (place[:, None] < place[None, :]))
    return dag
