"""What belongs to a ValueGraph besides names and edges, as texts that attributes of other formats can hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pyvalue.graph import ValueGraph

#: entries of ``ValueGraph.to_dict`` that are true of these names alone
_OF_NAMES = ("separating_sets", "bootstrap", "replicate_graphs")
#: tells that a graph in another format was a ValueGraph; holds the version of the schema
MARK = "pyvalue"


def facts_as_texts(graph: ValueGraph) -> dict[str, str]:
    """JSON, all ASCII, one text an entry of ``ValueGraph.to_dict`` except its edges."""
    data = graph.to_dict()
    data.pop("edges")
    texts = {key: json.dumps(value) for key, value in data.items() if value not in (None, [], {})}
    texts[MARK] = texts.pop("schema_version")
    return texts


def with_facts(graph: ValueGraph, texts: Mapping[str, Any]) -> ValueGraph:
    """A graph of names and edges with what :func:`facts_as_texts` wrote of it; as it is where there is no mark.

    Values come in the order that was written. Where other values are in the graph now, what was true of the old ones
    alone (bootstrap, separating sets) is left out, and a note says so.

    Raises:
        ValueError: a text is no JSON, or does not describe a graph.
    """
    if MARK not in texts:
        return graph
    written = {
        key: _parsed(key, texts[key])
        for key in ("names", "settings", "excluded", "notes", *_OF_NAMES)
        if texts.get(key) is not None
    }
    names = written.get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"graph: its attribute names must be a list of texts, got {names!r}")
    data = graph.to_dict() | {"schema_version": _parsed(MARK, texts[MARK])}
    data |= {key: written[key] for key in ("settings", "excluded", "notes") if key in written}
    if sorted(names) == sorted(graph.names):
        return ValueGraph.from_dict(data | {key: written[key] for key in ("names", *_OF_NAMES) if key in written})
    changed = ValueGraph.from_dict(data)
    note = "its values were changed outside of pyvalue: bootstrap and separating sets are left out"
    return replace(changed, notes=(*changed.notes, note))


def _parsed(key: str, text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError) as fault:
        raise ValueError(f"graph: its attribute {key} is no JSON: {fault}") from fault
