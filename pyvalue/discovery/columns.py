"""What a user hands to ``discover``, read into a list of columns that stay where they are in memory."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue.dataset_tables import dataset_as_arrow, is_dataset
from pyvalue.discovery.categories import encode
from pyvalue.discovery.clusters import first_appearance, read_clusters, shared_personas_note
from pyvalue.discovery.identifiers import identifier_note
from pyvalue.discovery.source import Column, Source, row_label


@dataclass(frozen=True, eq=False)
class Columns:
    """Rows are observations, columns are values.

    Attributes:
        values: d arrays (n,), read-only, of any stride: floats of 4 or 8 bytes, integers of 1 to 8, booleans as uint8.
            They are views of the caller's memory wherever its type allows. A categorical column is int32 codes, -1 for
            missing; missing numbers are NaN.
        names: of the columns, distinct.
        levels: of a categorical column its labels in code order, all of which occur; None for numbers.
        labels: what the rows are called in messages; None for their numbers counted from 1.
        clusters: none, one or two arrays (n,) of cluster numbers 0..C-1, in order of first appearance.
        cluster_names: of each of them.
        notes: what was assumed while reading.
        cautions: what looks wrong, and is worth a warning.
    """

    values: tuple[NDArray[Any], ...] = field(repr=False)
    names: tuple[str, ...]
    levels: tuple[tuple[str, ...] | None, ...] = field(repr=False)
    labels: Sequence[Any] | None = field(default=None, repr=False)
    clusters: tuple[NDArray[np.int64], ...] = field(default=(), repr=False)
    cluster_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.values[0]) if self.values else 0

    @property
    def d(self) -> int:
        """Number of columns."""
        return len(self.values)

    def label(self, row: int) -> Any:
        """The name of a row in messages."""
        return row_label(self.labels, row)

    def take_columns(self, indices: Sequence[int] | NDArray[np.intp]) -> Columns:
        """The table with these columns alone, in this order; nothing is copied."""
        return replace(
            self,
            values=tuple(self.values[i] for i in indices),
            names=tuple(self.names[i] for i in indices),
            levels=tuple(self.levels[i] for i in indices),
        )

    def take_rows(self, indices: Sequence[int] | NDArray[np.intp]) -> Columns:
        """The table with these rows alone: a copy, without the levels that no longer occur."""
        rows = np.asarray(indices, dtype=np.intp)
        taken = [_take(column, rows) for column in zip(self.values, self.levels, strict=True)]
        return replace(
            self,
            values=tuple(values for values, _ in taken),
            levels=tuple(levels for _, levels in taken),
            labels=_Labels(range(1, self.n + 1) if self.labels is None else self.labels, rows),
            clusters=tuple(first_appearance(codes[rows]) for codes in self.clusters),
        )


@dataclass(frozen=True)
class _Labels(Sequence[Any]):
    """The labels of some rows, looked up when a message needs one."""

    labels: Sequence[Any]
    rows: NDArray[np.intp]

    def __getitem__(self, row: Any) -> Any:
        return self.labels[self.rows[row]]

    def __len__(self) -> int:
        return len(self.rows)


def read_columns(
    responses: Any, names: Sequence[str] | None = None, cluster: Any = None, drop: Sequence[str] = ()
) -> Columns:
    """Read responses from memory or from a file.

    Args:
        responses: a Responses object (anything whose ``.matrix()`` gives a DataFrame), a pandas DataFrame, any frame
            that narwhals knows (polars, pyarrow, ...; lazy ones are collected), a ``datasets.Dataset``, an (n, d)
            array of numbers, or a path of a .csv, .tsv, .txt, .parquet or .pq file. Texts, categoricals and enums
            become categorical columns.
        names: the d columns of an array; ``X1 ... Xd`` by default. Frames and files bring their own.
        cluster: None; the name of a column, which is then not a value, or of an index level; n labels; or a pair of
            such. At least 10 clusters each.
        drop: columns that are no values, such as an index.

    Raises:
        TypeError: the input is none of these, or a column holds dates, lists or other things that are no value.
        ValueError: it is not two-dimensional, names do not fit or repeat, a column has no entry or has numbers written
            as text, a file is not well-formed, or clusters do not fit.
        FileNotFoundError: no such file.
    """
    source = _open(responses, names)
    repeated = sorted(name for name, count in Counter(source.names).items() if count > 1)
    if repeated:
        raise ValueError(f"column names must be distinct, got more than one {', '.join(repeated)}; rename or drop them")
    clusters = read_clusters(cluster, source)
    dropped = _positions(drop, source.names)
    kept = [i for i in range(len(source.names)) if i not in clusters.columns and i not in dropped]
    if not kept:
        raise ValueError("responses must have at least 2 columns (values) to have an edge, got 0: ()")
    cautions = [*clusters.notes]
    if cluster is None and (note := shared_personas_note(source)):
        cautions.append(note)
    columns: list[Column] = []
    for i in kept:
        columns.append(_checked(source.names[i], source.read(i)))
        if note := identifier_note(source.names[i], columns[-1]):
            cautions.append(note)
    return Columns(
        values=tuple(values for values, _ in columns),
        names=tuple(source.names[i] for i in kept),
        levels=tuple(levels for _, levels in columns),
        labels=source.labels,
        clusters=clusters.codes,
        cluster_names=clusters.names,
        notes=tuple(source.notes),
        cautions=tuple(cautions),
    )


def _open(responses: Any, names: Sequence[str] | None) -> Source:
    # Readers are imported where they are needed, so that an array needs neither pandas nor pyarrow.
    if isinstance(responses, str | os.PathLike):
        from pyvalue.discovery.files import open_file

        _refuse_names(names, "a file's columns have names: change its header")
        return open_file(responses)
    if callable(getattr(responses, "matrix", None)):
        responses = responses.matrix()
    if is_dataset(responses):
        responses = dataset_as_arrow(responses)
    # A DataFrame can only come from someone who has imported pandas.
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(responses, pandas.DataFrame):
        from pyvalue.discovery.from_pandas import open_pandas

        _refuse_names(names, "a DataFrame's columns have names: frame.set_axis(names, axis=1)")
        return open_pandas(responses, responses.index)
    # Arrow's own tables need no narwhals, which does not know batches and drops what pandas noted of its index.
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None and isinstance(responses, pyarrow.Table | pyarrow.RecordBatch):
        from pyvalue.discovery.from_arrow import open_arrow

        _refuse_names(names, "a table's columns have names: table.rename_columns(names)")
        return open_arrow(pyarrow.table(responses) if isinstance(responses, pyarrow.RecordBatch) else responses)
    if not isinstance(responses, np.ndarray | list | tuple):
        import narwhals as nw

        frame = nw.from_native(responses, pass_through=True)
        if isinstance(frame, nw.LazyFrame):
            frame = frame.collect()
        if isinstance(frame, nw.DataFrame):
            from pyvalue.discovery.from_arrow import open_frame

            _refuse_names(names, "a frame's columns have names: rename them there")
            return open_frame(frame)
    from pyvalue.discovery.from_array import open_array

    return open_array(responses, names)


def _positions(drop: Sequence[str], names: tuple[str, ...]) -> set[int]:
    if isinstance(drop, str) or not all(isinstance(name, str) for name in drop):
        raise TypeError(f"drop must be a list of column names, got {drop!r}")
    for name in drop:
        if name not in names:
            raise ValueError(f"drop names {name!r}, which is no column; the columns are {', '.join(names)}")
    return {names.index(name) for name in drop}


def _refuse_names(names: Sequence[str] | None, instead: str) -> None:
    if names is not None:
        raise ValueError(f"names is for arrays; {instead}")


def _checked(name: str, column: Column) -> Column:
    values, levels = column
    empty = levels == () if levels is not None else values.dtype.kind == "f" and values[:1] != values[:1]
    if len(values) and empty and (levels is not None or np.isnan(values).all()):  # one look spares most columns a scan
        raise ValueError(f"column {name!r} has no entry: all {len(values)} rows are missing; drop it")
    values.flags.writeable = False
    return values, levels


def _take(column: Column, rows: NDArray[np.intp]) -> Column:
    values, levels = column
    taken = values[rows]
    if levels is not None:
        taken, levels = encode(taken, levels, ordered=True)
    taken.flags.writeable = False
    return taken, levels
