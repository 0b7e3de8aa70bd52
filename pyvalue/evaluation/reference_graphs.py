"""Graphs and distances to compare a graph with: those of a file that the user has, and the theory itself.

No data of others are in this package: ``load_reference_graphs`` reads the file ``graphs.json`` that Kang et al. (2025)
published, from wherever it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.file_faults import file_faults
from pyvalue.graph import ARROW, TAIL, DiscoverySettings, ValueGraph
from pyvalue.json_files import read_json
from pyvalue.schwartz_circle import CIRCLE, Layout, angle, basic_value, circular_distance

FILE = "graphs.json"


@file_faults("path")
def load_reference_graphs(path: str | Path, values: Sequence[str] | None = None) -> Mapping[str, ValueGraph]:
    """Read named graphs from the format of Kang et al. (2025).

    The file holds ``{"edges": {name: [[source, target, weight, kind], ...]}}``. An edge given in both directions is
    undirected; weight and kind are not used. Values without an edge are in a graph only if ``values`` names them.

    Args:
        path: the file, or a folder with a ``graphs.json``.
        values: values that each graph shall have besides those of its edges, such as all that were measured.

    Returns:
        Name -> graph; values in the order of ``values``, then by name. A reference graph may have cycles.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file does not hold such graphs.
    """
    file = Path(path) / FILE if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"path: no such file: {file}; it is among the public files of Kang et al. (2025)")
    try:
        content = read_json(file)
    except ValueError as error:
        raise ValueError(f"path: {file.name} is no JSON: {error}") from error
    edges = content.get("edges") if isinstance(content, dict) else None
    if not isinstance(edges, dict):
        raise ValueError(f'path: expected {{"edges": {{name: [[source, target, ...], ...]}}}} in {file.name}')
    return {name: _graph(name, rows, list(values or ()), file.name) for name, rows in edges.items()}


def _graph(name: str, rows: Any, values: list[str], file: str) -> ValueGraph:
    pairs = []
    for row in rows if isinstance(rows, list) else [rows]:
        if not isinstance(row, list) or len(row) < 2 or not all(isinstance(end, str) for end in row[:2]):
            raise ValueError(f"path: the graph {name!r} in {file} has an edge {row!r}; expected [source, target, ...]")
        if row[0] == row[1]:
            raise ValueError(f"path: the graph {name!r} in {file} has an edge from {row[0]!r} to itself")
        pairs.append((row[0], row[1]))
    names = list(dict.fromkeys([*values, *sorted({end for pair in pairs for end in pair})]))
    marks = np.zeros((len(names), len(names)), dtype=np.int8)
    given = set(pairs)
    for source, target in given:
        i, j = names.index(source), names.index(target)
        marks[i, j] = TAIL
        marks[j, i] = TAIL if (target, source) in given else ARROW
    settings = DiscoverySettings(alpha=1.0, n=0, test="none", test_reason=f"read from {file}", backend="given")
    return ValueGraph(tuple(names), marks, settings)


def theory_distances(values: Sequence[str] = CIRCLE, layout: Layout = "theory") -> pd.DataFrame:
    """Angles between basic values on Schwartz' circle, degrees from 0 to 180, as a table with their names.

    Raises:
        ValueError: a name is no basic value.
    """
    table = [[circular_distance(a, b, layout) for b in values] for a in values]
    return pd.DataFrame(table, list(values), list(values))


def theory_graph(values: Sequence[str] = CIRCLE, layout: Layout = "theory") -> ValueGraph:
    """The theory as a graph: every basic value is joined with those nearest to it on the circle, undirected.

    The theory says which values go together, not which cause which, and a ring is the CPDAG of no DAG (of four or more
    values; whichever way its edges point, there is a collider). So its edges can be compared with a graph's
    adjacencies, and identification distances from it do not exist.

    Args:
        values: some of the ten, in any spelling. Neighbours are values with no other of them between; two in one wedge
            are joined and have the same neighbours.
        layout: see ``pyvalue.schwartz_circle.angle``.

    Raises:
        ValueError: a name is no basic value, or fewer than 3 are given.
    """
    names = list(values)
    if len(names) < 3 or any(basic_value(name) is None for name in names):
        raise ValueError(f"values: expected at least 3 of the ten basic values, got {', '.join(names)}")
    angles = np.array([angle(name, layout) for name in names])
    places = np.unique(angles)
    wedge = np.searchsorted(places, angles)
    apart = np.abs(wedge[:, None] - wedge[None, :])
    joined = (apart <= 1) | (apart == len(places) - 1)
    np.fill_diagonal(joined, False)
    settings = DiscoverySettings(alpha=1.0, n=0, test="none", test_reason="Schwartz (1992)", backend="given")
    return ValueGraph(tuple(names), np.where(joined, TAIL, 0).astype(np.int8), settings)
