"""``manifest.json`` of a study's run: what is asked, with what it was begun, and how far every stage is.

What decides the numbers decides whether a folder may be used; the rest is a record.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import platform
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from pyvalue.atomic_files import write_json
from pyvalue.errors import StoreError
from pyvalue.measurement.command_line import without_secrets
from pyvalue.measurement.manifest import differences
from pyvalue.studies.study import INNER, TABLES, Study
from pyvalue.studies.study_file import entries_of

SCHEMA = 2
NAME = "manifest.json"
KIND = "study"
#: entries that decide no number: where work runs, what it may cost, how the page looks
_NOT_DECISIVE = {
    "engine": None,
    "report": None,
    "model": ("concurrency", "timeout", "max_retries", "price", "requests_per_minute"),
    "measure": ("max_cost",),
}


@dataclass(frozen=True)
class RunManifest:
    """What the folder of a run says of it.

    Attributes:
        study: what decides the numbers; see ``decisive``.
        study_folder: where the study's relative paths start, relative to the run folder.
        stages: name -> ``status`` ("running", "done", "failed" or "interrupted") and what there is to tell of it: what
            it was ``given`` and ``made_from``, and the SHA-256 of what it made, see ``stage_inputs``.
        versions: of Python and packages when the run was begun.
        started: when it was begun, UTC, ISO 8601.
        command: that began it, without secrets.
    """

    study: dict[str, Any]
    study_folder: str = "."
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    started: str = ""
    command: tuple[str, ...] = ()

    @classmethod
    def begun_now(cls, study: Study, folder: Path) -> RunManifest:
        """The manifest of a run that this process begins."""
        where = os.path.relpath(os.path.realpath(study.folder), os.path.realpath(folder))
        return cls(
            decisive(study), where, versions=_versions(), started=now(), command=tuple(without_secrets(sys.argv))
        )

    @classmethod
    def load(cls, folder: Path) -> RunManifest | None:
        """The manifest of a folder; None where it has none, or one of another kind.

        Raises:
            StoreError: it is damaged, or of a newer version.
        """
        path = folder / NAME
        if not path.is_file():
            return None
        try:
            data = dict(json.loads(path.read_text(encoding="utf-8")))
            if data.get("kind") != KIND:
                return None
            if data["schema"] != SCHEMA:
                raise StoreError(
                    f"run folder {folder} was made by another version of pyvalue (its manifest has schema "
                    f"{data['schema']!r:.20}, this version reads {SCHEMA}); use another folder"
                )
            stages = {str(name): dict(told) for name, told in dict(data["stages"]).items()}
            known = {one.name for one in dataclasses.fields(cls)} - {"stages", "command"}
            texts = {name: data[name] for name in known if name in data}
            return cls(**texts, stages=stages, command=tuple(map(str, data.get("command") or ())))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
            raise StoreError(f"manifest {path} cannot be read ({fault}); move the folder away") from fault

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            StoreError: it cannot be written.
        """
        write_json(folder / NAME, {"schema": SCHEMA, "kind": KIND, **dataclasses.asdict(self)})

    def with_stage(self, name: str, **told: Any) -> RunManifest:
        """The same run with what is now to tell of a stage."""
        return dataclasses.replace(self, stages={**self.stages, name: told})

    def changed(self, study: Study) -> list[str]:
        """Dotted keys of what another study asks otherwise."""
        return differences(self.study, decisive(study))


def decisive(study: Study) -> dict[str, Any]:
    """What of a study decides its numbers, JSON-able, by the names of the file; defaults filled in."""
    found: dict[str, Any] = {}
    for name, kind in TABLES.items():
        left_out = _NOT_DECISIVE.get(name, ())
        table = getattr(study, name)
        if left_out is None or table is None or table == ():
            continue
        if name == "edits":
            found[name] = [_told(edit, kind) for edit in table]
        else:
            found[name] = {key: value for key, value in _told(table, kind).items() if key not in left_out}
            for inner, inner_kind in INNER.get(name, {}).items():
                if (inside := getattr(table, inner)) is not None:
                    found[name][inner] = _told(inside, inner_kind)
    return dict(json.loads(json.dumps(found)))


def _told(table: Any, kind: type) -> dict[str, Any]:
    values = {name: getattr(table, one.name) for name, (one, _) in entries_of(kind).items()}
    return {name: dataclasses.asdict(v) if dataclasses.is_dataclass(v) else v for name, v in values.items()}  # type: ignore[arg-type]


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("pyvalue", "numpy", "torch", "transformers"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
