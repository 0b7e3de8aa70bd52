"""Read ``study.toml``: every entry is checked, and every fault told with its line. Starts nothing."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyvalue.studies.kinds import Kind, Refused, shown
from pyvalue.studies.study import INNER, TABLES, Study
from pyvalue.studies.study_checks import check_study
from pyvalue.studies.study_errors import Fault, Faults, StudyError, suggestion
from pyvalue.studies.toml_lines import KeyPath, key_lines

#: bytes of a file; no study that a person writes is as long
MOST_BYTES = 1_000_000
_SECRET_NAME = re.compile(
    r"(?:.*_)?(?:api_?key|access_?key|secret|secret_?key|token|access_?token|password|passwd|authorization|bearer)",
    re.IGNORECASE,
)
_NO_SECRETS = (
    "a study holds no keys, since it is copied into the run folder; leave it out, and set the environment variable "
    "OPENAI_API_KEY instead"
)
#: keys as services write them, also in comments, which are copied as well
_SECRET_TEXT = re.compile(
    r"\b(?:sk|pk|rk)-(?=[\w-]*\d)[\w-]{16,}|\b(?:hf_|gh[opsru]_|github_pat_|glpat-|xox[abps]-|gsk_|r8_)\w{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\beyJ[\w-]{10,}\.[\w-]+\.[\w-]+"
)


def load_study(path: str | Path) -> Study:
    """Read a study and check all of it: names, kinds, ranges, contradictions, and that its files are there.

    Relative paths in it start from the folder that it is in.

    Args:
        path: of ``study.toml``; ``pyvalue.write_study`` writes one to begin with, in which every entry is explained.

    Returns:
        The study; ``pyvalue.run_study`` runs it.

    Raises:
        StudyError: a ValueError that names file, line and key of every fault, what was expected and what came.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise StudyError(str(path), [Fault(1, "", "expected a file, got something else")])
        if size > MOST_BYTES:
            raise StudyError(str(path), [Fault(1, "", f"expected at most {MOST_BYTES:,} bytes, got {size:,}")])
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        told = "no such file; `pyvalue init` writes a study to begin with"
        raise StudyError(str(path), [Fault(1, "", told)]) from None
    except OSError as fault:
        raise StudyError(str(path), [Fault(1, "", f"cannot be read: {fault.strerror or fault}")]) from fault
    except UnicodeDecodeError as fault:
        line = path.read_bytes()[: fault.start].count(b"\n") + 1
        raise StudyError(str(path), [Fault(line, "", "expected a text in UTF-8")]) from fault
    return read_study(text, path.resolve().parent, str(path), path=path)


def read_study(
    text: str, folder: Path, name: str = "study.toml", *, path: Path | None = None, with_files: bool = True
) -> Study:
    """A study from its text.

    Args:
        text: TOML.
        folder: that relative paths start from.
        name: of the file, for messages.
        path: of the file, if there is one.
        with_files: whether the files that it names must be there.

    Raises:
        StudyError: see ``load_study``.
    """
    try:
        document = tomllib.loads(text)
        faults = Faults(key_lines(text))
    except RecursionError:
        raise StudyError(name, [Fault(1, "", "expected tables within tables a few deep, got too many")]) from None
    except ValueError as fault:
        raise StudyError(name, [_syntax_fault(text, str(fault))]) from None
    _check_no_secrets(text, document, faults)
    tables = _tables(document, faults)
    if faults.found:
        raise StudyError(name, faults.found)
    study = Study(**tables, path=path, folder=folder, text=text, document=document)
    check_study(study, faults, with_files)
    if faults.found:
        raise StudyError(name, faults.found)
    return study


def _syntax_fault(text: str, told: str) -> Fault:
    place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", told)
    if place is None:
        return Fault(1, "", f"is no TOML: {told}")
    last = text.rstrip().count("\n") + 1
    line = int(place[1]) if place[1] else last
    column = f" (column {place[2]})" if place[2] else " (at the end of the file)"
    return Fault(line, "", f"is no TOML: {told[: place.start()]}{column}")


def _check_no_secrets(text: str, document: Mapping[str, Any], faults: Faults) -> None:
    for path in _paths(document):
        if isinstance(path[-1], str) and _SECRET_NAME.fullmatch(path[-1].replace("-", "_")):
            faults.add(path, _NO_SECRETS)
    told = {fault.line for fault in faults.found}
    for match in _SECRET_TEXT.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if line not in told:
            told.add(line)
            faults.found.append(Fault(line, "", f"holds what looks like a secret key; {_NO_SECRETS}"))


def _paths(content: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    if isinstance(content, Mapping):
        for name, inner in content.items():
            yield from _paths(inner, (*path, name))
    elif isinstance(content, list):
        for place, inner in enumerate(content):
            yield from _paths(inner, (*path, place))


def _tables(document: Mapping[str, Any], faults: Faults) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, content in document.items():
        if name not in TABLES:
            faults.add((name,), f"unknown {_kind_of(content)}{_for_table(name, content)}")
        elif name == "edits":
            found[name] = _edits(content, faults)
        else:
            found[name] = _table(content, (name,), TABLES[name], faults, INNER.get(name, {}))
    if "model" not in document:
        faults.add(("model",), 'expected a table [model] with a name, such as name = "smollm2-135m-instruct", got none')
    return found


def _edits(content: Any, faults: Faults) -> tuple[Any, ...]:
    if not isinstance(content, list) or not all(isinstance(one, Mapping) for one in content):
        faults.add(("edits",), f"expected tables, each headed [[edits]], got {shown(content)}")
        return ()
    return tuple(_table(one, ("edits", place), TABLES["edits"], faults, {}) for place, one in enumerate(content))


def _table(content: Any, path: KeyPath, kind: type, faults: Faults, inner: Mapping[str, type]) -> Any:
    """A table as its class; None where something is wrong with it."""
    if not isinstance(content, Mapping):
        faults.add(path, f"expected a table, headed [{path[0]}], got {shown(content)}")
        return None
    entries = entries_of(kind)
    given: dict[str, Any] = {}
    before = len(faults.found)
    for name, value in content.items():
        own = (*path, name)
        if name in inner:
            given[name] = _table(value, own, inner[name], faults, {})
        elif name not in entries:
            faults.add(own, f"unknown key{_for_key(name, path, [*entries, *inner])}")
        else:
            field, of_kind = entries[name]
            given[field.name] = _entry(value, own, of_kind, faults)
    for name, (field, of_kind) in entries.items():
        if field.metadata["required"] and name not in content:
            faults.add((*path, name), f"expected {of_kind.expected}, but the table has no {name}")
    return kind(**given) if len(faults.found) == before else None


def _entry(value: Any, path: KeyPath, kind: Kind, faults: Faults) -> Any:
    try:
        return kind.read(value)
    except Refused as fault:
        more = f" ({fault})" if str(fault) else ""
        near = suggestion(value, kind.choices, '"{}"') if isinstance(value, str) else ""
        faults.add(path, f"expected {kind.expected}, got {shown(value)}{more}{near}")
        return None


def entries_of(kind: type) -> dict[str, tuple[dataclasses.Field[Any], Kind]]:
    """Names of the entries of a table, as they stand in the file, with their field and kind."""
    fields = [field for field in dataclasses.fields(kind) if "kind" in field.metadata]
    return {field.metadata["name"] or field.name: (field, field.metadata["kind"]) for field in fields}


def _kind_of(content: Any) -> str:
    return "table" if isinstance(content, Mapping | list) else "key"


def _for_table(name: str, content: Any) -> str:
    near = suggestion(name, TABLES, "[{}]")
    if not near and (homes := _homes(name)) and not isinstance(content, Mapping):
        near = f"; it belongs into {homes}, below that header"
    return f"{near or ';'} a study has the tables {', '.join(f'[{table}]' for table in TABLES)}"


def _for_key(name: str, path: KeyPath, known: list[str]) -> str:
    table = ".".join(str(part) for part in path if isinstance(part, str))
    near = suggestion(name, known)
    if not near and (homes := _homes(name)):
        near = f"; it belongs into {homes}"
    return f"{near or ';'} [{table}] takes {', '.join(known)}"


def _homes(name: str) -> str:
    """The tables that have an entry of this name."""
    every = {**TABLES, **{f"{outer}.{name}": kind for outer, kinds in INNER.items() for name, kind in kinds.items()}}
    return " or ".join(f"[{table}]" for table, kind in every.items() if name in entries_of(kind))
