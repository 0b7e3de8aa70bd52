"""An (n, d) array as a source of columns: every one a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyvalue.discovery.source import Source, plain_numbers


def open_array(values: Any, names: Sequence[str] | None) -> Source:
    """Open an array, or anything that numpy makes one of, such as a list of rows.

    Raises:
        TypeError: it does not hold numbers, or names are not strings.
        ValueError: it does not have two dimensions, or there are too few or too many names.
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        values = np.ma.filled(values.astype(np.float64), np.nan)  # numpy.asarray would bring the masked numbers back
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            "responses must be Responses, a DataFrame, a path of a CSV or Parquet file, or an (n, d) array of numbers, "
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
    plain = plain_numbers(array)
    return Source(
        names=tuple(names),
        n=len(array),
        read=lambda column: (plain[:, column], None),
        raw=lambda column: array[:, column],
    )
