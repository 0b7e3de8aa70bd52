"""Graphs that no search found: drawn by hand, or taken over from other libraries and files. Checks their form only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyvalue.graph import ARROW, TAIL, DiscoverySettings, ValueGraph

_PAIRS = '[("Power", "Wealth")]'


def graph_from_edges(
    values: Sequence[str],
    directed: Iterable[tuple[str, str]] = (),
    undirected: Iterable[tuple[str, str]] = (),
    *,
    bidirected: Iterable[tuple[str, str]] = (),
    origin: str = "given",
) -> ValueGraph:
    """A graph of given edges.

    Args:
        values: names, in the order of the graph's columns.
        directed: pairs (source, target).
        undirected: pairs whose direction is open.
        bidirected: pairs with an arrowhead at both ends, for a common cause outside of the graph.
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
    if len(set(names)) != len(names):
        again = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"values: names must be distinct, got more than one {again!r}")
    at = {name: place for place, name in enumerate(names)}
    marks = np.zeros((len(names), len(names)), dtype=np.int8)
    given = (
        ("directed", directed, TAIL, ARROW),
        ("undirected", undirected, TAIL, TAIL),
        ("bidirected", bidirected, ARROW, ARROW),
    )
    for argument, edges, tail, head in given:
        for edge in edges:
            source, target = _pair(argument, edge)
            if unknown := [name for name in (source, target) if name not in at]:
                raise ValueError(f"{argument}: {unknown[0]!r} is not among the values {', '.join(names)}")
            i, j = at[source], at[target]
            if i == j:
                raise ValueError(f"{argument}: expected edges between two values, got {source!r} with itself")
            if marks[i, j]:
                raise ValueError(f"{argument}: there is more than one edge between {source!r} and {target!r}")
            marks[i, j], marks[j, i] = tail, head
    return ValueGraph(names, marks, given_settings(origin))


def graph_from_networkx(graph: Any, *, origin: str = "networkx") -> ValueGraph:
    """A networkx graph as a ``ValueGraph``; see :func:`pyvalue.graph_networkx.from_networkx`.

    Raises:
        TypeError: it is no Graph or DiGraph.
        ValueError: a value points to itself, or an edge is of an unknown kind.
    """
    from pyvalue.graph_networkx import from_networkx

    return from_networkx(graph, origin=origin)


def as_value_graph(graph: Any) -> ValueGraph:
    """A ``ValueGraph`` as it is; one of networkx, causal-learn or pgmpy, or the path of a file, as a ``ValueGraph``.

    Args:
        graph: the graph, or the path of a .json file that ``ValueGraph.save`` wrote, a .graphml, .dot or .gv file.

    Raises:
        TypeError: it is none of these.
        ValueError: it says something that a value graph cannot, or the file is of another kind.
        StoreError: the file cannot be read.
        FileNotFoundError: there is no such file.
    """
    if isinstance(graph, ValueGraph):
        return graph
    if isinstance(graph, str | os.PathLike):
        return _from_file(Path(graph))
    from pyvalue.graph_causallearn import from_causallearn, is_causallearn
    from pyvalue.graph_pgmpy import from_pgmpy, is_pgmpy

    if is_causallearn(graph):
        return from_causallearn(graph)
    if is_pgmpy(graph):
        return from_pgmpy(graph)
    import networkx as nx

    if isinstance(graph, nx.Graph):
        return graph_from_networkx(graph)
    raise TypeError(
        "graph: expected a ValueGraph, a graph of networkx, causal-learn or pgmpy, or the path of a file, got "
        f"{type(graph).__name__}"
    )


def given_settings(origin: str) -> DiscoverySettings:
    """Settings of a graph that no search found."""
    return DiscoverySettings(alpha=1.0, n=0, test="none", test_reason=origin, backend="given")


def _from_file(path: Path) -> ValueGraph:
    suffix = path.suffix.lower()
    if suffix == ".json":
        return ValueGraph.load(path)
    if suffix == ".graphml":
        return ValueGraph.from_graphml(path)
    if suffix in (".dot", ".gv"):
        return ValueGraph.from_dot(path)
    raise ValueError(f"graph: expected a file .json, .graphml, .dot or .gv, got {str(path)!r}")


def _pair(argument: str, edge: Any) -> tuple[str, str]:
    if isinstance(edge, str) or not isinstance(edge, Sequence) or len(edge) != 2:
        raise TypeError(f"{argument} must hold pairs such as {_PAIRS}, got {edge!r}")
    return edge[0], edge[1]
