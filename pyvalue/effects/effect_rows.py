"""The rows that effects are estimated from: complete, in an order of their own, with the cluster of each.

Every kind of input of ``pyvalue.wide_scores`` is read, and plain tables and arrays without personas. Nothing is
estimated here.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.broken_edits import working_answers
from pyvalue.responses import Responses, Score
from pyvalue.wide_scores import KEYS, LEVELS, score_rows

Floats = npt.NDArray[np.float64]

#: rows, or clusters, below which a spread between them cannot be told
FEWEST = 3


@dataclass(frozen=True, eq=False)
class EffectRows:
    """Complete rows of scores, sorted, so that nothing depends on the order in which they came.

    Attributes:
        names: the d values of the rows.
        rows: (n, d) scores, none missing.
        cluster: (n,) numbers 0..C-1, ascending; a row of its own where rows are independent.
        cluster_name: what rows share, None where they are independent.
        notes: what was left out.
    """

    names: tuple[str, ...]
    rows: Floats = field(repr=False)
    cluster: npt.NDArray[np.int64] = field(repr=False)
    cluster_name: str | None
    notes: tuple[str, ...] = ()

    @property
    def n_clusters(self) -> int:
        """Number of clusters, or of rows where they are independent."""
        return int(self.cluster[-1]) + 1


def effect_rows(data: Any, values: Sequence[str], score: Score = "corrected", cluster: Any = "persona") -> EffectRows:
    """Read rows of the named values; those that are not there are left out, and the caller says what to make of it.

    Args:
        data: what ``pyvalue.wide_scores`` takes; or a DataFrame of rows by values, with or without a column or index
            level that names the cluster; or an (n, d) array, whose columns are ``values`` in this order. Broken edits
            of ``Responses`` are left out, as ``discover`` does.
        values: names of the values wanted.
        score: of ``Responses``.
        cluster: index level or column whose rows belong together, or n labels; None for independent rows. With the
            default, rows without personas are independent.

    Raises:
        ValueError: no wanted value is there, rows have too many missing scores, fewer than 3 rows or clusters are
            left, or the cluster is unknown or does not fit.
        TypeError: ``data`` is nothing of the above.
    """
    table, notes = _table(data, values, score)
    labels, name, table = _clusters(table, cluster)
    kept = [value for value in values if value in table.columns]
    if not kept:
        raise ValueError(
            f"data: expected columns of the graph's values ({', '.join(values)}), got {', '.join(map(str, table))}"
        )
    scores = _numbers(table[kept])
    whole = np.atleast_1d(np.isfinite(scores).all(axis=1))
    if not whole.all():
        counts = dict(zip(kept, (~np.isfinite(scores)).sum(axis=0).tolist(), strict=True))
        lacking = ", ".join(f"{value} ({count})" for value, count in counts.items() if count)
        notes.append(f"{(~whole).sum()} of {len(whole)} rows have missing scores and were left out: {lacking}")
    scores = scores[whole]
    codes = np.arange(len(scores)) if labels is None else _codes(labels[whole])
    count = len(set(codes.tolist()))
    if count < FEWEST:
        what = "complete rows" if labels is None else f"clusters ({name}) with complete rows"
        hint = "" if labels is None else "; cluster=None takes the rows for independent"
        told = f"data: expected at least {FEWEST} {what}, got {count}{hint}"
        raise ValueError("; ".join([told, *notes]))
    order = np.lexsort([*scores.T[::-1], *([] if labels is None else [codes])])
    in_order = np.arange(len(scores)) if labels is None else codes[order]
    return EffectRows(tuple(kept), scores[order], in_order.astype(np.int64), name, tuple(notes))


def _table(data: Any, values: Sequence[str], score: Score) -> tuple[pd.DataFrame, list[str]]:
    if isinstance(data, Responses):
        data, notes = working_answers(data)
        return score_rows(data, score), list(notes)
    if isinstance(data, str | Path):
        return score_rows(data, score), []
    if isinstance(data, pd.DataFrame):
        rows = tuple(data.index.names) == LEVELS or any(set(pair) <= set(data.columns) for pair in KEYS)
        return (score_rows(data, score) if rows else data), []
    if isinstance(data, np.ndarray):
        if data.ndim != 2 or data.shape[1] != len(values):
            raise ValueError(
                f"data: expected an array with one column a value of the graph, (n, {len(values)}), got {data.shape}; "
                "pass a DataFrame, whose columns have names"
            )
        return pd.DataFrame(data, columns=list(values)), []
    raise TypeError(
        f"data must be Responses, a DataFrame, an array of rows by values or the path of a file, got "
        f"{type(data).__name__}"
    )


def _clusters(table: pd.DataFrame, cluster: Any) -> tuple[npt.NDArray[Any] | None, str | None, pd.DataFrame]:
    """Labels of the rows or None, what they are called, and the table without the column that named them."""
    if cluster is None:
        return None, None, table
    if isinstance(cluster, str):
        if cluster in table.index.names:
            return table.index.get_level_values(cluster).to_numpy(), cluster, table
        if cluster in table.columns:
            return table[cluster].to_numpy(), cluster, table.drop(columns=cluster)
        if cluster == "persona":
            return None, None, table
        known = [str(name) for name in (*table.index.names, *table.columns) if name is not None]
        raise ValueError(
            f"cluster: expected an index level, a column or labels, got {cluster!r}; the data have {known}"
        )
    labels = np.asarray(cluster)
    if labels.shape != (len(table),):
        raise ValueError(f"cluster: expected one label a row, ({len(table)},), got shape {labels.shape}")
    return labels, str(getattr(cluster, "name", None) or "labels"), table


def _codes(labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    if pd.isna(labels).any():
        raise ValueError(f"cluster: expected a label for every row, got {int(pd.isna(labels).sum())} missing ones")
    key: list[Hashable] = [str(label) for label in labels]  # so that labels of several types have an order
    return np.unique(np.array(key), return_inverse=True)[1].astype(np.int64)


def _numbers(table: pd.DataFrame) -> Floats:
    wrong = [str(name) for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    if wrong:
        raise ValueError(f"data: expected numbers in every column of a value, got others in {', '.join(wrong)}")
    scores: Floats = table.to_numpy(dtype=float)
    if np.isinf(scores).any():
        raise ValueError("data: scores must be finite or missing, got an infinite one")
    return scores
