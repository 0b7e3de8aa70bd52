"""Colours, marks and names that the plots and the page share. Draws nothing itself."""

from __future__ import annotations

from collections.abc import Iterable

from pyvalue.schwartz_circle import CIRCLE
from pyvalue.steering.plan import Relation

INK = "#1c2430"
MUTED = "#5b6675"
RULE = "#c9d0d9"
OPEN = "#00796b"  # of edges without a direction
SURFACE = "#fefefe"  # one off white, so that no other white of a figure is taken for it

#: Okabe & Ito (2008), told apart with any colour vision; order of tables and legends
RELATION_COLOURS: dict[Relation, str] = {
    "target": "#d55e00",
    "definite": "#0072b2",
    "possible": "#56b4e9",
    "unaffected": "#8b95a3",
    "unknown": "#b8a9c9",
}
RELATION_NAMES: dict[Relation, str] = {
    "target": "target",
    "definite": "should move",
    "possible": "may move",
    "unaffected": "should stay",
    "unknown": "no prediction",
}
RELATION_MARKERS: dict[Relation, str] = {
    "target": "D",
    "definite": "o",
    "possible": "^",
    "unaffected": "s",
    "unknown": "X",
}
SERIES = ((MUTED, "o"), ("#d55e00", "D"), ("#0072b2", "^"), ("#009e73", "s"), ("#cc79a7", "v"), ("#e69f00", "P"))

#: colour of a figure -> the page's CSS variable, which is another one in the dark
CSS_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    SURFACE: "--card",
    OPEN: "--open",
    **{colour: f"--{relation}" for relation, colour in RELATION_COLOURS.items()},
}

#: the circle of ten basic values from the top of a plot on: neighbours go together, opposites conflict
SCHWARTZ_CIRCLE = tuple(name.lower() for name in (CIRCLE[-1], *CIRCLE[:-1]))


def schwartz_order(names: Iterable[str]) -> list[str] | None:
    """The names in the order of Schwartz's circle, or None where one of them is no basic value."""
    place = {value.replace("-", ""): index for index, value in enumerate(SCHWARTZ_CIRCLE)}
    keys = {name: name.lower().replace("-", "").replace(" ", "").replace("_", "") for name in names}
    if not all(key in place for key in keys.values()):
        return None
    return sorted(keys, key=lambda name: place[keys[name]])


def shown(name: str, most: int = 34) -> str:
    """A name as a plot can show it: one line, no control characters (XML forbids them), cut where it is long."""
    line = "".join(c if c.isprintable() else " " for c in name)
    return line if len(line) <= most else line[: most - 1] + "…"
