"""What a run folder may hold: folders and plain files inside of it. Run folders are handed on, so they are not trusted.

A link that leads out would show, or overwrite, files that are none of the run; a pipe would hang whoever reads it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pyvalue.errors import StoreError

FOLDERS = ("base", "steered", "report")
FILES = (
    "study.toml", "manifest.json", "graph.json", "plan.json", "evaluation.json", "audit.json", "audit-nulls.parquet",
    "reference.json",
)  # fmt: skip
#: bytes of a JSON or TOML file that is read
MOST_BYTES = 1_000_000_000


def check_run_folder(folder: Path) -> None:
    """Make sure that what is read from a run folder, and written into it, is in it.

    Args:
        folder: may itself be a link, which whoever names it chose.

    Raises:
        StoreError: it is no folder; something in it is a link that leads out of it, or of the wrong kind, or a file is
            too large to be one of a run.
    """
    if not folder.is_dir():
        raise StoreError(f"run folder {folder}: no such folder")
    inside = os.path.realpath(folder)
    for path, is_folder in _known(folder):
        if not os.path.lexists(path):
            continue
        real = os.path.realpath(path)
        if os.path.commonpath([inside, real]) != inside:
            raise StoreError(f"run folder {folder}: {path.relative_to(folder)} is a link that leads out of the folder")
        try:
            found = os.stat(path)
        except OSError as fault:
            raise StoreError(f"run folder {folder}: {path.relative_to(folder)} cannot be read") from fault
        kind = stat.S_ISDIR if is_folder else stat.S_ISREG
        if not kind(found.st_mode):
            expected = "a folder" if is_folder else "a plain file"
            raise StoreError(f"run folder {folder}: {path.relative_to(folder)} is not {expected}")
        if path.suffix in (".json", ".toml") and found.st_size > MOST_BYTES:
            raise StoreError(f"run folder {folder}: {path.relative_to(folder)} is too large to be a file of a run")


def _known(folder: Path) -> Iterator[tuple[Path, bool]]:
    """What a run may have, outer folders first, and whether each is a folder."""
    yield from ((folder / name, False) for name in FILES)
    yield from ((folder / name, True) for name in FOLDERS)
    yield folder / "report" / "figures", True
    for answers in (folder / "base", folder / "steered", folder):
        yield answers / "manifest.json", False
        yield answers / "responses", True
        if (answers / "responses").is_dir():
            yield from ((part, False) for part in sorted((answers / "responses").glob("part-*.parquet")))
