"""A ValueGraph as pgmpy knows it, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pyvalue.graph import ValueGraph


def to_pgmpy(graph: ValueGraph) -> Any:
    """The graph as pgmpy's ``PDAG``, with the same nodes in the same order; ``.to_dag()`` makes a ``DAG`` of it.

    Raises:
        ModuleNotFoundError: pgmpy is not installed; the message has the command.
        ValueError: the graph has bidirected edges, which a ``PDAG`` cannot hold.
    """
    if both := graph.bidirected_edges():
        raise ValueError(
            f"graph: expected directed and undirected edges, which are what a PDAG of pgmpy can hold, got {both[0][0]} "
            f"<-> {both[0][1]}" + (f" and {len(both) - 1} more" if len(both) > 1 else "")
        )
    try:
        from pgmpy.base import PDAG
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("to_pgmpy needs pgmpy: pip install pgmpy") from error

    # Edges given at once would come with their nodes in the order of a set.
    result = PDAG()
    result.add_nodes_from(graph.names)
    result.directed_edges = set(graph.directed_edges())
    result.undirected_edges = set(graph.undirected_edges())
    result.add_edges_from(graph.directed_edges())
    for a, b in graph.undirected_edges():
        result.add_edges_from([(a, b), (b, a)])
    return result


def from_pgmpy(graph: Any, *, origin: str = "pgmpy") -> ValueGraph:
    """A ``DAG``, a Bayesian network or a ``PDAG`` of pgmpy. Variables that it calls latent are named in the notes.

    Args:
        graph: the graph. Variables that are no texts are named by their ``str``.
        origin: where it is from; kept in the settings.

    Raises:
        TypeError: it is neither; pgmpy's mixed graphs (``ADMG``, ``MAG``) are not taken.
    """
    from pyvalue.graph_networkx import from_networkx

    if not is_dag_or_pdag(graph):
        raise TypeError(f"graph: expected a DAG or PDAG of pgmpy, got {type(graph).__name__}")
    found = from_networkx(graph, origin=origin)
    latents = sorted(str(name) for name in getattr(graph, "latents", ()))
    return replace(found, notes=(f"latent in pgmpy's graph: {', '.join(latents)}",)) if latents else found


def is_pgmpy(graph: Any) -> bool:
    """Whether it is of a class of pgmpy, told without importing it, which takes seconds."""
    return any(kind.__module__.startswith("pgmpy.") for kind in type(graph).__mro__)


def is_dag_or_pdag(graph: Any) -> bool:
    """Whether it is a ``DAG`` or ``PDAG`` of pgmpy, or of a class made from one."""
    return any(
        kind.__module__.startswith("pgmpy.") and kind.__name__ in ("DAG", "PDAG") for kind in type(graph).__mro__
    )
