"""Scores of values, one row an edit and persona: the wide table that the statistics of a study start from.

It is what ``Responses.matrix`` gives; here it is also read from tables and files that hold such rows already. How a
file is laid out is found in :mod:`pyvalue.wide_files`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from pyvalue.file_faults import file_faults
from pyvalue.responses import Responses, Score
from pyvalue.wide_files import read_wide_file

#: names of the index of a table of rows
LEVELS = ("edit", "persona")
#: columns that name the edit and the persona; the second pair is that of the files of Kang et al. (2025)
KEYS = (("edit", "persona"), ("steer_dim", "player_name"))
#: what a row without a persona is called
NO_PERSONA = "none"
#: a column that spreads so many times as far as the others is pointed out: an age among scores, perhaps
WIDE = 10.0
_NUMBER_IN_A_COLUMN_WITH_HOLES = re.compile(r"\d+\.0")
# Columns of Kang et al. that are no values: spreads over repeated answers.
_SPREADS = ("stds", "scstds")


def score_rows(
    source: Any,
    score: Score = "corrected",
    *,
    edit: str | None = None,
    persona: str | None = None,
    drop: Sequence[str] = (),
) -> pd.DataFrame:
    """Rows (edit, persona) by values, in order of first appearance.

    Args:
        source: ``Responses``; a DataFrame with the index levels ``edit`` and ``persona`` (as ``Responses.matrix``
            gives) or with columns of these names; or the path of a CSV or Parquet file with such columns, of saved
            ``Responses``, or of a run folder. An empty edit is no edit, an empty persona is none. Without a column of
            edits all rows are unedited; then a column of personas may be missing, too, and every row is one of its
            own. Columns that end in ``:scstd``, and ``stds`` and ``scstds``, are no values.
        score: of ``Responses``; see ``Responses.answers``. Tables and files hold scores already.
        edit: column that names the edit; default ``edit`` or ``steer_dim``.
        persona: column that names the persona, person or participant; default ``persona`` or ``player_name``.
        drop: columns that are no values either, such as an age.

    Returns:
        A DataFrame of float scores, missing ones NaN, with a ``MultiIndex`` named (edit, persona); the label of no
        edit is ``""``, that of no persona ``"none"``. All labels are texts.

    Raises:
        ValueError: there are no values, a row comes twice, rows under edits have no personas, a column that was named
            is missing, or a score is infinite or no number.
        TypeError: ``source`` is nothing of the above.
        FileNotFoundError: there is no such file.

    Warns:
        UserWarning: a column spreads far wider than the others, so that it may be no value.
    """
    _check_score(score)
    with file_faults("source"):
        source = read_source(source, edit=edit, persona=persona)
        if isinstance(source, Responses):
            return source.matrix(score).drop(columns=_known("drop", drop, source.values))
        table = source.drop(columns=_known("drop", drop, source.columns))
        return _checked(table)


def read_source(source: Any, *, edit: str | None = None, persona: str | None = None) -> Responses | pd.DataFrame:
    """Answers, or rows (edit, persona) whose cells are not checked yet; arguments as in :func:`score_rows`."""
    if isinstance(source, str | Path):
        path = Path(source)
        found = Responses.load(path) if _holds_answers(path) else read_wide_file(path)
        return read_source(found, edit=edit, persona=persona)
    if isinstance(source, Responses):
        return source
    if not isinstance(source, pd.DataFrame):
        raise TypeError(
            f"source must be Responses, a DataFrame with rows (edit, persona) or the path of a file, got "
            f"{type(source).__name__}"
        )
    if set(LEVELS) <= set(source.index.names):
        levels = [source.index.get_level_values(name) for name in LEVELS]
        table = source
    else:
        levels, table = _from_columns(source, edit, persona)
    index = pd.MultiIndex.from_arrays(
        [[edit_label(label) for label in levels[0]], [_persona_label(label) for label in levels[1]]], names=LEVELS
    )
    return table.set_axis(index, axis=0)


def edit_labels(edits: Iterable[Any] | None, argument: str = "edits") -> tuple[str, ...] | None:
    """Labels as they stand in rows, of labels or numbers of features; None stays None.

    Raises:
        TypeError: a single text, which would fall into letters, or nothing that can be gone through.
    """
    if edits is None:
        return None
    if isinstance(edits, str) or not isinstance(edits, Iterable):
        raise TypeError(f"{argument} must be a list of labels, got {edits!r}; write [{edits!r}]")
    return tuple(edit_label(label) for label in edits)


def edit_label(label: Any) -> str:
    """The text of a label: a number of a feature without the ``.0`` of a column with holes, nothing for no edit."""
    text = "" if _is_missing(label) else _text(label)
    return text[:-2] if _NUMBER_IN_A_COLUMN_WITH_HOLES.fullmatch(text) else text


def _persona_label(label: Any) -> str:
    return NO_PERSONA if _is_missing(label) or label == "" else _text(label)


def _text(label: Any) -> str:
    return str(int(label)) if isinstance(label, float | np.floating) and label == int(label) else str(label)


def _is_missing(label: Any) -> bool:
    return label is None or label is pd.NA or label != label


def _holds_answers(path: Path) -> bool:
    if path.is_dir():
        return True
    if not path.is_file():
        raise FileNotFoundError(f"source: no such file: {path}")
    if path.suffix != ".parquet":
        return False
    import pyarrow.parquet as parquet  # a tenth of a second

    try:
        return {"item", "status", "p_yes"} <= set(parquet.read_schema(path).names)
    except (OSError, ValueError) as fault:
        raise ValueError(f"source: {path} is no Parquet file: {fault}") from fault


def _from_columns(table: pd.DataFrame, edit: str | None, persona: str | None) -> tuple[list[Any], pd.DataFrame]:
    usual_edits, usual_personas = zip(*KEYS, strict=True)
    edits, personas = _column(table, edit, usual_edits, "edit"), _column(table, persona, usual_personas, "persona")
    if personas is None and edits is not None and any(edit_label(label) for label in table[edits]):
        raise ValueError(
            f"source: expected a column persona (or persona=, its name), which tells whose scores the rows under edits "
            f"are to be compared with; got {', '.join(map(str, table.columns))}"
        )
    labels = [
        [""] * len(table) if edits is None else table[edits].tolist(),
        [str(number + 1) for number in range(len(table))] if personas is None else table[personas].tolist(),
    ]
    gone = {name for name in (edits, personas) if name is not None}
    kept = [name for name in table.columns if name not in gone and not _is_spread(str(name))]
    return labels, table[kept]


def _column(table: pd.DataFrame, asked: str | None, usual: Sequence[str], argument: str) -> str | None:
    if asked is not None and asked not in table.columns:
        raise ValueError(f"{argument}: there is no column {asked!r}; there are {', '.join(map(str, table.columns))}")
    return asked or next((name for name in usual if name in table.columns), None)


def _is_spread(name: str) -> bool:
    return name.endswith(":scstd") or name in _SPREADS


def _known(argument: str, names: Sequence[str], columns: Iterable[Any]) -> list[str]:
    if isinstance(names, str):
        raise TypeError(f"{argument} must be a list of columns, got {names!r}; write [{names!r}]")
    known = list(columns)
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"{argument}: no column {', '.join(unknown)}; there are {', '.join(map(str, known))}")
    return list(names)


def _check_score(score: Any) -> None:
    if score not in get_args(Score):
        raise ValueError(f"score: expected one of {', '.join(get_args(Score))}, got {score!r}")


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    if not len(table.columns) or not len(table):
        raise ValueError(f"source: expected rows of at least one value, got a table of shape {table.shape}")
    if again := sorted({str(name) for name in table.columns[table.columns.duplicated()]}):
        raise ValueError(f"source: expected every value once, got more than one column {', '.join(again)}")
    wrong = [str(name) for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    if wrong:
        raise ValueError(
            f"source: expected numbers in every column of a value, got others in {', '.join(wrong)}; name the "
            f"column that says who answered persona, and take out what is no value; in Python: "
            f"pv.score_rows(source, drop={wrong})"
        )
    table = table.astype(float).set_axis([str(name) for name in table.columns], axis=1)
    if np.isinf(table.to_numpy()).any():
        raise ValueError("source: scores must be finite or missing, got an infinite one")
    twice = table.index[table.index.duplicated()]
    if len(twice):
        edit, persona = twice[0]
        raise ValueError(f"source: the row of edit {edit!r} and persona {persona!r} comes twice")
    _point_out_wide_columns(table)
    return table


def _point_out_wide_columns(table: pd.DataFrame) -> None:
    spread = table.std()
    usual = float(spread[spread > 0].median())
    wide = [str(name) for name in table.columns if spread[name] > WIDE * usual]
    if wide:
        warnings.warn(
            f"{', '.join(wide)} spreads more than {WIDE:g} times as far as the other columns; if it is no value, leave "
            f"it out: pv.score_rows(source, drop={wide})",
            stacklevel=4,
        )
