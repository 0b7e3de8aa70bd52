"""What an entry of ``study.toml`` may be, and how it is told when it is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PLACES = ("all", "prompt", "generated")


class Refused(Exception):
    """An entry that is not of its kind; its text says what is wrong, beyond what was expected."""


@dataclass(frozen=True)
class Kind:
    """What an entry may be.

    Attributes:
        expected: in words, after "expected".
        read: from what ``tomllib`` gives to the value; raises ``Refused``.
        choices: all that it may be, where it is one of a few words.
    """

    expected: str
    read: Callable[[Any], Any]
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class SAESource:
    """Where an SAE comes from: as arguments of ``pyvalue.load_sae``.

    Attributes:
        source: ``"demo"``, or a folder or file.
        release: of sae-lens, instead.
        sae_id: within the release.
        hook: where it reads; default what its files say.
    """

    source: str | None = None
    release: str | None = None
    sae_id: str | None = None
    hook: str | None = None


@dataclass(frozen=True)
class Place:
    """Where an edit acts: exactly one of word, span and indices.

    Attributes:
        word: ``"all"``, ``"prompt"`` or ``"generated"``.
        span: a text in the prompt.
        occurrence: of the span.
        indices: of tokens of the prompt.
    """

    word: str | None = None
    span: str | None = None
    occurrence: str | int = "all"
    indices: tuple[int, ...] | None = None


def text(*choices: str, empty: bool = False) -> Kind:
    """A text; one of ``choices``, where there are any."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or (choices and value not in choices) or not (value or empty):
            raise Refused
        return value

    expected = " or ".join(f'"{choice}"' for choice in choices) or "a text in quotes"
    return Kind(expected, read, choices)


def whole(least: int | None = None, most: int | None = None) -> Kind:
    """A whole number."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Refused
        if (least is not None and value < least) or (most is not None and value > most):
            raise Refused
        return value

    expected = "a whole number"
    if least is not None and most is not None:
        expected += f" from {least} to {most}"
    elif least is not None:
        expected += f" of at least {least}"
    return Kind(expected, read)


def number(
    least: float | None = None, most: float | None = None, above: float | None = None, below: float | None = None
) -> Kind:
    """A finite number."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Refused
        low = (least is not None and value < least) or (above is not None and value <= above)
        high = (most is not None and value > most) or (below is not None and value >= below)
        if low or high:
            raise Refused
        return float(value)

    ends = [("of at least", least), ("above", above), ("of at most", most), ("below", below)]
    told = " and ".join(f"{word} {end:g}" for word, end in ends if end is not None)
    return Kind(f"a number {told}".strip(), read)


def truth() -> Kind:
    """True or false."""

    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise Refused
        return value

    return Kind("true or false", read)


def many(kind: Kind, least: int = 0, most: int | None = None) -> Kind:
    """An array of entries of one kind, as a tuple."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) < least or (most is not None and len(value) > most):
            raise Refused
        found = []
        for place, entry in enumerate(value):
            try:
                found.append(kind.read(entry))
            except Refused as fault:
                raise Refused(f"entry {place + 1} is {shown(entry)}") from fault
        return tuple(found)

    count = f"{least} " if most == least else ""
    expected = f"an array of {count}entries, each {kind.expected}"
    return Kind(expected + (f", at least {least}" if least and most != least else ""), read, kind.choices)


def nonzero() -> Kind:
    """A finite number other than 0."""

    def read(value: Any) -> float:
        found = float(number().read(value))
        if not found:
            raise Refused
        return found

    return Kind("a number other than 0", read)


def positions() -> Kind:
    """Where an edit acts."""

    def read(value: Any) -> Place:
        if isinstance(value, str) and value in PLACES:
            return Place(value)
        if isinstance(value, str):
            raise Refused(f"for a text of the prompt write {{ span = {shown(value)} }}")
        if not isinstance(value, dict):
            raise Refused
        if value.keys() == {"indices"}:
            return Place(indices=many(whole(), 1).read(value["indices"]))
        if "span" in value and value.keys() <= {"span", "occurrence"}:
            which = value.get("occurrence", "all")
            return Place(span=text().read(value["span"]), occurrence=which if which == "all" else whole().read(which))
        raise Refused

    expected = '"all", "prompt", "generated", { span = "your values" } or { indices = [0, -1] }'
    return Kind(expected, read, PLACES)


def sae() -> Kind:
    """An SAE by folder, or of a release."""
    names = {"source", "release", "sae_id", "hook"}

    def read(value: Any) -> SAESource:
        if isinstance(value, str) and value:
            return SAESource(value)
        if not isinstance(value, dict) or not value.keys() <= names:
            raise Refused
        if not all(isinstance(entry, str) and entry for entry in value.values()):
            raise Refused
        if ("source" in value) == ("release" in value) or ("sae_id" in value) != ("release" in value):
            raise Refused("it needs source, or release and sae_id")
        return SAESource(**value)

    return Kind('"demo", a folder, { source, hook } or { release, sae_id }', read)


def one_or_many(kind: Kind) -> Kind:
    """One entry or an array of them, as a tuple."""
    several = many(kind, least=1)

    def read(value: Any) -> tuple[Any, ...]:
        return tuple(several.read(value if isinstance(value, list) else [value]))

    return Kind(f"{kind.expected}, or an array of these", read, kind.choices)


def shown(value: Any, longest: int = 60) -> str:
    """An entry as TOML would have it, or nearly, cut to a length that fits in a message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        quoted = '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in value) + '"'
        return quoted if len(quoted) <= longest else f'{quoted[: longest - 4]}..."'
    if isinstance(value, dict):
        return f"a table with {', '.join(map(str, value)) or 'nothing in it'}"[:longest]
    if isinstance(value, list):
        inside = ", ".join(shown(entry, 20) for entry in value[:6]) + (", ..." if len(value) > 6 else "")
        return f"[{inside}]"
    return str(value)[:longest]


# -- entries of the tables ---------------------------------------------------------------------------------------


def entry(kind: Kind, default: Any = None, *, name: str | None = None, required: bool = False) -> Any:
    """A field of a table of a study, with the kind of its entry.

    Args:
        kind: of the entry.
        default: where the file has none.
        name: of the entry, where it is not that of the field.
        required: whether the file must have it.
    """
    return field(default=default, metadata={"kind": kind, "name": name, "required": required})
