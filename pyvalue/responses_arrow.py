"""Answers as an Arrow table, with the facts in its metadata: what Parquet files and datasets are made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import pyarrow as pa

#: key of the metadata that holds the facts as JSON
FACTS = b"pyvalue"


def as_arrow(table: pd.DataFrame, facts: dict[str, Any]) -> pa.Table:
    """The table with the facts as JSON in the metadata of its schema; missing numbers are null.

    Raises:
        TypeError: the facts hold something that JSON cannot.
    """
    import pyarrow as pa

    content = pa.Table.from_pandas(table, preserve_index=False)
    return content.replace_schema_metadata({**(content.schema.metadata or {}), FACTS: facts_as_json(facts).encode()})


def facts_in(content: pa.Table) -> dict[str, Any]:
    """The facts in the metadata, empty where there are none.

    Raises:
        ValueError: they are no JSON object.
    """
    facts = json.loads((content.schema.metadata or {}).get(FACTS, b"{}"))
    if not isinstance(facts, dict):
        raise ValueError(f"facts: expected a JSON object in the metadata, got {type(facts).__name__}")
    return facts


def facts_as_json(facts: dict[str, Any]) -> str:
    """Raises TypeError where JSON cannot hold them."""
    try:
        return json.dumps(facts, ensure_ascii=False)
    except TypeError as fault:
        raise TypeError(f"facts: expected what JSON can hold, got {fault}") from fault
