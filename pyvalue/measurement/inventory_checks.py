"""What is wrong, or doubtful, about a set of items. This module reads no files and warns of nothing itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from pyvalue.measurement.items import KINDS, Item

#: With two items Cronbach's alpha rests on a single correlation.
FEWEST_ITEMS = 3


@dataclass(frozen=True)
class Finding:
    """One kind of objection.

    Attributes:
        remark: in a few words, for a table.
        groups: the values (or kinds of items without one) that it concerns, in order of first appearance.
        warning: the sentence for a warning, with the first few names.
    """

    remark: str
    groups: tuple[str, ...]
    warning: str


def findings(items: Sequence[Item]) -> list[Finding]:
    """Every kind of objection to the items that applies, each once."""
    found = [*_of_keying(items), *_of_questions(items), *_of_paraphrases(items)]
    return [finding for finding in found if finding.groups]


def check_table(items: Sequence[Item]) -> pd.DataFrame:
    """Counts and remarks of every value; see ``Inventory.check``."""
    grouped = _grouped(items)
    objections = findings(items)
    order = [group for group in grouped if group not in KINDS] + [kind for kind in KINDS if kind in grouped]
    rows = [
        {
            "value": group,
            "items": len(grouped[group]),
            "positive": sum(item.keying > 0 for item in grouped[group]),
            "negative": sum(item.keying < 0 for item in grouped[group]),
            "wordings": min(len(item.wordings) for item in grouped[group]),
            "remarks": "; ".join(finding.remark for finding in objections if group in finding.groups),
        }
        for group in order
    ]
    return pd.DataFrame(rows, columns=["value", "items", "positive", "negative", "wordings", "remarks"])


def check_contradictions(items: Sequence[Item], file: str) -> None:
    """Refuse a question whose "yes" would speak both for and against one value.

    Raises:
        ValueError: names the question and the value.
    """
    signs: dict[tuple[str, str], int] = {}
    for item in items:
        if signs.setdefault((item.value, words_of(item.question)), item.keying) != item.keying:
            raise ValueError(
                f"inventory {file}: {item.question!r} has agreement both 1 and -1 for {item.value}; remove one"
            )


def words_of(text: str) -> str:
    """The words alone, in small letters: two texts that differ in punctuation only are one."""
    return " ".join(re.findall(r"\w+", text.casefold())) or text


def _of_keying(items: Sequence[Item]) -> list[Finding]:
    signs = {group: Counter(item.keying for item in found) for group, found in _grouped(items).items()}
    signs = {group: count for group, count in signs.items() if not count[0]}
    one = tuple(group for group, count in signs.items() if len(count) == 1)
    few = tuple(group for group, count in signs.items() if count.total() < FEWEST_ITEMS)
    letters = Counter(group.casefold() for group in signs)
    alike = tuple(group for group in signs if letters[group.casefold()] > 1)
    unequal = tuple(group for group, count in signs.items() if len(count) == 2 and abs(count[1] - count[-1]) > 1)
    return [
        Finding(
            "one sign only",
            one,
            f'all items of {_some(one)} have one sign, so a bias towards "yes" counts as the value; add items of the '
            "other sign",
        ),
        Finding(
            "unequal keying",
            unequal,
            f'items of {_some(unequal)} are mostly of one sign, so a bias towards "yes" counts in part; '
            "add items of the other",
        ),
        Finding(
            f"fewer than {FEWEST_ITEMS} items",
            few,
            f"fewer than {FEWEST_ITEMS} items of {_some(few)}, too few to tell how reliable a score is",
        ),
        Finding(
            "another value has this name in other letters",
            alike,
            f"{_some(alike)} differ in small and capital letters only and are scored apart; write them alike",
        ),
    ]


def _of_questions(items: Sequence[Item]) -> list[Finding]:
    asked: dict[str, list[Item]] = {}
    for item in items:
        asked.setdefault(words_of(item.question), []).append(item)
    repeats = [found for found in asked.values() if len(found) > 1]
    shared = [found for found in repeats if len({item.group for item in found}) > 1]
    doubled = [found for found in repeats if len({item.group for item in found}) < len(found)]
    twice = [item for found in doubled for item in found if [i.group for i in found].count(item.group) > 1]
    return [
        Finding(
            "shares a question with another value",
            _groups(item for found in shared for item in found),
            f"{len(shared)} questions belong to several values, which then correlate by construction, for example "
            f"{shared[0][0].question!r} to {_some(_groups(shared[0]))}"
            if shared
            else "",
        ),
        Finding(
            "a question counts twice",
            _groups(twice),
            f"{len(doubled)} questions count more than once for one value, for example {twice[0].question!r} "
            f"for {twice[0].group}"
            if twice
            else "",
        ),
    ]


def _of_paraphrases(items: Sequence[Item]) -> list[Finding]:
    asked: dict[str, set[str]] = {}
    for item in items:
        for text in item.wordings:
            asked.setdefault(words_of(text), set()).add(item.id)
    again = [item for item in items if len({words_of(text) for text in item.wordings}) < len(item.wordings)]
    foreign = [item for item in items if any(len(asked[words_of(text)]) > 1 for text in item.paraphrases)]
    return [
        Finding(
            "a paraphrase repeats",
            _groups(again),
            f"{len(again)} items of {_some(_groups(again))} have a wording twice, for example "
            f"{again[0].id!r}; a paraphrase must differ in words"
            if again
            else "",
        ),
        Finding(
            "a paraphrase is another item's wording",
            _groups(foreign),
            f"{len(foreign)} items of {_some(_groups(foreign))} have a paraphrase that another item has too, for "
            f"example {foreign[0].id!r}"
            if foreign
            else "",
        ),
    ]


def _grouped(items: Iterable[Item]) -> dict[str, list[Item]]:
    grouped: dict[str, list[Item]] = {}
    for item in items:
        grouped.setdefault(item.group, []).append(item)
    return grouped


def _groups(items: Iterable[Item]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.group for item in items))


def _some(names: Sequence[str], most: int = 5) -> str:
    """Names joined by commas, the first few of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
