"""All DAGs of an equivalence class, by trying every orientation: what IDA is checked against."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import networkx as nx
import numpy as np
from hypothesis import strategies as st


@st.composite
def dags(draw: st.DrawFn, least: int = 2, most: int = 5) -> np.ndarray:
    """A boolean DAG (d, d) in a random order."""
    d = draw(st.integers(least, most))
    pairs = list(combinations(range(d), 2))
    joined = draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    order = draw(st.permutations(range(d)))
    dag = np.zeros((d, d), dtype=bool)
    for (a, b), edge in zip(pairs, joined, strict=True):
        dag[order[a], order[b]] = edge
    return dag


def colliders(dag: np.ndarray) -> set[tuple[int, int, int]]:
    """(a, middle, b) of all unshielded colliders, a < b."""
    adjacent = dag | dag.T
    return {
        (a, middle, b)
        for middle in range(len(dag))
        for a, b in combinations(np.flatnonzero(dag[:, middle]).tolist(), 2)
        if not adjacent[a, b]
    }


def members(dag: np.ndarray, known: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Every DAG with the skeleton and unshielded colliders of this one, and with the known edges as they are in it."""
    edges = [tuple(edge) for edge in np.argwhere(dag)]
    target = colliders(dag)
    for turns in product([False, True], repeat=len(edges)):
        other = np.zeros_like(dag)
        for (a, b), turned in zip(edges, turns, strict=True):
            other[(b, a) if turned else (a, b)] = True
        if known is not None and (known & dag & ~other).any():
            continue
        if nx.is_directed_acyclic_graph(nx.DiGraph(other)) and colliders(other) == target:
            yield other


def fitted_weights(covariance: np.ndarray, dag: np.ndarray) -> np.ndarray:
    """(d, d) direct effects of the linear model over the DAG that fits the covariances."""
    weights = np.zeros(covariance.shape)
    for node in range(len(dag)):
        parents = np.flatnonzero(dag[:, node])
        if len(parents):
            weights[parents, node] = np.linalg.solve(covariance[np.ix_(parents, parents)], covariance[parents, node])
    return weights


def path_effects(weights: np.ndarray, held: tuple[int, ...] = ()) -> np.ndarray:
    """(d, d) sums over directed paths of products of weights, without the edges into held values."""
    cut = weights.copy()
    cut[:, list(held)] = 0
    return np.linalg.inv(np.eye(len(weights)) - cut)
