"""How far a graph is from another: edges that differ, and effects that would be identified wrongly.

Distances compare two graphs as they are; whether a difference is more than chance needs the data, see
``edge_difference``.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyvalue.atomic_files import write_json
from pyvalue.cpdag import consistent_extension, is_cpdag
from pyvalue.extras import how_to_install
from pyvalue.graph import ARROW, TAIL, ValueGraph
from pyvalue.plotted import Plotted

Marks = NDArray[np.int8]


@dataclass(frozen=True)
class Agreement:
    """What of the first graph the second has.

    Attributes:
        first, second: number in either graph.
        common: number in both.
        precision: share of the second's that the first has; NaN where the second has none.
        recall: share of the first's that the second has; NaN where the first has none.
        f1: their harmonic mean, 2 · common / (first + second); NaN where neither has any.
    """

    first: int
    second: int
    common: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class IdentificationDistance:
    """Adjustment identification distance (Henckel, Würtzen & Weichwald 2024, "Adjustment identification distance").

    Attributes:
        errors: ordered pairs (i, j) whose effect of i on j the second graph would have identified wrongly, if the first
            is true: by an adjustment set that is invalid in it, or by saying "none" or "not identified" wrongly.
        share: errors over d (d - 1), from 0 to 1.
    """

    errors: int
    share: float


@dataclass(frozen=True)
class GraphDistance(Plotted):
    """Distances of a second graph from a first, over the values that both have.

    Attributes:
        names: the values in common, in the order of the first graph.
        only_first, only_second: values that were left out, because the other graph lacks them.
        shd: structural Hamming distance: pairs of values whose edge is not the same, kind and direction, each counted
            once. A turned arrow is 1, as in causal-learn, and so is an arrow that became undirected.
        shd_skeleton: pairs that are joined in one graph and not in the other.
        pairs: number of pairs of values.
        adjacencies: agreement of joined pairs.
        arrows: agreement of arrows →, direction and all.
        parent_aid, ancestor_aid, oset_aid: identification distances by three ways to choose an adjustment set: the
            parents, all ancestors, or the optimal set; None where they cannot be computed.
        sid: structural intervention distance (Peters & Bühlmann 2015), of two DAGs only; equal to ``parent_aid`` there.
        notes: what cannot be computed and why.
    """

    names: tuple[str, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    shd: int
    shd_skeleton: int
    pairs: int
    adjacencies: Agreement
    arrows: Agreement
    parent_aid: IdentificationDistance | None = field(default=None)
    ancestor_aid: IdentificationDistance | None = field(default=None)
    oset_aid: IdentificationDistance | None = field(default=None)
    sid: IdentificationDistance | None = field(default=None)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        found = {"parent AID": self.parent_aid, "SID": self.sid}
        aid = "".join(f", {label} {one.share:.2f}" for label, one in found.items() if one is not None)
        return (
            f"GraphDistance({len(self.names)} values: SHD {self.shd} of {self.pairs} pairs, skeleton "
            f"{self.shd_skeleton}; F1 of adjacencies {self.adjacencies.f1:.2f}, of arrows {self.arrows.f1:.2f}{aid})"
        )

    def to_frame(self) -> pd.DataFrame:
        """One row a measure: ``measure, count, share``."""
        pairs = max(self.pairs, 1)
        rows: list[tuple[str, float, float]] = [
            ("SHD", self.shd, self.shd / pairs),
            ("SHD of skeletons", self.shd_skeleton, self.shd_skeleton / pairs),
        ]
        for label, one in (("adjacency", self.adjacencies), ("arrow", self.arrows)):
            rows += [(f"{label} {part}", one.common, getattr(one, part)) for part in ("precision", "recall", "f1")]
        for label in ("parent_aid", "ancestor_aid", "oset_aid", "sid"):
            distance = getattr(self, label)
            rows.append((label, distance.errors if distance else math.nan, distance.share if distance else math.nan))
        return pd.DataFrame(rows, columns=["measure", "count", "share"])

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; missing numbers are null."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        write_json(path, self.to_dict())
        return Path(path)


def graph_distance(one: ValueGraph, other: ValueGraph) -> GraphDistance:
    """Compare a graph with another over the values that both have.

    Values in one graph only are taken out with their edges, not marginalised: a path through such a value is lost.
    Identification distances are not symmetric; ``one`` is taken for true. They need the package ``gadjid`` (the extra
    ``distance``) and two valid CPDAGs or DAGs: each graph must be acyclic, without ↔, and the CPDAG of some DAG,
    because another partly directed graph does not say which effects are identified.

    Raises:
        ValueError: fewer than 2 values in common.
        TypeError: an argument is no graph.
    """
    for name, graph in (("one", one), ("other", other)):
        if not isinstance(graph, ValueGraph):
            raise TypeError(f"{name}: expected a ValueGraph, got {type(graph).__name__}")
    names = tuple(name for name in one.names if name in other.names)
    if len(names) < 2:
        raise ValueError(f"other: expected at least 2 values in common with one, got {', '.join(names) or 'none'}")
    first, second = (_restricted(graph, names) for graph in (one, other))
    differs = np.triu((first != second) | (first.T != second.T))
    joined = [np.triu(marks != 0) for marks in (first, second)]
    arrows = [(marks == TAIL) & (marks.T == ARROW) for marks in (first, second)]
    distances, notes = _identification(first, second)
    return GraphDistance(
        names=names,
        only_first=tuple(name for name in one.names if name not in names),
        only_second=tuple(name for name in other.names if name not in names),
        shd=int(differs.sum()),
        shd_skeleton=int((joined[0] != joined[1]).sum()),
        pairs=len(names) * (len(names) - 1) // 2,
        adjacencies=_agreement(*joined),
        arrows=_agreement(*arrows),
        notes=notes,
        **distances,
    )


def _restricted(graph: ValueGraph, names: tuple[str, ...]) -> Marks:
    places = [graph.names.index(name) for name in names]
    return graph.marks[np.ix_(places, places)]


def _agreement(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> Agreement:
    first, second, common = int(one.sum()), int(other.sum()), int((one & other).sum())
    return Agreement(
        first, second, common, _ratio(common, second), _ratio(common, first), _ratio(2 * common, first + second)
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _identification(first: Marks, second: Marks) -> tuple[dict[str, IdentificationDistance], tuple[str, ...]]:
    """The distances that can be computed, by the names of ``GraphDistance``, and why others cannot."""
    if importlib.util.find_spec("gadjid") is None:
        return {}, (f"identification distances need the package gadjid: {how_to_install('distance')}",)
    why = [
        f"the {label} graph {fault}"
        for label, marks in (("first", first), ("second", second))
        if (fault := _fault(marks))
    ]
    if why:
        return {}, (f"identification distances cannot be computed: {'; '.join(why)}",)
    import gadjid

    coded = [adjacency(marks) for marks in (first, second)]
    found = {
        name: IdentificationDistance(int(errors), float(share))
        for name in ("parent_aid", "ancestor_aid", "oset_aid")
        for share, errors in [getattr(gadjid, name)(*coded, edge_direction="from row to column")]
    }
    if any((marks == TAIL)[marks.T == TAIL].any() for marks in (first, second)):
        return found, ("the structural intervention distance is for two DAGs; a graph has undirected edges",)
    share, errors = gadjid.sid(*coded, edge_direction="from row to column")
    return {**found, "sid": IdentificationDistance(int(errors), float(share))}, ()


def adjacency(marks: Marks) -> Marks:
    """The code of gadjid, (d, d): 1 in row i and column j for i → j, 2 (once, above the diagonal) for i — j."""
    coded: Marks = ((marks == TAIL) & (marks.T == ARROW)).astype(np.int8)
    coded[np.triu((marks == TAIL) & (marks.T == TAIL))] = 2
    return coded


def _fault(marks: Marks) -> str:
    """Why effects cannot be read from a graph; empty where they can."""
    if ((marks == ARROW) & (marks.T == ARROW)).any():
        return "has bidirected edges"
    if _has_cycle((marks == TAIL) & (marks.T == ARROW)):
        return "has a directed cycle"
    undirected = ((marks == TAIL) & (marks.T == TAIL)).any()
    if undirected and not is_cpdag(marks):
        if consistent_extension(marks) is None:
            return "has no DAG with its edges and colliders"
        return "has undirected edges and is not the CPDAG of a DAG"
    return ""


def _has_cycle(directed: NDArray[np.bool_]) -> bool:
    left = np.ones(len(directed), dtype=bool)
    for _ in range(len(directed)):
        sinks = left & ~directed[:, left].any(axis=1)
        if not sinks.any():
            break
        left &= ~sinks
    return bool(left.any())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, float) and math.isnan(value):
        return None
    return list(value) if isinstance(value, tuple) else value
