"""A run folder: what was asked (``manifest.json``) and the results so far (``responses/part-*.parquet``).

Parts are written whole under a temporary name and then renamed, so that a kill at any moment loses at most the part
in flight. This module knows nothing of models.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import pandas as pd

from pyvalue.errors import StoreError
from pyvalue.responses import Responses

SCHEMA = 2


class RunFolder:
    """One study's answers on disk, held by one process at a time. Use as a context manager.

    Args:
        path: created when absent.
        study: what is asked, JSON-able; a folder that holds another study is refused.
        results: name of the folder within, where the parts go.

    Raises:
        StoreError: the folder cannot be written, belongs to another study, or is in use.
    """

    def __init__(self, path: str | Path, study: dict[str, Any], results: str = "responses") -> None:
        self.path = Path(path)
        self.study = json.loads(json.dumps(study))
        self._results = results
        self._lock: IO[str] | None = None

    def __enter__(self) -> RunFolder:
        try:
            (self.path / self._results).mkdir(parents=True, exist_ok=True)
            self._lock = open(self.path / ".lock", "w")
        except OSError as fault:
            raise StoreError(f"run folder {self.path} cannot be written: {fault.strerror}") from fault
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._open_manifest()
        except OSError as fault:
            self.__exit__()
            raise StoreError(f"run folder {self.path} is in use by another process") from fault
        except StoreError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def part(self, group: int) -> Path:
        """Where the answers of a group of questions go."""
        return self.path / self._results / f"part-{group:06d}.parquet"

    def parts(self) -> list[Path]:
        """What is stored so far, in the order of the groups."""
        return sorted((self.path / self._results).glob("part-*.parquet"))

    def write_part(self, group: int, table: pd.DataFrame) -> None:
        """Store one group's answers, whole or not at all."""
        Responses(table).save(self.part(group))

    def read(self) -> Responses:
        """Every answer stored so far, in the order of the groups."""
        found = Responses.load(self.path / "responses")
        return Responses(found.table, {"study": self.study})

    def _open_manifest(self) -> None:
        path = self.path / "manifest.json"
        answered = any(self.path.glob("*/part-*.parquet"))  # of whichever kind of study
        if answered and not path.exists():
            raise StoreError(f"run folder {self.path} holds answers but no manifest.json; move them away")
        if not answered:  # also where an earlier call failed before its first answer
            write_json(path, {"schema": SCHEMA, "study": self.study, "versions": _versions()})
            return
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            stored, schema = dict(manifest["study"]), manifest["schema"]
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise StoreError(f"manifest {path} cannot be read ({fault}); move the folder away") from fault
        if schema != SCHEMA:
            raise StoreError(f"manifest {path} has schema {schema}, this version reads {SCHEMA}; use another folder")
        if stored != self.study:
            differs = _listed(_differences(stored, self.study))
            raise StoreError(
                f"run folder {self.path} belongs to another study (differs in: {differs}); "
                "use another folder, or delete this one"
            )


def _versions() -> dict[str, str]:
    """What the run was begun with, for the record: a resumed run may use others."""
    found = {"python": platform.python_version()}
    for package in ("pyvalue", "torch", "transformers"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Dotted names of the entries that differ."""
    found = []
    for key in sorted(one.keys() | other.keys()):
        a, b = one.get(key), other.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += [f"{key}.{name}" for name in _differences(a, b)]
        elif a != b:
            found.append(key)
    return found


def _listed(names: list[str], most: int = 8, longest: int = 60) -> str:
    """Names in one line that a person can read: prompts and edits may be many, and long."""
    flat = [" ".join(name.split()) for name in names[:most]]
    shown = [name if len(name) <= longest else f"{name[: longest - 3]}..." for name in flat]
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join(shown + more)


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write Parquet to a temporary name and rename it: the file is whole, or not there.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    scratch = path.with_name(f".{path.name}.part")
    try:
        table.to_parquet(scratch, index=False)
        os.replace(scratch, path)
    except OSError as fault:
        scratch.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {fault.strerror or fault}; nothing was changed") from fault


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON to a temporary name and rename it: the file is either the old one or the whole new one.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    scratch = path.with_name(f".{path.name}.part")
    try:
        scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(scratch, path)
    except OSError as fault:
        scratch.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {fault.strerror or fault}; nothing was changed") from fault
