"""A ValueGraph as JSON, and back with every entry checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue.atomic_files import write_json
from pyvalue.edge_frequencies import EdgeFrequencies
from pyvalue.errors import StoreError
from pyvalue.file_faults import file_faults
from pyvalue.graph import ARROW, TAIL, DiscoverySettings, ValueGraph
from pyvalue.json_files import read_json
from pyvalue.knowledge import Knowledge
from pyvalue.replicate_graphs import ReplicateGraphs

SCHEMA_VERSION = 1

_ENDS = {"directed": (TAIL, ARROW), "undirected": (TAIL, TAIL), "bidirected": (ARROW, ARROW)}


def to_dict(graph: ValueGraph) -> dict[str, Any]:
    """The graph as strings, numbers, lists and dicts."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "names": list(graph.names),
        "edges": [{"source": a, "target": b, "edge": kind} for a, b, kind in graph.edges()],
        "settings": dataclasses.asdict(graph.settings),
        "separating_sets": [{"pair": list(pair), "set": list(given)} for pair, given in graph.separating_sets.items()],
        "excluded": dict(graph.excluded),
        "notes": list(graph.notes),
        "bootstrap": None if graph.bootstrap is None else graph.bootstrap.to_dict(),
    }
    # Optional, so that a graph without it is written as before and schema 1 stands.
    if graph.replicate_graphs is not None:
        data["replicate_graphs"] = graph.replicate_graphs.to_dict()
    return data


def from_dict(data: Mapping[str, Any]) -> ValueGraph:
    """The inverse of :func:`to_dict`.

    Raises:
        ValueError: an entry is missing, of the wrong kind, or names a value that the graph does not have.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"expected an object with names and edges, got {type(data).__name__}")
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(f"schema_version is {version!r}; this version of pyvalue reads {SCHEMA_VERSION}")
    names = _entry(data, "names", list)
    if not all(isinstance(name, str) for name in names):
        raise ValueError("names must be strings")
    position = {name: index for index, name in enumerate(names)}
    bootstrap, replicate_graphs = data.get("bootstrap"), data.get("replicate_graphs")
    return ValueGraph(
        names=tuple(names),
        marks=_marks(_entry(data, "edges", list), position),
        settings=_settings(_entry(data, "settings", dict)),
        separating_sets=_separating_sets(_entry(data, "separating_sets", list), position),
        bootstrap=None if bootstrap is None else EdgeFrequencies.from_dict(bootstrap),
        excluded=_entry(data, "excluded", dict),
        notes=tuple(_entry(data, "notes", list)),
        replicate_graphs=None if replicate_graphs is None else ReplicateGraphs.from_dict(replicate_graphs),
    )


def save(graph: ValueGraph, path: str | Path) -> Path:
    """Write the graph, whole or not at all; StoreError where the folder cannot be written."""
    write_json(path, to_dict(graph))
    return Path(path)


@file_faults("graph", StoreError)
def load(path: str | Path) -> ValueGraph:
    """Read a file that :func:`save` wrote; StoreError where it is not one."""
    try:
        return from_dict(read_json(path))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise StoreError(f"{path} is not a saved ValueGraph: {error}") from error


def _entry(data: Mapping[str, Any], key: str, kind: type) -> Any:
    if key not in data:
        raise ValueError(f"{key} is missing")
    if not isinstance(data[key], kind):
        raise ValueError(f"{key} must be a {kind.__name__}, got {type(data[key]).__name__}")
    return data[key]


def _marks(edges: list[Any], position: Mapping[str, int]) -> NDArray[np.int8]:
    marks = np.zeros((len(position), len(position)), dtype=np.int8)
    for edge in edges:
        source, target, kind = (_entry(edge, key, str) for key in ("source", "target", "edge"))
        if kind not in _ENDS:
            raise ValueError(f"edge is {kind!r}; it can be {', '.join(_ENDS)}")
        i, j = _position(source, position), _position(target, position)
        if i == j or marks[i, j] != 0:
            raise ValueError(f"{source} and {target} must be two values, and have one edge at most")
        marks[i, j], marks[j, i] = _ENDS[kind]
    return marks


def _separating_sets(entries: list[Any], position: Mapping[str, int]) -> dict[tuple[str, str], tuple[str, ...]]:
    sets = {}
    for entry in entries:
        pair, given = _entry(entry, "pair", list), _entry(entry, "set", list)
        if len(pair) != 2:
            raise ValueError(f"a separating set belongs to two values, got {pair}")
        for name in (*pair, *given):
            _position(name, position)
        sets[pair[0], pair[1]] = tuple(given)
    return sets


def _position(name: Any, position: Mapping[str, int]) -> int:
    if name not in position:
        raise ValueError(f"{name!r} is not among names")
    return position[name]


def _settings(data: Mapping[str, Any]) -> DiscoverySettings:
    known = {item.name for item in dataclasses.fields(DiscoverySettings)}
    if unknown := sorted(set(data) - known):
        raise ValueError(f"settings has unknown entries {', '.join(unknown)}")
    for key in ("alpha", "n"):
        if not isinstance(data.get(key), int | float) or isinstance(data[key], bool):
            raise ValueError(f"settings.{key} must be a number, got {data.get(key)!r}")
    known_edges = data.get("knowledge")
    if known_edges is not None and not isinstance(known_edges, dict):
        raise ValueError(f"settings.knowledge must be an object, got {type(known_edges).__name__}")
    knowledge = None if known_edges is None else Knowledge(**known_edges)
    return DiscoverySettings(**{**data, "knowledge": knowledge})
