"""Which values can follow the target, by the graph alone. Says nothing of how far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pyvalue.graph import ValueGraph

Relation = Literal["target", "definite", "possible", "unaffected", "unknown"]


def predict(graph: ValueGraph, target: Sequence[str]) -> dict[str, Relation]:
    """Relation of every value of the graph to the target values."""
    definite = set().union(*(graph.definite_descendants(value) for value in target))
    possible = set().union(*(_may_follow(graph, value) for value in target))
    relations: dict[str, Relation] = {}
    for value in graph.names:
        if value in target:
            relations[value] = "target"
        elif value in definite:
            relations[value] = "definite"
        else:
            relations[value] = "possible" if value in possible else "unaffected"
    return relations | dict.fromkeys(graph.excluded, "unknown")


def _may_follow(graph: ValueGraph, value: str) -> set[str]:
    """Possible descendants, where an edge ↔ (the tests contradict each other) may also be one out of either end."""
    found, new = {value}, {value}
    while new:
        step = set[str]().union(*(graph.possible_descendants(v) for v in new))
        step |= {b for pair in graph.bidirected_edges() for a, b in (pair, pair[::-1]) if a in found | step}
        new = step - found
        found |= new
    return found - {value}
