"""Inventories: keyed yes/no questions, each about one value. This module does not ask them."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd

from pyvalue.file_faults import file_faults
from pyvalue.measurement.inventory_checks import check_contradictions, check_table, findings
from pyvalue.measurement.inventory_files import read_rows, write_rows
from pyvalue.measurement.items import Item as Item
from pyvalue.visible_text import printable

_DATA = Path(__file__).resolve().parents[1] / "data"
#: name -> file of the inventories that come with the package
BUNDLED = {"portrait": _DATA / "portrait.csv", "seventeen": _DATA / "seventeen.csv"}


@dataclass(frozen=True)
class Inventory:
    """A named set of items; immutable.

    Attributes:
        name: of the questionnaire.
        items: in file order.

    Raises:
        ValueError: no name, or two items of one id.
    """

    name: str
    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name.strip())
        object.__setattr__(self, "items", tuple(self.items))
        if not self.name:
            raise ValueError("name: expected a name for the inventory, got an empty one")
        seen: set[str] = set()
        for item in self.items:
            if item.id in seen:
                raise ValueError(f"items: ids must be unique, but {item.id!r} occurs more than once")
            seen.add(item.id)

    @property
    def values(self) -> tuple[str, ...]:
        """The values asked about, in order of first appearance."""
        return tuple(dict.fromkeys(item.value for item in self.items if item.keying))

    @property
    def content_free(self) -> tuple[Item, ...]:
        """Items without keying, content-free and nonsense: they measure the bias towards "yes"."""
        return tuple(item for item in self.items if not item.keying)

    @property
    def digest(self) -> str:
        """Hash of everything that is asked, for manifests."""
        text = json.dumps([[i.id, i.value, i.keying, i.kind, *i.wordings] for i in self.items])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def only(self, values: str | Sequence[str]) -> Inventory:
        """The items of some values, and every item without a value.

        Args:
            values: one name or several, in any order; the items stay in file order.

        Raises:
            ValueError: no values, or one that the inventory does not ask about; names those that it may be.
        """
        wanted = (values,) if isinstance(values, str) else tuple(values)
        if not wanted:
            raise ValueError("values: expected at least one, got none")
        for value in wanted:
            if value not in self.values:
                near = difflib.get_close_matches(str(value), self.values, n=5, cutoff=0.4) or self.values[:5]
                raise ValueError(
                    f"values: {self.name} asks nothing about {value!r}; it has for example {_quoted(near)}"
                )
        return Inventory(self.name, tuple(i for i in self.items if not i.keying or i.value in wanted))

    def subset(self, per_value: int, content_free: int | None = None, seed: int = 0) -> Inventory:
        """A seeded, balanced part of the inventory: a fraction by whole items, the same for every persona.

        ``Design(fraction=...)`` takes a part of the wordings and option orders instead, and keeps all items as long
        as it can.

        Args:
            per_value: items kept of each value, drawn evenly from both signs as far as they go. The spare one of an odd
                number is of one sign for one value and of the other for the next, so that the two signs differ by at
                most one over the whole inventory, as far as the items go; the first sign is drawn.
            content_free: content-free and nonsense items kept, drawn together; default all.
            seed: of the draw, 0 or more.

        Raises:
            ValueError: a value has fewer than ``per_value`` items, ``per_value`` < 1, ``content_free`` < 0 or
                ``seed`` < 0.
            TypeError: one of the three is no integer.
        """
        _check_count("per_value", per_value, 1)
        if content_free is not None:
            _check_count("content_free", content_free, 0)
        _check_count("seed", seed, 0)
        random = np.random.default_rng(seed)
        shuffled = {value: self._shuffled(value, per_value, random) for value in self.values}
        free = [i.id for i in self.content_free]
        kept = set(free if content_free is None else random.permutation(free)[:content_free])
        # Drawn last, since nothing hangs on it where the number is even.
        spare = 1 if random.integers(2) else -1
        surplus = 0
        for positive, negative in shuffled.values():
            count = per_value // 2 + (per_value % 2 and spare > 0)
            count = min(max(count, per_value - len(negative)), len(positive))
            kept |= set(positive[:count]) | set(negative[: per_value - count])
            surplus += 2 * count - per_value
            spare = -int(np.sign(surplus)) or -spare
        return Inventory(self.name, tuple(i for i in self.items if i.id in kept))

    def _shuffled(self, value: str, count: int, random: np.random.Generator) -> tuple[list[str], list[str]]:
        """Ids of the items for and of those against a value, each in random order."""
        items = [i for i in self.items if i.value == value]
        if len(items) < count:
            raise ValueError(f"per_value: {value} has {len(items)} items, fewer than the {count} asked for")
        positive = list(random.permutation([i.id for i in items if i.keying > 0]))
        negative = list(random.permutation([i.id for i in items if i.keying < 0]))
        return positive, negative

    def check(self) -> pd.DataFrame:
        """What there is of every value, and what a psychometrician would object to.

        Returns:
            One row a value in order of first appearance, then the content-free and the nonsense items, with the columns
            ``value``, ``items``, ``positive`` and ``negative`` (items of each keying), ``wordings`` (fewest of an item)
            and ``remarks`` (joined by "; ", empty where there are none).
        """
        return check_table(self.items)

    def save(self, path: str | Path) -> None:
        """Write the inventory, whole or not at all; ``load_inventory`` gives it back.

        Args:
            path: ending in ``.csv`` (at most nine paraphrases an item) or ``.toml``.

        Raises:
            ValueError: another ending, or more paraphrases than a CSV holds.
            StoreError: the disk is full or the folder cannot be written.
        """
        write_rows(self.name, self.items, Path(path))

    def __repr__(self) -> str:
        return (
            f"Inventory({self.name!r}, {len(self.items) - len(self.content_free)} items of {len(self.values)} values, "
            f"{len(self.content_free)} content-free)"
        )


def load_inventory(name: str | Path = "portrait", questionnaire: str | Sequence[str] | None = None) -> Inventory:
    """Load a bundled inventory, or one of your own.

    Args:
        name: ``"portrait"`` (the ten basic values of Schwartz), ``"seventeen"`` (values, axioms and traits after
            ValueBench's names), both with items of our own; or the path of a TOML file (``.toml``) or of a CSV (any
            other ending) with the columns ``questionnaire, item, value, agreement, question``, which are those of
            ValueBench, and if you like ``kind`` and ``paraphrase_1`` to ``paraphrase_9``. ``agreement`` is +1 where
            "yes" speaks for the value, -1 where it speaks against it, and 0, with an empty ``value``, for an item
            without one. docs/inventories.md shows both.
        questionnaire: one or several of those in the file; default all. An item has the same id in the part as in the
            whole.

    Raises:
        ValueError: unknown name or questionnaire, or a file that does not hold an inventory: wrong separator or
            encoding, missing or doubled columns, an agreement other than -1, 0, 1, an empty question, a question that
            speaks both for and against one value. The message names the line, or the number of the item.

    Warns:
        UserWarning: once for each kind of finding of ``Inventory.check``, naming the first few values: items of one
            sign only, many more of one sign than of the other, fewer than three items, questions that count twice or
            belong to several values, paraphrases that repeat.
    """
    path = BUNDLED.get(str(name), Path(name))
    if not os.path.isfile(path):  # False also for a name that is too long for a file
        raise ValueError(
            f"name: no inventory {str(name)!r:.200} and no such file; expected {' or '.join(map(repr, BUNDLED))} or "
            "the path of a CSV or TOML file"
        )
    with file_faults(f"inventory {path.name}"):
        rows = read_rows(path)
    if questionnaire is not None:
        wanted = (questionnaire,) if isinstance(questionnaire, str) else tuple(questionnaire)
        known = tuple(dict.fromkeys(row.questionnaire for row in rows))
        if not wanted or not set(wanted) <= set(known):
            raise ValueError(f"questionnaire: expected some of {_quoted(known)} of {path.name}, got {_quoted(wanted)}")
        rows = [row for row in rows if row.questionnaire in wanted]
    items = [row.item for row in rows]
    if not any(item.keying for item in items):
        raise ValueError(f"inventory {path.name}: has no item with agreement 1 or -1; expected at least one")
    with file_faults(f"inventory {path.name}"):
        check_contradictions(items, path.name)
    names = {row.questionnaire for row in rows}
    inventory = Inventory((names.pop() if len(names) == 1 else "") or path.stem, tuple(items))
    for finding in findings(items):
        warnings.warn(printable(f"inventory {inventory.name}: {finding.warning}"), stacklevel=2)
    return inventory


def _check_count(name: str, count: object, least: int) -> None:
    if isinstance(count, bool) or not isinstance(count, Integral):
        raise TypeError(f"{name}: expected an integer, got {count!r}")
    if int(count) < least:
        raise ValueError(f"{name}: expected at least {least}, got {count}")


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
