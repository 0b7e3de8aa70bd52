"""Answers as CSV files. A persona named "NA" or "007" stays that; what the file cannot hold are the facts."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pyvalue.atomic_files import replace_file
from pyvalue.errors import StoreError
from pyvalue.file_faults import check_regular, file_faults
from pyvalue.responses import NUMBERS, Responses
from pyvalue.responses_frames import from_frame

_SEPARATORS = (",", ";", "\t", "|")


def to_csv(answers: Responses, path: str | Path) -> Path:
    """Write UTF-8 with commas, all texts in quotes, missing numbers empty; whole or not at all.

    Texts are written as they are. A program for spreadsheets takes one that begins with = for a formula; open files
    with texts that others wrote as text.

    Raises:
        StoreError: the file cannot be written.
    """
    replace_file(
        path,
        lambda scratch: answers.table.to_csv(
            scratch, index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n", encoding="utf-8"
        ),
    )
    return Path(path)


def from_csv(
    path: str | Path, facts: dict[str, Any] | None = None, columns: Mapping[str, str] | None = None
) -> Responses:
    """Read a CSV file with one row an answer: of :func:`to_csv`, or of others with , ; tab or | between columns.

    Args:
        path: of the file; with ; between columns a comma may stand for the decimal point.
        facts: what made the answers, which the file does not hold.
        columns: their name -> ours, and which may be left out: see :func:`pyvalue.responses_frames.from_frame`.

    Raises:
        StoreError: it cannot be read as a table.
        TypeError: a column of numbers holds something else.
        ValueError: as :func:`pyvalue.responses_frames.from_frame`.
        FileNotFoundError: there is no such file.
    """
    with file_faults(f"table {path}", StoreError):
        check_regular(path)
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
        separator = max(_SEPARATORS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))
        table = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig", low_memory=False
        )
    renamed = {name: (columns or {}).get(name, name) for name in table.columns}
    for name in table.columns:
        if renamed[name] in NUMBERS:
            texts = table[name].str.strip()
            texts = texts.str.replace(",", ".", regex=False) if separator == ";" else texts
            try:
                table[name] = texts.where(texts != "", "nan").astype(float)
            except ValueError as fault:
                raise TypeError(f"table: column {name!r}: expected numbers, got others ({fault})") from fault
    return from_frame(table, facts or {}, columns)
