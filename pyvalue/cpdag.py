"""What makes a mixed graph a CPDAG: it extends to a DAG, and it is the CPDAG of that DAG.

Marks are those of :class:`pyvalue.graph.ValueGraph`; a DAG is a boolean (d, d) matrix with ``dag[i, j]`` for i → j.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Marks = NDArray[np.int8]
Dag = NDArray[np.bool_]


def is_cpdag(marks: Marks) -> bool:
    """Whether the graph represents a Markov equivalence class of DAGs, exactly."""
    if ((marks == 1) & (marks.T == 1)).any():
        return False
    dag = consistent_extension(marks)
    return dag is not None and np.array_equal(cpdag_of_dag(dag), marks)


def consistent_extension(marks: Marks) -> Dag | None:
    """A DAG with the same adjacencies, arrows and unshielded colliders, or None where there is none.

    Dor & Tarsi (1992), "A simple algorithm to construct a consistent extension of a partially oriented graph".
    """
    dag: Dag = (marks == -1) & (marks.T == 1)
    directed, undirected = dag.copy(), (marks == -1) & (marks.T == -1)
    left = np.ones(len(marks), dtype=bool)
    for _ in range(len(marks)):
        sink = _find_sink(directed, undirected, left)
        if sink is None:
            return None
        dag[undirected[:, sink], sink] = True
        left[sink] = False
        for edges in (directed, undirected):
            edges[sink, :] = edges[:, sink] = False
    return dag


def _find_sink(directed: Dag, undirected: Dag, left: NDArray[np.bool_]) -> int | None:
    adjacent = directed | directed.T | undirected
    for node in np.flatnonzero(left & ~directed.any(axis=1)):
        neighbours = adjacent[node]
        # Edges turned into the sink must make no new unshielded collider.
        shielded = all(
            not (neighbours & ~adjacent[other] & (np.arange(len(left)) != other)).any()
            for other in np.flatnonzero(undirected[node])
        )
        if shielded:
            return int(node)
    return None


def cpdag_of_dag(dag: Dag, known: Dag | None = None) -> Marks:
    """End marks (d, d) of the CPDAG of a DAG: its unshielded colliders, and what follows by Meek's rules (1995).

    Args:
        dag: ``dag[i, j]`` for i → j.
        known: edges of the DAG whose direction is known besides. The result is then the graph of the DAGs of the
            equivalence class that share these directions, in general no CPDAG.
    """
    dag = np.asarray(dag, dtype=bool)
    adjacent = dag | dag.T
    directed = np.zeros_like(dag) if known is None else dag & known
    for mid in range(len(dag)):
        parents = np.flatnonzero(dag[:, mid])
        unshielded = ~adjacent[np.ix_(parents, parents)] & ~np.eye(len(parents), dtype=bool)
        directed[parents[unshielded.any(axis=1)], mid] = True
    while True:
        undirected = adjacent & ~directed & ~directed.T
        compelled = undirected & (_rule_1(directed, adjacent) | _rule_2(directed) | _rule_3(directed, undirected))
        if known is not None:  # colliders alone never need it
            compelled |= undirected & _rule_4(directed, undirected)
        if not compelled.any():
            break
        directed |= compelled
    marks = np.zeros(dag.shape, dtype=np.int8)
    marks[adjacent] = -1
    marks[directed.T] = 1
    return marks


def _rule_1(directed: Dag, adjacent: Dag) -> Dag:
    """j → k because i → j — k, with i and k not adjacent."""
    return (directed.T.astype(int) @ ~adjacent) > 0


def _rule_2(directed: Dag) -> Dag:
    """i → k because i → j → k."""
    return (directed.astype(int) @ directed) > 0


def _rule_3(directed: Dag, undirected: Dag) -> Dag:
    """i → l because i — j → l ← k — i, with j and k not adjacent."""
    compelled = np.zeros_like(directed)
    adjacent = directed | directed.T | undirected
    for i, l in zip(*np.nonzero(undirected), strict=True):
        middles = np.flatnonzero(undirected[i] & directed[:, l])
        apart = ~adjacent[np.ix_(middles, middles)] & ~np.eye(len(middles), dtype=bool)
        compelled[i, l] = apart.any()
    return compelled


def _rule_4(directed: Dag, undirected: Dag) -> Dag:
    """i → l because i — k → j → l, with i adjacent to j, and k and l not adjacent."""
    compelled = np.zeros_like(directed)
    adjacent = directed | directed.T | undirected
    for i, l in zip(*np.nonzero(undirected), strict=True):
        starts = undirected[i] & ~adjacent[l]
        starts[l] = False
        compelled[i, l] = bool((directed[starts] & adjacent[i] & directed[:, l]).any())
    return compelled
