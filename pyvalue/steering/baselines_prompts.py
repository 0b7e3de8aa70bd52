"""Steering by words: what a persona is told beside itself. Our own sentences; asks no model.

Every persona keeps its own text, so that it can be compared with itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyvalue.measurement.personas import Persona
from pyvalue.schwartz_circle import basic_value

#: what someone does who holds a basic value, and someone who does not, in the second person
_ROLES = {
    "Self-Direction": (
        "You make up your own mind, go your own way and like to invent and explore.",
        "You like to be told what to think and do, and see no point in exploring on your own.",
    ),
    "Stimulation": (
        "You look for excitement, new things and risks, and routine bores you.",
        "You want every day to be like the last, and stay away from all that is new or exciting.",
    ),
    "Hedonism": (
        "You enjoy life, indulge yourself and take pleasure wherever you find it.",
        "You deny yourself pleasures and see no good in enjoying yourself.",
    ),
    "Achievement": (
        "You want to succeed, work hard to be among the best and like others to see it.",
        "You do not care for success, and do not mind to be among the last.",
    ),
    "Power": (
        "You want wealth and a say over others, and like to be in charge.",
        "You want neither money nor a say over others, and never wish to be in charge.",
    ),
    "Security": (
        "You want to be safe, keep things in order and avoid whatever may be dangerous.",
        "You do not mind danger and disorder, and take no care to be safe.",
    ),
    "Conformity": (
        "You follow the rules, do what is expected of you and never want to annoy anybody.",
        "You break rules, do not do what is expected of you, and do not mind whom it annoys.",
    ),
    "Tradition": (
        "You keep the customs of your family and your faith, and stay modest.",
        "You do away with customs and beliefs that were handed down to you.",
    ),
    "Benevolence": (
        "You care for the people close to you, help them and stand by them.",
        "You do not care how people close to you are, and do not help them.",
    ),
    "Universalism": (
        "You want justice for everyone, understand those who are unlike you and protect nature.",
        "You do not care for justice, for strangers or for nature.",
    ),
}


def role_sentence(value: str, sign: int = 1) -> str:
    """Who somebody is who holds a value, or (``sign`` -1) does not; any value but the ten has a plain sentence.

    Args:
        value: name.
        sign: +1 or -1.
    """
    name = basic_value(value)
    if name is not None:
        return _ROLES[name][0 if _checked(sign) > 0 else 1]
    if _checked(sign) > 0:
        return f"You live for {_spoken(value)}, and it shows in all that you do."
    return f"You have no time for {_spoken(value)}, and it shows in all that you do."


def instruction_sentence(value: str, sign: int = 1) -> str:
    """A plain order to answer as somebody to whom a value matters most, or (``sign`` -1) not at all."""
    how_much = "matters more than anything else" if _checked(sign) > 0 else "does not matter at all"
    return f"Answer as someone to whom {_spoken(value)} {how_much}."


def told(personas: Sequence[Persona], sentence: str) -> tuple[Persona, ...]:
    """The same personas, each with a sentence after its own text.

    Args:
        personas: to tell.
        sentence: what to tell them.
    """
    return tuple(replace(persona, text=" ".join(filter(None, (persona.text, sentence)))) for persona in personas)


def in_the_role_of(personas: Sequence[Persona], role: Persona) -> tuple[Persona, ...]:
    """The personas, each told to take the part of another one, such as the best of ``rank_roles``.

    Raises:
        ValueError: the role has no text to play.
    """
    if not role.text:
        raise ValueError(f"role: {role.name!r} has no text, so nobody can play it; take another persona")
    return told(personas, f"Take the part of someone else now. {role.text}")


def _spoken(value: str) -> str:
    return value.replace("-", " ").replace("_", " ").lower()


def _checked(sign: int) -> int:
    if sign not in (1, -1):
        raise ValueError(f"sign: expected +1 or -1, got {sign!r}")
    return sign
