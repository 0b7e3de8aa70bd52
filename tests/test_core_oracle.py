"""With exact population correlations Fisher-z is a d-separation oracle, and PC must return the true CPDAG."""

from __future__ import annotations

import numpy as np
import pytest

from pyvalue import _core
from pyvalue.cpdag import consistent_extension, cpdag_of_dag, is_cpdag


def random_dag(rng: np.random.Generator, d: int, density: float) -> np.ndarray:
    order = rng.permutation(d)
    dag = np.triu(rng.random((d, d)) < density, 1)
    return dag[np.ix_(order, order)]


def population_correlation(rng: np.random.Generator, dag: np.ndarray) -> np.ndarray:
    weights = dag.T * rng.uniform(0.4, 0.9, dag.shape) * rng.choice([-1, 1], dag.shape)
    mixing = np.linalg.inv(np.eye(len(dag)) - weights)
    covariance = mixing @ mixing.T
    scale = np.sqrt(np.diagonal(covariance))
    return covariance / np.outer(scale, scale)


@pytest.mark.parametrize("density", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("d", [3, 5, 8, 12])
def test_true_cpdag(d: int, density: float) -> None:
    rng = np.random.default_rng([d, int(10 * density)])
    for _ in range(40):
        dag = random_dag(rng, d, density)
        marks, *_ = _core.pc(_core.fisher_z(population_correlation(rng, dag), 1e14))
        np.testing.assert_array_equal(marks, cpdag_of_dag(dag))


def test_larger_sparse_graph() -> None:
    rng = np.random.default_rng(0)
    dag = random_dag(rng, 60, 0.03)
    marks, *_ = _core.pc(_core.fisher_z(population_correlation(rng, dag), 1e14))
    np.testing.assert_array_equal(marks, cpdag_of_dag(dag))


def test_cpdag_of_dag_is_causal_learns() -> None:
    pytest.importorskip("causallearn")
    from causallearn.graph.Dag import Dag
    from causallearn.graph.GraphNode import GraphNode
    from causallearn.utils.DAG2CPDAG import dag2cpdag

    rng = np.random.default_rng(1)
    for _ in range(60):
        dag = random_dag(rng, int(rng.integers(2, 9)), 0.4)
        nodes = [GraphNode(f"X{i}") for i in range(len(dag))]
        theirs = Dag(nodes)
        for i, j in np.argwhere(dag):
            theirs.add_directed_edge(nodes[i], nodes[j])
        expected = dag2cpdag(theirs)
        order = [expected.node_map[node] for node in nodes]
        np.testing.assert_array_equal(cpdag_of_dag(dag), expected.graph[np.ix_(order, order)])


def test_extension_keeps_the_class() -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        marks = cpdag_of_dag(random_dag(rng, 8, 0.35))
        extension = consistent_extension(marks)
        assert extension is not None
        np.testing.assert_array_equal(cpdag_of_dag(extension), marks)
        assert is_cpdag(marks)


def test_graphs_that_are_no_cpdag() -> None:
    def marks(*edges: tuple[int, int, int, int]) -> np.ndarray:
        result = np.zeros((4, 4), dtype=np.int8)
        for i, j, at_i, at_j in edges:
            result[i, j], result[j, i] = at_i, at_j
        return result

    cycle = marks((0, 1, -1, 1), (1, 2, -1, 1), (2, 0, -1, 1))
    square = marks((0, 1, -1, -1), (1, 2, -1, -1), (2, 3, -1, -1), (3, 0, -1, -1))
    bidirected = marks((0, 1, 1, 1))
    not_maximal = marks((0, 1, -1, 1))
    assert consistent_extension(cycle) is None
    assert consistent_extension(square) is None
    assert not any(is_cpdag(graph) for graph in (cycle, square, bidirected, not_maximal))
    assert is_cpdag(marks((0, 1, -1, -1)))
