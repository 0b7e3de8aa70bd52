"""What ``discover_with_contexts`` found: graphs with edits in them, and what they say together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pyvalue.atomic_files import write_json
from pyvalue.effects.valid_parents import most_directed
from pyvalue.graph import ValueGraph
from pyvalue.knowledge import Knowledge

_ARROWS = {"directed": "→", "undirected": "—", "bidirected": "↔"}


@dataclass(frozen=True)
class ContextGraphs:
    """Graphs between values in which edits are variables set from outside.

    Attributes:
        scheme: "pairs", "joint" or "regime".
        graphs: with the edits as columns. "pairs": edit -> its graph; else one, named by the scheme.
        contexts: column of a graph that stands for an edit -> the label of the edit; under "regime" there is one
            column, and its label is "any edit".
        targets: edit -> values that it points to. It changes them other than through the values that were measured:
            a direct effect relative to these, which may come through values that were not.
        combined: one graph over the values. "pairs": what most graphs agree on (see ``pyvalue.effects.contexts_vote``);
            else the one graph without the edits. Arrows that follow from others are set, too, and
            ``settings.knowledge`` forbids the other direction of every arrow.
        orientations: one row a pair of values that is joined in some graph: ``a, b``; the number of graphs with
            a → b (``forward``), a ← b (``backward``), a — b (``undirected``), a ↔ b (``bidirected``), no edge
            (``absent``), and without a or b (``untested``); ``edge``: "→", "←", "—", "↔" or "" in ``combined``;
            ``stable``: share of searches with the columns in other orders that give the same edge, NaN without any.
        conflicts: in words, the pairs that graphs direct differently, and arrows that were not set because they would
            close a cycle.
        left_out: edit -> why it is in no graph.
        notes: what else a reader should know.
        personas: with the rows of a graph, the fewest where there are several; None where rows are independent.
    """

    scheme: str
    graphs: Mapping[str, ValueGraph] = field(repr=False)
    contexts: Mapping[str, str] = field(repr=False)
    targets: Mapping[str, tuple[str, ...]]
    combined: ValueGraph = field(repr=False)
    orientations: pd.DataFrame = field(repr=False)
    conflicts: tuple[str, ...] = field(repr=False)
    left_out: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)
    personas: int | None = None

    def against(self, graph: ValueGraph) -> pd.DataFrame:
        """Beside another graph over the values, for example of the unedited rows alone.

        Returns:
            One row a pair that is joined in either: ``a, b``; ``other`` and ``combined``, the edges as "→", "←", "—",
            "↔" or ""; ``verdict``: "same", "directed" (undirected there, directed here), "undirected" (the other
            way round), "reversed", "only here" or "only there"; "other" for ↔.
        """
        mine, theirs = _edges(self.combined), _edges(graph)
        order = {name: i for i, name in enumerate(dict.fromkeys([*self.combined.names, *graph.names]))}
        pairs = sorted(
            {tuple(sorted(p, key=order.__getitem__)) for p in [*mine, *theirs]}, key=lambda p: [*map(order.get, p)]
        )
        rows = [(a, b, theirs.get((a, b), ""), mine.get((a, b), "")) for a, b in pairs]
        table = pd.DataFrame(rows, columns=["a", "b", "other", "combined"])
        table["verdict"] = [
            _verdict(there, here) for there, here in zip(table["other"], table["combined"], strict=True)
        ]
        return table

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "scheme": self.scheme,
            "graphs": {name: graph.to_dict() for name, graph in self.graphs.items()},
            "contexts": dict(self.contexts),
            "targets": {edit: list(values) for edit, values in self.targets.items()},
            "combined": self.combined.to_dict(),
            "orientations": _records(self.orientations),
            "conflicts": list(self.conflicts),
            "left_out": dict(self.left_out),
            "notes": list(self.notes),
            "personas": self.personas,
        }

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        write_json(path, self.to_dict())
        return Path(path)

    def __repr__(self) -> str:
        hit = sum(map(len, self.targets.values()))
        return (
            f"ContextGraphs({self.scheme}, {len(self.contexts)} contexts with {hit} direct targets"
            f"{'' if self.personas is None else f', {self.personas} personas'}: "
            f"{len(self.combined.directed_edges())} directed, {len(self.combined.undirected_edges())} undirected, "
            f"{len(self.conflicts)} conflicts, {len(self.left_out)} edits left out)"
        )


def _edges(graph: ValueGraph) -> dict[tuple[str, str], str]:
    """Every edge under both orders of its ends."""
    edges = {}
    for a, b, kind in graph.edges():
        edges[a, b] = _ARROWS[kind]
        edges[b, a] = "←" if kind == "directed" else _ARROWS[kind]
    return edges


def established(graph: ValueGraph, knowledge: Knowledge) -> ValueGraph:
    """The graph with all that its arrows compel (Meek 1995), and with the arrows as knowledge.

    Contexts compel arrows that nothing in a graph over the values alone does. So its settings say that none of them
    points the other way (``forbidden``), besides what was known before; a search that is told does not undo them.
    """
    closed = most_directed(graph.marks)
    notes = list(graph.notes)
    if closed is None:
        notes.append("no DAG agrees with the combined graph; pyvalue.graph_soundness says why")
    else:
        added = int(((closed == -1) & (closed.T == 1)).sum()) - len(graph.directed_edges())
        if added:
            notes.append(f"{added} arrows of the combined graph follow from the others (Meek's rules)")
        graph = replace(graph, marks=closed)
    turned = [(b, a) for a, b in graph.directed_edges()]
    known = replace(knowledge, forbidden=tuple(dict.fromkeys([*knowledge.forbidden, *turned])))
    return replace(graph, settings=replace(graph.settings, knowledge=known or None), notes=tuple(notes))


def edge_signs(graph: ValueGraph, pairs: pd.DataFrame) -> list[str]:
    """The edge of the graph for every row ``a, b``: "→", "←", "—", "↔" or ""."""
    edges = _edges(graph)
    return [edges.get((a, b), "") for a, b in zip(pairs["a"], pairs["b"], strict=True)]


def stable_shares(pairs: pd.DataFrame, graphs: Sequence[ValueGraph]) -> list[float]:
    """For every row ``a, b, edge`` the share of the graphs with that edge; NaN without graphs."""
    if not graphs:
        return [math.nan] * len(pairs)
    same = [[sign == own for sign, own in zip(edge_signs(g, pairs), pairs["edge"], strict=True)] for g in graphs]
    return [sum(column) / len(graphs) for column in zip(*same, strict=True)]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table, missing numbers None."""
    plain = table.astype(object)
    return [{str(k): v for k, v in row.items()} for row in plain.where(plain.notna(), None).to_dict("records")]


def _verdict(there: str, here: str) -> str:
    if there == here:
        return "same"
    if not there or not here:
        return "only here" if here else "only there"
    if "↔" in (there, here):
        return "other"
    if there == "—":
        return "directed"
    return "undirected" if here == "—" else "reversed"
