"""Inventories: keyed yes/no questions, each about one value. This module does not ask them."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

COLUMNS = ("questionnaire", "item", "value", "agreement", "question")
_DATA = Path(__file__).resolve().parents[1] / "data"
BUNDLED = {"portrait": _DATA / "portrait.csv"}


@dataclass(frozen=True)
class Item:
    """One question, in several wordings.

    Attributes:
        id: unique in its inventory.
        value: what it asks about; empty where ``keying`` is 0.
        keying: +1 where "yes" speaks for the value, -1 where it speaks against it, 0 for an item that asks about none.
        question: as it is asked.
        paraphrases: other wordings of the same question.
        nonsense: an item without keying whose words mean nothing; other such items are content-free.
    """

    id: str
    value: str
    keying: int
    question: str
    paraphrases: tuple[str, ...] = ()
    nonsense: bool = False

    @property
    def wordings(self) -> tuple[str, ...]:
        """The question, then its paraphrases."""
        return (self.question, *self.paraphrases)

    @property
    def kind(self) -> str:
        """``"keyed"``, ``"content-free"`` or ``"nonsense"``."""
        return "keyed" if self.keying else "nonsense" if self.nonsense else "content-free"


@dataclass(frozen=True)
class Inventory:
    """A named set of items; immutable.

    Attributes:
        name: of the questionnaire.
        items: in file order.
    """

    name: str
    items: tuple[Item, ...]

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
        text = "\n".join(
            "\t".join((i.id, i.value, str(i.keying), i.kind, *i.wordings)) for i in self.items
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def subset(self, per_value: int, content_free: int | None = None, seed: int = 0) -> Inventory:
        """A seeded, balanced part of the inventory; the same items for every persona.

        Args:
            per_value: items kept of each value, drawn evenly from both signs as far as they go.
            content_free: content-free items kept; default all.
            seed: of the draw.

        Raises:
            ValueError: a value has fewer than ``per_value`` items, ``per_value`` < 1, or ``content_free`` < 0.
        """
        if per_value < 1:
            raise ValueError(f"per_value: expected at least 1, got {per_value}")
        if content_free is not None and content_free < 0:
            raise ValueError(f"content_free: expected 0 or more, got {content_free}")
        random = np.random.default_rng(seed)
        kept: set[str] = set()
        for value in self.values:
            kept |= _balanced_draw([i for i in self.items if i.value == value], value, per_value, random)
        free = [i.id for i in self.content_free]
        kept |= set(free if content_free is None else random.permutation(free)[:content_free])
        return Inventory(self.name, tuple(i for i in self.items if i.id in kept))

    def __repr__(self) -> str:
        return (
            f"Inventory({self.name!r}, {len(self.items) - len(self.content_free)} items of {len(self.values)} values, "
            f"{len(self.content_free)} content-free)"
        )


def load_inventory(name: str | Path = "portrait") -> Inventory:
    """Load a bundled inventory, or a CSV file in ValueBench's format.

    Args:
        name: ``"portrait"`` (ten basic values of Schwartz' theory, our own items), or the path of a CSV with the
            columns ``questionnaire, item, value, agreement, question``. ``agreement`` is +1 where "yes" speaks for
            the value, -1 where it speaks against it, and 0, with an empty ``value``, for a content-free item.

    Raises:
        ValueError: unknown name, missing columns, an agreement other than -1, 0, 1, an empty question, or a question
            that speaks both for and against one value.

    Warns:
        UserWarning: a value whose items all have one sign (its score then carries the bias towards "yes"), a question
            that counts twice for one value, or one that several values share (they then correlate by construction).
    """
    path = BUNDLED.get(str(name), Path(name))
    if not path.is_file():
        raise ValueError(
            f"name: unknown inventory {str(name)!r}; expected one of {', '.join(BUNDLED)} or the path of a CSV file"
        )
    try:
        table = pd.read_csv(path, keep_default_na=False, dtype=str, index_col=False).fillna("")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as fault:
        raise ValueError(f"inventory {path.name}: not a readable CSV file ({fault})") from fault
    return _from_table(table, path)


def _from_table(table: pd.DataFrame, path: Path) -> Inventory:
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise ValueError(
            f"inventory {path.name}: missing columns {', '.join(missing)}; "
            f"expected {', '.join(COLUMNS)}, got {', '.join(map(str, table.columns))}"
        )
    items: list[Item] = []
    for line, row in enumerate(table.itertuples(index=False), start=2):
        items.append(_checked_item(row, f"inventory {path.name}, line {line}"))
    if not any(item.keying for item in items):
        raise ValueError(f"inventory {path.name}: has no item with agreement 1 or -1; expected at least one")
    _check_contradictions(items, path)
    names = set(table["questionnaire"])
    name = str(names.pop()) if len(names) == 1 else path.stem
    inventory = Inventory(name or path.stem, _with_unique_ids(items))
    _warn_one_signed(inventory)
    _warn_repeated(inventory)
    return inventory


def _checked_item(row: object, where: str) -> Item:
    item, value, agreement, question = (str(getattr(row, c)).strip() for c in COLUMNS[1:])
    try:
        keying = float(agreement)
    except ValueError:
        keying = np.nan
    if keying not in (-1, 0, 1):
        raise ValueError(f"{where}: agreement must be 1, -1 or 0, got {agreement!r}")
    if not question:
        raise ValueError(f"{where}: the question is empty")
    if bool(value) != bool(keying):
        raise ValueError(f"{where}: a value goes with agreement 1 or -1, none with 0; got {value!r}, {agreement}")
    return Item(item, value, int(keying), question)


def _check_contradictions(items: Sequence[Item], path: Path) -> None:
    signs: dict[tuple[str, str], int] = {}
    for item in items:
        if signs.setdefault((item.value, item.question), item.keying) != item.keying:
            raise ValueError(
                f"inventory {path.name}: {item.question!r} has agreement both 1 and -1 for {item.value}; remove one"
            )


def _with_unique_ids(items: Sequence[Item]) -> tuple[Item, ...]:
    """ValueBench repeats item texts across questionnaires; number the repeats so that an id names one question."""
    taken = {item.id for item in items}
    seen: Counter[str] = Counter()
    unique = []
    for item in items:
        seen[item.id] += 1
        name = item.id
        while seen[item.id] > 1 and name in taken:
            name = f"{item.id} ({seen[item.id]})"
            seen[item.id] += name in taken
        taken.add(name)
        unique.append(replace(item, id=name))
    return tuple(unique)


def _warn_one_signed(inventory: Inventory) -> None:
    signs: dict[str, set[int]] = {}
    for item in inventory.items:
        if item.keying:
            signs.setdefault(item.value, set()).add(item.keying)
    lonely = [value for value, found in signs.items() if len(found) == 1]
    if lonely:
        warnings.warn(
            f"inventory {inventory.name}: all items of {_some(lonely)} have one sign, so a bias towards "
            '"yes" counts as the value; add items of the other sign or use corrected scores',
            stacklevel=4,
        )


def _warn_repeated(inventory: Inventory) -> None:
    values: dict[str, list[str]] = {}
    for item in inventory.items:
        values.setdefault(item.question, []).append(item.value)
    shared = [question for question, found in values.items() if len(set(found)) > 1]
    doubled = [question for question, found in values.items() if len(set(found)) < len(found)]
    if shared:
        warnings.warn(
            f"inventory {inventory.name}: {len(shared)} questions belong to several values, which then correlate by "
            f"construction, for example {shared[0]!r} to {_some(values[shared[0]])}",
            stacklevel=4,
        )
    if doubled:
        warnings.warn(
            f"inventory {inventory.name}: {len(doubled)} questions count more than once for one value, for example "
            f"{doubled[0]!r}",
            stacklevel=4,
        )


def _some(names: Sequence[str], most: int = 5) -> str:
    """Names joined by commas, the first few of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _balanced_draw(items: list[Item], value: str, count: int, random: np.random.Generator) -> set[str]:
    if len(items) < count:
        raise ValueError(f"per_value: {value} has {len(items)} items, fewer than the {count} asked for")
    positive = list(random.permutation([i.id for i in items if i.keying > 0]))
    negative = list(random.permutation([i.id for i in items if i.keying < 0]))
    n_positive = max(min((count + 1) // 2, len(positive)), count - len(negative))
    return set(positive[:n_positive]) | set(negative[: count - n_positive])
