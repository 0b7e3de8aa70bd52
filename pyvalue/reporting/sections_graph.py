"""The section on the value graph."""

from __future__ import annotations

import numpy as np

from pyvalue.evaluation.graph_distance import GraphDistance, graph_distance
from pyvalue.graph import ValueGraph
from pyvalue.reporting.graph_distance_plot import draw_graph_distance
from pyvalue.reporting.graph_plot import MAX_EDGES, MAX_NUMBERS, draw_graph
from pyvalue.reporting.graph_summary import drawn_from, replicates, was_averaged, was_given
from pyvalue.reporting.parts import Parts
from pyvalue.reporting.section import Picture, Section
from pyvalue.reporting.tables import Table, edge_table, percent, two_digits
from pyvalue.reporting.wording import count, listed

#: arrows that a sentence names
_MOST_RARE = 12
_JOINED = {"directed": "to", "undirected": "joined with", "bidirected": "two-headed with"}


def graph_section(given: Parts) -> Section:
    """Picture, edges and notes of the graph, and how far it is from the reference where there is one."""
    name, title = "value-graph", "How the values hang together"
    if given.graph is None:
        return Section(name, title, missing="No value graph was given.")
    said: tuple[str, ...] = ()
    tables = [edge_table(given.graph)]
    if given.reference is not None:
        try:
            distance = graph_distance(given.reference, given.graph)
        except ValueError as fault:  # no values in common
            said = (f"The graph cannot be compared with the reference: {fault}.",)
        else:
            said = (distance_words(distance),)
            tables.append(distance_table(distance))
    return Section(name, title, said, tuple(_notes(given)), (_picture(given),), tuple(tables))


def distance_section(found: GraphDistance) -> Section:
    """How far two graphs are apart."""
    picture = Picture("graph-distance", draw_graph_distance(found), distance_words(found), "What both graphs have.")
    return Section("graph-distance", "How far two graphs are apart", (distance_words(found),), found.notes, (picture,),
                   (distance_table(found),))  # fmt: skip


def distance_words(found: GraphDistance) -> str:
    """What the second graph has of the first, in a few sentences."""
    edges, arrows = found.adjacencies, found.arrows
    text = (
        f"Over {count(len(found.names), 'value')} in common, {edges.common} of {count(edges.first, 'joined pair')} of "
    )
    text += f"the reference are joined here, too, and {edges.second - edges.common} of {edges.second} here are not "
    text += f"joined there. {found.shd} of {count(found.pairs, 'pair')} differ in their edge or its direction."
    chance = edges.first * edges.second / max(found.pairs, 1)
    text += f" Graphs with as many edges at random places would have {chance:.1f} in common on average."
    if arrows.first:
        text += f" {arrows.common} of {count(arrows.first, 'arrow')} of the reference are arrows here."
    if found.parent_aid is not None:
        text += (
            f" If the reference were true, {found.parent_aid.share:.0%} of the effects would be misjudged by this one."
        )
    return text


def distance_table(found: GraphDistance) -> Table:
    """Every measure."""
    named = {"parent_aid": "parent AID", "ancestor_aid": "ancestor AID", "oset_aid": "optimal-set AID", "sid": "SID"}
    rows = [
        (named.get(row["measure"], row["measure"]), f"{row['count']:,.0f}", two_digits(row["share"]))
        for row in found.to_frame().to_dict("records")
        if np.isfinite(row["count"])
    ]
    return Table("Distances of the graphs", ("measure", "count", "share"), rows, (1, 2))


def _picture(given: Parts) -> Picture:
    graph = given.graph
    assert graph is not None  # for the type checker; the caller knows
    edges = list(graph.edges())
    spoken = "; ".join(f"{a} {_JOINED[kind]} {b}" for a, b, kind in edges[:MAX_NUMBERS]) or "no edges"
    more = f"; and {len(edges) - MAX_NUMBERS} more" if len(edges) > MAX_NUMBERS else ""
    caption = f"Arrow: causal direction found{drawn_from(graph)}. Plain line: direction not determined."
    if was_given(graph):
        caption = "Arrow: causal direction, as given. Plain line: direction open."
    if graph.bootstrap is not None and edges:
        caption += f" Width and darkness: share of {replicates(graph)} with the edge"
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
    return [*_rare_directions(given.graph), *left_out, *given.graph.notes]


def _rare_directions(graph: ValueGraph) -> list[str]:
    """Arrows that fewer than half of the replicates with the edge have, too."""
    if graph.bootstrap is None or was_averaged(graph) or was_given(graph):
        return []
    table = graph.strengths()
    arrows = {frozenset((a, b)): (a, b) for a, b, kind in graph.edges() if kind == "directed"}
    rare = []
    for row in table[table["in_graph"]].to_dict("records"):
        arrow = arrows.get(frozenset((row["source"], row["target"])))
        if arrow is None or not row["strength"] > 0:
            continue
        share = row["forward"] if arrow[0] == row["source"] else row["backward"]
        if share < row["strength"] / 2:
            shares = f"{percent(share)} of replicates, of {percent(row['strength'])} with the edge"
            rare.append(f"{arrow[0]} → {arrow[1]} ({shares})")
    if not rare:
        return []
    more = [f"{len(rare) - _MOST_RARE} more"] if len(rare) > _MOST_RARE else []
    return [
        "The graph that is drawn is that of all rows. Most replicates that have the edge do not point as it does in: "
        f"{listed([*rare[:_MOST_RARE], *more])}."
    ]
