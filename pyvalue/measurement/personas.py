"""Personas: who the model is asked to be, and what is known of them. Reading and writing them is ``persona_files``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pyvalue.measurement.persona_texts import ATTRIBUTES, distinct, draw, filled, placeholders, sentences

Attribute = str | int | float | bool | tuple[str, ...]


class Attributes(Mapping[str, Attribute]):
    """What is known of a persona, by name; immutable, and hashable unlike a dict.

    Raises:
        TypeError: a value that is no text, number, truth value or sequence of texts.
        ValueError: a name that is empty, or a number that is not finite.
    """

    __slots__ = ("_pairs",)
    _pairs: tuple[tuple[str, Attribute], ...]

    def __init__(self, known: Mapping[str, object] | None = None) -> None:
        pairs = tuple((name, _checked(name, value)) for name, value in (known or {}).items())
        object.__setattr__(self, "_pairs", pairs)

    def __getitem__(self, name: str) -> Attribute:
        return dict(self._pairs)[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        return hash(frozenset(self._pairs))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"attributes of a persona cannot be changed; make another persona to set {name!r}")

    def __reduce__(self) -> tuple[type[Attributes], tuple[dict[str, Attribute]]]:
        return Attributes, (dict(self),)

    def __repr__(self) -> str:
        return f"Attributes({dict(self)})"


@dataclass(frozen=True)
class Persona:
    """Someone for the model to be.

    Attributes:
        name: unique in a study; the ``persona`` column of every answer.
        text: second person, put into the system prompt; empty for no persona.
        attributes: what is known of the persona, such as age or job; nothing of it is told but by ``text``. Any mapping
            will do; it is kept as an immutable one.

    Raises:
        TypeError: a name or text that is no text, or an attribute of another type than a text, number, truth value or
            sequence of texts.
    """

    name: str
    text: str
    attributes: Mapping[str, Attribute] = Attributes()

    def __post_init__(self) -> None:
        for field in ("name", "text"):
            if not isinstance(getattr(self, field), str):
                raise TypeError(f"{field}: expected a text, got {getattr(self, field)!r}")
        object.__setattr__(self, "attributes", Attributes(self.attributes))


#: The model as it is.
NO_PERSONA = Persona("none", "")


def make_personas(
    count: int,
    seed: int = 0,
    include_none: bool = True,
    *,
    attributes: Sequence[str] | None = None,
    text: str | None = None,
) -> tuple[Persona, ...]:
    """Draw personas: name, age, gender, country, job, personality type and two traits, each uniformly from word lists.

    The first k personas of a seed are the same for every count >= k. No two have the same name or the same text. A
    persona's ``attributes`` hold what its text tells beside the name, and nothing else: what the model is not told
    cannot move it.

    Attributes are drawn independently, so that none goes with another in the population; some personas are therefore
    odd ("a 19-year-old judge"). The two traits always differ, but may contradict each other: 2 or 3 personas in 100
    are called one thing and nearly its opposite, such as "selfish and generous". Pass ``attributes`` without
    ``traits``, or choose by ``persona.attributes["traits"]``, where that matters.

    Args:
        count: number of personas, 0 or more.
        seed: of the draw.
        include_none: put "no persona" first (on top of ``count``).
        attributes: what the text tells: some of ``name, age, gender, country, job, mbti, traits``; default all.
            ``("gender", "job", "mbti")`` is what the paper told.
        text: a text of your own instead, with ``{name}``, ``{age}``, ... where an attribute goes, and ``{{`` for a
            brace. ``{traits}`` is filled with "curious and gentle".

    Raises:
        ValueError: ``count`` is negative, or larger than the number of distinct personas; an unknown attribute or
            placeholder; both ``attributes`` and ``text``.
    """
    if attributes is not None and text is not None:
        raise ValueError("attributes, text: expected one of them, got both; a text names its attributes in braces")
    told = _told(attributes) if text is None else placeholders(text)
    most = distinct(told)
    if not 0 <= count <= most:
        raise ValueError(
            f"count: expected 0 to {most} (the number of distinct names and texts made of "
            f"{', '.join(told) or 'no attribute'}), got {count}"
        )
    random = np.random.default_rng(seed)
    found: dict[str, Persona] = {}
    texts: set[str] = set()
    while len(found) < count:
        drawn = draw(random)
        words = sentences(drawn, told) if text is None else filled(text, drawn)
        if drawn["name"] not in found and words not in texts:
            found[drawn["name"]] = Persona(drawn["name"], words, {name: drawn[name] for name in told if name != "name"})
            texts.add(words)
    return ((NO_PERSONA,) if include_none else ()) + tuple(found.values())


def persona_table(personas: Sequence[Persona]) -> pd.DataFrame:
    """Attributes as a table, to be joined to answers as covariates.

    Returns:
        One row a persona: a column ``persona`` and one for every attribute that any of them has, in order of first
        appearance; missing where a persona has it not. Several texts stand in one cell, joined by ", " (``get_dummies``
        of pandas makes columns of them).

    Raises:
        ValueError: an attribute is called ``persona``.
    """
    columns = dict.fromkeys(name for persona in personas for name in persona.attributes)
    if "persona" in columns:
        raise ValueError("personas: an attribute is called 'persona', the name of the first column; call it otherwise")
    rows = [{"persona": p.name, **{name: _cell(value) for name, value in p.attributes.items()}} for p in personas]
    return pd.DataFrame(rows, columns=["persona", *columns])


def _told(attributes: Sequence[str] | None) -> tuple[str, ...]:
    if attributes is None:
        return ATTRIBUTES
    wanted = (attributes,) if isinstance(attributes, str) else tuple(attributes)
    if not wanted or not set(wanted) <= set(ATTRIBUTES):
        raise ValueError(f"attributes: expected some of {', '.join(ATTRIBUTES)}, got {', '.join(wanted) or 'none'}")
    return tuple(name for name in ATTRIBUTES if name in wanted)


def _checked(name: object, value: object) -> Attribute:
    if not isinstance(name, str) or not name:
        raise ValueError(f"attributes: expected names of at least one letter, got {name!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"attributes: {name} must be finite, got {value}; leave out what is not known")
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple) and all(isinstance(text, str) for text in value):
        return tuple(value)
    raise TypeError(f"attributes: {name} must be a text, a number, true, false or a list of texts, got {value!r}")


def _cell(value: Attribute) -> str | int | float | bool:
    return ", ".join(value) if isinstance(value, tuple) else value
