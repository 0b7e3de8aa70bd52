"""What the page says of a value graph where the pointer is: of an edge how sure it is, of a value what follows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from pyvalue.graph import ValueGraph
from pyvalue.reporting.graph_summary import was_averaged, was_given
from pyvalue.reporting.theme import shown
from pyvalue.reporting.wording import listed

#: how an edge is written between its two values
SIGNS = {"directed": "→", "undirected": "—", "bidirected": "↔"}
_MEANING = {
    "directed": "directed in the graph of all rows",
    "undirected": "direction not determined",
    "bidirected": "two-headed: colliders contradict each other",
}
#: names of followers that fit on a label; the list below the graph has all
_MOST = 12


def edge_text(source: str, kind: str, target: str) -> str:
    """An edge as a line of text."""
    return f"{source} {SIGNS[kind]} {target}"


def edge_strengths(graph: ValueGraph) -> dict[frozenset[str], float]:
    """Share of bootstrap replicates with each edge of the graph; empty without a bootstrap, untested pairs left out."""
    if graph.bootstrap is None:
        return {}
    table = graph.strengths()
    table = table[table["in_graph"] & np.isfinite(table["strength"])]
    pairs = zip(table["source"], table["target"], table["strength"], strict=True)
    return {frozenset((source, target)): float(strength) for source, target, strength in pairs}


def edge_details(graph: ValueGraph) -> dict[frozenset[str], list[str]]:
    """Lines on every edge: what it is, how often replicates had it and which way, and the test."""
    meaning = dict(_MEANING)
    if was_given(graph) or was_averaged(graph):
        meaning["directed"] = "directed"
    lines = {frozenset((a, b)): [meaning[kind]] for a, b, kind in graph.edges()}
    if graph.bootstrap is not None:
        table = graph.strengths()
        for row in table[table["in_graph"]].to_dict("records"):
            lines[frozenset((row["source"], row["target"]))] += _frequencies(row)
    for said in lines.values():
        said.append(made_by(graph))
    return lines


def _frequencies(row: Mapping[Any, Any]) -> list[str]:
    number = {key: float(row[key]) for key in row if key not in ("source", "target", "in_graph")}
    if not np.isfinite(number["strength"]):
        return ["no replicate could test it"]
    source, target = shown(str(row["source"]), 26), shown(str(row["target"]), 26)
    found = (
        f"found in {_percent(number['strength'])} of {number['tested']:,.0f} replicates "
        f"[{_percent(number['strength_low'])}, {_percent(number['strength_high'])}]"
    )
    ways = [
        f"{edge_text(source, 'directed', target)}: {_percent(number['forward'])}",
        f"{edge_text(target, 'directed', source)}: {_percent(number['backward'])}",
        f"without direction: {_percent(number['undirected'])}",
    ]
    if number["bidirected"] > 0:
        ways.append(f"two-headed: {_percent(number['bidirected'])}")
    return [found, "there, of all replicates:", *ways]


def made_by(graph: ValueGraph) -> str:
    """The test and its level; where a graph was given, where from."""
    settings = graph.settings
    if settings.test == "none":
        return f"given: {settings.test_reason}"
    return f"test {settings.test}, α = {settings.alpha:g}, n = {settings.n:,}"


def value_details(graph: ValueGraph, name: str) -> list[str]:
    """Lines on a value: what moves with it, and what may."""
    definite = graph.definite_descendants(name)
    possible = graph.possible_descendants(name) - definite
    return [f"moves with it: {_few(graph, definite)}", f"may move with it: {_few(graph, possible)}"]


def _few(graph: ValueGraph, names: Iterable[str]) -> str:
    chosen = set(names)
    ordered = [shown(name, 26) for name in graph.names if name in chosen]
    more = [f"{len(ordered) - _MOST} more"] if len(ordered) > _MOST else []
    return listed([*ordered[:_MOST], *more])


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.01 or 0.99 < share < 1 else f"{share:.0%}"
