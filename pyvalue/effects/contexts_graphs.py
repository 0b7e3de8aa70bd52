"""What ``discover_with_contexts`` found: graphs with edits in them, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pyvalue.atomic_files import write_json
from pyvalue.graph import ValueGraph

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
            else the one graph without the edits.
        orientations: one row a pair of values that is joined in some graph: ``a, b``; the number of graphs with
            a → b (``forward``), a ← b (``backward``), a — b (``undirected``), a ↔ b (``bidirected``), no edge
            (``absent``), and without a or b (``untested``); ``edge``: "→", "←", "—", "↔" or "" in ``combined``.
        conflicts: in words, the pairs that graphs direct differently, and arrows that were not set because they would
            close a cycle.
        left_out: edit -> why it is in no graph.
        notes: what else a reader should know.
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
            "orientations": self.orientations.to_dict("records"),
            "conflicts": list(self.conflicts),
            "left_out": dict(self.left_out),
            "notes": list(self.notes),
        }

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        write_json(path, self.to_dict())
        return Path(path)

    def __repr__(self) -> str:
        hit = sum(map(len, self.targets.values()))
        return (
            f"ContextGraphs({self.scheme}, {len(self.contexts)} contexts with {hit} direct targets: "
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


def edge_signs(graph: ValueGraph, pairs: pd.DataFrame) -> list[str]:
    """The edge of the graph for every row ``a, b``: "→", "←", "—", "↔" or ""."""
    edges = _edges(graph)
    return [edges.get((a, b), "") for a, b in zip(pairs["a"], pairs["b"], strict=True)]


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
