"""What a user hands to ``discover``, read into one float64 table with names."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table:
    """Rows are observations, columns are values.

    Attributes:
        values: (n, d) float64, in any memory order; a caller's array is not copied.
        names: the d columns.
        labels: what the rows are called in messages, or None for their numbers.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    labels: Sequence[Any] | None = None

    def label(self, row: int) -> Any:
        """The name of a row in messages."""
        return row if self.labels is None else self.labels[row]

    def take_rows(self, rows: NDArray[np.intp]) -> Table:
        """The table with these rows alone."""
        labels = None if self.labels is None else [self.labels[row] for row in rows]
        return replace(self, values=self.values[rows], labels=labels)

    def take_columns(self, columns: Sequence[int]) -> Table:
        """The table with these columns alone."""
        names = tuple(self.names[column] for column in columns)
        return replace(self, values=self.values[:, list(columns)], names=names)


def read_table(responses: Any, names: Sequence[str] | None) -> Table:
    """Read a Responses object (anything with ``.matrix()``), a DataFrame, or an (n, d) array.

    Raises:
        TypeError: the input is none of these, or a column holds no numbers.
        ValueError: it is not two-dimensional, or names do not fit or repeat.
    """
    if callable(getattr(responses, "matrix", None)):
        responses = responses.matrix()
    # A DataFrame can only come from someone who has imported pandas.
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(responses, pandas.DataFrame):
        table = _read_frame(responses, names)
    else:
        table = _read_array(responses, names)
    if repeated := sorted({name for name in table.names if table.names.count(name) > 1}):
        raise ValueError(f"column names must be distinct, got more than one {', '.join(repeated)}; rename or drop them")
    return table


def _read_frame(frame: pd.DataFrame, names: Sequence[str] | None) -> Table:
    if names is not None:
        raise ValueError("names is for arrays; a DataFrame's columns have names: frame.set_axis(names, axis=1)")
    for name, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if getattr(dtype, "kind", "O") not in "fiub":
            raise TypeError(f"column {name!r} must hold numbers, got {dtype}; drop it or convert it")
    values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    return Table(values, tuple(str(name) for name in frame.columns), frame.index)


def _read_array(values: Any, names: Sequence[str] | None) -> Table:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            "responses must be Responses, a DataFrame, or an (n, d) array of numbers, "
            f"got {type(values).__name__} of {array.dtype}"
        )
    if array.ndim != 2:
        raise ValueError(f"responses must have 2 dimensions, rows and values, got {array.ndim}: shape {array.shape}")
    if names is None:
        names = [f"X{column + 1}" for column in range(array.shape[1])]
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"names must be a sequence of strings, got {names!r}")
    if len(names) != array.shape[1]:
        raise ValueError(f"Length of names ({len(names)}) must match number of columns in responses ({array.shape[1]})")
    return Table(array.astype(np.float64, copy=False), tuple(names))
