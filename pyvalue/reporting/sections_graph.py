"""The section on the value graph."""

from __future__ import annotations

from pyvalue.reporting.graph_plot import MAX_EDGES, MAX_NUMBERS, draw_graph
from pyvalue.reporting.parts import Parts
from pyvalue.reporting.section import Picture, Section
from pyvalue.reporting.summary import count, listed
from pyvalue.reporting.tables import edge_table

_JOINED = {"directed": "to", "undirected": "joined with", "bidirected": "two-headed with"}


def graph_section(given: Parts) -> Section:
    """Picture, edges and notes of the graph."""
    name, title = "value-graph", "How the values hang together"
    if given.graph is None:
        return Section(name, title, missing="No value graph was given.")
    return Section(
        name, title, points=tuple(_notes(given)), pictures=(_picture(given),), tables=(edge_table(given.graph),)
    )


def _picture(given: Parts) -> Picture:
    graph = given.graph
    assert graph is not None  # for the type checker; the caller knows
    edges = list(graph.edges())
    spoken = "; ".join(f"{a} {_JOINED[kind]} {b}" for a, b, kind in edges[:MAX_NUMBERS]) or "no edges"
    more = f"; and {len(edges) - MAX_NUMBERS} more" if len(edges) > MAX_NUMBERS else ""
    caption = "Arrow: causal direction found. Plain line: direction not determined."
    if graph.bootstrap is not None and edges:
        caption += " Width and darkness: share of bootstrap replicates with the edge"
        caption += ", the number on it." if len(edges) <= MAX_NUMBERS else "; the numbers are in the table."
    if len(edges) > MAX_EDGES:
        caption += f" The strongest {MAX_EDGES} of {len(edges)} edges are drawn."
    if given.plan is not None:
        caption += f" Colours: what the graph predicts when {listed(given.plan.target)} is steered."
    return Picture("graph", draw_graph(graph, plan=given.plan), f"Value graph: {spoken}{more}.", caption)


def _notes(given: Parts) -> list[str]:
    if given.graph is None:
        return []
    left_out = [f"{value} is not in the graph: {reason}" for value, reason in given.graph.excluded.items()]
    if left_out:
        left_out.insert(0, f"{count(len(left_out), 'value')} could not be put into the graph.")
    return [*left_out, *given.graph.notes]
