"""What a harness is to ask: every question of a design of every persona, with what is needed to read the answers back.

Knows no harness. The prompts are those of ``measure``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyvalue.measurement.answer_parsing import RULES
from pyvalue.measurement.design import Cell, Design
from pyvalue.measurement.inventory import Inventory, load_inventory
from pyvalue.measurement.persona_files import load_personas
from pyvalue.measurement.personas import Persona, make_personas
from pyvalue.measurement.prompts import PromptStyle, chat_messages

#: what ``Question.record`` tells, beside ``position`` and ``group``: columns of ``Responses``
IDENTITY = ("persona", "item", "value", "keying", "kind", "wording", "order", "text")


@dataclass(frozen=True)
class Question:
    """One question of one persona.

    Attributes:
        position: 0, 1, ... in the order in which ``measure`` asks; repeats of a question share one.
        persona: who is asked.
        cell: what is asked, without its repeat.
        style: wording.
    """

    position: int
    persona: Persona
    cell: Cell
    style: PromptStyle

    @property
    def messages(self) -> list[dict[str, str]]:
        """The system message (none where it would be empty) and the user message."""
        return chat_messages(self.persona, self.cell.question, self.style, self.cell.order)

    @property
    def record(self) -> dict[str, Any]:
        """What the harness keeps beside the answer; JSON-able."""
        item = self.cell.item
        return {
            "position": self.position,
            "persona": self.persona.name,
            "item": item.id,
            "value": item.value,
            "keying": item.keying,
            "kind": item.kind,
            "group": item.group,
            "wording": self.cell.wording,
            "order": self.cell.order,
            "text": self.cell.question,
        }


@dataclass(frozen=True)
class Questions:
    """What is asked in all.

    Attributes:
        inventory: of the items.
        personas: who is asked.
        design: wordings, orders and repeats.
        style: wording of the prompts.
        mode: ``"score"`` or ``"generate"``.
    """

    inventory: Inventory
    personas: tuple[Persona, ...]
    design: Design
    style: PromptStyle
    mode: str

    def __post_init__(self) -> None:
        names = [persona.name for persona in self.personas]
        if not names:
            raise ValueError("personas: expected at least one, got none; 0 is the model as it is")
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"personas: names must be unique, but {repeated[0]!r} occurs more than once")
        for order in self.design.orders:
            self.style.check_order(order)

    def all(self) -> list[Question]:
        """By persona, item, wording and order; a question that is asked repeatedly stands once."""
        cells = [cell for cell in self.design.cells(self.inventory) if cell.repeat == 0]
        pairs = [(persona, cell) for persona in self.personas for cell in cells]
        return [Question(i, persona, cell, self.style) for i, (persona, cell) in enumerate(pairs)]

    def facts(self) -> dict[str, Any]:
        """What decides the answers, beside the model; JSON-able."""
        people = json.dumps([[p.name, p.text] for p in self.personas])
        return {
            "mode": self.mode,
            "inventory": {
                "name": self.inventory.name,
                "items": len(self.inventory.items),
                "digest": self.inventory.digest,
            },
            "personas": {"count": len(self.personas), "digest": hashlib.sha256(people.encode()).hexdigest()[:16]},
            "design": self.design.to_dict(),
            "prompts": {"name": self.style.name, "digest": self.style.digest},
            **({"rules": RULES} if self.mode == "generate" else {}),
        }


def read_inventory(inventory: Inventory | str | Path, values: str | Sequence[str] | None = None) -> Inventory:
    """An inventory as it was given, loaded where it is a name or a path, of some values or all."""
    found = inventory if isinstance(inventory, Inventory) else load_inventory(inventory)
    return found if values is None else found.only(values)


def read_personas(personas: int | str | Path | Sequence[Persona], seed: int = 0) -> tuple[Persona, ...]:
    """Personas as they were given; a number of them is drawn by ``make_personas``, a path read by ``load_personas``.

    Raises:
        TypeError: something else.
    """
    if isinstance(personas, int) and not isinstance(personas, bool):
        return make_personas(personas, seed=seed)
    if isinstance(personas, str | Path):
        return load_personas(personas)
    people: Any = personas
    if isinstance(people, Sequence) and all(isinstance(persona, Persona) for persona in people):
        return tuple(people)
    raise TypeError(f"personas: expected a number, the path of a file or Persona objects, got {personas!r:.100}")


def in_order(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows with ``position`` and ``repeat``, in the order in which ``measure`` gives them."""
    return sorted(rows, key=lambda row: (row["position"], row["repeat"]))
