"""Designs: which wordings, option orders and repeats of which items are asked, the same for every persona.

Decides what is asked and asks nothing. A design that gave every persona other items would confound the two.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.items import Item

#: name of an order -> how the options are named in a prompt
ORDERS = {"yes-no": "yes or no", "no-yes": "no or yes"}


@dataclass(frozen=True)
class Cell:
    """One question of a design: an item in one wording and one order of the options, for the ``repeat``-th time."""

    item: Item
    wording: int = 0
    order: str = "yes-no"
    repeat: int = 0

    @property
    def question(self) -> str:
        """The item in this wording."""
        return self.item.wordings[self.wording]


@dataclass(frozen=True)
class Design:
    """How an inventory is crossed with wordings, option orders and repeats; immutable.

    Attributes:
        wordings: asked of every item: 1 is the question itself, 4 the question and three paraphrases. An item without
            so many is refused; a content-free one is asked in those that it has.
        orders: of the options, of ``"yes-no"`` and ``"no-yes"``.
        repeats: times that each is asked, for test-retest; above 1 only where answers are sampled.
        fraction: share asked of all cells (an item in one wording and one order), in (0, 1]; default all. The share is
            the same for every value and sign, and for the items without a value, with at least one cell of each. Items
            go last: each is asked once before any is asked in a second wording or order. A cell keeps its repeats. To
            ask fewer items in all wordings, take ``Inventory.subset``.
        seed: which cells a fraction keeps. A smaller fraction of a seed is part of a larger one, and the choice
            depends on the ids of the items, not on where they stand in the file.

    Raises:
        TypeError: a count, fraction or seed that is no number.
        ValueError: a count below 1, a fraction outside of (0, 1], or unknown or doubled orders.
    """

    wordings: int = 1
    orders: tuple[str, ...] = ("yes-no",)
    repeats: int = 1
    fraction: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "orders", (self.orders,) if isinstance(self.orders, str) else tuple(self.orders))
        for name in ("wordings", "repeats", "seed"):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int):
                raise TypeError(f"{name}: expected an integer, got {count!r}")
            if count < 1 and name != "seed":
                raise ValueError(f"{name}: expected at least 1, got {count}")
        if not self.orders or len(set(self.orders)) < len(self.orders) or not set(self.orders) <= ORDERS.keys():
            raise ValueError(f"orders: expected some of {', '.join(map(repr, ORDERS))}, each once, got {self.orders!r}")
        if isinstance(self.fraction, bool) or not isinstance(self.fraction, int | float):
            raise TypeError(f"fraction: expected a number, got {self.fraction!r}")
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction: expected more than 0 and at most 1, got {self.fraction}")

    def cells(self, inventory: Inventory) -> tuple[Cell, ...]:
        """What every persona is asked, by item, wording, order and repeat.

        Raises:
            ValueError: an item has fewer wordings than asked for.
        """
        kept = self._kept(inventory)
        return tuple(
            Cell(item, wording, order, repeat)
            for item in inventory.items
            for wording in range(self._wordings_of(item))
            for order in self.orders
            if (item.id, wording, order) in kept
            for repeat in range(self.repeats)
        )

    def to_dict(self) -> dict[str, Any]:
        """For manifests. A full design has no part to choose, so that its seed is nothing to tell."""
        part = {"fraction": self.fraction, "seed": self.seed} if self.fraction < 1 else {}
        return {"wordings": self.wordings, "orders": list(self.orders), "repeats": self.repeats, **part}

    def _wordings_of(self, item: Item) -> int:
        if item.keying and len(item.wordings) < self.wordings:
            raise ValueError(
                f"wordings: expected at most the {len(item.wordings)} of item {item.id!r}, got {self.wordings}; "
                "add paraphrases to the inventory"
            )
        return min(self.wordings, len(item.wordings))

    def _kept(self, inventory: Inventory) -> set[tuple[str, int, str]]:
        strata: dict[tuple[str, int], list[Item]] = {}
        for item in inventory.items:
            strata.setdefault((item.group, item.keying), []).append(item)
        kept: set[tuple[str, int, str]] = set()
        for (group, keying), items in strata.items():
            cells = self._ranked(items, f"{group} {keying}")
            kept |= set(cells[: max(1, math.floor(self.fraction * len(cells) + 0.5))])
        return kept

    def _ranked(self, items: Sequence[Item], stratum: str) -> list[tuple[str, int, str]]:
        """The cells of a stratum; every fraction keeps the first so many.

        Item after item takes its next cell. Neighbours start in other wordings and orders, so that few cells are
        spread over both.
        """
        ordered = sorted(items, key=lambda item: _random(self.seed, f"item {item.id}"))
        first_wording, first_order = (_random(self.seed, f"{name} {stratum}") for name in ("wording", "order"))
        rounds: list[tuple[int, tuple[str, int, str]]] = []
        for rank, item in enumerate(ordered):
            wordings = self._wordings_of(item)
            for turn in range(wordings * len(self.orders)):
                wording = (first_wording + rank + turn // len(self.orders)) % wordings
                order = self.orders[(first_order + rank + turn) % len(self.orders)]
                rounds.append((turn, (item.id, wording, order)))
        return [cell for _, cell in sorted(rounds, key=lambda found: found[0])]


def _random(seed: int, name: str) -> int:
    """A number that is random in the seed and the name, and depends on nothing else."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "big")
