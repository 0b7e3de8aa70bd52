"""On which line of a TOML text every key stands, which ``tomllib`` does not tell. Reads keys only, and checks nothing.

The text must be one that ``tomllib`` has read: what is no TOML is its business to refuse.
"""

from __future__ import annotations

import tomllib
from typing import Any

#: keys of tables, and places in arrays from 0
KeyPath = tuple[str | int, ...]


def key_lines(text: str) -> dict[KeyPath, int]:
    """Where every table and every key is named first.

    Args:
        text: TOML that is well formed.

    Returns:
        Path -> line from 1. Tables have the line of their header, or of the first key or header below them; tables of
        an array the line of their own ``[[header]]`` or brace.
    """
    return _Scanner(text.replace("\r\n", "\n")).lines()


class _Scanner:
    """Walks through a text once, from left to right."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._line = text, 0, 1
        self._lines: dict[KeyPath, int] = {}
        # header of an array of tables -> how many of them there are
        self._counts: dict[KeyPath, int] = {}

    def lines(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._blank(newlines=True):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._lines

    def _header(self) -> KeyPath:
        line, brackets = self._line, 2 if self._text.startswith("[[", self._at) else 1
        self._skip(brackets)
        names = self._names("]")
        self._skip(brackets)
        # A header goes through the last table of each array on its way.
        path: KeyPath = ()
        for name in names[:-1]:
            path = self._last((*path, name), line)
        path = (*path, names[-1])
        if brackets == 2:
            self._note(path, line)
            self._counts[path] = self._counts.get(path, 0) + 1
        return self._last(path, line)

    def _last(self, path: KeyPath, line: int) -> KeyPath:
        """The table that a header means by this path, noted."""
        self._note(path, line)
        if path in self._counts:
            path = (*path, self._counts[path] - 1)
            self._note(path, line)
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._line
        names = self._names("=")
        self._skip(1)
        for depth in range(1, len(names) + 1):
            self._note((*table, *names[:depth]), line)
        self._blank()
        self._value((*table, *names))

    def _value(self, path: KeyPath) -> None:
        first = self._text[self._at]
        if first in "\"'":
            self._string()
        elif first == "[":
            self._array(path)
        elif first == "{":
            self._inline(path)
        else:
            while self._at < len(self._text) and self._text[self._at] not in ",]}#\n":
                self._skip(1)

    def _array(self, path: KeyPath) -> None:
        self._skip(1)
        place = 0
        while self._blank(newlines=True) and self._text[self._at] != "]":
            if self._text[self._at] == ",":
                self._skip(1)
                continue
            self._note((*path, place), self._line)
            self._value((*path, place))
            place += 1
        self._skip(1)

    def _inline(self, path: KeyPath) -> None:
        self._skip(1)
        while self._blank(newlines=True) and self._text[self._at] != "}":
            if self._text[self._at] == ",":
                self._skip(1)
            else:
                self._pair(path)
        self._skip(1)

    def _names(self, end: str) -> tuple[str, ...]:
        """The names of a key up to ``end``, which may also stand in quotes; ``tomllib`` reads them."""
        start = self._at
        while self._text[self._at] != end:
            if self._text[self._at] in "\"'":
                self._string()
            else:
                self._skip(1)
        found: Any = tomllib.loads(f"{self._text[start : self._at].strip()} = 0")
        names = []
        while isinstance(found, dict):
            ((name, found),) = found.items()
            names.append(name)
        return tuple(names)

    def _string(self) -> None:
        quote = self._text[self._at]
        mark = quote * 3 if self._text.startswith(quote * 3, self._at) else quote
        self._skip(len(mark))
        while not self._text.startswith(mark, self._at):
            self._skip(2 if quote == '"' and self._text[self._at] == "\\" else 1)
        self._skip(len(mark))
        # One or two quotes may stand before the three that end a text of several lines.
        while len(mark) == 3 and self._text.startswith(quote, self._at):
            self._skip(1)

    def _blank(self, newlines: bool = False) -> bool:
        """Go to the next character that is neither space nor comment; False at the end of the text."""
        spaces = " \t\n" if newlines else " \t"
        while self._at < len(self._text):
            if newlines and self._text[self._at] == "#":
                end = self._text.find("\n", self._at)
                self._skip((len(self._text) if end < 0 else end) - self._at)
            elif self._text[self._at] in spaces:
                self._skip(1)
            else:
                return True
        return False

    def _skip(self, count: int) -> None:
        self._line += self._text.count("\n", self._at, self._at + count)
        self._at += count

    def _note(self, path: KeyPath, line: int) -> None:
        self._lines.setdefault(path, line)
