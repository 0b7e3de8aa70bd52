"""Personas: who the model is asked to be. Seeded generation, and reading and writing of JSON."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

_WORDS = Path(__file__).resolve().parents[1] / "data" / "persona_words.toml"
_TEXT_KEYS = ("text", "bio2", "mini_trait", "bio3")


@dataclass(frozen=True)
class Persona:
    """Someone for the model to be.

    Attributes:
        name: unique in a study; the ``persona`` column of every answer.
        text: second person, put into the system prompt; empty for no persona.
    """

    name: str
    text: str


#: The model as it is.
NO_PERSONA = Persona("none", "")


def make_personas(count: int, seed: int = 0, include_none: bool = True) -> tuple[Persona, ...]:
    """Draw personas: name, age, job, country, personality type and two traits, each uniformly from word lists.

    The first k personas of a seed are the same for every count >= k.

    Args:
        count: number of personas, 0 or more.
        seed: of the draw.
        include_none: put "no persona" first (on top of ``count``).

    Raises:
        ValueError: ``count`` is negative, or larger than the number of distinct names.
    """
    words = _words()
    names = len(words["family_names"]) * sum(map(len, words["given_names"].values()))
    if not 0 <= count <= names:
        raise ValueError(f"count: expected 0 to {names} (the number of distinct names), got {count}")
    random = np.random.default_rng(seed)
    drawn: dict[str, Persona] = {}
    while len(drawn) < count:
        persona = _draw(random, words)
        drawn.setdefault(persona.name, persona)
    return ((NO_PERSONA,) if include_none else ()) + tuple(drawn.values())


def _draw(random: np.random.Generator, words: dict[str, Any]) -> Persona:
    def pick(options: Sequence[str]) -> str:
        return options[int(random.integers(len(options)))]

    gender = pick(("female", "male"))
    name = f"{pick(words['given_names'][gender])} {pick(words['family_names'])}"
    age = int(random.integers(words["ages"]["low"], words["ages"]["high"] + 1))
    job, country = pick(words["jobs"]), pick(words["countries"])
    kind = pick(words["personality_types"])
    one, two = (words["traits"][int(i)] for i in random.choice(len(words["traits"]), 2, replace=False))
    noun = "woman" if gender == "female" else "man"
    article = "an" if job[0] in "aeiou" else "a"
    return Persona(
        name,
        f"You are {name}, a {age}-year-old {noun} from {country}, {article} {job}. "
        f"Your personality type is {kind}; people call you {one} and {two}.",
    )


def load_personas(path: str | Path) -> tuple[Persona, ...]:
    """Read personas from JSON.

    Accepts what ``save_personas`` writes, ``{name: text}``, and the paper's ``{name: {"bio2": text, ...}}`` (the first
    of ``text``, ``bio2``, ``mini_trait``, ``bio3`` is used).

    Raises:
        ValueError: not JSON, or of another shape; names the entry.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as fault:
        raise ValueError(f"personas {path}: cannot be read as JSON ({fault})") from fault
    if not isinstance(content, dict) or not content:
        raise ValueError(f"personas {path.name}: expected a JSON object {{name: text}}, got {type(content).__name__}")
    return tuple(Persona(name, _text_of(name, entry, path)) for name, entry in content.items())


def _text_of(name: str, entry: object, path: Path) -> str:
    if isinstance(entry, dict):
        entry = next((entry[key] for key in _TEXT_KEYS if key in entry), None)
    if not isinstance(entry, str):
        raise ValueError(
            f"personas {path.name}: {name!r} has no text; expected a string or an object with one of "
            f"{', '.join(_TEXT_KEYS)}"
        )
    return entry


def save_personas(personas: Sequence[Persona], path: str | Path) -> None:
    """Write personas as JSON ``{name: text}``, in order."""
    content = {persona.name: persona.text for persona in personas}
    Path(path).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@cache
def _words() -> dict[str, Any]:
    return tomllib.loads(_WORDS.read_text(encoding="utf-8"))
