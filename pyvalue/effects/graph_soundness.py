"""Whether a graph stands for a set of DAGs, and in words why not.

A search on finite data can give a graph that no DAG agrees with: a directed cycle, edges with two arrowheads, or
undirected edges that cannot be turned either way. Effects are defined on DAGs alone. Here the fault is named;
:mod:`pyvalue.effects.sound_graph` looks for a graph without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue.cpdag import cpdag_of_dag
from pyvalue.effects.valid_parents import most_directed
from pyvalue.given_graphs import as_value_graph
from pyvalue.graph import ValueGraph

#: directed cycles that are listed; there can be exponentially many
MAX_CYCLES = 20

_BOTH_WAYS = "arrows on both sides compel it both ways"
_COLLIDER = "the arrows turn it into a new collider"
_CYCLE = "the arrows turn it into a directed cycle"
_NO_CHORD = "it is on an undirected cycle without a chord"


@dataclass(frozen=True)
class GraphSoundness:
    """What a graph can be used for.

    Attributes:
        valid_cpdag: whether it is the CPDAG of some DAG.
        extendable: whether some DAG has its edges, arrows and unshielded colliders; effects need this.
        cycles: directed cycles, each a path of values of which the last points to the first; shortest first, at most
            ``MAX_CYCLES``.
        bidirected: pairs with two arrowheads.
        conflicts: undirected edges that cannot be turned without a cycle or a new unshielded collider, and why.
        by_knowledge: arrows that no collider compels but what was known beforehand does: ``settings.knowledge`` of the
            graph, or directions from contexts that were written there.
        not_compelled: arrows that neither compels: two collider decisions in conflict, or knowledge that the graph does
            not tell of.
        undecided: undirected edges whose direction the arrows compel.
        determined: values whose parents are certain and that lie on no directed cycle. Their effects can be
            computed even where the graph is not extendable, if what the graph says of them is right.
        reason: in words.
    """

    valid_cpdag: bool
    extendable: bool
    cycles: tuple[tuple[str, ...], ...]
    bidirected: tuple[tuple[str, str], ...]
    conflicts: tuple[tuple[str, str, str], ...]
    by_knowledge: tuple[tuple[str, str], ...]
    not_compelled: tuple[tuple[str, str], ...]
    undecided: tuple[tuple[str, str], ...]
    determined: tuple[str, ...]
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "valid_cpdag": self.valid_cpdag,
            "extendable": self.extendable,
            "cycles": [list(cycle) for cycle in self.cycles],
            "bidirected": [list(pair) for pair in self.bidirected],
            "conflicts": [list(conflict) for conflict in self.conflicts],
            "by_knowledge": [list(pair) for pair in self.by_knowledge],
            "not_compelled": [list(pair) for pair in self.not_compelled],
            "undecided": [list(pair) for pair in self.undecided],
            "determined": list(self.determined),
            "reason": self.reason,
        }

    def __repr__(self) -> str:
        return f"GraphSoundness({self.reason})"


def graph_soundness(graph: ValueGraph) -> GraphSoundness:
    """Look for what keeps a graph from standing for a set of DAGs.

    Example:
        >>> graph_soundness(graph).reason
        'no DAG agrees with it: directed cycle Power → Wealth → Status → Power'

    Raises:
        TypeError: ``graph`` is neither a ``ValueGraph`` nor a networkx ``DiGraph``.
    """
    graph = as_value_graph(graph)
    marks, names = graph.marks, graph.names
    arrows = _arrows(marks)
    bidirected = tuple(graph.bidirected_edges())
    closed = most_directed(marks)
    cycles = () if closed is not None else _cycles(graph)
    conflicts: tuple[tuple[str, str, str], ...] = ()
    extra: list[tuple[str, str]] = []
    known: list[tuple[str, str]] = []
    undecided: list[tuple[str, str]] = []
    if closed is None:
        conflicts = _conflicts(graph)
    else:
        dag = _some_dag(closed)
        from_colliders = _arrows(cpdag_of_dag(dag))
        with_knowledge = _arrows(cpdag_of_dag(dag, known=arrows & _known_directions(graph)))
        known = _named(arrows & ~from_colliders & with_knowledge, names)
        extra = _named(arrows & ~from_colliders & ~with_knowledge, names)
        undecided = _named(_arrows(closed) & ~arrows, names)
    valid = closed is not None and not extra and not known and not undecided
    return GraphSoundness(
        valid_cpdag=valid,
        extendable=closed is not None,
        cycles=cycles,
        bidirected=bidirected,
        conflicts=conflicts,
        by_knowledge=tuple(known),
        not_compelled=tuple(extra),
        undecided=tuple(undecided),
        determined=_determined(graph),
        reason=_reason(closed is not None, cycles, bidirected, conflicts, known, extra, undecided),
    )


def _arrows(marks: NDArray[np.int8]) -> NDArray[np.bool_]:
    arrows: NDArray[np.bool_] = (marks == -1) & (marks.T == 1)
    return arrows


def _named(pairs: NDArray[np.bool_], names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(names[i], names[j]) for i, j in np.argwhere(pairs)]


def _known_directions(graph: ValueGraph) -> NDArray[np.bool_]:
    """(d, d) directions that the graph's knowledge gives to any edge: required ones, and the opposite of forbidden."""
    knowledge = graph.settings.knowledge
    if not knowledge:
        return np.zeros(graph.marks.shape, dtype=bool)
    groups = (*knowledge.tiers, *knowledge.required, *knowledge.forbidden, knowledge.context)
    forbidden, required = knowledge.matrices(graph.names, excluded={name for group in groups for name in group})
    found: NDArray[np.bool_] = (required | forbidden.T).astype(bool)
    return found


def _some_dag(closed: NDArray[np.int8]) -> NDArray[np.bool_]:
    from pyvalue.cpdag import consistent_extension

    dag = consistent_extension(closed)
    if dag is None:
        raise AssertionError("a closed graph extends to a DAG")
    return dag


def _cycles(graph: ValueGraph) -> tuple[tuple[str, ...], ...]:
    import networkx as nx

    directed = nx.DiGraph(graph.directed_edges())
    for length in range(3, len(graph.names) + 1):
        found = list(islice(nx.simple_cycles(directed, length_bound=length), MAX_CYCLES))
        if found:
            break
    else:
        return ()
    more = list(islice(nx.simple_cycles(directed), MAX_CYCLES - len(found)))
    turned = {_from_first(cycle, graph.names) for cycle in [*found, *more]}
    return tuple(sorted(turned, key=lambda cycle: (len(cycle), [graph.names.index(name) for name in cycle])))


def _from_first(cycle: list[str], names: tuple[str, ...]) -> tuple[str, ...]:
    """The cycle from its first value in the order of the names."""
    start = min(range(len(cycle)), key=lambda place: names.index(cycle[place]))
    return tuple(cycle[start:] + cycle[:start])


def _conflicts(graph: ValueGraph) -> tuple[tuple[str, str, str], ...]:
    """Undirected edges that are compelled both ways, and those on undirected cycles without chord."""
    import networkx as nx

    marks, names = graph.marks, graph.names
    found = [(names[i], names[j], why) for i, j, why in _compelled_wrongly(marks)]
    loose = nx.Graph(graph.undirected_edges())
    for part in nx.connected_components(loose):
        piece = loose.subgraph(part)
        if len(piece) > 3 and not nx.is_chordal(piece):
            edges = {(a, b) if names.index(a) < names.index(b) else (b, a) for a, b in _without_chord(piece)}
            found += [(a, b, _NO_CHORD) for a, b in sorted(edges, key=lambda edge: (names.index(edge[0]), edge[1]))]
    return tuple(found)


def _compelled_wrongly(marks: NDArray[np.int8]) -> list[tuple[int, int, str]]:
    """Undirected edges of which the arrows, and what follows from them, compel what no DAG has."""
    arrows, adjacent = (marks == -1) & (marks.T == 1), marks != 0
    apart = ~adjacent & ~np.eye(len(marks), dtype=bool)
    while True:
        undirected = adjacent & ~arrows & ~arrows.T
        # a → b — c with a and c not adjacent compels b → c, and a → b → c compels a → c (Meek's rules 1 and 2)
        after_arrow, beside_path = arrows.T.astype(int) @ apart > 0, arrows.astype(int) @ arrows > 0
        compelled = undirected & (after_arrow | beside_path)
        both = [(int(i), int(j), _BOTH_WAYS) for i, j in np.argwhere(np.triu(compelled & compelled.T))]
        if both:
            return both
        if not compelled.any():
            turned = arrows & ~((marks == -1) & (marks.T == 1))
            return [(int(i), int(j), _CYCLE) for i, j in np.argwhere(turned & _ahead(arrows).T)]
        arrows = arrows | compelled
        meeting = compelled & (apart.astype(int) @ arrows > 0)
        if meeting.any():
            return [(int(i), int(j), _COLLIDER) for i, j in np.argwhere(meeting)]


def _without_chord(piece: Any) -> list[tuple[str, str]]:
    """Edges of the shortest chordless cycle of four or more."""
    import networkx as nx

    cycle = next(c for c in sorted(nx.chordless_cycles(piece), key=len) if len(c) > 3)
    return list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))


def _ahead(arrows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(d, d) whether a directed path of one arrow or more leads from the row to the column."""
    ahead = arrows
    for _ in range(len(arrows)):
        ahead = ahead | ((ahead.astype(int) @ arrows) > 0)
    return ahead


def _determined(graph: ValueGraph) -> tuple[str, ...]:
    marks = graph.marks
    open_ = ((marks == -1) & (marks.T == -1)) | ((marks == 1) & (marks.T == 1))
    arrows = (marks == -1) & (marks.T == 1)
    certain = ~open_.any(axis=1) & ~np.diagonal(_ahead(arrows))
    return tuple(name for name, sure in zip(graph.names, certain, strict=True) if sure)


def _reason(
    extendable: bool,
    cycles: tuple[tuple[str, ...], ...],
    bidirected: tuple[tuple[str, str], ...],
    conflicts: tuple[tuple[str, str, str], ...],
    known: list[tuple[str, str]],
    extra: list[tuple[str, str]],
    undecided: list[tuple[str, str]],
) -> str:
    given = "with what is known beforehand, which compels " + ", ".join(f"{a} → {b}" for a, b in known)
    if extendable and not extra and not undecided:
        return f"a valid graph {given}" if known else "a valid CPDAG"
    if extendable:
        parts = [given] if known else []
        if extra:
            parts.append("no collider compels " + ", ".join(f"{a} → {b}" for a, b in extra))
        if undecided:
            parts.append("its arrows compel " + ", ".join(f"{a} → {b}" for a, b in undecided))
        return f"some DAGs agree with it, but it is not their CPDAG: {'; '.join(parts)}"
    parts = [f"directed cycle {' → '.join((*cycle, cycle[0]))}" for cycle in cycles[:3]]
    if len(cycles) > 3:
        more = len(cycles) - 3
        parts.append(f"{more} more{' at least' if len(cycles) == MAX_CYCLES else ''}")
    parts += [f"two arrowheads {a} ↔ {b}" for a, b in bidirected]
    parts += [f"{a} — {b} cannot be turned: {why}" for a, b, why in conflicts]
    return f"no DAG agrees with it: {'; '.join(parts) or 'its undirected edges cannot all be turned'}"
