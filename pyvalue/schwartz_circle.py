"""Schwartz' circle of ten basic values as facts of the theory: order, angles, quadrants and what is opposed to what.

It knows no data; how well responses fit the circle is measured in ``pyvalue.evaluation.circumplex``.

Sources: Schwartz (1992), "Universals in the content and structure of values", Advances in Experimental Social
Psychology 25; Schwartz (2012), "An overview of the Schwartz theory of basic values", Online Readings in Psychology and
Culture 2(1).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

#: the ten basic values in the order of the circle; the last is beside the first. Tradition and Conformity share one
#: direction, see ``angle``; where a line of ten is wanted, Tradition stands next to Benevolence
CIRCLE = (
    "Self-Direction",
    "Stimulation",
    "Hedonism",
    "Achievement",
    "Power",
    "Security",
    "Conformity",
    "Tradition",
    "Benevolence",
    "Universalism",
)

#: higher-order values; Hedonism has elements of both openness to change and self-enhancement
QUADRANTS = {
    "openness": ("Self-Direction", "Stimulation", "Hedonism"),
    "self-enhancement": ("Hedonism", "Achievement", "Power"),
    "conservation": ("Security", "Conformity", "Tradition"),
    "self-transcendence": ("Benevolence", "Universalism"),
}
#: how far out Tradition is, where it shares a wedge with Conformity and the others are at 1; the theory names no number
TRADITION_RADIUS = 1.25
_ACROSS = (("openness", "conservation"), ("self-enhancement", "self-transcendence"))

#: "theory": nine wedges of 40°, Tradition behind Conformity in the same one; "equal": ten steps of 36°
Layout = Literal["theory", "equal"]


def _key(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


_NAMES = {_key(name): name for name in CIRCLE}


def basic_value(name: str) -> str | None:
    """The basic value that a name stands for, as ``CIRCLE`` spells it; None for any other name.

    Case, hyphens, spaces and underscores do not matter: "self_direction" is "Self-Direction".
    """
    return _NAMES.get(_key(name))


def circle_order(names: Iterable[str]) -> list[str]:
    """The names that stand for basic values, in the order of ``CIRCLE``, spelt as they came; others are left out."""
    known = [(CIRCLE.index(value), name) for name in names if (value := basic_value(name)) is not None]
    return [name for _, name in sorted(known, key=lambda pair: pair[0])]


def angle(value: str, layout: Layout = "theory") -> float:
    """Direction of a basic value in degrees, [0, 360), in the order of ``CIRCLE`` from Self-Direction at 0.

    Args:
        value: any spelling that ``basic_value`` takes.
        layout: "theory" as in Schwartz (1992), who places Tradition outside of Conformity in the same wedge, because
            the two share one motive and Tradition is the farther from the opposing values: nine wedges of 40°.
            "equal": Tradition in a wedge of its own between Conformity and Benevolence, ten of 36°.

    Raises:
        ValueError: no basic value, or an unknown layout.
    """
    place = CIRCLE.index(_required(value))
    if layout == "equal":
        return 36.0 * place
    if layout == "theory":
        return 40.0 * (place - (place >= CIRCLE.index("Tradition")))
    raise ValueError(f"layout: expected 'theory' or 'equal', got {layout!r}")


def position(value: str, layout: Layout = "theory") -> tuple[float, float]:
    """Where a basic value is in the plane: on the unit circle, and Tradition outside of it in the theory's layout.

    Returns:
        (x, y); Self-Direction is at (1, 0), and angles run against the clock.
    """
    outside = layout == "theory" and _required(value) == "Tradition"
    radius, direction = TRADITION_RADIUS if outside else 1.0, math.radians(angle(value, layout))
    return radius * math.cos(direction), radius * math.sin(direction)


def circular_distance(a: str, b: str, layout: Layout = "theory") -> float:
    """Angle between two basic values in degrees, in [0, 180]; 0 for Tradition and Conformity in the theory's layout."""
    apart = abs(angle(a, layout) - angle(b, layout))
    return min(apart, 360.0 - apart)


def quadrants(value: str) -> tuple[str, ...]:
    """Higher-order values that a basic value belongs to: one, and for Hedonism two."""
    name = _required(value)
    return tuple(quadrant for quadrant, members in QUADRANTS.items() if name in members)


def opposed(a: str, b: str) -> bool:
    """Whether the theory has two basic values in conflict, because their higher-order values are across the circle.

    Openness to change conflicts with conservation, self-enhancement with self-transcendence. Hedonism, which belongs to
    the first of both, conflicts with all of conservation and self-transcendence.
    """
    one, other = quadrants(a), quadrants(b)
    return any((x in one and y in other) or (y in one and x in other) for x, y in _ACROSS)


def _required(value: str) -> str:
    name = basic_value(value)
    if name is None:
        raise ValueError(f"value: expected one of {', '.join(CIRCLE)}, got {value!r}")
    return name
