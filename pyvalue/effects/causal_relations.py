"""Which values follow from which in every DAG of a graph's class, in some, or in none.

Two undirected edges at a value can point away from it in turn, so that a value may follow in every DAG without a path
that is the same in all. Marks are those of :class:`pyvalue.graph.ValueGraph`. Nothing is estimated here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyvalue.cpdag import Marks

Mask = NDArray[np.bool_]


def relations(closed: Marks) -> NDArray[np.str_]:
    """(d, d) "definite", "possible" or "none": whether the column follows from the row in all, some or no DAGs.

    Of the ways to a value that the DAGs can open, each begins with an edge at the cause. A DAG closes all of them if it
    turns all these edges into the cause; it can, unless one is an arrow out of it or two of their ends are not
    adjacent, which would make a new collider. These ends are the critical set of Fang, Liu & He (2022), "A local
    method for identifying causal relations under Markov equivalence"; with background knowledge Zuo et al. (2022),
    "Counterfactual fairness with partially known causal graph".

    Args:
        closed: (d, d) marks with every direction that they compel; see ``valid_parents.most_directed``.

    Returns:
        "self" on the diagonal.
    """
    adjacent = closed != 0
    arrows = (closed == -1) & (closed.T == 1)
    over = reached_over(closed)
    found = np.where(over.any(axis=1), "possible", "none").astype("<U8")
    for cause in range(len(closed)):
        sure = over[cause, arrows[cause]].any(axis=0)
        loose = np.flatnonzero((closed[cause] == -1) & (closed[:, cause] == -1))
        apart = ~adjacent[np.ix_(loose, loose)] & ~np.eye(len(loose), dtype=bool)
        ways = over[cause, loose].astype(int)
        found[cause, sure | ((apart.astype(int) @ ways) * ways).any(axis=0)] = "definite"
    np.fill_diagonal(found, "self")
    return found


def relations_by_paths(marks: Marks) -> NDArray[np.str_]:
    """(d, d) the same of a graph that no DAG agrees with, by its paths: all arrows "definite", else "possible"."""
    step = (marks == -1) & (marks.T != 0)
    found = np.where(_closure(step), "possible", "none").astype("<U8")
    found[_closure(step & (marks.T == 1))] = "definite"
    np.fill_diagonal(found, "self")
    return found


def reached_over(closed: Marks) -> NDArray[np.bool_]:
    """(d, d, d) whether row can reach a value by way of its neighbour, the second axis, in some DAG.

    It can over a path of edges → and —, of which no three values in a row are all adjacent (Perković, Kalisch &
    Maathuis 2017, lemma 3.5). Once the first edge points out of the value, Meek's first rule turns all others.
    """
    d = len(closed)
    adjacent = closed != 0
    edges = np.argwhere((closed == -1) & adjacent.T)
    start, end = edges.T
    follows = (end[:, None] == start) & (start[:, None] != end) & ~adjacent[start[:, None], end]
    found = np.zeros((d, d, d), dtype=bool)
    found[start, end] = _closure(follows, itself=True).astype(np.float32) @ np.eye(d, dtype=np.float32)[end] > 0
    found[np.arange(d), :, np.arange(d)] = False
    return found


def _closure(step: Mask, itself: bool = False) -> Mask:
    """(m, m) whether steps lead from the row to the column; none is needed to the row ``itself``."""
    factor = step.astype(np.float32)
    seen = np.eye(len(step), dtype=bool) if itself else step.copy()
    ahead = seen
    while ahead.any():
        ahead = (ahead.astype(np.float32) @ factor > 0) & ~seen
        seen = seen | ahead
    return seen
