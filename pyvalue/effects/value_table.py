"""Rows of values out of whatever holds them: answers, tables, files, arrays; with labels of edits and personas or not.

Cells are not looked at: they may be texts, as a search for a graph takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.broken_edits import working_answers
from pyvalue.responses import Responses, Score
from pyvalue.wide_scores import KEYS, LEVELS, read_source, score_rows


def value_table(data: Any, values: Sequence[str], score: Score = "corrected") -> tuple[pd.DataFrame, list[str]]:
    """Rows with columns of values, with texts for names, and index levels of edits and personas where there are; notes.

    Raises:
        ValueError: an array does not fit the values, a value has two columns, or an edit and persona come twice.
        TypeError: ``data`` is none of what ``effect_rows`` takes.
    """
    notes: list[str] = []
    if isinstance(data, str | Path):
        data = read_source(data)
    if isinstance(data, Responses):
        data, left_out = working_answers(data)
        return score_rows(data, score), list(left_out)
    if isinstance(data, pd.DataFrame):
        table = _labelled(data)
    elif isinstance(data, np.ndarray):
        if data.ndim != 2 or data.shape[1] != len(values):
            raise ValueError(
                f"data: expected an array with one column a value of the graph, (n, {len(values)}), got {data.shape}; "
                "pass a DataFrame, whose columns have names"
            )
        return pd.DataFrame(data, columns=list(values)), notes
    else:
        raise TypeError(
            f"data must be Responses, a DataFrame, an array of rows by values or the path of a file, got "
            f"{type(data).__name__}"
        )
    table = table.set_axis([str(name) for name in table.columns], axis=1)
    again = sorted(set(table.columns[table.columns.duplicated()]))
    if again:
        raise ValueError(f"data: expected every value once, got more than one column {', '.join(again)}; drop the rest")
    return table, notes


def _labelled(data: pd.DataFrame) -> pd.DataFrame:
    """The table with labels of edits, and of personas that come with them, in its index."""
    if set(LEVELS) <= set(data.index.names) or any(set(pair) <= set(data.columns) for pair in KEYS):
        table = read_source(data)
        assert isinstance(table, pd.DataFrame)
        if table.index.duplicated().any():
            edit, persona = table.index[table.index.duplicated()][0]
            raise ValueError(f"data: the row of edit {edit!r} and persona {persona!r} comes twice")
        return table
    column = next((edit for edit, _ in KEYS if edit in data.columns), None)
    if column is None or "edit" in data.index.names:
        return data
    levels = {str(name): data.index.get_level_values(name) for name in data.index.names if name is not None}
    index = pd.MultiIndex.from_arrays([data[column], *levels.values()], names=["edit", *levels])
    return data.drop(columns=column).set_axis(index, axis=0)
