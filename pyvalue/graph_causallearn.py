"""A ValueGraph as causal-learn knows it, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyvalue.given_graphs import given_settings
from pyvalue.graph import ValueGraph

#: numbers of causal-learn's ``Endpoint`` that a value graph has no mark for
_OTHER_ENDS = {2: "CIRCLE", 3: "STAR", 4: "TAIL_AND_ARROW", 5: "ARROW_AND_ARROW"}


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


def from_causallearn(graph: Any, *, origin: str = "causal-learn") -> ValueGraph:
    """A graph of causal-learn: a ``GeneralGraph``, its ``Dag``, or the ``CausalGraph`` that ``pc`` returns.

    Args:
        graph: the graph.
        origin: where it is from; kept in the settings.

    Raises:
        TypeError: it is none of these.
        ValueError: it has ends that a value graph has no mark for, such as the circles of FCI, or two nodes of one
            name.
    """
    graph = getattr(graph, "G", graph)
    if not is_causallearn(graph):
        raise TypeError(f"graph: expected causal-learn's GeneralGraph or CausalGraph, got {type(graph).__name__}")
    names = tuple(str(name) for name in graph.get_node_names())
    ends = np.asarray(graph.graph)
    if others := sorted(set(ends[np.abs(ends) > 1].tolist())):
        raise ValueError(
            f"graph: expected tails and arrowheads at the ends of edges, got "
            f"{', '.join(_OTHER_ENDS.get(int(end), str(end)) for end in others)}; partial ancestral graphs (FCI) say "
            "something that a ValueGraph cannot"
        )
    return ValueGraph(names, ends.astype(np.int8), given_settings(origin))


def is_causallearn(graph: Any) -> bool:
    """Whether it is a graph of causal-learn, told without importing it."""
    own = getattr(graph, "G", graph)
    return hasattr(own, "get_node_names") and any(
        kind.__module__.startswith("causallearn.") for kind in type(own).__mro__
    )
