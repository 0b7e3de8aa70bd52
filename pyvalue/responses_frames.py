"""Answers from and to the tables of other libraries: pandas, polars, pyarrow, what narwhals knows, and ``datasets``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pyvalue.dataset_tables import dataset_as_arrow, is_dataset
from pyvalue.responses import COLUMNS, IDENTITY, NUMBERS, VALID, Responses, make_table
from pyvalue.responses_arrow import as_arrow, facts_as_json, facts_in
from pyvalue.table_checks import check_distinct

if TYPE_CHECKING:
    import datasets
    import polars as pl
    import pyarrow as pa

#: key of ``DataFrame.attrs`` and of a dataset's description that holds the facts
FACTS = "pyvalue"
#: columns without which nothing can be told
LEAST = ("persona", "item", "value", "keying", "status")
_P_YES = dict(zip(VALID, (1.0, 0.0, 0.5), strict=True))


def from_frame(table: Any, facts: dict[str, Any] | None = None, columns: Mapping[str, str] | None = None) -> Responses:
    """Answers from a table with one row an answer.

    Columns may be left out, except persona, item, value, keying and status. Without ``p_yes`` the answers are taken
    as written ones (mode "generate"): 1 for yes, 0.5 for unsure, 0 for no. Without ``score``, it is
    keying * (2 p_yes - 1). ``model`` is "unknown" where it is missing, and ``edit`` none. Columns that no answer has
    are kept as they are.

    Args:
        table: a pandas, polars or pyarrow table, another one that narwhals knows (lazy ones are collected), or a
            ``datasets.Dataset``.
        facts: what made the answers; default those that ``to_pandas``, ``to_arrow`` or ``to_dataset`` put beside the
            table. A polars frame has no place for them: hand them over.
        columns: their name -> ours, as in ``{"participant": "persona"}``; names of ours are those of
            ``pyvalue.responses.COLUMNS``.

    Raises:
        TypeError: it is no table, or a column of numbers holds something else.
        ValueError: a column is missing, two would have one name, a number does not fit its column, an answer comes
            twice, or a cell is none that may stand there.
    """
    frame, found = as_pandas(table)
    if not isinstance(facts, dict | None):
        raise TypeError(f"facts: expected a dict, got {type(facts).__name__}")
    frame = _completed(_renamed(frame, columns or {}))
    answers = Responses(frame, found if facts is None else facts)
    try:
        check_distinct(answers.table, IDENTITY, "table")
    except ValueError as fault:
        raise ValueError(f"{fault}; of rows that repeat a question, number the column repeat: 0, 1, ...") from fault
    return Responses(_formatted(answers.table), answers.facts)


def to_pandas(answers: Responses) -> pd.DataFrame:
    """A copy of the table, with the facts in ``attrs["pyvalue"]``."""
    table = answers.table.copy()
    table.attrs[FACTS] = answers.facts
    return table


def to_arrow(answers: Responses) -> pa.Table:
    """An Arrow table with the facts in the metadata of its schema; missing numbers are null.

    Raises:
        TypeError: the facts hold something that JSON cannot.
    """
    return as_arrow(answers.table, answers.facts)


def to_polars(answers: Responses) -> pl.DataFrame:
    """A polars frame, which has no place for the facts; missing numbers are null.

    Raises:
        ModuleNotFoundError: polars is not installed; the message has the command.
    """
    try:
        import polars as pl
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("to_polars needs polars: pip install polars") from error
    found = pl.from_arrow(to_arrow(answers))
    return found if isinstance(found, pl.DataFrame) else found.to_frame()


def to_dataset(answers: Responses) -> datasets.Dataset:
    """A ``datasets.Dataset`` with the facts as JSON in ``info.description``, which selections and copies keep.

    Raises:
        ModuleNotFoundError: datasets is not installed; the message has the command.
        TypeError: the facts hold something that JSON cannot.
    """
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("to_dataset needs datasets: pip install datasets") from error
    description = json.dumps({FACTS: json.loads(facts_as_json(answers.facts))}, ensure_ascii=False)
    content = as_arrow(answers.table, {}).replace_schema_metadata(None)
    return datasets.Dataset(content, info=datasets.DatasetInfo(description=description))


def from_dataset(dataset: Any, facts: dict[str, Any] | None = None) -> Responses:
    """Answers from a ``datasets.Dataset``; facts and columns as in :func:`from_frame`.

    Raises:
        TypeError: it is no Dataset, but a dict of splits or a stream, for example.
        ValueError: as :func:`from_frame`.
    """
    dataset_as_arrow(dataset.select([]) if hasattr(dataset, "select") else dataset)  # refuses what is none
    return from_frame(dataset, facts)


def as_pandas(table: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table, and the facts that it brings."""
    import pyarrow as pa

    if isinstance(table, pd.DataFrame):
        facts = table.attrs.get(FACTS, {})
        return table.reset_index(drop=True), facts if isinstance(facts, dict) else {}
    if is_dataset(table):
        return dataset_as_arrow(table).to_pandas(), _described(table)
    if isinstance(table, pa.RecordBatch):
        table = pa.table(table)
    if isinstance(table, pa.Table):
        return table.to_pandas(), facts_in(table)
    import narwhals as nw

    frame = nw.from_native(table, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, nw.DataFrame):
        raise TypeError(
            "table: expected a table of pandas, polars, pyarrow or datasets with one row an answer, got "
            f"{type(table).__name__}"
        )
    return frame.to_arrow().to_pandas(), {}


def _described(dataset: Any) -> dict[str, Any]:
    """Facts in a dataset's description; a description that is none of ours has none."""
    try:
        facts = json.loads(dataset.info.description or "{}")[FACTS]
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _renamed(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    names = [str(name) for name in table.columns]
    if absent := [name for name in columns if name not in names]:
        raise ValueError(f"columns: the table has no column {absent[0]!r}; it has {', '.join(names)}")
    if unknown := [name for name in columns.values() if name not in COLUMNS]:
        raise ValueError(f"columns: {unknown[0]!r} is no column of answers; they are {', '.join(COLUMNS)}")
    renamed = [columns.get(name, name) for name in names]
    if again := [name for name in renamed if renamed.count(name) > 1]:
        raise ValueError(f"columns: more than one column would be {again[0]!r}; rename or drop the others")
    return table.set_axis(renamed, axis=1)


def _completed(table: pd.DataFrame) -> pd.DataFrame:
    """With the columns that follow from others."""
    if lacking := [name for name in LEAST if name not in table.columns]:
        raise ValueError(
            f"table: missing columns {', '.join(lacking)}; got {', '.join(table.columns)}; if they have other names, "
            f'say so: columns={{"their name": {lacking[0]!r}}}'
        )
    added: dict[str, Any] = {"model": "unknown", "edit": "", "text": "", "mass": np.nan}
    if "p_yes" not in table.columns:
        added |= {"p_yes": table["status"].map(_P_YES).astype(float), "mode": "generate"}
    table = table.assign(**{name: value for name, value in added.items() if name not in table.columns})
    for name in NUMBERS:  # null columns of other libraries are of type object
        if name in table.columns and table[name].isna().all():
            table = table.assign(**{name: np.nan})
    if "score" in table.columns:
        return table
    keying = pd.to_numeric(table["keying"])
    score = keying * (2 * pd.to_numeric(table["p_yes"]).astype(float) - 1)
    return table.assign(score=score.where((keying != 0) & table["status"].isin(VALID)))


def _formatted(table: pd.DataFrame) -> pd.DataFrame:
    """In the number formats and the order of ``COLUMNS``, other columns behind."""
    for name, kind in NUMBERS.items():
        if not kind.startswith("int"):
            continue
        given = table[name].to_numpy(dtype=float, na_value=np.nan)
        limits = np.iinfo(kind)
        wrong = given[~((given == np.round(given)) & (given >= limits.min) & (given <= limits.max))]
        if len(wrong):
            raise ValueError(
                f"table: column {name!r}: expected whole numbers from {limits.min} to {limits.max}, got {wrong[0]:g}"
            )
    other = [name for name in table.columns if name not in COLUMNS]
    return pd.concat([make_table({name: table[name] for name in COLUMNS}), table[other]], axis=1)
