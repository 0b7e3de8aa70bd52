"""Which values may be the parents of a value, by a graph that leaves edges open or that no DAG agrees with.

:mod:`pyvalue.effects.valid_parents` lists exactly the sets that occur where the graph stands for a set of DAGs. The
rule here looks at the neighbours of the value alone, so that it has an answer for every value that lies on no directed
cycle, whatever is wrong elsewhere; where both answer, its sets include those.
"""

from __future__ import annotations

from itertools import islice

import numpy as np

from pyvalue.cpdag import Marks

#: sets of one value above which none is listed
MAX_SETS = 256


def possible_parents(marks: Marks, node: int) -> list[tuple[int, ...]]:
    """The directed parents with every set of undirected neighbours that makes no new unshielded collider at the value.

    Maathuis, Kalisch & Bühlmann (2009), lemma 3.1. Values joined by ↔ are no parents: both ends have a common cause
    that was not measured, or tests disagree.

    Args:
        marks: (d, d) marks of :class:`pyvalue.graph.ValueGraph`.
        node: column number of the value.

    Raises:
        ValueError: the value lies on a directed cycle, or there are more than ``MAX_SETS`` sets; in words that
            follow the name of the value.
    """
    import networkx as nx

    arrows = (marks == -1) & (marks.T == 1)
    if _on_cycle(arrows, node):
        raise ValueError("it lies on a directed cycle of the graph, so that it has no equation of its own")
    sure = np.flatnonzero(arrows[:, node]).tolist()
    open_ = np.flatnonzero((marks[node] == -1) & (marks[:, node] == -1))
    allowed = [int(k) for k in open_ if (marks[k, sure] != 0).all()]
    among = nx.Graph(np.argwhere(np.triu(marks != 0)).tolist()).subgraph(allowed)
    cliques = list(islice(nx.enumerate_all_cliques(among), MAX_SETS))
    if len(cliques) == MAX_SETS:
        raise ValueError(f"its {len(open_)} undirected neighbours allow more than {MAX_SETS} sets of parents")
    return [tuple(sorted([*sure, *clique])) for clique in [[], *cliques]]


def _on_cycle(arrows: np.ndarray, node: int) -> bool:
    ahead = arrows[node].copy()
    for _ in range(len(arrows)):
        ahead |= arrows[ahead].any(axis=0)
    return bool(ahead[node])
