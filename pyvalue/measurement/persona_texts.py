"""What is told of a persona: attributes drawn from word lists, and the sentences made of them."""

from __future__ import annotations

import math
import string
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

_WORDS = Path(__file__).resolve().parents[1] / "data" / "persona_words.toml"
#: What a persona has, in the order in which it is told.
ATTRIBUTES = ("name", "age", "gender", "country", "job", "mbti", "traits")


def draw(random: np.random.Generator) -> dict[str, Any]:
    """One value of every attribute, each uniformly from its list: texts, ``age`` in years, two different ``traits``."""
    words = _words()

    def pick(options: Sequence[str]) -> str:
        return options[int(random.integers(len(options)))]

    # The order of the draws is part of what a seed means.
    gender = pick(("female", "male"))
    name = f"{pick(words['given_names'][gender])} {pick(words['family_names'])}"
    age = int(random.integers(words["ages"]["low"], words["ages"]["high"] + 1))
    job, country = pick(words["jobs"]), pick(words["countries"])
    mbti = pick(words["personality_types"])
    traits = tuple(words["traits"][int(i)] for i in random.choice(len(words["traits"]), 2, replace=False))
    return dict(zip(ATTRIBUTES, (name, age, gender, country, job, mbti, traits), strict=True))


def distinct(told: Sequence[str]) -> int:
    """How many personas differ in their names and in what is told of them."""
    words = _words()
    traits = len(words["traits"])
    sizes = {
        "name": len(words["family_names"]) * sum(map(len, words["given_names"].values())),
        "age": words["ages"]["high"] - words["ages"]["low"] + 1,
        "gender": 2,
        "country": len(words["countries"]),
        "job": len(words["jobs"]),
        "mbti": len(words["personality_types"]),
        "traits": traits * (traits - 1),
    }
    return int(min(sizes["name"], math.prod(sizes[name] for name in told)))


def sentences(drawn: Mapping[str, Any], told: Sequence[str]) -> str:
    """Second person, in plain English: "You are Ana Bauer, a 30-year-old woman from Peru, a nurse." and so on."""
    who = [drawn["name"]] if "name" in told else []
    if {"age", "gender", "country"} & set(told):
        noun = {"female": "woman", "male": "man"}[drawn["gender"]] if "gender" in told else "person"
        age = f"{drawn['age']}-year-old " if "age" in told else ""
        who.append(f"a {age}{noun}" + (f" from {drawn['country']}" if "country" in told else ""))
    if "job" in told:
        who.append(f"{'an' if drawn['job'][0] in 'aeiou' else 'a'} {drawn['job']}")
    character = [f"your personality type is {drawn['mbti']}"] if "mbti" in told else []
    if "traits" in told:
        character.append(f"people call you {' and '.join(drawn['traits'])}")
    clauses = ["You are " + ", ".join(who)] if who else []
    clauses += ["; ".join(character)] if character else []
    return " ".join(f"{clause[0].upper()}{clause[1:]}." for clause in clauses)


def filled(text: str, drawn: Mapping[str, Any]) -> str:
    """A text of one's own with its placeholders filled in; see ``placeholders``."""
    return text.format_map({**drawn, "traits": " and ".join(drawn["traits"])})


def placeholders(text: str) -> tuple[str, ...]:
    """The attributes that a text of one's own names in braces, in the order of ``ATTRIBUTES``.

    Raises:
        ValueError: an empty text, a brace that is not closed, or braces around anything but the name of an attribute.
    """
    expected = f"expected a text with some of {', '.join(f'{{{name}}}' for name in ATTRIBUTES)} in it"
    if not text.strip():
        raise ValueError(f"text: {expected}, got an empty one")
    try:
        # Each is the text before a placeholder, its name, its format and its conversion.
        parts = list(string.Formatter().parse(text))
    except ValueError as fault:
        raise ValueError(f"text: {expected}, got {text!r} ({fault}); write {{{{ for a brace") from fault
    found = set()
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if name not in ATTRIBUTES or form or conversion:
            raise ValueError(
                f"text: {expected}, got {{{name}{f'!{conversion}' if conversion else ''}{form and ':'}{form}}}"
            )
        found.add(name)
    return tuple(name for name in ATTRIBUTES if name in found)


@cache
def _words() -> dict[str, Any]:
    return tomllib.loads(_WORDS.read_text(encoding="utf-8"))
