"""Columns that number or name the rows: they are kept, and a note says so."""

from __future__ import annotations

import numpy as np

from pyvalue.discovery.source import Column

_NAMES = frozenset({"id", "index", "participant", "subject", "respondent"})

# Rows looked at before a whole column is: enough to tell nearly every real column from a count.
_HEAD = 64


def identifier_note(name: str, column: Column) -> str | None:
    """A note if every entry differs and the name, the texts, or the numbers (0..n-1, 1..n) look like an identifier's.

    Args:
        name: of the column.
        column: its (n,) numbers, or codes with levels.
    """
    values, levels = column
    n = len(values)
    if n < 2:
        return None
    if levels is not None:
        return _note(name, "text") if len(levels) == n else None
    named = name.strip().lower() in _NAMES
    if not named and not _may_count(values[0].item(), n):
        return None
    head = values[:_HEAD]
    if not (named or _within_count(head, n)) or len(np.unique(head)) < len(head):
        return None
    if len(np.unique(values)) < n or np.isnan(values).any():
        return None
    whole = bool((np.floor(values) == values).all())
    if named or (whole and _within_count(values, n) and values.max() - values.min() == n - 1):
        return _note(name, "whole number" if whole else "number")
    return None


def _may_count(first: float, n: int) -> bool:
    return 0 <= first <= n and first == int(first)


def _within_count(values: np.ndarray, n: int) -> bool:
    return bool((values >= 0).all() and (values <= n).all() and (np.floor(values) == values).all())


def _note(name: str, kind: str) -> str:
    return f"column {name!r} holds a different {kind} in every row: if it is an identifier, drop it"
