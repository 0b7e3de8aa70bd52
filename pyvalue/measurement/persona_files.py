"""Personas in JSON, in and out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyvalue.file_faults import file_faults
from pyvalue.json_files import read_json
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.store import write_json

#: Where a persona's text may stand, the first choice first; all but ``text`` are keys of the paper's files.
TEXT_KEYS = ("text", "bio2", "mini_trait", "bio3")


def load_personas(path: str | Path, key: str | None = None) -> tuple[Persona, ...]:
    """Read personas from JSON.

    Accepts what ``save_personas`` writes, ``{name: text}``, and the paper's ``{name: {"bio2": text, ...}}``. An entry
    may have ``attributes``, an object of texts, numbers and lists of texts.

    Args:
        path: of the file.
        key: under which the text of every entry stands, for example ``"bio2"`` (second person), ``"bio3"`` (third
            person) or ``"mini_trait"`` (gender, job and MBTI in one line) of the paper; default the first that an entry
            has of ``text``, ``bio2``, ``mini_trait``, ``bio3``.

    Raises:
        ValueError: not JSON, a name that occurs twice, or an entry of another shape; names the entry.

    Warns:
        UserWarning: personas of the same text.
    """
    path = Path(path)
    with file_faults("personas"):
        found = _read(path, key)
    _warn_of_twins(found, path.name)
    return tuple(found)


def _read(path: Path, key: str | None) -> list[Persona]:
    try:
        content = read_json(path, pairs_hook=_unrepeated)
    except (OSError, ValueError) as fault:
        raise ValueError(f"personas {path}: cannot be read as JSON ({fault})") from fault
    if not isinstance(content, dict) or not content:
        got = "an empty one" if content == {} else type(content).__name__
        raise ValueError(f"personas {path.name}: expected a JSON object {{name: text}}, got {got}")
    return [_persona(name, entry, key, f"personas {path.name}: {name!r}") for name, entry in content.items()]


def save_personas(personas: Sequence[Persona], path: str | Path) -> None:
    """Write personas as JSON, whole or not at all, in order: ``{name: text}``, or ``{name: {"text", "attributes"}}``.

    Raises:
        ValueError: two personas of one name.
        StoreError: the disk is full or the folder cannot be written.
    """
    content: dict[str, Any] = {}
    for persona in personas:
        if persona.name in content:
            raise ValueError(f"personas: names must be unique, but {persona.name!r} occurs more than once")
        known = dict(persona.attributes)
        content[persona.name] = {"text": persona.text, "attributes": known} if known else persona.text
    write_json(path, content)


def _persona(name: str, entry: object, key: str | None, where: str) -> Persona:
    fields = entry if isinstance(entry, dict) else {"text": entry}
    keys = TEXT_KEYS if key is None else (key,)
    text = next((fields[k] for k in keys if k in fields), None)
    if not isinstance(text, str):
        expected = "a string or an object with one of " if key is None else "an object with a string "
        raise ValueError(f"{where} has no text; expected {expected}{', '.join(keys)}")
    if unknown := sorted(fields.keys() - {*TEXT_KEYS, *keys, "attributes"}):
        raise ValueError(
            f"{where}: unknown key {unknown[0]!r}; expected {', '.join((*TEXT_KEYS, 'attributes'))} (other facts on a "
            "persona go into the object under attributes)"
        )
    attributes = fields.get("attributes", {})
    if not isinstance(attributes, dict):
        raise ValueError(f"{where}: attributes must be an object, got {attributes!r}")
    try:
        return Persona(name, text, attributes)
    except (TypeError, ValueError) as fault:
        raise ValueError(f"{where}: {fault}") from fault


def _warn_of_twins(personas: Sequence[Persona], file: str) -> None:
    first: dict[str, str] = {}
    twins = [(first[p.text], p.name) for p in personas if first.setdefault(p.text, p.name) != p.name]
    if twins:
        one, other = twins[0]
        warnings.warn(
            f"personas {file}: {len(twins)} have the text of another, such as {other!r} that of {one!r}; they answer "
            "alike, and count as one",
            stacklevel=3,
        )


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON readers keep the last of two equal keys; a persona would be lost."""
    content: dict[str, Any] = {}
    for name, value in pairs:
        if name in content:
            raise ValueError(f"the name {name!r} occurs more than once")
        content[name] = value
    return content
