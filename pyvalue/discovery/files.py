"""CSV and Parquet files as sources of columns."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pyvalue.discovery.delimited import Layout, check_widths, find_layout, utf8_or_error
from pyvalue.discovery.source import Source
from pyvalue.file_faults import file_faults

if TYPE_CHECKING:
    import pandas as pd

    from pyvalue.responses import Responses

_POINT = r"[+-]?\d*\.\d+([eE][+-]?\d+)?"
_COMMA = r"[+-]?\d*,\d+([eE][+-]?\d+)?"


@file_faults("responses")
def open_file(path: str | os.PathLike[str]) -> Source:
    """Open a file by its ending: .csv, .tsv, .txt (delimited text in UTF-8), .parquet or .pq.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another ending, or the file is not well-formed; the message gives the line.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if path.is_dir():
        raise ValueError(f"responses must be a file, got the folder {path}; for a run folder, pass Responses.load(...)")
    if reader is None:
        raise ValueError(f"responses must be a file that ends in {', '.join(_READERS)}, got {str(path)!r}")
    if not path.is_file():
        raise FileNotFoundError(f"responses: no such file: {path}")
    return reader(path)


def _open_delimited(path: Path) -> Source:
    from pyvalue.discovery.from_pandas import open_pandas
    from pyvalue.responses import REQUIRED

    layout = find_layout(path)
    if set(REQUIRED) <= set(layout.header):
        return _answers_source(path, _read_answers(path, layout), layout.notes)
    check_widths(path, layout, rows=2)  # by the first row alone pandas decides whether there is an index column
    notes = list(layout.notes)
    frame = _read(path, layout, ".")
    if frame.iloc[:, -1].isna().any():  # as are the ends of short rows
        check_widths(path, layout)
    if layout.separator != "," and _has_decimal_comma(frame):
        frame = _read(path, layout, ",")
        notes.append("read 1,5 as 1.5: a decimal comma")
    if layout.header[0] in ("", "Unnamed: 0") and _counts_rows(frame.iloc[:, 0].to_numpy()):
        frame = frame.iloc[:, 1:]
        notes.append("left out the first column: it has no name and counts the rows")
    return open_pandas(frame, None, tuple(notes))


def _read(path: Path, layout: Layout, decimal: str) -> pd.DataFrame:
    import pandas as pd

    names = [name or f"Unnamed: {column}" for column, name in enumerate(layout.header)]
    # A file gives the graph of the frame it was written from. Since 3.1 pandas rounds correctly without being asked.
    exact = {} if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else {"float_precision": "round_trip"}
    try:
        with utf8_or_error(path):
            return pd.read_csv(
                path,
                sep=layout.separator,
                header=0,
                names=names,
                decimal=decimal,
                encoding="utf-8",  # pandas skips a byte order mark by itself, and with utf-8-sig decodes slowly
                skipinitialspace=True,
                low_memory=False,  # else a column's type is guessed anew in every chunk
                **exact,
            )
    except pd.errors.ParserError as fault:
        check_widths(path, layout)
        raise ValueError(f"{path} cannot be read as delimited text: {' '.join(str(fault).split())}") from fault


def _has_decimal_comma(frame: pd.DataFrame) -> bool:
    """Whether there are texts like 1,5, and nothing like 1.5."""
    found = False
    for _, column in frame.items():
        if column.dtype.kind == "f":
            numbers = column.to_numpy()
            if (numbers[np.isfinite(numbers)] % 1 != 0).any():
                return False
        elif column.dtype.kind == "O":
            texts = column.dropna().astype(str).str.strip()
            if texts.str.fullmatch(_POINT).any():
                return False
            found = found or bool(texts.str.fullmatch(_COMMA).any())
    return found


def _counts_rows(column: np.ndarray) -> bool:
    if column.dtype.kind != "i":
        return False
    rows = np.arange(len(column))
    return bool((column == rows).all() or (column == rows + 1).all())


def _open_parquet(path: Path) -> Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from pyvalue.discovery.from_arrow import open_arrow
    from pyvalue.responses import REQUIRED

    try:
        if set(REQUIRED) <= set(pq.read_schema(path).names):
            return _open_answers(path)
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as fault:
        raise ValueError(f"{path} cannot be read as Parquet: {' '.join(str(fault).split())}") from fault
    return open_arrow(table)


def _open_answers(path: Path) -> Source:
    from pyvalue.responses import Responses

    return _answers_source(path, Responses.load(path))


def _read_answers(path: Path, layout: Layout) -> Responses:
    """The answers of a delimited file, in whose texts "NA" or "None" are no missing values."""
    import pandas as pd

    from pyvalue.responses import COLUMNS, NUMBERS, Responses

    numbers = [name for name in layout.header if name in NUMBERS]
    texts = {name: "object" for name in layout.header if name in COLUMNS and name not in NUMBERS}
    try:
        with utf8_or_error(path):
            table = pd.read_csv(
                path,
                sep=layout.separator,
                encoding="utf-8",
                dtype=texts,
                keep_default_na=False,
                na_values={name: ["", "NA", "NaN", "nan"] for name in numbers},
                low_memory=False,
            )
        return Responses(table.loc[:, [name for name in COLUMNS if name in table.columns]])
    except (ValueError, TypeError) as fault:  # a ParserError is a ValueError, too
        raise ValueError(f"{path} has the columns of answers and cannot be read as such: {fault}") from fault


def _answers_source(path: Path, responses: Responses, notes: tuple[str, ...] = ()) -> Source:
    """Such a file has one row an answer; the observations are the rows of its matrix."""
    from pyvalue.broken_edits import working_answers
    from pyvalue.discovery.from_pandas import open_pandas

    kept, left_out = working_answers(responses)
    matrix = kept.matrix()
    taken = f"{path.name} holds answers: took the mean corrected score of each value"
    return open_pandas(matrix, matrix.index, (*notes, taken, *left_out))


_READERS: dict[str, Callable[[Path], Source]] = {
    ".csv": _open_delimited,
    ".tsv": _open_delimited,
    ".txt": _open_delimited,
    ".parquet": _open_parquet,
    ".pq": _open_parquet,
}
