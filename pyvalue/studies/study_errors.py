"""What is wrong with a study: each fault with its file, line and key, all of them in one error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyvalue.studies.kinds import shown
from pyvalue.studies.toml_lines import KeyPath
from pyvalue.visible_text import printable

_BARE = re.compile(r"[A-Za-z0-9_-]+")
#: faults that a message tells; the error has all of them
_MOST = 20


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        line: from 1.
        key: dotted; empty for the file as a whole.
        text: what was expected, what came, and what to do.
    """

    line: int
    key: str
    text: str


class StudyError(ValueError):
    """A study that cannot be run.

    Attributes:
        file: as it was given.
        faults: by line.
    """

    def __init__(self, file: str, faults: Iterable[Fault]) -> None:
        self.file = file
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        told = [f"{file}:{one.line}: {f'{one.key}: ' if one.key else ''}{one.text}" for one in self.faults[:_MOST]]
        if len(self.faults) > _MOST:
            told.append(f"{file}: and {len(self.faults) - _MOST} more")
        super().__init__("\n".join(printable(line, 350) for line in told))


class Faults:
    """Collects what is wrong, and knows where keys stand.

    Args:
        lines: of ``key_lines``.
    """

    def __init__(self, lines: Mapping[KeyPath, int]) -> None:
        self._lines = lines
        self.found: list[Fault] = []

    def add(self, path: KeyPath, text: str) -> None:
        """Note a fault of an entry, or of the nearest table above it that the file has."""
        self.found.append(Fault(self.line(path), dotted(path), text))

    def line(self, path: KeyPath) -> int:
        """Where an entry stands, else the nearest table above it; 1 where the file has neither."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


def dotted(path: KeyPath) -> str:
    """A path as one writes it in TOML, with places in arrays in brackets."""
    told = ""
    for name in path:
        if isinstance(name, int):
            told += f"[{name}]"
        else:
            told += ("." if told else "") + (name if _BARE.fullmatch(name) else shown(name))
    return told


def suggestion(name: str, known: Iterable[str], around: str = "{}") -> str:
    """``; did you mean NAME?`` where a known name is near, else nothing."""
    by_case = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), by_case, n=1, cutoff=0.6)
    if not near and len(name) > 3:  # a long name of which the beginning was written
        near = [one for one in by_case if difflib.get_close_matches(name.lower(), [one[: len(name) + 1]], cutoff=0.8)]
    return f"; did you mean {around.format(by_case[near[0]])}?" if near else ""
