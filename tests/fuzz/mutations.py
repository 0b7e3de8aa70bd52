"""Changes of bytes, of JSON trees and of rows of cells, each drawn from a ``random.Random``."""

from __future__ import annotations

import csv
import io
import json
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from .hostile import DEEP, NUMBERS, TEXTS, TOKENS

MOST = 200_000  # bytes of a mutated file; larger ones only test the disk


def of_bytes(random: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """One to six changes: flips, overwritten integers, pieces cut, doubled, moved in from tokens or other files."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        random.choice(_BYTE_CHANGES)(random, changed, others)
    return bytes(changed[:MOST])


def _place(random: Random, data: bytearray) -> int:
    """Mostly near the ends, where the structure of binary formats is."""
    reach = len(data) if random.random() < 0.5 else min(len(data), 300)
    at = random.randrange(reach + 1) if reach else 0
    return at if random.random() < 0.5 else len(data) - at


def _flip(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _number(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    size, code = random.choice(((1, "B"), (2, "H"), (4, "I"), (8, "Q")))
    value = random.choice((0, 1, 127, 128, 255, 10**9, 2**31 - 1, 2**31, 2**63, -1, random.getrandbits(64)))
    at = _place(random, data)
    data[at : at + size] = struct.pack("<" + code, value % 256**size)


def _cut(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = _place(random, data)
    del data[at : at + random.choice((1, 2, 8, 50, len(data)))]


def _double(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    at, size = _place(random, data), random.choice((1, 8, 60, 500))
    data[at:at] = data[at : at + size] * random.choice((1, 2, 20))


def _token(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    at, token = _place(random, data), random.choice(TOKENS)
    data[at : at + random.choice((0, 0, 1, len(token)))] = token


def _splice(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    if others:
        other = random.choice(others)
        at, begin = _place(random, data), random.randrange(len(other) + 1)
        data[at : at + random.choice((0, 20, len(data)))] = other[begin : begin + random.choice((10, 100, len(other)))]


def _whole(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    how = random.randrange(5)
    if how == 0:
        data[:] = b"\xef\xbb\xbf" + data
    elif how == 1:
        data[:] = data.replace(b"\n", b"\r\n")
    elif how == 2:
        data[:] = data.decode("utf-8", "replace").encode(
            random.choice(("utf-16", "utf-16-be", "latin-1", "utf-7")), "replace"
        )
    elif how == 3:
        data[:] = data.replace(b",", random.choice((b";", b"\t", b"|", b" ")))
    else:
        del data[random.randrange(len(data) + 1) :]


_BYTE_CHANGES = (_flip, _flip, _number, _cut, _double, _token, _token, _splice, _whole)


class _Pairs(list[tuple[Any, Any]]):
    """An object of JSON whose keys may come twice."""


class _Raw(str):
    """Stands in the file as it is."""

    __slots__ = ()


def of_json(random: Random, text: bytes, others: Sequence[bytes] = ()) -> bytes:
    """A file of JSON with one to four nodes changed, or, now and then, with its bytes changed."""
    if random.random() < 0.25:
        return of_bytes(random, text, others)
    tree = json.loads(text, object_pairs_hook=_Pairs)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        tree = _changed_tree(random, tree)
    return _encoded(tree).encode("utf-8", "surrogatepass")[:MOST]


def _changed_tree(random: Random, tree: Any) -> Any:
    places: list[tuple[Any, int]] = []
    _places(tree, places)
    if not places or random.random() < 0.02:
        return hostile_value(random)
    parent, at = random.choice(places)
    key, old = parent[at] if isinstance(parent, _Pairs) else (None, parent[at])
    how = random.randrange(9)
    if how == 0:
        del parent[at]
        return tree
    if how == 1:
        other, there = random.choice(places)
        new = other[there][1] if isinstance(other, _Pairs) else other[there]
        new = _Raw(_encoded(new))  # a copy: else a node may come to hold itself
    elif how == 2:
        new = [old] if random.random() < 0.5 else _Pairs([("a", old)])
    elif how == 3:
        parent.insert(at, parent[at])
        return tree
    elif how == 4 and key is not None:
        key, new = random.choice((*TEXTS, *(k for k, _ in parent))), old
    elif how == 5 and isinstance(old, str):
        new = _changed_text(random, old)
    elif how == 6 and isinstance(old, int | float) and abs(old) < 1e300:
        new = random.choice((old + 1, -old, old * 10**6, str(old), float(old), bool(old), [old]))
    else:
        new = hostile_value(random)
    parent[at] = (key, new) if isinstance(parent, _Pairs) else new
    return tree


def _places(tree: Any, found: list[tuple[Any, int]]) -> None:
    if isinstance(tree, list):
        for at, child in enumerate(tree):
            found.append((tree, at))
            _places(child[1] if isinstance(tree, _Pairs) else child, found)


def _changed_text(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return random.choice(
        (text[:at], text + random.choice(TEXTS), text[:at] + random.choice(TEXTS) + text[at:], text.swapcase())
    )


def hostile_value(random: Random, depth: int = 0) -> Any:
    """A text, number, list or object of JSON that nobody expects."""
    how = random.randrange(8 if depth < 2 else 4)
    if how < 2:
        return random.choice(TEXTS)
    if how == 2:
        return random.choice(NUMBERS)
    if how == 3:
        return random.choice((None, True, False))
    if how == 4:
        return [hostile_value(random, depth + 1) for _ in range(random.choice((0, 1, 2, 3)))]
    if how == 5:
        return _Pairs((random.choice(TEXTS), hostile_value(random, depth + 1)) for _ in range(random.choice((0, 1, 2))))
    if how == 6 and random.random() < 0.1:
        size = random.choice((200, 2000, DEEP))
        return _Raw(random.choice(("[" * size + "]" * size, '{"a":' * size + "1" + "}" * size)))
    return _Raw(
        random.choice(
            ("1" + "0" * 4999, "-1e99999", "1e-99999", "NaN", "-Infinity", '"\\ud800"', '"\\u0000"', "01", "+1")
        )
    )


def _encoded(tree: Any) -> str:
    if isinstance(tree, _Raw):
        return str(tree)
    if isinstance(tree, _Pairs):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {_encoded(value)}" for key, value in tree) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(_encoded, tree)) + "]"
    return json.dumps(tree, ensure_ascii=False) if isinstance(tree, str) and _encodable(tree) else json.dumps(tree)


def _encodable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def of_csv(random: Random, text: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Rows with cells, rows and columns changed, or, now and then, with the bytes changed."""
    if random.random() < 0.3:
        return of_bytes(random, text, others)
    rows = list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline="")))
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        random.choice(_ROW_CHANGES)(random, rows)
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=random.choice(",,,,,;\t|"), quoting=random.choice((csv.QUOTE_MINIMAL,
        csv.QUOTE_ALL)),
                        lineterminator=random.choice(("\n", "\n", "\r\n", "\r")))  # fmt: skip
    writer.writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")[:MOST]


def _cell(random: Random, rows: list[list[str]]) -> None:
    row = random.choice(rows) if rows else []
    if row:
        value = random.choice(
            (random.choice(TEXTS), str(_small(random.choice(NUMBERS))), random.choice(random.choice(rows) or [""]))
        )
        row[random.randrange(len(row))] = value


def _small(number: int | float) -> int | float:
    return number if isinstance(number, float) or abs(number) < 10**100 else 10**100


def _header(random: Random, rows: list[list[str]]) -> None:
    if rows and rows[0]:
        rows[0][random.randrange(len(rows[0]))] = random.choice((*TEXTS, *rows[0]))


def _row(random: Random, rows: list[list[str]]) -> None:
    if not rows:
        return
    at = random.randrange(len(rows))
    how = random.randrange(6)
    if how == 0:
        del rows[at]
    elif how == 1:
        rows.insert(at, list(rows[at]))
    elif how == 2:
        rows[at] = rows[at][: random.randrange(len(rows[at]) + 1)]
    elif how == 3:
        rows[at] = rows[at] + [random.choice(TEXTS)] * random.choice((1, 3, 300))
    elif how == 4:
        random.shuffle(rows)
    else:
        del rows[random.choice((0, 1)) :]


def _column(random: Random, rows: list[list[str]]) -> None:
    width = max(map(len, rows), default=0)
    if not width:
        return
    at, how, text = random.randrange(width), random.randrange(5), random.choice(TEXTS)
    for row in rows[(how == 3) :]:
        if at >= len(row):
            continue
        if how == 0:
            del row[at]
        elif how == 1:
            row.insert(at, row[at])
        elif how in (2, 3):
            row[at] = text
        else:
            row[at] = str(_small(random.choice(NUMBERS)))


_ROW_CHANGES: tuple[Callable[[Random, list[list[str]]], None], ...] = (_cell, _cell, _header, _row, _column)
