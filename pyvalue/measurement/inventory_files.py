"""Inventories as files: CSV with the columns of ValueBench, and TOML. This module does not judge the items."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pyvalue.atomic_files import replace_file
from pyvalue.measurement.items import KINDS, Item

COLUMNS = ("questionnaire", "item", "value", "agreement", "question")
PARAPHRASES = tuple(f"paraphrase_{i}" for i in range(1, 10))
_CSV_NAMES = {"item": "id", "agreement": "keying"}
_TOML_KEYS = {"id", "value", "keying", "question", "paraphrases", "kind"}


class Row(NamedTuple):
    """An item, and the questionnaire that it is from."""

    questionnaire: str
    item: Item


def read_rows(path: Path) -> list[Row]:
    """Read a TOML file (``.toml``) or a CSV (any other ending); the ids of the items are unique.

    Raises:
        ValueError: names the file, and the line or the number of the item.
    """
    text = _text(path)
    if path.suffix.lower() == ".toml":
        return _read_toml(text, f"inventory {path.name}")
    return _with_unique_ids(_read_csv(text, f"inventory {path.name}"))


def write_rows(name: str, items: Sequence[Item], path: Path) -> None:
    """Write items as TOML or CSV, by the ending; see ``Inventory.save``."""
    formats: dict[str, Callable[[str, Sequence[Item]], str]] = {".csv": _as_csv, ".toml": _as_toml}
    if path.suffix.lower() not in formats:
        raise ValueError(f"path: expected a name ending in .csv or .toml, got {path.name!r}")
    content = formats[path.suffix.lower()](name, items).encode("utf-8")
    replace_file(path, lambda scratch: scratch.write_bytes(content))


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise ValueError(f"inventory {path}: cannot be read ({fault.strerror or fault})") from fault
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))  # what Excel calls "Unicode text"
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise ValueError(
            f"inventory {path.name}, line {line}: not {'UTF-16' if wide else 'UTF-8'} text ({fault.reason}); save the "
            "file as UTF-8"
        ) from fault


def _read_csv(text: str, where: str) -> list[Row]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    header: list[str] | None = None
    begin = 1
    try:
        for cells in lines:
            begin, here = lines.line_num + 1, f"{where}, line {begin}"
            cells = [cell.strip() for cell in cells]
            if header is None:
                header = cells
                _check_header(header, where)
            elif any(cells):
                rows.append(_csv_row(header, cells, here))
    except csv.Error as fault:
        raise ValueError(f"{where}, line {lines.line_num}: not a readable CSV file ({fault})") from fault
    if header is None:
        raise ValueError(f"{where}: not a readable CSV file (it is empty)")
    return rows


def _check_header(header: Sequence[str], where: str) -> None:
    missing = [column for column in COLUMNS if column not in header]
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if missing and separator in "".join(header):
            raise ValueError(f"{where}: its columns are separated by {name}; save the file with commas")
    if missing:
        raise ValueError(
            f"{where}: missing columns {', '.join(missing)}; expected {', '.join(COLUMNS)}, got {', '.join(header)}"
        )
    doubled = [column for column, times in Counter(header).items() if column and times > 1]
    if doubled:
        raise ValueError(f"{where}: column {doubled[0]!r} occurs more than once; remove one")
    odd = [column for column in header if column.startswith("paraphrase") and column not in PARAPHRASES]
    if odd:
        raise ValueError(f"{where}: unknown column {odd[0]!r}; expected {PARAPHRASES[0]} to {PARAPHRASES[-1]}")


def _csv_row(header: Sequence[str], cells: Sequence[str], where: str) -> Row:
    if len(cells) > len(header):
        raise ValueError(
            f"{where}: has {len(cells)} cells, the header {len(header)}; put a text with commas into double quotes"
        )
    row = dict(zip(header, [*cells, *[""] * (len(header) - len(cells))], strict=True))
    try:
        keying = float(row["agreement"])
    except ValueError:
        keying = 0.5
    if keying not in (-1, 0, 1):
        raise ValueError(f"{where}: agreement must be 1, -1 or 0, got {row['agreement']!r}")
    paraphrases = [row[column] for column in PARAPHRASES if row.get(column)]
    # ValueBench names an item by its text; a file of one's own may leave the name out.
    name = row["item"] or row["question"]
    item = _item(name, row["value"], int(keying), row["question"], paraphrases, row.get("kind", ""), where)
    return Row(row["questionnaire"], item)


def _read_toml(text: str, where: str) -> list[Row]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ValueError(f"{where}: not a readable TOML file ({fault})") from fault
    tables, name = content.get("items"), content.get("name", "")
    if content.keys() - {"name", "items"} or not isinstance(name, str) or not isinstance(tables, list):
        raise ValueError(f"{where}: expected a text 'name' and [[items]], got {', '.join(content) or 'nothing'}")
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for number, table in enumerate(tables, start=1):
        rows.append(Row(name.strip(), _toml_item(table, f"{where}, item {number}")))
        first = seen.setdefault(rows[-1].item.id, number)
        if first != number:
            raise ValueError(
                f"{where}, item {number}: has the id {rows[-1].item.id!r} of item {first}; give it another"
            )
    return rows


def _toml_item(table: Any, where: str) -> Item:
    if not isinstance(table, dict):
        raise ValueError(f"{where}: expected a table [[items]], got {table!r}")
    unknown = sorted(table.keys() - _TOML_KEYS)
    missing = [key for key in ("id", "keying", "question") if key not in table]
    if unknown or missing:
        said = f"unknown key {unknown[0]!r}" if unknown else f"missing key {missing[0]!r}"
        if unknown and unknown[0] in _CSV_NAMES:
            said += f", which is {_CSV_NAMES[unknown[0]]!r} in TOML"
        raise ValueError(f"{where}: {said}; expected id, value, keying, question, paraphrases, kind")
    keying = table["keying"]
    if isinstance(keying, bool) or keying not in (-1, 0, 1):
        raise ValueError(f"{where}: keying must be 1, -1 or 0, got {keying!r}")
    texts = {key: table.get(key, "") for key in ("id", "value", "question", "kind")}
    paraphrases = table.get("paraphrases", [])
    wrong = [key for key, text in texts.items() if not isinstance(text, str)]
    if not isinstance(paraphrases, list) or not all(isinstance(text, str) for text in paraphrases):
        wrong.append("paraphrases")
    if wrong:
        expected = "a list of texts" if wrong[0] == "paraphrases" else "a text"
        raise ValueError(f"{where}: {wrong[0]} must be {expected}, got {table[wrong[0]]!r}")
    return _item(texts["id"], texts["value"], int(keying), texts["question"], paraphrases, texts["kind"].strip(), where)


def _item(name: str, value: str, keying: int, question: str, paraphrases: Sequence[str], kind: str, where: str) -> Item:
    if not question.strip():
        raise ValueError(f"{where}: the question is empty")
    if bool(value.strip()) != bool(keying):
        raise ValueError(f"{where}: a value goes with agreement 1 or -1, none with 0; got {value!r}, {keying}")
    if kind and (kind not in KINDS or (kind == "keyed") != bool(keying)):
        raise ValueError(
            f"{where}: kind must be 'keyed' with agreement 1 or -1, 'content-free' or 'nonsense' with 0; "
            f"got {kind!r}, {keying}"
        )
    try:
        return Item(name, value, keying, question, tuple(paraphrases), kind == "nonsense")
    except ValueError as fault:
        raise ValueError(f"{where}: {fault}") from fault


def _with_unique_ids(rows: Sequence[Row]) -> list[Row]:
    """ValueBench repeats item texts across questionnaires; number the repeats so that an id names one question."""
    taken = {row.item.id for row in rows}
    seen: Counter[str] = Counter()
    unique = []
    for row in rows:
        base = name = row.item.id
        seen[base] += 1
        while seen[base] > 1 and name in taken:
            name = f"{base} ({seen[base]})"
            seen[base] += name in taken
        taken.add(name)
        unique.append(Row(row.questionnaire, replace(row.item, id=name)))
    return unique


def _as_csv(name: str, items: Sequence[Item]) -> str:
    most = max((len(item.paraphrases) for item in items), default=0)
    if most > len(PARAPHRASES):
        raise ValueError(f"path: a CSV holds {len(PARAPHRASES)} paraphrases an item, got {most}; save as .toml")
    text = io.StringIO(newline="")
    writer = csv.writer(text)  # lines end as RFC 4180 has it; the writer quotes a lone "\r" in a text only then
    writer.writerow([*COLUMNS[:4], "kind", "question", *PARAPHRASES[:most]])
    for item in items:
        blanks = [""] * (most - len(item.paraphrases))
        writer.writerow([name, item.id, item.value, item.keying, item.kind, *item.wordings, *blanks])
    return text.getvalue()


def _as_toml(name: str, items: Sequence[Item]) -> str:
    lines = [f"name = {_quoted(name)}"]
    for item in items:
        lines += ["", "[[items]]", f"id = {_quoted(item.id)}"]
        lines += [f"value = {_quoted(item.value)}"] if item.value else []
        lines += [f"keying = {item.keying}", f"kind = {_quoted(item.kind)}", f"question = {_quoted(item.question)}"]
        if item.paraphrases:
            lines += ["paraphrases = [", *(f"  {_quoted(text)}," for text in item.paraphrases), "]"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A basic string of TOML: JSON's escapes are valid there, and TOML forbids a bare DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
