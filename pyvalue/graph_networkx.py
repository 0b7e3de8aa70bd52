"""A ValueGraph as networkx knows it, and back. No undirected edge becomes two arrows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pyvalue.given_graphs import graph_from_edges
from pyvalue.graph import ValueGraph
from pyvalue.graph_facts import facts_as_texts, with_facts
from pyvalue.graph_pgmpy import is_dag_or_pdag, is_pgmpy

if TYPE_CHECKING:
    import networkx as nx

KINDS = ("directed", "undirected", "bidirected")
#: of the columns of ``ValueGraph.strengths``, those that edges carry as attributes
_FREQUENCIES = ("strength", "direction", "forward", "backward", "undirected", "bidirected", "absent")


def to_networkx(graph: ValueGraph, directed_only: bool = False) -> nx.Graph | nx.DiGraph:
    """The graph in networkx, which has no type for mixed graphs.

    Args:
        graph: the graph.
        directed_only: return a ``DiGraph`` of the → edges alone, for algorithms on directed paths. By default all
            edges come as a ``Graph`` whose edges have the attribute ``kind`` ("directed", "undirected",
            "bidirected") and, where directed, ``source`` and ``target``. Every value is a node either way.

    Returns:
        The graph. With a bootstrap, edges also have the attributes ``strength, direction, forward, backward,
        undirected, bidirected, absent`` of ``ValueGraph.strengths``, read from ``frequencies_from`` to
        ``frequencies_to``. The ``Graph`` carries all that else belongs to the value graph as JSON texts in its
        attributes, so that :func:`from_networkx` gives back an equal one.
    """
    import networkx as nx

    result: nx.Graph | nx.DiGraph = nx.DiGraph() if directed_only else nx.Graph()
    if not directed_only:
        result.graph.update(facts_as_texts(graph))
    result.add_nodes_from(graph.names)
    for source, target, kind in graph.edges():
        if directed_only and kind != "directed":
            continue
        attributes: dict[str, Any] = {"kind": kind}
        if kind == "directed":
            attributes |= {"source": source, "target": target}
        result.add_edge(source, target, **attributes)
    if graph.bootstrap is not None:
        for row in graph.strengths().to_dict("records"):
            if result.has_edge(row["source"], row["target"]):
                found = {name: float(row[name]) for name in _FREQUENCIES if math.isfinite(row[name])}
                ends = {"frequencies_from": row["source"], "frequencies_to": row["target"]}
                result.edges[row["source"], row["target"]].update(found | ends)
    return result


def from_networkx(graph: Any, *, names: str | None = None, origin: str = "networkx") -> ValueGraph:
    """A networkx graph as a ``ValueGraph``.

    An edge with the attribute ``kind`` ("directed", "undirected" or "bidirected") is of that kind; a directed edge of
    a ``Graph`` needs ``source`` and ``target`` besides. Without ``kind``, edges of a ``Graph`` are undirected; those of
    a ``DiGraph`` are arrows, and arrows both ways between two values an undirected edge. Settings, bootstrap and
    separating sets are taken over from the attributes that ``ValueGraph.to_networkx`` wrote.

    Args:
        graph: a ``Graph`` or ``DiGraph``. Nodes that are no texts are named by their ``str``.
        names: attribute of the nodes that holds their names, such as "label"; default the nodes themselves.
        origin: where the graph is from; kept in the settings where it brings none.

    Raises:
        TypeError: it is no networkx graph.
        ValueError: there is more than one edge between two values, an edge of a value with itself, an unknown ``kind``,
            or names that are missing or come twice.
    """
    import networkx as nx

    if not isinstance(graph, nx.Graph):
        raise TypeError(f"graph: expected a networkx Graph or DiGraph, got {type(graph).__name__}")
    if is_pgmpy(graph) and not is_dag_or_pdag(graph):
        raise TypeError(
            f"graph: expected a DAG or PDAG of pgmpy, got {type(graph).__name__}, whose edges mean other things"
        )
    if graph.is_multigraph():
        raise ValueError(
            f"graph: expected one edge at most between two values, which a {type(graph).__name__} does not promise; "
            "convert it: nx.DiGraph(graph) or nx.Graph(graph)"
        )
    name_of = _names(graph.nodes(data=True), names)
    place = {node: number for number, node in enumerate(name_of)}
    edges: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
    for u, v, attributes in graph.edges(data=True):
        kind, pair = _edge(graph, u, v, attributes)
        if kind == "undirected" and graph.is_directed() and graph.has_edge(v, u) and place[u] > place[v]:
            continue  # the other arrow of the pair stands for both
        edges[kind].append((name_of[pair[0]], name_of[pair[1]]))
    found = graph_from_edges(
        list(name_of.values()), edges["directed"], edges["undirected"], bidirected=edges["bidirected"], origin=origin
    )
    return with_facts(found, graph.graph)


def _names(nodes: Iterable[tuple[Any, dict[str, Any]]], attribute: str | None) -> dict[Any, str]:
    found = {}
    for node, attributes in nodes:
        if attribute is not None and attribute not in attributes:
            raise ValueError(f"names: node {node!r} has no attribute {attribute!r}")
        found[node] = str(node if attribute is None else attributes[attribute])
    return found


def _edge(graph: Any, u: Any, v: Any, attributes: dict[str, Any]) -> tuple[str, tuple[Any, Any]]:
    """The kind of an edge and its nodes, in the direction of the arrow."""
    kind = attributes.get("kind")
    if kind is None:
        both = not graph.is_directed() or graph.has_edge(v, u)
        return ("undirected" if both else "directed"), (u, v)
    if kind not in KINDS:
        raise ValueError(
            f"graph: the edge between {u!r} and {v!r} has the kind {kind!r}; expected one of {', '.join(KINDS)}, or no "
            "attribute kind, for what the edge itself says"
        )
    if kind != "directed" or (graph.is_directed() and "source" not in attributes):
        return kind, (u, v)
    ends = attributes.get("source"), attributes.get("target")
    for pair in ((u, v), (v, u)):
        if all(_same_text(one, other) for one, other in zip(ends, pair, strict=True)):
            return kind, pair
    raise ValueError(
        f"graph: the directed edge between {u!r} and {v!r} needs them as its attributes source and target, got {ends}"
    )


def _same_text(end: Any, node: Any) -> bool:
    """Whether they are the same, but for ends of lines, which XML reads as one kind."""
    return end == node or (isinstance(node, str) and end == node.replace("\r\n", "\n").replace("\r", "\n"))
