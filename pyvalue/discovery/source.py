"""What every input looks like before it is read: named columns that are taken one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: (n,) numbers, and None; or (n,) int32 codes, -1 for missing, and the labels in code order.
Column: TypeAlias = tuple[NDArray[Any], tuple[str, ...] | None]


@dataclass(frozen=True)
class Source:
    """An input that is opened but not read.

    Attributes:
        names: of its columns.
        n: its rows.
        read: column number to what is in it; raises TypeError or ValueError that names the column.
        raw: column number to its entries as pandas takes them, of any type: they may name clusters.
        levels: name of an index level -> its (n,) entries.
        labels: what the rows are called in messages; None for their numbers from 1.
        notes: what was assumed.
    """

    names: tuple[str, ...]
    n: int
    read: Callable[[int], Column]
    raw: Callable[[int], Any]
    levels: Mapping[str, Any] = field(default_factory=dict)
    labels: Sequence[Any] | None = None
    notes: tuple[str, ...] = ()


def row_label(labels: Sequence[Any] | None, row: int) -> Any:
    """What a row is called in messages: its label, or its number counted from 1."""
    if labels is None:
        return int(row) + 1
    label = labels[row]
    return label.item() if isinstance(label, np.generic) else label  # 3, not np.int64(3)


def plain_numbers(column: NDArray[Any]) -> NDArray[Any]:
    """The column as a read-only view of a type that the engine reads, copied only where it is of none.

    Args:
        column: (n,), or (n, d), of dtype kind f, i, u or b, of any stride and byte order.

    Returns:
        The same shape: floats of 4 or 8 bytes or integers of 1 to 8, native and aligned; booleans as uint8.
    """
    if column.dtype.kind == "b":
        column = column.view(np.uint8)
    elif column.dtype.kind == "f" and column.dtype.itemsize not in (4, 8):
        column = column.astype(np.float32 if column.dtype.itemsize == 2 else np.float64)
    elif not column.dtype.isnative or not column.flags.aligned:
        column = column.astype(column.dtype.newbyteorder("="))
    view = column.view()  # so that the caller's own array stays writable
    view.flags.writeable = False
    return view


def unreadable(name: str, kind: Any) -> TypeError:
    """The error for a column of dates, lists, objects and the like."""
    return TypeError(f"column {name!r} must hold numbers, booleans or texts, got {kind}; drop it or convert it")
