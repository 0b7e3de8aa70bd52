"""A value graph beside another one, that of people or of the theory: which edges both have, in words."""

from __future__ import annotations

from dataclasses import dataclass

from pyvalue.evaluation.reference_graphs import theory_graph
from pyvalue.graph import ValueGraph
from pyvalue.reporting.graph_words import edge_text
from pyvalue.reporting.wording import count, listed
from pyvalue.schwartz_circle import basic_value

_THEORY = (
    "Schwartz's theory: neighbours on his circle of ten basic values go together (Schwartz 1992). It says nothing of "
    "which causes which, and is no measurement."
)


@dataclass(frozen=True)
class Reference:
    """A graph that the report's is shown beside.

    Attributes:
        graph: the other one.
        title: its heading.
        note: what it is.
    """

    graph: ValueGraph
    title: str
    note: str


def reference_for(graph: ValueGraph, given: ValueGraph | None) -> Reference | None:
    """The given graph, else the theory where all values are basic ones of Schwartz, else None."""
    if given is not None:
        settings = given.settings
        made = settings.test_reason if settings.test == "none" else f"discovered by {settings.test}, n = {settings.n:,}"
        return Reference(given, "The reference", f"The reference graph that was given ({made}).")
    basic = {basic_value(name) for name in graph.names}
    if None in basic or len(basic) < max(3, len(graph.names)):
        return None
    return Reference(theory_graph(graph.names), "The theory", _THEORY)


def comparison(graph: ValueGraph, other: Reference, owner: str = "this graph") -> list[str]:
    """Sentences on the edges that both graphs have, and on those that only one has.

    Edges are compared as pairs; where both have an edge and not the same direction, both are named. Values that one of
    the graphs lacks are named, and their edges are not compared.

    Args:
        graph: of the report.
        other: beside it.
        owner: what the first is called.
    """
    reference, title = other.graph, other.title[0].lower() + other.title[1:]
    shared = [name for name in graph.names if name in set(reference.names)]
    here, there = _edges(graph, shared), _edges(reference, shared)
    both = [
        text if there[pair] == text else f"{text} (there {there[pair]})" for pair, text in here.items() if pair in there
    ]
    only_here = [text for pair, text in here.items() if pair not in there]
    only_there = [text for pair, text in there.items() if pair not in here]
    said = [
        f"In both, {count(len(both), 'edge')}: {listed(both)}.",
        f"Only in {owner}, {count(len(only_here), 'edge')}: {listed(only_here)}.",
        f"Only in {title}, {count(len(only_there), 'edge')}: {listed(only_there)}.",
    ]
    lacking = [name for name in graph.names if name not in shared]
    if lacking:
        said.append(f"{other.title} does not have {listed(lacking)}, so their edges are not compared.")
    lacking = [name for name in reference.names if name not in shared]
    if lacking:
        verb = "do" if owner.endswith("s") else "does"
        named = f"{owner[:1].upper()}{owner[1:]}"
        said.append(f"{named} {verb} not have {listed(lacking)}, so their edges are not compared.")
    return said


def _edges(graph: ValueGraph, names: list[str]) -> dict[frozenset[str], str]:
    """Edges among some values; undirected ones written in the order of the names, so that texts can be compared."""
    place = {name: index for index, name in enumerate(names)}
    found = {}
    for source, target, kind in graph.edges():
        if source in place and target in place:
            a, b = (source, target) if kind == "directed" else sorted((source, target), key=place.__getitem__)
            found[frozenset((source, target))] = edge_text(a, kind, b)
    return found
