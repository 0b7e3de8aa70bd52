"""Graphs that no search found: drawn by hand, or taken over from networkx. Checks their form, not their truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pyvalue.graph import ARROW, TAIL, DiscoverySettings, ValueGraph

_PAIRS = '[("Power", "Wealth")]'


def graph_from_edges(
    values: Sequence[str],
    directed: Iterable[tuple[str, str]] = (),
    undirected: Iterable[tuple[str, str]] = (),
    *,
    origin: str = "given",
) -> ValueGraph:
    """A graph of given edges.

    Args:
        values: names, in the order of the graph's columns.
        directed: pairs (source, target).
        undirected: pairs whose direction is open.
        origin: where the edges are from; kept in the settings.

    Raises:
        TypeError: ``values`` is a text, or an edge is no pair.
        ValueError: a name that is not among the values or comes twice, an edge of a value with itself, or a pair that
            comes twice.

    Example:
        >>> graph = pv.graph_from_edges(["Power", "Wealth", "Calm"], directed=[("Power", "Wealth")])
    """
    if isinstance(values, str):
        raise TypeError(f"values must be a list of names, got the text {values!r}")
    names = tuple(values)
    at = {name: place for place, name in enumerate(names)}
    marks = np.zeros((len(names), len(names)), dtype=np.int8)
    for argument, edges, head in (("directed", directed, ARROW), ("undirected", undirected, TAIL)):
        for edge in edges:
            source, target = _pair(argument, edge)
            if unknown := [name for name in (source, target) if name not in at]:
                raise ValueError(f"{argument}: {unknown[0]!r} is not among the values {', '.join(names)}")
            i, j = at[source], at[target]
            if i == j:
                raise ValueError(f"{argument}: expected edges between two values, got {source!r} with itself")
            if marks[i, j]:
                raise ValueError(f"{argument}: there is more than one edge between {source!r} and {target!r}")
            marks[i, j], marks[j, i] = TAIL, head
    return ValueGraph(names, marks, _settings(origin))


def graph_from_networkx(graph: Any, *, origin: str = "networkx") -> ValueGraph:
    """A networkx ``DiGraph`` as a ``ValueGraph``: arrows both ways between two values are an undirected edge.

    Raises:
        TypeError: it is no DiGraph.
        ValueError: a value points to itself.
    """
    import networkx as nx

    if not isinstance(graph, nx.DiGraph):
        raise TypeError(f"graph: expected a ValueGraph or a networkx DiGraph, got {type(graph).__name__}")
    arrows = [(str(a), str(b)) for a, b in graph.edges]
    both = set(arrows) & {(b, a) for a, b in arrows}
    return graph_from_edges(
        [str(name) for name in graph.nodes],
        [pair for pair in arrows if pair not in both],
        [pair for pair in arrows if pair in both and pair[0] <= pair[1]],
        origin=origin,
    )


def as_value_graph(graph: Any) -> ValueGraph:
    """A ``ValueGraph`` as it is, a networkx ``DiGraph`` as one.

    Raises:
        TypeError: it is neither.
        ValueError: a value of the DiGraph points to itself.
    """
    return graph if isinstance(graph, ValueGraph) else graph_from_networkx(graph)


def _settings(origin: str) -> DiscoverySettings:
    return DiscoverySettings(alpha=1.0, n=0, test="none", test_reason=origin, backend="given")


def _pair(argument: str, edge: Any) -> tuple[str, str]:
    if isinstance(edge, str) or not isinstance(edge, Sequence) or len(edge) != 2:
        raise TypeError(f"{argument} must hold pairs such as {_PAIRS}, got {edge!r}")
    return edge[0], edge[1]
