"""Table 2 of Kang et al. (2025), how often other values change when one does, and the bars drawn from it.

Of role prompts, a row is a test persona and the change is from the first of them, without edits. Of the SAE, a row is
a kept feature and the change is from no edit, of one persona only. Neither has a null or an interval; see
:mod:`pyvalue.evaluation.change_rates`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pyvalue.evaluation.change_rates import conditional_change_rates, expected_and_unexpected
from pyvalue.evaluation.paper_comparison import Comparison, absent, count, figures
from pyvalue.evaluation.paper_files import TABLE_2_ROWS, PaperFiles
from pyvalue.wide_scores import NO_PERSONA

#: largest difference of two rates that were computed in another order of additions
TOLERANCE = 1e-12
STEERINGS = {"prompt": "role prompts", "sae": "SAE"}
GRAPHS = {"ours": "own graph", "refs": "human graph"}


def prompt_changes(test: pd.DataFrame) -> pd.DataFrame:
    """Unedited scores of every test persona less those of the first, who is a row of zeros; personas by values."""
    unedited = test.xs("", level="edit")
    named = unedited[unedited.index != NO_PERSONA]
    return named - named.iloc[0]


def sae_changes(test: pd.DataFrame, features: Sequence[str], persona: str) -> pd.DataFrame:
    """Scores of one persona under every kept feature less its unedited ones; features by values."""
    own = test.xs(persona, level="persona")
    return own[own.index.isin(list(features))] - own.loc[""]


def table_2(changes: Mapping[str, pd.DataFrame], reach: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Mean rates of change of what a graph lets follow from a value and of the rest.

    Args:
        changes: "prompt", "sae" -> rows by values.
        reach: "ours", "refs" -> cause by effect, the same values.

    Returns:
        ``TABLE_2_ROWS`` by values, of what was given; NaN where there is nothing to average.
    """
    rows = {}
    for steering, change in changes.items():
        rates = conditional_change_rates(change.to_numpy())
        for graph, flags in reach.items():
            own = flags.loc[change.columns, change.columns].to_numpy()
            for group, means in zip(("expected", "unexpected"), expected_and_unexpected(rates, own), strict=True):
                rows[f"mean_scorechange__{steering}_{graph}_{group}"] = pd.Series(means, index=change.columns)
    table = pd.DataFrame(rows).T
    return table.loc[[row for row in TABLE_2_ROWS if row in rows]]


def bars(table: pd.DataFrame) -> pd.DataFrame:
    """Rows (steering, graph), columns ``expected, unexpected``: means over the values that have a rate."""
    means = table.mean(axis=1)
    found = {
        (steering, graph): [means[_row(steering, graph, group)] for group in ("expected", "unexpected")]
        for steering in STEERINGS
        for graph in GRAPHS
        if _row(steering, graph, "expected") in means.index
    }
    index = pd.MultiIndex.from_tuples(found, names=["steering", "graph"])
    return pd.DataFrame(list(found.values()), index=index, columns=["expected", "unexpected"])


def compare_table_2(files: PaperFiles, table: pd.DataFrame, why: Mapping[str, str]) -> list[Comparison]:
    """The rows of the reproduction that are about Table 2 and its bars.

    Args:
        files: with the published table or without.
        table: what could be computed, of ``table_2``.
        why: "prompt", "sae", "ours", "refs" -> why it could not be.
    """
    published = files.table2
    rows = []
    for steering, name in STEERINGS.items():
        what = f"Table 2: {name}"
        wanted = [row for row in TABLE_2_ROWS if f"__{steering}_" in row and row in table.index]
        if not wanted:
            rows.append(absent(what, why.get(steering) or "; ".join(why.values())))
        elif published is None:
            rows.append(Comparison(what, None, f"{table.loc[wanted].size} cells", None, files.lack("table2") or ""))
        else:
            rows.append(_compare_cells(what, table.loc[wanted], published, files.names["table2"], why))
    theirs = None if published is None else bars(published)
    own = bars(table)
    for steering, name in STEERINGS.items():
        for graph, drawn in GRAPHS.items():
            what = f"bars: {name}, {drawn}"
            if (steering, graph) not in own.index:
                rows.append(absent(what, why.get(steering) or why.get(graph) or "no rates"))
                continue
            stated = None if theirs is None else theirs.loc[(steering, graph)].tolist()
            note = "" if stated is None else "published: means of the published table"
            rows.append(figures(what, stated, own.loc[(steering, graph)].tolist(), 3, note=note))
    return rows


def _compare_cells(
    what: str, own: pd.DataFrame, published: pd.DataFrame, source: str, why: Mapping[str, str]
) -> Comparison:
    theirs = published.loc[list(own.index), list(own.columns)].to_numpy()
    mine = own.to_numpy()
    gap = np.abs(mine - theirs)
    equal = (gap <= TOLERANCE) | (np.isnan(mine) & np.isnan(theirs))
    filled = int((~np.isnan(theirs)).sum())
    note = f"{filled} rates and {theirs.size - filled} empty, to {TOLERANCE:.0e}"
    if not equal.all():
        row, column = np.argwhere(~equal)[0]
        note += (
            f"; first: {own.index[row]}, {own.columns[column]}: published {theirs[row, column]:.6g}, "
            f"computed {mine[row, column]:.6g}"
        )
    lacking = [reason for graph, reason in why.items() if graph in GRAPHS]
    return count(what, int(equal.sum()), equal.size, source, "; ".join([note, *lacking]))


def _row(steering: str, graph: str, group: str) -> str:
    return f"mean_scorechange__{steering}_{graph}_{group}"
