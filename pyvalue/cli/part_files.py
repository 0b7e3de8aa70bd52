"""Parts of a report out of files, told apart by what is in them and not by their names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyvalue.cli.inputs import holds_answers
from pyvalue.errors import StoreError

#: keys that a JSON file of each kind has
_KINDS = {
    "graph": {"names", "edges"},
    "plan": {"target", "predicted"},
    "evaluation": {"effects", "summary"},
    "audit": {"findings"},
}


def read_part(path: Path) -> Any:
    """Responses, a graph, a plan, an evaluation or an audit.

    Raises:
        ValueError: no such file, or it holds none of these.
        StoreError: it holds one, but a damaged one.
    """
    import pyvalue as pv
    from pyvalue.studies.stored_audit import load_audit

    if not path.exists():
        raise ValueError(f"parts: no such file or folder: {path}")
    if path.is_dir() or path.suffix == ".parquet":
        if path.is_dir() and not holds_answers(path):
            raise ValueError(f"parts: {path} holds no answers (part-*.parquet); a run folder is given alone")
        return pv.Responses.load(path)
    readers: dict[str, Callable[[Path], Any]] = {
        "graph": pv.ValueGraph.load,
        "plan": pv.SteeringPlan.load,
        "evaluation": pv.Evaluation.load,
        "audit": lambda file: load_audit(file.parent, file.name),
    }
    return readers[_kind(path)](path)


def _of_tables(path: Path) -> str:
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        return ""
    return f"; tables are for pyvalue discover: pyvalue discover {path} --output graph.json"


def _kind(path: Path) -> str:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as fault:
        raise StoreError(
            f"parts: {path} is neither Parquet nor JSON; expected a run folder, or answers, a graph, a plan, an "
            f"evaluation or an audit that pyvalue wrote{_of_tables(path)}"
        ) from fault
    found = [name for name, keys in _KINDS.items() if isinstance(content, dict) and keys <= content.keys()]
    if len(found) != 1:
        raise ValueError(f"parts: {path} is JSON, but no {', '.join(_KINDS)} that pyvalue wrote")
    return found[0]
