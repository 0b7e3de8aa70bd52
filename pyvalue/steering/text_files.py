"""Texts on disk: those a model is still writing, kept so that a kill loses one batch, and those a user brings along.

Both are JSONL with ``{"text": ...}`` a line, so that what one run wrote another can be given. Writes no text itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pyvalue.atomic_files import write_json
from pyvalue.file_faults import check_regular, file_faults


def keep_texts(
    file: Path,
    count: int,
    batch_size: int,
    write: Callable[[int], Iterator[list[str]]],
    origin: dict[str, Any],
    advance: Callable[[], None] = lambda: None,
) -> list[str]:
    """Texts of ``file``, and those still missing from ``count``, each batch on disk before the next is begun.

    Args:
        file: JSONL; made, or gone on with. ``origin`` stands beside it, under the same name and ``.json``.
        count: texts wanted; a file that holds more is not cut.
        batch_size: texts in every batch of ``write``.
        write: gives batches without end, from the number on that it is called with.
        origin: what the texts depend on (model, seed, ...), so that no file is continued by something else.
        advance: called once for every text, those found on disk included.

    Returns:
        The first ``count`` texts.

    Raises:
        ValueError: the file was begun by another ``origin``; the message names what differs.
    """
    _check_origin(file, origin | {"batch_size": batch_size})
    texts = _whole_batches(file, batch_size)
    for _ in texts[:count]:
        advance()
    batches = write(len(texts) // batch_size)
    while len(texts) < count:
        batch = next(batches)
        with file.open("a", encoding="utf-8") as out:
            out.write("".join(json.dumps({"text": text}) + "\n" for text in batch))
            out.flush()
            os.fsync(out.fileno())
        for _ in batch[: count - len(texts)]:
            advance()
        texts += batch
    return texts[:count]


@file_faults("texts_from")
def read_texts(path: str | Path) -> list[str]:
    """Texts from a file of the user: JSONL with ``"text"`` in every line, or plain text, one text a line.

    A file counts as JSONL when its name ends in ``.jsonl``, ``.ndjson`` or ``.json``. Empty lines are left out.

    Raises:
        ValueError: the file cannot be read, a line is no JSON object with a ``"text"``, or there is no text.
    """
    path = Path(path)
    try:
        check_regular(path)
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as fault:
        raise ValueError(f"texts_from: {path} cannot be read as UTF-8 text ({fault})") from fault
    is_json = path.suffix.lower() in (".jsonl", ".ndjson", ".json")
    texts = [
        _text_of(line, path, number) if is_json else line.strip()
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if not texts:
        raise ValueError(f"texts_from: {path} holds no text; expected one a line")
    return texts


def _text_of(line: str, path: Path, number: int) -> str:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as fault:
        raise ValueError(f"texts_from: line {number} of {path} is not JSON ({fault})") from fault
    text = entry.get("text") if isinstance(entry, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f'texts_from: line {number} of {path}: expected an object with a non-empty "text"')
    return text


def _check_origin(file: Path, origin: dict[str, Any]) -> None:
    beside = file.with_suffix(".json")
    if not beside.exists():
        if file.exists() and file.stat().st_size:
            raise ValueError(
                f"work: {file} is there already, but no {beside.name} that says what it holds; move it away, or give "
                "another folder"
            )
        write_json(beside, origin)
        return
    begun = json.loads(beside.read_text(encoding="utf-8"))
    differing = [
        f"{key} {begun.get(key)!r} rather than {origin.get(key)!r}"
        for key in sorted(begun.keys() | origin.keys())
        if begun.get(key) != origin.get(key)
    ]
    if differing:
        raise ValueError(
            f"work: {file.parent} was begun with {', '.join(differing)}; repeat the first call's arguments to go on, "
            "or delete that folder"
        )


def _whole_batches(file: Path, batch_size: int) -> list[str]:
    """What is there, in whole batches; the rest of a batch whose writing was cut off is taken away."""
    if not file.exists():
        return []
    lines = file.read_bytes().split(b"\n")[:-1]  # what follows the last line end is no whole line
    lines = lines[: len(lines) // batch_size * batch_size]
    size = sum(len(line) + 1 for line in lines)
    if size != file.stat().st_size:
        os.truncate(file, size)
    return [json.loads(line)["text"] for line in lines]
