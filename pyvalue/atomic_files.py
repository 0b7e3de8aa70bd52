"""Files that are whole or not there: written under another name, forced to the disk, and only then renamed.

A kill, a full disk or a power cut leaves the old file or the new one, and never half of one.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from pyvalue.errors import StoreError


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write Parquet, whole or not at all.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    replace_file(path, lambda scratch: table.to_parquet(scratch, index=False))


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON, whole or not at all.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    replace_file(path, lambda scratch: scratch.write_text(text, encoding="utf-8"))


def replace_file(path: str | Path, write: Callable[[Path], object]) -> None:
    """Make a file of what ``write`` puts into the file that it is given.

    A symbolic link at ``path`` is replaced, and what it points to is left alone.

    Raises:
        StoreError: the disk is full or the folder cannot be written; what was at ``path`` is still there.
    """
    path = Path(path)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        write(scratch)
        _to_disk(scratch)  # before the rename: after a power cut, a name may else stand for a file without its bytes
        os.replace(scratch, path)
    except BaseException as fault:  # an interrupt, too, takes its half-written file with it
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        if isinstance(fault, OSError):
            raise StoreError(f"cannot write {path}: {reason(fault)}; nothing was changed") from fault
        raise
    with contextlib.suppress(OSError):  # not every file system can do this for a folder; the rename itself is done
        _to_disk(path.parent)


def remove_leftovers(folder: Path) -> None:
    """Remove what kills left half-written under ``folder``. Only for one who knows that nobody writes there."""
    for pattern in (".part-*.parquet*.part", ".manifest.json*.part"):
        for path in folder.glob(pattern):
            with contextlib.suppress(OSError):
                path.unlink()


def reason(fault: OSError) -> str:
    """The system's own words, which libraries wrap into theirs."""
    return os.strerror(fault.errno) if fault.errno else str(fault)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
