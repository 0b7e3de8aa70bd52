"""An evaluation out of the JSON that ``Evaluation.save`` wrote. Computes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pyvalue.errors import StoreError
from pyvalue.evaluation.prediction import Evaluation
from pyvalue.file_faults import file_faults
from pyvalue.json_files import read_json

#: None: texts, whose kind of column pandas chooses
_EFFECTS: dict[str, str | None] = {
    **dict.fromkeys(("value", "predicted")),
    "pairs": "int64",
    **dict.fromkeys(("change", "low", "high"), "float64"),
    "changed": "bool",
    **dict.fromkeys(("base", "steered", "predicted_low", "predicted_high"), "float64"),
    "covered": "boolean",
}
_SUMMARY: dict[str, str | None] = {"quantity": None, **dict.fromkeys(("estimate", "low", "high"), "float64")}
#: columns that files of older versions lack
_LATER = ("predicted_low", "predicted_high", "covered")


@file_faults("evaluation", StoreError)
def load_evaluation(path: str | Path) -> Evaluation:
    """Read an evaluation.

    Raises:
        StoreError: the file cannot be read, or holds no evaluation; says which entry is wrong.
    """
    try:
        evaluation = evaluation_from_dict(read_json(path))
        repr(evaluation), evaluation.lines()  # read every entry: what cannot be printed is no evaluation
        return evaluation
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as fault:
        raise StoreError(f"{path} holds no saved evaluation: {fault}") from fault


def evaluation_from_dict(data: Any) -> Evaluation:
    """The inverse of ``Evaluation.to_dict``.

    Raises:
        ValueError: an entry is missing or of the wrong kind.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"expected an object with effects and summary, got {type(data).__name__}")
    if missing := [name for name in ("effects", "summary", "personas") if name not in data]:
        raise ValueError(f"{', '.join(missing)} missing")
    effects = _table("effects", data["effects"], _EFFECTS)
    summary = _table("summary", data["summary"], _SUMMARY)
    return Evaluation(effects, summary, int(data["personas"]), dict(data.get("facts") or {}))


def _table(name: str, rows: Any, columns: Mapping[str, str | None]) -> pd.DataFrame:
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ValueError(f"{name} must be a list of objects, got {rows!r:.200}")
    if lacking := [one for one in columns if one not in _LATER and any(one not in row for row in rows)]:
        raise ValueError(f"{name} lacks {', '.join(lacking)}")
    cells = {one: pd.Series([row.get(one) for row in rows], dtype=kind) for one, kind in columns.items()}
    return pd.DataFrame(cells)
