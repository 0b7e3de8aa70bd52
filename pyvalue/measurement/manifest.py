"""``manifest.json`` of a run folder: what is asked, with what it was begun, and how far it is.

Only the study decides whether a folder may be used; the rest is a record.
"""

from __future__ import annotations

import contextlib
import datetime
import platform
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from pyvalue.atomic_files import write_json
from pyvalue.errors import StoreError
from pyvalue.file_faults import file_faults
from pyvalue.json_files import read_json
from pyvalue.measurement.command_line import without_secrets

SCHEMA = 2
NAME = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What a run folder says of itself.

    Attributes:
        study: what is asked.
        versions: of Python and packages when the run was begun; it may go on with others.
        started: when it was begun, UTC, ISO 8601.
        command: that began it, without secrets.
        status: ``done`` and ``total`` (parts), ``updated`` and ``finished`` (UTC; None while parts are missing). Empty
            where the run does not count parts. A killed run's count may be behind what is stored.
    """

    study: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    started: str = ""
    command: tuple[str, ...] = ()
    status: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def begun_now(cls, study: dict[str, Any]) -> Manifest:
        """The manifest of a run that this process begins."""
        return cls(study, _versions(), _now(), tuple(without_secrets(sys.argv)))

    @classmethod
    @file_faults("manifest", StoreError)
    def load(cls, folder: Path, results: str = "responses") -> Manifest:
        """Read the manifest of a run folder.

        Args:
            folder: of the run.
            results: folder of its parts, for the message.

        Raises:
            StoreError: it is damaged, or of another schema.
        """
        path = folder / NAME
        try:
            stored = dict(read_json(path, links=False))
            schema = stored["schema"]
            if isinstance(schema, bool) or not isinstance(schema, int):
                raise ValueError(f"schema: expected a whole number, got {schema!r}")
            if schema == SCHEMA:
                return cls(
                    dict(stored["study"]),
                    dict(stored.get("versions") or {}),
                    str(stored.get("started") or ""),
                    tuple(stored.get("command") or ()),
                    dict(stored.get("status") or {}),
                )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
            raise StoreError(f"manifest {path} cannot be read ({fault}); move the folder away") from fault
        if schema > SCHEMA:
            raise StoreError(
                f"run folder {folder} was made by a newer version of pyvalue (its manifest has schema {schema}, this "
                f"version reads {SCHEMA}); upgrade pyvalue, or use another folder"
            )
        read = f"Responses.load({str(folder / results)!r})" if results == "responses" else f"from {folder / results}"
        raise StoreError(
            f"run folder {folder} was made by an older version of pyvalue (its manifest has schema {schema}, this "
            f"version writes {SCHEMA}); its answers can still be read with {read}, but the run cannot be resumed: use "
            "another folder"
        )

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            StoreError: the disk is full or the folder cannot be written.
        """
        content = {
            "schema": SCHEMA, "study": self.study, "versions": self.versions, "started": self.started,
            "command": list(self.command), "status": self.status,
        }  # fmt: skip
        write_json(folder / NAME, content)

    def with_status(self, done: int, total: int) -> Manifest:
        """The same run when ``done`` of its ``total`` parts are stored; a finished run stays finished at its time."""
        before = self.status
        if before.get("done") == done and before.get("total") == total:
            return self
        status = {"done": done, "total": total, "updated": _now(), "finished": _now() if done == total else None}
        return Manifest(self.study, self.versions, self.started, self.command, status)


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Dotted names of the entries that differ."""
    found = []
    for key in sorted(one.keys() | other.keys()):
        a, b = one.get(key), other.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += [f"{key}.{name}" for name in differences(a, b)]
        elif a != b:
            found.append(key)
    return found


def listed(names: list[str], most: int = 8, longest: int = 60) -> str:
    """Names in one line that a person can read: prompts and edits may be many, and long."""
    flat = [" ".join(name.split()) for name in names[:most]]
    shown = [name if len(name) <= longest else f"{name[: longest - 3]}..." for name in flat]
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join(shown + more)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("pyvalue", "torch", "transformers"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
