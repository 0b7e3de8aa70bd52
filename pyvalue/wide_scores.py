"""Scores of values, one row an edit and persona: the wide table that the statistics of a study start from.

It is what ``Responses.matrix`` gives; here it is also read from tables and files that hold such rows already.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.responses import Responses, Score

#: names of the index of a table of rows
LEVELS = ("edit", "persona")
#: columns of a file that name the edit and the persona; the second pair is that of the files of Kang et al. (2025)
KEYS = (("edit", "persona"), ("steer_dim", "player_name"))
#: what a row without a persona is called
NO_PERSONA = "none"
# Columns of Kang et al. that are no values: spreads over repeated answers.
_SPREADS = ("stds", "scstds")


def score_rows(source: Any, score: Score = "corrected", *, drop: Sequence[str] = ()) -> pd.DataFrame:
    """Rows (edit, persona) by values, in order of first appearance.

    Args:
        source: ``Responses``; a DataFrame with the index levels ``edit`` and ``persona`` (as ``Responses.matrix``
            gives) or with columns of these names or ``steer_dim`` and ``player_name``; or the path of a CSV or
            Parquet file with such columns. In columns and files an empty edit is no edit and an empty persona is
            none; columns that end in ``:scstd``, and ``stds`` and ``scstds``, are no values.
        score: of ``Responses``; see ``Responses.answers``. Tables and files hold scores already.
        drop: columns that are no values either.

    Returns:
        A DataFrame of float scores, missing ones NaN, with a ``MultiIndex`` named (edit, persona); the label of no
        edit is ``""``, that of no persona ``"none"``.

    Raises:
        ValueError: there are no such columns, no values, a row comes twice, or a score is not finite or no number.
        TypeError: ``source`` is nothing of the above.
        FileNotFoundError: there is no such file.
    """
    if isinstance(source, Responses):
        return source.matrix(score).drop(columns=list(drop))
    if isinstance(source, str | Path):
        source = _read(Path(source))
    if not isinstance(source, pd.DataFrame):
        raise TypeError(
            f"source must be Responses, a DataFrame with rows (edit, persona) or the path of a file, got "
            f"{type(source).__name__}"
        )
    if tuple(source.index.names) != LEVELS:
        source = _indexed(source)
    return _checked(source.drop(columns=[name for name in drop if name in source.columns]))


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise FileNotFoundError(f"source: no such file: {path}")
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


def _indexed(table: pd.DataFrame) -> pd.DataFrame:
    keys = next((pair for pair in KEYS if set(pair) <= set(table.columns)), None)
    if keys is None:
        wanted = " or ".join(" and ".join(pair) for pair in KEYS)
        raise ValueError(f"source: expected columns {wanted}, got {', '.join(map(str, table.columns))}")
    edit = [_edit_label(label) for label in table[keys[0]]]
    persona = table[keys[1]].fillna(NO_PERSONA).astype(str).replace("", NO_PERSONA)
    index = pd.MultiIndex.from_arrays([edit, persona], names=LEVELS)
    kept = [name for name in table.columns if name not in keys and not _is_spread(str(name))]
    return table[kept].set_index(index)


def _edit_label(label: Any) -> str:
    """The number of a feature without the ``.0`` that a column with holes gives it."""
    if label is None or label is pd.NA or label != label:
        return ""
    return str(int(label)) if isinstance(label, float | np.floating) and label == int(label) else str(label)


def _is_spread(name: str) -> bool:
    return name.endswith(":scstd") or name in _SPREADS


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    if not len(table.columns) or not len(table):
        raise ValueError(f"source: expected rows of at least one value, got a table of shape {table.shape}")
    wrong = [str(name) for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    if wrong:
        raise ValueError(
            f"source: expected numbers in every column of a value, got others in {', '.join(wrong)}; drop them"
        )
    table = table.astype(float)
    if np.isinf(table.to_numpy()).any():
        raise ValueError("source: scores must be finite or missing, got an infinite one")
    again = table.index[table.index.duplicated()]
    if len(again):
        edit, persona = again[0]
        raise ValueError(f"source: the row of edit {edit!r} and persona {persona!r} comes twice")
    return table
