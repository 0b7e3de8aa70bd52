"""Effects as JSON, and back with every entry checked. Resampled covariances are kept bit by bit, in base64."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue.atomic_files import write_json
from pyvalue.effects.effect_bootstrap import unpacked
from pyvalue.effects.value_effects import Effects
from pyvalue.errors import StoreError
from pyvalue.graph import ValueGraph

SCHEMA_VERSION = 1

Floats = NDArray[np.float64]
_RANGES = ("minimum", "maximum", "low", "high")
_FACTS = ("rows", "clusters", "confidence", "determined", "sets")


def to_dict(effects: Effects) -> dict[str, Any]:
    """The effects as strings, numbers, lists and dicts; missing numbers are null."""
    above = np.triu_indices(len(effects.names))
    packed = np.ascontiguousarray(effects.replicates[:, above[0], above[1]], dtype="<f8")
    return {
        "schema_version": SCHEMA_VERSION,
        "graph": effects.graph.to_dict(),
        **{name: _plain(getattr(effects, name)) for name in (*_RANGES, "covariance")},
        "replicates": base64.b64encode(packed.tobytes()).decode("ascii"),
        "facts": effects.facts,
        "notes": list(effects.notes),
    }


def from_dict(data: Mapping[str, Any]) -> Effects:
    """The inverse of :func:`to_dict`.

    Raises:
        ValueError: an entry is missing or of the wrong kind or shape.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"expected an object with a graph and effects, got {type(data).__name__}")
    if data.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(
            f"schema_version is {data.get('schema_version')!r}; this version of pyvalue reads {SCHEMA_VERSION}"
        )
    missing = [name for name in (*_RANGES, "covariance", "graph", "replicates", "facts", "notes") if name not in data]
    missing += [f"facts.{name}" for name in _FACTS if not missing and name not in data["facts"]]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing")
    graph = ValueGraph.from_dict(data["graph"])
    d = len(graph.names)
    tables = {name: _table(name, data[name], d) for name in (*_RANGES, "covariance")}
    replicates = _replicates(data["replicates"], d)
    return Effects(**tables, graph=graph, replicates=replicates, facts=dict(data["facts"]), notes=tuple(data["notes"]))


def save(effects: Effects, path: str | Path) -> Path:
    """Write JSON, whole or not at all."""
    write_json(path, to_dict(effects))
    return Path(path)


def load(path: str | Path) -> Effects:
    """Read a file that :func:`save` wrote; StoreError where it is not one."""
    try:
        return from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError) as fault:
        raise StoreError(f"{path} holds no saved Effects: {fault}") from fault


def _plain(table: Floats) -> list[list[float | None]]:
    return [[x if math.isfinite(x) else None for x in row] for row in table.tolist()]


def _table(name: str, entries: Any, d: int) -> Floats:
    table = np.array([[np.nan if x is None else float(x) for x in row] for row in entries])
    if table.shape != (d, d):
        raise ValueError(f"{name} must have shape ({d}, {d}), one row and column a value, got {table.shape}")
    return table


def _replicates(text: Any, d: int) -> Floats:
    above = np.triu_indices(d)
    try:
        packed = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f8")
    except binascii.Error as fault:
        raise ValueError(f"replicates must be base64: {fault}") from fault
    if len(packed) % len(above[0]):
        raise ValueError(f"replicates must be covariances of {d} values, got {len(packed)} numbers")
    return unpacked(packed.reshape(-1, len(above[0])), d)
