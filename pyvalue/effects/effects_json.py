"""Effects as JSON, and back with every entry checked. Resampled covariances are kept bit by bit, in base64."""

from __future__ import annotations

import base64
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
from pyvalue.file_faults import file_faults
from pyvalue.graph import ValueGraph
from pyvalue.json_files import read_json

SCHEMA_VERSION = 1

Floats = NDArray[np.float64]
_RANGES = ("minimum", "maximum", "low", "high")
_STACKS = ("replicates", "left_out")
_FACTS = ("rows", "clusters", "worth", "confidence", "determined", "sets")


def to_dict(effects: Effects) -> dict[str, Any]:
    """The effects as strings, numbers, lists and dicts; missing numbers are null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "graph": effects.graph.to_dict(),
        **{name: _plain(getattr(effects, name)) for name in (*_RANGES, "covariance")},
        **{name: _packed(getattr(effects, name)) for name in _STACKS},
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
    missing = [name for name in (*_RANGES, "covariance", *_STACKS, "graph", "facts", "notes") if name not in data]
    missing += [f"facts.{name}" for name in _FACTS if not missing and name not in data["facts"]]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing")
    graph = ValueGraph.from_dict(data["graph"])
    d = len(graph.names)
    tables = {name: _table(name, data[name], d) for name in (*_RANGES, "covariance")}
    stacks = {name: _unpacked(name, data[name], d) for name in _STACKS}
    return Effects(**tables, **stacks, graph=graph, facts=dict(data["facts"]), notes=tuple(data["notes"]))


def save(effects: Effects, path: str | Path) -> Path:
    """Write JSON, whole or not at all."""
    write_json(path, to_dict(effects))
    return Path(path)


@file_faults("effects", StoreError)
def load(path: str | Path) -> Effects:
    """Read a file that :func:`save` wrote; StoreError where it is not one."""
    try:
        return from_dict(read_json(path))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as fault:
        raise StoreError(f"{path} holds no saved Effects: {fault}") from fault


def _plain(table: Floats) -> list[list[float | None]]:
    return [[x if math.isfinite(x) else None for x in row] for row in table.tolist()]


def _table(name: str, entries: Any, d: int) -> Floats:
    table = np.array([[np.nan if x is None else float(x) for x in row] for row in entries])
    if table.shape != (d, d):
        raise ValueError(f"{name} must have shape ({d}, {d}), one row and column a value, got {table.shape}")
    return table


def _packed(matrices: Floats) -> str:
    above = np.triu_indices(matrices.shape[-1])
    return base64.b64encode(np.ascontiguousarray(matrices[:, above[0], above[1]], dtype="<f8").tobytes()).decode(
        "ascii"
    )


def _unpacked(name: str, text: Any, d: int) -> Floats:
    size = d * (d + 1) // 2
    try:
        packed = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f8")
        return unpacked(packed.reshape(-1, size), d)
    except ValueError as fault:  # binascii.Error is one
        raise ValueError(f"{name} must be base64 of covariances of {d} values: {fault}") from fault
