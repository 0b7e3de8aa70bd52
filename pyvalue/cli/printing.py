"""What is printed on a terminal: results to standard output, all else to standard error, and nothing that acts on it.

Names of values and personas, and those of files, come from others. On a terminal an escape character in one could
move the cursor, rewrite what stands above or set the window's title; so all of them are made visible.
"""

from __future__ import annotations

import json
import math
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from pyvalue.visible_text import HIDDEN_KINDS
from pyvalue.visible_text import visible as visible


def say(text: str) -> None:
    """A line, or several, of a result."""
    _write(visible(text, lines=True) + "\n", sys.stdout)


def note(text: str) -> None:
    """A line about a result, or about what is going on."""
    _write(f"note: {visible(' '.join(text.split()))}\n", sys.stderr)


def complain(text: str) -> None:
    """The one line of an error."""
    _write(f"pyvalue: {visible(' '.join(text.split()))}\n", sys.stderr)


def say_json(content: Any) -> None:
    """One JSON document: UTF-8 as far as the stream has it, missing and infinite numbers null."""
    text = json.dumps(plain(content), ensure_ascii=False, allow_nan=False, indent=1)
    # Only inside of strings can such a character stand, but for the line breaks of the layout.
    shown = "".join(c if c == "\n" or unicodedata.category(c) not in HIDDEN_KINDS else _json_escape(c) for c in text)
    try:
        shown.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        shown = json.dumps(plain(content), allow_nan=False, indent=1)
    _write(shown + "\n", sys.stdout)


def plain(content: Any) -> Any:
    """As JSON can hold it: tuples and sets are lists, numbers of NumPy and pandas are numbers, NaN is null."""
    if isinstance(content, Mapping):
        return {str(key): plain(entry) for key, entry in content.items()}
    if isinstance(content, str):
        return str(content)
    if isinstance(content, float):
        return float(content) if math.isfinite(content) else None
    if content is None or isinstance(content, bool | int):
        return content
    if hasattr(content, "item") and getattr(content, "ndim", 0) == 0:  # of NumPy
        return plain(content.item())
    if isinstance(content, Iterable):
        return [plain(entry) for entry in content]
    return None if str(content) == "<NA>" else str(content)


def records(table: Any) -> list[dict[str, Any]]:
    """Rows of a DataFrame, for JSON."""
    return [plain(row) for row in table.to_dict("records")]


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


def _write(text: str, stream: TextIO) -> None:
    """Also where the stream's encoding lacks a character, which is then spelt out."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        known = stream.encoding or "ascii"
        stream.write(text.encode(known, errors="backslashreplace").decode(known))
    stream.flush()
