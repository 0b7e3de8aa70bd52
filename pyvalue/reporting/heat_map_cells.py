"""What every edit did to every value: mean paired change with its interval, one row a cell. Draws nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from pyvalue.broken_edits import edit_table
from pyvalue.edit_changes import PairedChanges, paired_changes
from pyvalue.reporting.theme import schwartz_order
from pyvalue.responses import Responses, Score

Order = Literal["clustered", "given"]
#: personas below which a change has no interval
MIN_PAIRS = 3


def edit_effects(
    source: Any, *, score: Score = "corrected", confidence: float = 0.95, broken: Iterable[str] | None = None
) -> pd.DataFrame:
    """Mean change of every value under every edit, with Student's t interval over personas.

    Args:
        source: ``PairedChanges``, or what ``pyvalue.paired_changes`` takes.
        score: of ``Responses``.
        confidence: of the intervals, in (0, 1); not corrected for the number of cells.
        broken: edits under which the model no longer answers; default those that ``pyvalue.broken_edits`` finds in
            ``Responses``, none in other sources.

    Returns:
        Columns ``edit, value, personas, change, low, high, clear, broken``, edits and values in order of first
        appearance. ``change`` is missing where nobody has a score both times, the interval with fewer than 3 who have;
        ``clear``
        says that the interval leaves out 0, ``broken`` that the edit broke the model.

    Raises:
        ValueError: ``confidence`` out of its range, or what ``paired_changes`` refuses.
    """
    from scipy import stats

    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    if broken is None:
        broken = _broken_edits(source) if isinstance(source, Responses) else ()
    gone = set(broken)
    changes = source if isinstance(source, PairedChanges) else paired_changes(source, score)
    cells = changes.change.groupby(level="edit", sort=False)
    # A name of an edit that was chosen by a person, or no name of a column at all, is no business of the long table.
    count, mean, error = (table.to_numpy(dtype=float) for table in (cells.count(), cells.mean(), cells.sem()))
    enough = count >= MIN_PAIRS
    reach = np.where(enough, stats.t.ppf((1 + confidence) / 2, np.maximum(count - 1, 1)) * error, np.nan)
    low, high = mean - reach, mean + reach
    edits, values = changes.edits, changes.values
    return pd.DataFrame(
        {
            "edit": np.repeat(np.array(edits, dtype=object), len(values)),
            "value": np.tile(np.array(values, dtype=object), len(edits)),
            "personas": count.astype(int).ravel(),
            "change": mean.ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
            "clear": ((low > 0) | (high < 0)).ravel(),
            "broken": np.repeat(np.array([edit in gone for edit in edits], dtype=bool), len(values)),
        }
    )


def _broken_edits(responses: Responses) -> list[str]:
    table = edit_table(responses.table)
    return list(table.loc[table["broken"], "edit"])


def strongest_edits(effects: pd.DataFrame, most: int) -> pd.DataFrame:
    """The cells of the edits with the largest mean square change, at most so many, in the order in which they are.

    Edits that broke the model come after all others.
    """
    change = effects["change"].where(~effects["broken"], 0.0)
    size = (change**2).groupby(effects["edit"], sort=False).mean().fillna(0.0)
    size -= effects.groupby("edit", sort=False)["broken"].any()
    kept = size.sort_values(ascending=False, kind="stable").index[:most]
    return effects[effects["edit"].isin(kept)].reset_index(drop=True)


def cell_order(effects: pd.DataFrame, order: Order = "clustered") -> tuple[list[str], list[str]]:
    """Edits and values in the order in which a picture shows them.

    "clustered" puts edits that do the like next to each other (average linkage of their mean changes, leaves in optimal
    order), and values likewise; the ten basic values stay in the order of Schwartz's circle.

    Raises:
        ValueError: an unknown order.
    """
    if order not in ("clustered", "given"):
        raise ValueError(f"order: expected 'clustered' or 'given', got {order!r}")
    edits, values = (list(dict.fromkeys(effects[name])) for name in ("edit", "value"))
    if order == "given":
        return edits, values
    table = effects.set_index(["edit", "value"])["change"].unstack("value").loc[edits, values]
    known = np.nan_to_num(table.to_numpy(dtype=float))
    circle = schwartz_order(values)
    return _clustered(edits, known), circle or _clustered(values, known.T)


def _clustered(names: Sequence[str], rows: np.ndarray) -> list[str]:
    if len(names) < 3 or not np.ptp(rows, axis=0).any():
        return list(names)
    from scipy.cluster import hierarchy

    tree = hierarchy.linkage(rows, "average", optimal_ordering=True)
    return [names[leaf] for leaf in hierarchy.leaves_list(tree)]
