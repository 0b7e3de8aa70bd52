"""A pandas DataFrame as a source of columns. Imported only where someone has a DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.discovery.categories import encode, encode_texts, places
from pyvalue.discovery.source import Column, Source, plain_numbers, unreadable

# What pandas.api.types.infer_dtype calls objects that are numbers, and those that may be a mix of texts and numbers.
_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal", "boolean", "empty")
_MIXED = ("mixed", "mixed-integer")


def open_pandas(frame: pd.DataFrame, rows: Sequence[Any] | None, notes: tuple[str, ...] = ()) -> Source:
    """Open a DataFrame.

    Args:
        frame: rows are observations; nothing of it is changed.
        rows: what its rows are called in messages; None for their numbers from 1.
        notes: what was assumed so far.
    """
    names = tuple(str(name) for name in frame.columns)
    index = frame.index
    return Source(
        names=names,
        n=len(frame),
        read=lambda column: _read(names[column], frame.iloc[:, column], rows),
        raw=lambda column: frame.iloc[:, column],
        levels={str(name): index.get_level_values(i) for i, name in enumerate(index.names) if name is not None},
        labels=rows,
        notes=notes,
    )


def _read(name: str, series: pd.Series, rows: Sequence[Any] | None) -> Column:
    dtype = series.dtype
    if isinstance(dtype, pd.ArrowDtype):
        from pyvalue.discovery.from_arrow import read_arrow

        return read_arrow(name, series.array.__arrow_array__(), rows)
    if isinstance(dtype, pd.CategoricalDtype):
        if dtype.ordered:
            return places(series.cat.codes.to_numpy())
        return encode(series.cat.codes.to_numpy(), list(dtype.categories), ordered=False)
    if isinstance(dtype, pd.StringDtype):
        return _texts(name, series, rows)
    if dtype.kind == "O" and isinstance(dtype, np.dtype):
        return _read_objects(name, series, rows)
    if dtype.kind not in "fiub":
        raise unreadable(name, dtype)
    if isinstance(dtype, np.dtype):
        return plain_numbers(series.to_numpy()), None
    if isinstance(dtype, pd.SparseDtype) or series.hasnans:
        return series.to_numpy(dtype=np.float64, na_value=np.nan), None
    return plain_numbers(series.to_numpy(dtype=dtype.numpy_dtype)), None  # else Int64 would become objects


def _read_objects(name: str, series: pd.Series, rows: Sequence[Any] | None) -> Column:
    kind = pd.api.types.infer_dtype(series, skipna=True)
    known = series.notna()
    if kind in _NUMBERS:
        return series.where(known, np.nan).to_numpy(dtype=np.float64), None
    if kind == "string":
        return _texts(name, series, rows)
    if kind in _MIXED and series[known].map(lambda entry: isinstance(entry, str | bool | int | float)).all():
        return _texts(name, series.where(~known, series.astype(str)), rows)
    raise unreadable(name, f"objects ({kind})")


def _texts(name: str, series: pd.Series, rows: Sequence[Any] | None) -> Column:
    codes, texts = pd.factorize(series)
    return encode_texts(name, codes, list(texts), rows)
