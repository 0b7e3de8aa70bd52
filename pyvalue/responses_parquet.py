"""Answers on disk: Parquet files with the facts beside the table, and folders of parts with a manifest."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from pyvalue.atomic_files import replace_file
from pyvalue.errors import StoreError
from pyvalue.file_faults import check_regular, file_faults
from pyvalue.json_files import read_json
from pyvalue.responses_arrow import as_arrow, facts_in


def write_parquet(table: pd.DataFrame, facts: dict[str, Any], path: Path) -> Path:
    """Write whole or not at all: under a temporary name, then renamed.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
        TypeError: the facts hold something that JSON cannot.
    """
    import pyarrow.parquet as pq

    content = as_arrow(table, facts)
    replace_file(path, lambda scratch: pq.write_table(content, scratch))
    return path


@file_faults("responses", StoreError)
def read_parquet(
    path: Path, complete: Callable[[pd.DataFrame], pd.DataFrame]
) -> tuple[list[pd.DataFrame], dict[str, Any]]:
    """The tables of a file or folder, and the facts.

    Args:
        path: of one file, of a folder of ``part-*.parquet``, or of a run folder, which holds them in ``responses``.
        complete: checks a table and gives it all of its columns; its ValueError means that the file is no such table.

    Raises:
        StoreError: no such file, no parts, or not readable.
    """
    if not path.is_dir():
        table, facts = _read(path, complete)
        return [table], facts
    # A link may lead anywhere, and its target change between two readings.
    files = sorted(path.glob("part-*.parquet")) or sorted((path / "responses").glob("part-*.parquet"))
    if not files:
        raise StoreError(f"no responses in {path}; expected part-*.parquet")
    read = [_read(file, complete, links=False) for file in files]
    return [table for table, _ in read], _manifest_facts(files[0].parent) or read[0][1]


def _read(
    file: Path, complete: Callable[[pd.DataFrame], pd.DataFrame], links: bool = True
) -> tuple[pd.DataFrame, dict[str, Any]]:
    import pyarrow.parquet as pq

    own = re.fullmatch(r"part-.*\.parquet", file.name)
    if not own and not _is_parquet(file):
        raise StoreError(
            f"responses {file} is no Parquet file; expected a folder of answers, or a Parquet file of them, as "
            "pyvalue measure and Responses.save write"
        )
    try:
        check_regular(file, links)
        content = pq.read_table(file)
        facts = facts_in(content)
        return complete(content.to_pandas()), facts
    # pyarrow and pandas raise a dozen types over damaged metadata.
    except Exception as fault:
        advice = "; if it is damaged, delete it and measure again" if own else ""
        raise StoreError(f"responses {file} cannot be read ({fault}){advice}") from fault


def _is_parquet(file: Path) -> bool:
    """By its first bytes; True also where these cannot be had, which is told later."""
    if not file.is_file():
        return True
    with file.open("rb") as stream:
        start = stream.read(4)
    return start == b"PAR1" or file.suffix == ".parquet"


def _manifest_facts(folder: Path) -> dict[str, Any]:
    """``{"study": ...}`` of the manifest in a folder of parts, or above it; empty where there is none."""
    for place in (folder, folder.parent):
        path = place / "manifest.json"
        if not path.exists():
            continue
        try:
            return {"study": dict(read_json(path, links=False)["study"])}
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise StoreError(f"manifest {path} cannot be read ({fault}); load the answers beside it by file") from fault
    return {}
