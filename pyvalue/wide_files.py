"""Files of rows of scores: separators, byte order marks, and labels that must not be taken for missing ones."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from pyvalue.file_faults import check_regular, file_faults

#: columns that hold labels: a persona may be called "NA"
LABELS = ("edit", "steer_dim", "persona", "player_name")
_SEPARATORS = (",", ";", "\t", "|")


@file_faults("source")
def read_wide_file(path: Path) -> pd.DataFrame:
    """A Parquet file, or text with , ; tab or | between columns; with ; a comma may stand for the decimal point.

    Columns without a name, in which programs write row numbers, are left out.

    Raises:
        ValueError: the file is empty, has a single column, or cannot be read as a table.
    """
    try:
        check_regular(path)
        table = pd.read_parquet(path) if path.suffix == ".parquet" else _read_text(path)
    except (ValueError, OSError, csv.Error) as fault:
        raise ValueError(f"source: {path} cannot be read as a table: {fault}") from fault
    return table[[name for name in table.columns if str(name).strip() and not str(name).startswith("Unnamed: ")]]


def _read_text(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    if not header.strip():
        raise ValueError("it is empty; expected a line of column names, then one row an edit and persona")
    separator = max(_SEPARATORS, key=lambda mark: len(next(csv.reader([header], delimiter=mark))))
    names = [name.strip() for name in next(csv.reader([header], delimiter=separator))]
    if len(names) == 1:
        raise ValueError(f"it has one column, {names[0]!r}; expected columns separated by , ; tab or |")
    if again := sorted({name for name in names if name and names.count(name) > 1}):
        raise ValueError(f"it has more than one column {', '.join(again)}; rename or drop them")
    decimal = "," if separator == ";" else "."
    table = pd.read_csv(path, sep=separator, decimal=decimal, encoding="utf-8-sig")
    table = table.set_axis([str(name).strip() for name in table.columns], axis=1)
    kept = [name for name in LABELS if name in names]
    if not kept:
        return table
    texts = pd.read_csv(path, sep=separator, encoding="utf-8-sig", dtype=str, keep_default_na=False)
    texts = texts.set_axis([str(name).strip() for name in texts.columns], axis=1)
    return table.assign(**{name: texts[name] for name in kept})
