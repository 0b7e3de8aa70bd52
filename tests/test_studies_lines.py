"""Lines of keys against tomllib: what it finds in a document is found on the line where it was written."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvalue.studies.toml_lines import key_lines

NAMES = st.one_of(
    st.text("abcXYZ019_-", min_size=1, max_size=4),
    st.sampled_from(["a.b", "", "sp ace", "[x]", "= #", "ü", 'quo"te', "it's", "a\\b", "{", "line\nbreak"]),
)
NUMBERS = st.sampled_from(["0", "-1.5", "true", "inf", "1979-05-27 07:32:00", "0xff", "1_000"])
TEXTS = st.sampled_from([
    '"plain # no comment"', "'lit [a] = 1'",
    '"esc \\" = \\\\"', '"""one\n# two\nkey = 3\n[t]"""', "'''\n[[x]]\na = 1'''",
    '"""quotes ""\\" and four""""', "''''a'''''", '"""\\\n   folded"""', "''", '""', '""""""',
])  # fmt: skip


def written(name: str, draw_quote: bool) -> str:
    """A key as TOML: bare where it can be and is wished, else in quotes."""
    bare = name and all(c.isascii() and (c.isalnum() or c in "_-") for c in name)
    if bare and not draw_quote:
        return name
    if "'" not in name and "\n" not in name and len(name) % 2:
        return f"'{name}'"
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class Writer:
    """Writes a random document, and keeps on which line it wrote every key."""

    def __init__(self, draw) -> None:
        self.draw, self.text = draw, ""
        self.lines: dict[tuple, int] = {}

    def line(self) -> int:
        return self.text.count("\n") + 1

    def note(self, path: tuple) -> None:
        self.lines.setdefault(path, self.line())

    def blank(self, newlines: bool) -> None:
        spaces = ["", " ", "\t"] + (["\n", "# c = 1\n", " \n\n"] if newlines else [])
        self.text += self.draw(st.sampled_from(spaces))

    def key(self, path: tuple, names: list[str]) -> None:
        for depth in range(len(names)):
            self.note((*path, *names[: depth + 1]))
        dot = self.draw(st.sampled_from([".", " . ", "\t."]))
        self.text += dot.join(written(name, self.draw(st.booleans())) for name in names)

    def value(self, path: tuple, depth: int = 0) -> None:
        kind = self.draw(st.sampled_from(["number", "text", "text", "array", "inline"][: 3 if depth > 2 else 5]))
        if kind == "number":
            self.text += self.draw(NUMBERS)
        elif kind == "text":
            self.text += self.draw(TEXTS)
        elif kind == "array":
            self.text += "["
            count = self.draw(st.integers(0, 3))
            for place in range(count):
                self.blank(True)
                self.note((*path, place))
                self.value((*path, place), depth + 1)
                self.blank(True)
                self.text += "," if place + 1 < count or self.draw(st.booleans()) else ""
            self.blank(True)
            self.text += "]"
        else:
            self.text += "{"
            names = self.draw(st.lists(NAMES, unique=True, max_size=3))
            for place, name in enumerate(names):
                self.blank(False)
                self.key(path, [name])
                self.text += " = "
                self.value((*path, name), depth + 1)
                self.blank(False)
                self.text += "," if place + 1 < len(names) else ""
            self.text += "}"

    def pairs(self, path: tuple, reserved: set[str]) -> None:
        for name in self.draw(st.lists(NAMES, unique=True, max_size=4)):
            if name in reserved:
                continue
            self.blank(True)
            tail = [self.draw(NAMES)] if self.draw(st.booleans()) else []
            self.key(path, [name, *tail])
            self.blank(False)
            self.text += "="
            self.blank(False)
            self.value((*path, name, *tail))
            self.text += self.draw(st.sampled_from(["\n", " # x = 1\n", "\t\n"]))

    def document(self) -> None:
        tables = self.draw(st.lists(NAMES, unique=True, max_size=3))
        self.pairs((), set(tables))
        for name in tables:
            several = self.draw(st.integers(0, 3))
            for place in range(max(1, several)):
                self.blank(True)
                below = {"sub"}
                path = (name, place) if several else (name,)
                self.note((name,))
                self.note(path)
                inside = written(name, self.draw(st.booleans()))
                self.text += f"[[ {inside} ]]\n" if several else f"[{inside}]  # [other]\n"
                self.pairs(path, below)
                if self.draw(st.booleans()):
                    self.blank(True)
                    self.note((*path, "sub"))
                    self.text += f"[{inside}.sub]\n"
                    self.pairs((*path, "sub"), set())


def paths(found, path=()):
    """Every path of a document that tomllib read."""
    if path:
        yield path
    if isinstance(found, dict):
        for name, below in found.items():
            yield from paths(below, (*path, name))
    elif isinstance(found, list):
        for place, below in enumerate(found):
            yield from paths(below, (*path, place))


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_every_key_is_found_where_it_was_written(data):
    writer = Writer(data.draw)
    writer.document()
    document = tomllib.loads(writer.text)
    found = key_lines(writer.text)
    assert set(found) == set(paths(document))
    assert found == writer.lines


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_windows_line_ends_change_no_line(data):
    writer = Writer(data.draw)
    writer.document()
    assert key_lines(writer.text.replace("\n", "\r\n")) == key_lines(writer.text)


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a.b.c = 1\na.b.d = 2", ("a", "b", "d"), 2),
        ("[a.b]\n[a]\nx = 1", ("a",), 1),
        ("[[a]]\n[[a.b]]\nx=1\n[[a.b]]\nx=2\n[[a]]\n[[a.b]]\nx=3", ("a", 1, "b", 0, "x"), 8),
        ("[[a]]\n[a.c]\nx=1\n[[a]]\n[a.c]\nx=2", ("a", 1, "c", "x"), 6),
        ("x = [\n 1, # ]\n [2,\n 3]]", ("x", 1, 1), 4),
        ("x = [\n{a = 1},\n{a = '''\n'''}, {b = 2}]", ("x", 2, "b"), 4),
        ('x = """\ny = 1"""\ny = 2', ("y",), 3),
        ("", ("x",), None),
    ],
)
def test_documents_that_are_hard_to_read(text, path, line):
    tomllib.loads(text)
    assert key_lines(text).get(path) == line
