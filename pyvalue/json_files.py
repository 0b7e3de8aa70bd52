"""A file of JSON, read as what it says it is: a plain file, of text that can be written again. Checks no content."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyvalue.file_faults import check_regular


def read_json(
    path: str | Path, *, links: bool = True, pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """What the file holds; a byte order mark is skipped.

    Args:
        path: of the file.
        links: whether it may be a symbolic link.
        pairs_hook: makes an object of its keys and values; default a dict, in which the last of two equal keys stays.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it cannot be read, or is a pipe or a device.
        ValueError: it is not UTF-8, not JSON, nested too deeply, or has half of a surrogate pair, which no file and no
            terminal can hold.
    """
    check_regular(path, links)
    text = Path(path).read_text(encoding="utf-8-sig")
    try:
        content = json.loads(text, object_pairs_hook=pairs_hook)
        if "\\ud" in text.lower():
            json.dumps(content, ensure_ascii=False).encode()
    except RecursionError as fault:
        raise ValueError("it is nested too deeply") from fault
    except UnicodeEncodeError as fault:
        raise ValueError("a text in it has half of a surrogate pair (\\ud800 to \\udfff)") from fault
    return content
