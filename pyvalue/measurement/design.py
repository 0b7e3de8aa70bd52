"""Designs: which wordings, option orders and repeats of which items are asked, the same for every persona.

Decides what is asked and asks nothing. A design that gave every persona other items would confound the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyvalue.measurement.inventory import Inventory, Item

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
    """

    wordings: int = 1
    orders: tuple[str, ...] = ("yes-no",)
    repeats: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "orders", (self.orders,) if isinstance(self.orders, str) else tuple(self.orders))
        for name in ("wordings", "repeats"):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int):
                raise TypeError(f"{name}: expected an integer, got {count!r}")
            if count < 1:
                raise ValueError(f"{name}: expected at least 1, got {count}")
        if not self.orders or len(set(self.orders)) < len(self.orders) or not set(self.orders) <= ORDERS.keys():
            raise ValueError(f"orders: expected some of {', '.join(map(repr, ORDERS))}, each once, got {self.orders!r}")

    def cells(self, inventory: Inventory) -> tuple[Cell, ...]:
        """What every persona is asked, by item, wording, order and repeat.

        Raises:
            ValueError: an item has fewer wordings than asked for.
        """
        found = []
        for item in inventory.items:
            if item.keying and len(item.wordings) < self.wordings:
                raise ValueError(
                    f"wordings: expected at most the {len(item.wordings)} of item {item.id!r}, got {self.wordings}; "
                    "add paraphrases to the inventory"
                )
            for wording in range(min(self.wordings, len(item.wordings))):
                for order in self.orders:
                    found += [Cell(item, wording, order, repeat) for repeat in range(self.repeats)]
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """For manifests."""
        return {"wordings": self.wordings, "orders": list(self.orders), "repeats": self.repeats}
