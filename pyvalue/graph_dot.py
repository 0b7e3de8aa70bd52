"""A ValueGraph as source of Graphviz, and back. Draws nothing; the reader is :mod:`pyvalue.dot_source`."""

from __future__ import annotations

from pathlib import Path

from pyvalue.dot_source import DotEdge, read_dot
from pyvalue.file_faults import check_regular, file_faults
from pyvalue.given_graphs import graph_from_edges
from pyvalue.graph import ValueGraph

_ATTRIBUTES = {"directed": "", "undirected": " [dir=none]", "bidirected": " [dir=both]"}
#: shapes of arrows that mean an arrowhead; circles and the like would mean something else
_HEADS = frozenset({"normal", "vee", "open", "empty", "onormal"})
#: which ends of an edge carry arrows: (its first node, its second node)
_ENDS = {"forward": (False, True), "back": (True, False), "both": (True, True), "none": (False, False)}


def to_dot(graph: ValueGraph) -> str:
    """Graphviz source: → as an arrow, — without heads, ↔ with two.

    Raises:
        ValueError: a name holds the character NUL, at which Graphviz would end.
    """
    lines = ["digraph values {"]
    lines += [f"  {_quoted(name)};" for name in graph.names]
    lines += [f"  {_quoted(a)} -> {_quoted(b)}{_ATTRIBUTES[kind]};" for a, b, kind in graph.edges()]
    return "\n".join([*lines, "}", ""])


@file_faults("source")
def from_dot(source: str | Path, *, names: str | None = None, origin: str = "DOT") -> ValueGraph:
    """A graph from Graphviz source: one graph of nodes and edges, ``->`` or ``--``, with ``dir`` and arrow shapes.

    Arrows both ways between two values, in two statements, are an undirected edge, as are edges without heads.

    Args:
        source: the text, or a ``Path`` of a file that holds it.
        names: attribute of the nodes that holds their names, such as "label"; default their ids.
        origin: where the graph is from; kept in the settings.

    Raises:
        TypeError: ``source`` is neither a text nor a path.
        ValueError: it is no such source, has subgraphs, ports, HTML texts or ends other than arrows, or has two edges
            between two values; the message has the line.
        FileNotFoundError: there is no such file.
    """
    if isinstance(source, Path):
        check_regular(source)
        source = source.read_text(encoding="utf-8-sig")
    if not isinstance(source, str):
        raise TypeError(f"source: expected Graphviz source or a Path, got {type(source).__name__}")
    found = read_dot(source)
    name_of = {}
    for node, attributes in found.nodes.items():
        if names is not None and names not in attributes:
            raise ValueError(f"names: node {node!r} has no attribute {names!r}")
        name_of[node] = node if names is None else attributes[names]
    kinds: dict[str, list[tuple[str, str]]] = {"directed": [], "undirected": [], "bidirected": []}
    for edge in found.edges:
        kind, first, second = _kind(edge)
        if found.strict and (first, second) in kinds[kind]:
            continue
        kinds[kind].append((first, second))
    arrows = kinds["directed"]
    both = set(arrows) & {(b, a) for a, b in arrows}
    place = {node: number for number, node in enumerate(name_of)}
    lines = kinds["undirected"] + [pair for pair in arrows if pair in both and place[pair[0]] <= place[pair[1]]]
    return graph_from_edges(
        list(name_of.values()),
        [(name_of[a], name_of[b]) for a, b in arrows if (a, b) not in both],
        [(name_of[a], name_of[b]) for a, b in lines],
        bidirected=[(name_of[a], name_of[b]) for a, b in kinds["bidirected"]],
        origin=origin,
    )


def _kind(edge: DotEdge) -> tuple[str, str, str]:
    """The kind of an edge and its nodes, in the direction of the arrow."""
    direction = edge.attributes.get("dir", "forward" if edge.directed else "none")
    if direction not in _ENDS:
        raise ValueError(f"line {edge.line}: dir is {direction!r}; expected one of {', '.join(_ENDS)}")
    heads = []
    for drawn, attribute in zip(_ENDS[direction], ("arrowtail", "arrowhead"), strict=True):
        shape = edge.attributes.get(attribute, "normal")
        if drawn and shape != "none" and shape not in _HEADS:
            raise ValueError(
                f"line {edge.line}: {attribute} is {shape!r}; expected none or an arrow ({', '.join(sorted(_HEADS))}): "
                "a ValueGraph has tails and arrowheads only"
            )
        heads.append(drawn and shape != "none")
    if heads == [True, False]:
        return "directed", edge.second, edge.first
    kind = {(False, True): "directed", (False, False): "undirected", (True, True): "bidirected"}[heads[0], heads[1]]
    return kind, edge.first, edge.second


def _quoted(name: str) -> str:
    if "\0" in name:
        raise ValueError(f"names: {name!r} holds the character NUL, which Graphviz cannot; rename the value")
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
