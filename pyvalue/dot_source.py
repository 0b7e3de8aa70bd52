"""Reads the part of Graphviz's language that plain graphs are written in, and refuses the rest by name and line.

Grammar: https://graphviz.org/doc/info/lang.html, without subgraphs, ports, HTML texts and joined texts.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import NoReturn

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/|^\#[^\n]*)
    |(?P<quoted>"(?:[^"\\]|\\.)*")
    |(?P<edge>->|--)
    |(?P<id>[A-Za-z_\x80-\U0010ffff][0-9A-Za-z_\x80-\U0010ffff]*|-?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?))
    |(?P<mark>[{}\[\];,=])""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_REFUSED = {
    "<": "an HTML text",
    ":": "a port",
    "+": "a joined text",
    '"': "a text without its end",
    "/": "a comment without its end",
}
_KEYWORDS = frozenset({"strict", "graph", "digraph", "node", "edge", "subgraph"})


@dataclass(frozen=True)
class DotEdge:
    """One edge: its nodes as written, whether by ``->``, its attributes with the defaults that held, and its line."""

    first: str
    second: str
    directed: bool
    attributes: dict[str, str]
    line: int


@dataclass(frozen=True)
class DotGraph:
    """Nodes with their attributes in order of first appearance, and edges."""

    strict: bool
    nodes: dict[str, dict[str, str]] = field(default_factory=dict)
    edges: list[DotEdge] = field(default_factory=list)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


def read_dot(source: str) -> DotGraph:
    """The graph of a source.

    Raises:
        ValueError: it is not in this part of the language; the message has the line.
    """
    return _Reader(_tokens(source)).graph()


class _Reader:
    """Takes tokens one after another; knows the defaults that hold where it is."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens, self._at = tokens, 0
        self._defaults: dict[str, dict[str, str]] = {"graph": {}, "node": {}, "edge": {}}

    def graph(self) -> DotGraph:
        strict = self._keyword() == "strict"
        if strict:
            self._take()
        kind = self._keyword()
        if kind not in ("graph", "digraph"):
            self._refuse("expected graph or digraph")
        self._take()
        if self._next.kind in ("id", "quoted"):
            self._name()
        self._mark("{")
        found = DotGraph(strict)
        while not self._is("}"):
            self._statement(found, "->" if kind == "digraph" else "--")
        self._take()
        if self._next.kind != "end":
            self._refuse("expected one graph and nothing behind it")
        return found

    def _statement(self, found: DotGraph, operator: str) -> None:
        if self._is(";"):
            self._take()
            return
        keyword = self._keyword()
        if keyword in self._defaults:
            self._take()
            self._defaults[keyword].update(self._attributes())
            return
        line, chain = self._next.line, [self._name()]
        if self._is("="):  # an attribute of the graph
            self._take()
            self._name()
            return
        while self._next.kind == "edge":
            if self._next.text != operator:
                self._refuse(f"expected {operator} in this kind of graph")
            self._take()
            chain.append(self._name())
        attributes = self._attributes()
        for node in chain:
            found.nodes.setdefault(node, dict(self._defaults["node"]))
        if len(chain) == 1:
            found.nodes[chain[0]].update(attributes)
        for first, second in itertools.pairwise(chain):
            found.edges.append(DotEdge(first, second, operator == "->", self._defaults["edge"] | attributes, line))

    def _attributes(self) -> dict[str, str]:
        found = {}
        while self._is("["):
            self._take()
            while not self._is("]"):
                key = self._name()
                self._mark("=")
                found[key] = self._name()
                if self._is(",") or self._is(";"):
                    self._take()
            self._take()
        return found

    def _name(self) -> str:
        token = self._next
        if token.kind not in ("id", "quoted") or self._keyword() is not None:
            self._refuse("expected a name")
        self._take()
        return token.text

    def _keyword(self) -> str | None:
        word = self._next.text.lower()
        return word if self._next.kind == "id" and word in _KEYWORDS else None

    def _mark(self, text: str) -> None:
        if not self._is(text):
            self._refuse(f"expected {text}")
        self._take()

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _is(self, text: str) -> bool:
        return self._next.kind == "mark" and self._next.text == text

    def _take(self) -> None:
        self._at += 1

    def _refuse(self, expected: str) -> NoReturn:
        token = self._next
        got = "the end" if token.kind == "end" else repr(token.text)
        if self._keyword() == "subgraph" or (expected == "expected a name" and self._is("{")):
            got = "a subgraph"
        raise ValueError(f"source: line {token.line}: {expected}, got {got}")


def _tokens(source: str) -> list[_Token]:
    found, at, line = [], 0, 1
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            what = _REFUSED.get(source[at], repr(source[at]))
            raise ValueError(f"source: line {line}: expected a plain graph of names and edges, got {what}")
        kind, text = str(match.lastgroup), match[0]
        if kind != "space":
            found.append(_Token(kind, _unquoted(text) if kind == "quoted" else text, line))
        line += text.count("\n")
        at = match.end()
    return [*found, _Token("end", "", line)]


def _unquoted(text: str) -> str:
    """Without quotes; a backslash hides a quote, a backslash or an end of line, and else stands for itself."""
    plain = {'"': '"', "\\": "\\", "\n": ""}
    return re.sub(r"\\(.)", lambda pair: plain.get(pair[1], pair[0]), text[1:-1], flags=re.DOTALL)
