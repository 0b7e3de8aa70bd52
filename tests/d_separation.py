"""A test of independence that reads the answer off a DAG."""

from __future__ import annotations

import networkx as nx
import numpy as np

from pyvalue import _core


def oracle(dag: np.ndarray) -> _core.CITest:
    """A test that reads d-separation off a DAG: column j of the data holds the number j."""
    graph = nx.DiGraph(dag)
    graph.add_nodes_from(range(len(dag)))

    def separated(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> float:
        return float(nx.is_d_separator(graph, {int(x[0])}, {int(y[0])}, {int(k) for k in z[0]}))

    table = _core.Table(np.tile(np.arange(len(dag), dtype=np.float64), (4, 1)))
    return _core.CallbackSource(table, separated).test(4.0)


def random_dag(rng: np.random.Generator, d: int, density: float) -> np.ndarray:
    order = rng.permutation(d)
    return np.triu(rng.random((d, d)) < density, 1)[np.ix_(order, order)]
