"""Which rows belong together: clusters named by a column, an index level, or a label for every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue.discovery.source import Source, row_label

# Our choice. With few clusters, a bootstrap of whole clusters finds too little spread between them: Cameron, Gelbach &
# Miller (2008), "Bootstrap-based improvements for inference with clustered errors", Rev. Econ. Stat. 90 (5 to 30).
FEWEST_CLUSTERS = 10

_EXPECTED = "cluster must be a name, labels for all rows, or a pair of such"
_LISTED = 20


@dataclass(frozen=True, eq=False)
class Clusters:
    """Zero, one or two ways to put the rows into clusters.

    Attributes:
        codes: of each way, (n,) numbers 0..C-1 of the clusters, in order of first appearance.
        names: of each way.
        columns: numbers of the columns that named clusters; they hold no values.
        notes: what is odd about them.
    """

    codes: tuple[NDArray[np.int64], ...] = ()
    names: tuple[str, ...] = ()
    columns: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()


def shared_personas_note(source: Source) -> str | None:
    """What to say of a model's responses whose rows share personas, where no cluster was named."""
    personas = source.levels.get("persona")
    if personas is None or (distinct := len(set(personas))) == source.n:
        return None
    return (
        f"{source.n} rows share {distinct} personas and were taken for independent, which finds too many edges; pass "
        "cluster='persona', or cluster=('persona', 'edit') where edits have rows of their own"
    )


def read_clusters(cluster: Any, source: Source) -> Clusters:
    """Read the argument ``cluster`` of ``read_columns``.

    Raises:
        TypeError: it is neither a name nor labels.
        ValueError: more than two, an unknown name, a wrong number of labels, missing labels, or fewer than 10 clusters.
    """
    entries = _entries(cluster, source.n)
    codes: list[NDArray[np.int64]] = []
    names: list[str] = []
    columns: set[int] = set()
    for number, entry in enumerate(entries):
        if isinstance(entry, str):
            name, labels = entry, _find(entry, source, columns)
        else:
            name, labels = _name(entry, number, len(entries)), entry
        if name in names:
            raise ValueError(f"cluster must name two different ways to put rows together, got {name!r} twice")
        codes.append(_codes(name, labels, source))
        names.append(name)
        check_cluster_count(name, codes[-1])
    notes = (
        f"{_subject(name)} is different in every row, so that its clusters are the rows themselves"
        for name, code in zip(names, codes, strict=True)
        if code.max() + 1 == source.n
    )
    return Clusters(tuple(codes), tuple(names), frozenset(columns), tuple(notes))


def check_cluster_count(name: str, codes: NDArray[np.int64]) -> None:
    """Raise ValueError if there are fewer than 10 clusters; worth a second call after rows were left out."""
    count = int(codes.max()) + 1 if codes.size else 0
    if count < FEWEST_CLUSTERS:
        raise ValueError(
            f"{_subject(name)} has {count} clusters; resampling whole clusters needs at least {FEWEST_CLUSTERS}; "
            "collect more of them, or cluster by something finer"
        )
    sizes = np.bincount(codes).astype(np.float64)
    worth = float(sizes.sum() ** 2 / (sizes @ sizes))
    if worth < FEWEST_CLUSTERS:
        raise ValueError(
            f"{_subject(name)} has {count} clusters of such unequal sizes ({int(sizes.min())} to {int(sizes.max())} "
            f"rows) that they are worth {worth:.1f} equal ones, and at least {FEWEST_CLUSTERS} are needed; draw rows "
            "from the largest clusters, collect more clusters, or cluster by something finer"
        )


def first_appearance(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same clusters, numbered 0..C-1 in order of first appearance."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _entries(cluster: Any, n: int) -> list[Any]:
    """One or two names or label arrays; a list of scalars is one label array, unless it can only be names."""
    if cluster is None:
        return []
    if not isinstance(cluster, list | tuple):
        return [cluster]
    names = all(isinstance(entry, str) for entry in cluster)
    if names and len(cluster) > 2 and len(cluster) == n:
        return [cluster]
    if not names and all(isinstance(entry, str) or not hasattr(entry, "__len__") for entry in cluster):
        return [cluster]
    if not 1 <= len(cluster) <= 2:
        raise ValueError(f"{_EXPECTED}: at most two, got {len(cluster)}, for {n} rows")
    return list(cluster)


def _find(name: str, source: Source, columns: set[int]) -> Any:
    if name in source.names:
        column = source.names.index(name)
        columns.add(column)
        return source.raw(column)
    if name in source.levels:
        return source.levels[name]
    levels = f"; its index levels are {_listed(source.levels)}" if source.levels else ""
    raise ValueError(
        f"cluster {name!r} is not a column or index level of the responses; their columns are "
        f"{_listed(source.names)}{levels}"
    )


def _listed(names: Any) -> str:
    names = list(names)
    more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(map(repr, names[:_LISTED])) + more


def _name(labels: Any, number: int, count: int) -> str:
    name = getattr(labels, "name", None)
    if isinstance(name, str) and name:
        return name
    return "cluster" if count == 1 else f"cluster {number + 1}"


def _subject(name: str) -> str:
    return name if name.startswith("cluster") else f"cluster {name!r}"


def _codes(name: str, labels: Any, source: Source) -> NDArray[np.int64]:
    import pandas as pd

    if hasattr(labels, "to_pandas"):  # polars, pyarrow, narwhals
        labels = labels.to_pandas()
    if not pd.api.types.is_list_like(labels, allow_sets=False) or isinstance(labels, dict):
        raise TypeError(f"{_EXPECTED}, got {type(labels).__name__}")
    if getattr(labels, "ndim", 1) != 1:
        raise ValueError(f"{_EXPECTED}: labels have 1 dimension, got shape {labels.shape}")
    labels = labels if hasattr(labels, "__len__") else list(labels)
    if len(labels) != source.n:
        raise ValueError(f"{_subject(name)} has {len(labels)} labels, but the responses have {source.n} rows")
    rows = source.labels
    if isinstance(labels, pd.Series) and isinstance(rows, pd.Index) and not labels.index.equals(rows):
        raise ValueError(
            f"{_subject(name)} has another index than the responses; pass cluster.reindex(responses.index) to match by "
            "index, or cluster.to_numpy() to match by position"
        )
    try:
        codes, _ = pd.factorize(pd.Series(labels))
    except TypeError as fault:
        raise TypeError(f"{_subject(name)} must have labels that can be compared, such as texts: {fault}") from fault
    if (codes < 0).any():
        missing = np.flatnonzero(codes < 0)
        raise ValueError(
            f"{_subject(name)} has {len(missing)} missing labels, the first in row {row_label(rows, missing[0])!r}; "
            "fill them in, or leave these rows out"
        )
    return np.asarray(codes, dtype=np.int64)
