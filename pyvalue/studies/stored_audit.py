"""An audit in a run folder: ``audit.json`` for people and programs, and beside it the nulls, which are many numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.atomic_files import write_table
from pyvalue.errors import StoreError
from pyvalue.evaluation.audit_findings import Audit, Finding
from pyvalue.evaluation.label_permutation import LabelPermutation

FILE, NULLS = "audit.json", "audit-nulls.parquet"


def save_audit(audit: Audit, folder: Path) -> None:
    """Write an audit, its JSON last.

    Raises:
        StoreError: it cannot be written.
    """
    names = [name for name, test in audit.nulls.items() for _ in range(len(test.null))]
    numbers = np.concatenate([np.empty(0), *(test.null for test in audit.nulls.values())])
    write_table(folder / NULLS, pd.DataFrame({"test": names, "null": numbers}))
    audit.save(folder / FILE)


def load_audit(folder: Path, name: str = FILE) -> Audit:
    """Read what ``save_audit`` wrote. Numbers that are not finite are NaN; without the nulls' file there are none.

    Args:
        folder: that the audit is in.
        name: of a file that ``Audit.save`` wrote under another name, beside which there are no nulls.

    Raises:
        StoreError: a file holds something else.
    """
    path = folder / name
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        findings = tuple(
            Finding(str(one["name"]), str(one["claim"]), one["verdict"], _numbers(one["figures"]), str(one["sentence"]))
            for one in data["findings"]
        )
        tables = {str(name): _table(rows) for name, rows in data["tables"].items()}
        nulls = _nulls(data["nulls"], folder / NULLS) if name == FILE else {}
        return Audit(findings, tables, nulls, dict(data["facts"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as fault:
        raise StoreError(f"{path} holds no saved audit: {fault}") from fault


def _numbers(figures: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN; a figure of an audit that is missing is a number."""
    return {str(name): math.nan if value is None else value for name, value in figures.items()}


def _table(rows: Any) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    return table.assign(**{str(name): c.astype(float) for name, c in table.items() if c.isna().all() and len(c)})


def _nulls(told: Mapping[str, Any], path: Path) -> dict[str, LabelPermutation]:
    if not told or not path.is_file():
        return {}
    table = pd.read_parquet(path, columns=["test", "null"])
    drawn = {str(name): rows.to_numpy(dtype=float) for name, rows in table.groupby("test", sort=False)["null"]}
    return {
        name: LabelPermutation(
            math.nan if one["observed"] is None else float(one["observed"]),
            drawn.get(name, np.empty(0)),
            math.nan if one["p"] is None else float(one["p"]),
            bool(one["exact"]),
        )
        for name, one in told.items()
    }
