"""The rows that effects are estimated from: complete, in an order of their own, with the cluster of each.

Nothing is estimated here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.effects.value_table import value_table
from pyvalue.responses import Score
from pyvalue.wide_scores import edit_label

Floats = npt.NDArray[np.float64]
Edits = Literal["within", "unedited", "pooled"]

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
        edit: (n,) numbers 0..E-1 of the edits whose means are taken out; all 0 where there is one mean.
        pooled: edits, none among them, whose rows are taken for draws from one population; 1 unless that was asked for.
        notes: what was left out.
    """

    names: tuple[str, ...]
    rows: Floats = field(repr=False)
    cluster: npt.NDArray[np.int64] = field(repr=False)
    cluster_name: str | None
    edit: npt.NDArray[np.int64] = field(repr=False)
    pooled: int = 1
    notes: tuple[str, ...] = ()

    @property
    def n_clusters(self) -> int:
        """Number of clusters, or of rows where they are independent."""
        return int(self.cluster[-1]) + 1

    @property
    def n_edits(self) -> int:
        """Number of means that are taken out."""
        return int(self.edit.max()) + 1


def effect_rows(
    data: Any,
    values: Sequence[str],
    score: Score = "corrected",
    cluster: Any = "persona",
    edits: Edits = "within",
) -> EffectRows:
    """Read rows of the named values; those that are not there are left out, and the caller says what to make of it.

    Args:
        data: what ``pyvalue.wide_scores`` takes; or a DataFrame of rows by values, with or without columns or index
            levels that name the edit and the cluster; or an (n, d) array, whose columns are ``values`` in this order.
            Broken edits of ``Responses`` are left out, as ``discover`` does.
        values: names of the values wanted.
        score: of ``Responses``.
        cluster: index level or column whose rows belong together, or n labels; None for independent rows. With the
            default, rows without personas are independent.
        edits: of rows with labels of edits: "within", the mean of each edit is to be taken out; "unedited", only rows
            without an edit are used; "pooled", labels are not looked at.

    Raises:
        ValueError: no wanted value is there, or twice, rows have too many missing scores, fewer than 3 rows or clusters
            are left, the cluster is unknown or does not fit, or an argument is none of its choices.
        TypeError: ``data`` is nothing of the above.
    """
    for argument, given, choices in (("score", score, get_args(Score)), ("edits", edits, get_args(Edits))):
        if not (isinstance(given, str) and given in choices):
            raise ValueError(f"{argument}: expected one of {', '.join(map(repr, choices))}, got {given!r}")
    table, notes = value_table(data, values, score)
    labels, name, table = _clusters(table, cluster)
    kept = [value for value in values if value in table.columns]
    if not kept:
        raise ValueError(
            f"data: expected columns of the graph's values ({', '.join(values)}), got {', '.join(map(str, table))}"
        )
    conditions = _edits(table)
    scores = _numbers(table[kept])
    asked = np.array([label == "" for label in conditions]) if edits == "unedited" else np.ones(len(scores), dtype=bool)
    if not asked.any():
        raise ValueError("data: expected rows without an edit, for edits='unedited', got none; edits='within' uses all")
    whole = np.atleast_1d(np.isfinite(scores).all(axis=1))
    if not whole[asked].all():
        counts = dict(zip(kept, (~np.isfinite(scores[asked])).sum(axis=0).tolist(), strict=True))
        lacking = ", ".join(f"{value} ({count})" for value, count in counts.items() if count)
        notes.append(f"{(~whole & asked).sum()} of {asked.sum()} rows have missing scores and were left out: {lacking}")
    used = whole & asked
    scores, conditions = scores[used], conditions[used]
    edit = _numbered(conditions) if edits == "within" else np.zeros(len(scores), dtype=np.int64)
    codes = np.arange(len(scores)) if labels is None else _codes(labels[used])
    _check_enough(codes, edit, name, notes)
    if len(set(codes.tolist())) == len(codes):
        notes += _repeats(scores)
    order = np.lexsort([*scores.T[::-1], edit, *([] if labels is None else [codes])])
    in_order = np.arange(len(scores)) if labels is None else codes[order]
    return EffectRows(
        tuple(kept),
        scores[order],
        in_order.astype(np.int64),
        name,
        edit[order],
        len(set(conditions.tolist())) if edits == "pooled" else 1,
        tuple(notes),
    )


def _edits(table: pd.DataFrame) -> npt.NDArray[Any]:
    if "edit" not in table.index.names:
        return np.full(len(table), "", dtype=object)
    return np.array([edit_label(label) for label in table.index.get_level_values("edit")], dtype=object)


def _numbered(labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.unique(labels.astype(str), return_inverse=True)[1].astype(np.int64)


def _check_enough(
    codes: npt.NDArray[np.int64], edit: npt.NDArray[np.int64], name: str | None, notes: list[str]
) -> None:
    count = len(set(codes.tolist()))
    if count < FEWEST:
        what = "complete rows" if name is None else f"clusters ({name}) with complete rows"
        # cluster=None would give intervals, but not of other personas
        hint = "" if name is None else "; rows of one of them tell nothing of others: ask more"
        raise ValueError("; ".join([f"data: expected at least {FEWEST} {what}, got {count}{hint}", *notes]))
    spare = len(edit) - len(np.unique(edit))
    if spare < FEWEST - 1:
        raise ValueError(
            "; ".join([
                f"data: {len(edit)} complete rows under {len(np.unique(edit))} edits leave {spare} to compare within "
                f"edits, expected at least {FEWEST - 1}; ask more personas under each edit",
                *notes,
            ])
        )  # fmt: skip


def _repeats(scores: Floats) -> list[str]:
    """A note where most rows repeat another one, as copies do."""
    different = len(np.unique(scores, axis=0))
    if different > len(scores) / 2:
        return []
    return [
        f"{len(scores)} rows hold only {different} different ones; if some are copies, intervals are too narrow: drop "
        "them, or say by cluster= which rows belong together"
    ]


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
    return _numbered(labels)  # as texts, so that labels of several types have an order


def _numbers(table: pd.DataFrame) -> Floats:
    wrong = [str(name) for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    if wrong:
        raise ValueError(f"data: expected numbers in every column of a value, got others in {', '.join(wrong)}")
    scores: Floats = table.to_numpy(dtype=float)
    if np.isinf(scores).any():
        raise ValueError("data: scores must be finite or missing, got an infinite one")
    return scores
