"""Table 1 of Kang et al. (2025): how many personas score higher, lower and the same under each SAE feature.

The person without a persona counts as one more. Any difference counts, however small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyvalue.edit_changes import paired_changes
from pyvalue.evaluation.paper_comparison import Comparison, absent, count, figure
from pyvalue.evaluation.paper_files import COUNTS, PaperFiles
from pyvalue.evaluation.paper_published import LEFT_OUT_OF_TABLE_1, Published

_WHAT = "Table 1: personas up, down, same"


def change_counts(rows: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
    """Personas whose score went up, down and stayed, against the same persona without an edit.

    Args:
        rows: scores (edit, persona) by values.
        features: edits to count under.

    Returns:
        Rows (feature, value), columns ``up, down, same``, integers. A score that is missing counts nowhere.
    """
    change = paired_changes(rows).only(edits=features).change
    sign = np.sign(change)
    parts = {
        name: (sign == which).groupby(level="edit").sum().reindex(list(features)).stack()
        for name, which in (("up", 1), ("down", -1), ("same", 0))
    }
    counts = pd.DataFrame(parts).astype(int)
    counts.index.names = ["feature", "value"]
    return counts


def table_1(train: pd.DataFrame, test: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
    """``change_counts`` of training and test beside each other: rows (feature, value), columns ``COUNTS``."""
    parts = [change_counts(rows, features) for rows in (train, test)]
    joined = pd.concat(parts, axis=1)
    joined.columns = pd.Index(COUNTS)
    return joined


def similarity(counts: pd.DataFrame) -> pd.DataFrame:
    """Features by values: cosine of the shares (up, down, same) in training and in test."""
    train, test = _shares(counts, "train"), _shares(counts, "test")
    cosine = (train * test).sum(axis=1) / (np.linalg.norm(train, axis=1) * np.linalg.norm(test, axis=1))
    return _wide(counts, cosine)


def noise(counts: pd.DataFrame) -> pd.DataFrame:
    """Features by values: the smallest of the three shares in training, 0 where all personas move one way or stay."""
    return _wide(counts, _shares(counts, "train").min(axis=1))


def compare_table_1(
    files: PaperFiles, counts: pd.DataFrame | None, stated: Published, kept: Sequence[str]
) -> list[Comparison]:
    """The rows of the reproduction that are about Table 1.

    Args:
        files: with the published table or without.
        counts: of ``table_1``; None where it cannot be computed.
        stated: published figures of the model.
        kept: features that similarity and noise are over.
    """
    if counts is None:
        why = files.lack("train", "test") or "no features are known: name them, or add the published table"
        return [absent(what, why) for what in (_WHAT, "similarity of training and test", "noise")]
    rows = [_compare_cells(files, counts)]
    shown = [value for value in _values(counts) if value not in LEFT_OUT_OF_TABLE_1] or _values(counts)
    near = similarity(counts).loc[list(kept), shown]
    rare = noise(counts).loc[list(kept), shown]
    rows.append(figure("similarity of training and test", stated.similarity, float(near.to_numpy().mean()), 3))
    rows.append(figure("noise", stated.noise, float(rare.to_numpy().mean()), 3))
    for what, published, computed in (
        ("similarity of every feature", stated.similarities, near.mean(axis=1)),
        ("noise of every value", stated.noises, rare.mean(axis=0)),
    ):
        if published is not None:
            same = [f"{computed.get(name, np.nan):.2f}" == f"{number:.2f}" for name, number in published.items()]
            rows.append(count(what, sum(same), len(same), "the printed Table 1", "to 2 digits"))
    return rows


def _compare_cells(files: PaperFiles, counts: pd.DataFrame) -> Comparison:
    published = files.table1
    if published is None:
        return Comparison(_WHAT, None, f"{len(counts)} cells", None, files.lack("table1") or "")
    own = as_published(counts).loc[list(published.index), list(published.columns)]
    equal = own.to_numpy() == published.to_numpy()
    note = ""
    if not equal.all():
        row, column = np.argwhere(~equal)[0]
        note = (
            f"first: feature {own.index[row]}, {own.columns[column]}: published {published.iloc[row, column]}, "
            f"computed {own.iloc[row, column]}"
        )
    return count(_WHAT, int(equal.sum()), equal.size, files.names["table1"], note)


def as_published(counts: pd.DataFrame) -> pd.DataFrame:
    """The counts as the paper's file holds them: features by values, cells such as ``4/25/72/3/1/22``."""
    text = counts.astype(str).agg("/".join, axis=1)
    return text.unstack().reindex(index=_features(counts), columns=_values(counts))


def _shares(counts: pd.DataFrame, part: str) -> NDArray[np.float64]:
    numbers = counts[[name for name in COUNTS if name.startswith(part)]].to_numpy(dtype=float)
    with np.errstate(invalid="ignore"):  # a value without a score under a feature has no shares
        shares: NDArray[np.float64] = numbers / numbers.sum(axis=1, keepdims=True)
    return shares


def _wide(counts: pd.DataFrame, numbers: NDArray[np.float64]) -> pd.DataFrame:
    table = pd.Series(numbers, index=counts.index).unstack()
    return table.reindex(index=_features(counts), columns=_values(counts))


def _features(counts: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(counts.index.get_level_values("feature")))


def _values(counts: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(counts.index.get_level_values("value")))
