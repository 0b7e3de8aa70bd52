"""A ValueGraph as other libraries know it. No format turns an undirected edge into two arrows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvalue.graph import ValueGraph

if TYPE_CHECKING:
    import networkx as nx

_DOT_ATTRIBUTES = {"directed": "", "undirected": " [dir=none]", "bidirected": " [dir=both]"}


def to_networkx(graph: ValueGraph, directed_only: bool = False) -> nx.Graph | nx.DiGraph:
    """The graph in networkx, which has no type for mixed graphs.

    Args:
        graph: the graph.
        directed_only: return a ``DiGraph`` of the → edges alone, for algorithms on directed paths. By default all
            edges come as a ``Graph`` whose edges have the attribute ``kind`` ("directed", "undirected",
            "bidirected") and, where directed, ``source`` and ``target``. Every value is a node either way.

    Returns:
        The graph; with a bootstrap, edges also have the attribute ``strength``.
    """
    import networkx as nx

    result: nx.Graph | nx.DiGraph = nx.DiGraph() if directed_only else nx.Graph()
    result.add_nodes_from(graph.names)
    for source, target, kind in graph.edges():
        if directed_only and kind != "directed":
            continue
        attributes: dict[str, Any] = {"kind": kind}
        if kind == "directed":
            attributes |= {"source": source, "target": target}
        result.add_edge(source, target, **attributes)
    if graph.bootstrap is not None:
        for row in graph.strengths().itertuples():
            if result.has_edge(row.source, row.target):
                result.edges[row.source, row.target]["strength"] = float(row.strength)
    return result


def to_dot(graph: ValueGraph) -> str:
    """Graphviz source: → as an arrow, — without heads, ↔ with two."""
    lines = ["digraph values {"]
    lines += [f"  {_quoted(name)};" for name in graph.names]
    lines += [f"  {_quoted(a)} -> {_quoted(b)}{_DOT_ATTRIBUTES[kind]};" for a, b, kind in graph.edges()]
    return "\n".join([*lines, "}", ""])


def to_causallearn(graph: ValueGraph) -> Any:
    """The graph as causal-learn's ``GeneralGraph``, with the same nodes in the same order.

    Raises:
        ModuleNotFoundError: causal-learn is not installed; the message has the command.
    """
    try:
        from causallearn.graph.Edge import Edge
        from causallearn.graph.Endpoint import Endpoint
        from causallearn.graph.GeneralGraph import GeneralGraph
        from causallearn.graph.GraphNode import GraphNode
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("to_causallearn needs causal-learn: pip install causal-learn") from error

    nodes = {name: GraphNode(name) for name in graph.names}
    result = GeneralGraph(list(nodes.values()))
    ends = {
        "directed": (Endpoint.TAIL, Endpoint.ARROW),
        "undirected": (Endpoint.TAIL, Endpoint.TAIL),
        "bidirected": (Endpoint.ARROW, Endpoint.ARROW),
    }
    for source, target, kind in graph.edges():
        result.add_edge(Edge(nodes[source], nodes[target], *ends[kind]))
    return result


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
