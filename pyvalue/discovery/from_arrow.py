"""Arrow columns: of Parquet files, and of the frames that narwhals knows (polars, pyarrow, ...). Needs pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyvalue.discovery.categories import encode, encode_texts, places
from pyvalue.discovery.source import Column, Source, plain_numbers, unreadable

if TYPE_CHECKING:
    import narwhals as nw
    import pyarrow as pa


def open_frame(frame: nw.DataFrame[Any]) -> Source:
    """Open a frame that narwhals wraps."""
    import pyarrow as pa

    if frame.implementation.is_pyarrow():
        return open_arrow(frame.to_native())
    names = tuple(frame.columns)

    def arrow(column: int) -> pa.Array:
        series = frame.get_column(names[column])
        try:
            return series.to_arrow()
        except (pa.ArrowException, NotImplementedError, TypeError) as fault:
            raise unreadable(names[column], series.dtype) from fault

    return Source(
        names=names,
        n=len(frame),
        read=lambda column: read_arrow(names[column], arrow(column), None),
        raw=lambda column: arrow(column).to_pandas(),
    )


def open_arrow(table: pa.Table) -> Source:
    """Open a table; columns that pandas wrote as its index are index levels again."""
    metadata = table.schema.pandas_metadata or {}
    stored = [name for name in metadata.get("index_columns", ()) if isinstance(name, str)]
    index = table.select(stored).to_pandas().index if stored else None
    positions = [i for i, name in enumerate(table.column_names) if name not in stored]
    names = tuple(table.column_names[i] for i in positions)
    return Source(
        names=names,
        n=table.num_rows,
        read=lambda column: read_arrow(names[column], table.column(positions[column]), index),
        raw=lambda column: table.column(positions[column]).to_pandas(),
        levels={} if index is None else {str(name): index.get_level_values(name) for name in index.names if name},
        labels=index,
    )


def read_arrow(name: str, column: pa.Array | pa.ChunkedArray, rows: Sequence[Any] | None) -> Column:
    """One column; numbers without nulls in one chunk are a view.

    Raises:
        TypeError: it holds dates, lists and the like.
        ValueError: it holds texts that look like numbers.
    """
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if column.null_count == len(column):
        return np.full(len(column), np.nan), None
    kind = column.type
    if pa.types.is_dictionary(kind):
        if kind.ordered:
            return places(_codes(column.indices))
        return encode(_codes(column.indices), column.dictionary.to_pylist(), ordered=False)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        column = column.cast(pa.large_string()).dictionary_encode()
        return encode_texts(name, _codes(column.indices), column.dictionary.to_pylist(), rows)
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    if not plain and not pa.types.is_decimal(kind):
        raise unreadable(name, kind)
    if column.null_count or not plain:
        column = column.cast(pa.float64(), safe=False)  # safe would refuse integers beyond 2^53
    return plain_numbers(column.to_numpy(zero_copy_only=False)), None


def _codes(indices: pa.Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    import pyarrow as pa

    codes = indices.cast(pa.int64()).fill_null(-1)
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)
