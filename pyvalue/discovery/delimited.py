"""How a file of delimited text is laid out, and where it is not: found with Python's ``csv``; reads no values.

pandas fills short rows with missing values, takes the first column of long rows for an index and renames repeated
columns, all in silence. Here they are errors.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

_SEPARATORS = {",": ",", ";": ";", "\t": "tab", "|": "|"}
_SAMPLE = 50
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Layout:
    """Separator and header of a file.

    Attributes:
        separator: one of , ; tab |
        header: names as they stand in the file, without space around them.
        notes: what was assumed.
    """

    separator: str
    header: tuple[str, ...]
    notes: tuple[str, ...]


def find_layout(path: Path) -> Layout:
    """Take the separator that gives most of the first rows as many fields as the header, and most fields if several do.

    Raises:
        ValueError: the file is empty, not UTF-8, has one column, no rows, repeated names, or numbers for a header.
    """
    samples = {separator: [row for _, row in islice(_rows(path, separator), _SAMPLE)] for separator in _SEPARATORS}

    def fit(separator: str) -> tuple[bool, float, int]:
        widths = [len(row) for row in samples[separator]]
        return widths[0] > 1, widths.count(widths[0]) / len(widths), widths[0]

    if not samples[","]:
        raise ValueError(f"{path} is empty; expected a line of column names, then one row an observation")
    separator = max(_SEPARATORS, key=fit)  # the first of several equals
    header = tuple(name.strip() for name in samples[separator][0])
    if len(header) == 1:
        raise ValueError(f"{path} has one column, {header[0]!r}; expected columns separated by , ; tab or |")
    if len(samples[separator]) == 1:
        raise ValueError(f"{path} has a header and no rows; expected one row an observation")
    if repeated := sorted({name for name in header if name and header.count(name) > 1}):
        raise ValueError(
            f"column names must be distinct, got more than one {', '.join(repeated)} in the header of {path}; "
            "rename or drop them"
        )
    notes = []
    if separator != {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower()):
        notes.append(f"columns of {path.name} are separated by {_SEPARATORS[separator]}")
    if all(_NUMBER.fullmatch(name) for name in header if name):
        if any(not name.isdigit() for name in header if name):
            raise ValueError(
                f"{path} must begin with a line of column names, got numbers: {', '.join(header[:5])}; add such a line"
            )
        notes.append(f"the first line of {path.name} is taken for column names, though they are numbers: {header[0]}, "
                     f"{header[1]}, ...")  # fmt: skip
    return Layout(separator, header, tuple(notes))


def check_widths(path: Path, layout: Layout, rows: int | None = None) -> None:
    """Raise ValueError with the line of the first row that has more or fewer fields than the header.

    Args:
        path: of the file.
        layout: of the file.
        rows: how many to look at, the header included; None for all.
    """
    width = len(layout.header)
    for line, row in islice(_rows(path, layout.separator), rows):
        if len(row) != width:
            raise ValueError(
                f"{path}: line {line} has {len(row)} fields, but the header has {width}; correct it, or put quotes "
                f"around a text that has {_SEPARATORS[layout.separator]} in it"
            )


@contextmanager
def utf8_or_error(path: Path) -> Iterator[None]:
    """Turn a UnicodeDecodeError into a ValueError that says which line of the file is not UTF-8."""
    try:
        yield
    except UnicodeDecodeError as fault:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError:
                    raise ValueError(f"{path}: line {number} is not UTF-8; save the file as 'CSV UTF-8'") from fault
        raise


def _rows(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """(line of its end, fields) of every row that is not blank; a byte order mark is skipped."""
    with utf8_or_error(path), path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
        try:
            for row in reader:
                if len(row) > 1 or (row and row[0].strip()):
                    yield reader.line_num, row
        except csv.Error as fault:
            raise ValueError(f"{path}: line {reader.line_num} cannot be read as delimited text: {fault}") from fault
