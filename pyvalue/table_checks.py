"""Checks of a table of answers: texts without holes, known statuses, probabilities in range, no answer twice.

A table that came from a CSV file has lost what such a file cannot say, above all the empty text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

#: what may stand in a column
ALLOWED: dict[str, tuple[object, ...]] = {
    "keying": (-1, 0, 1),
    "kind": ("keyed", "content-free", "nonsense"),
    "mode": ("score", "generate", "free"),
    "order": ("yes-no", "no-yes"),
    "status": ("yes", "no", "unsure", "invalid", "refused", "degenerate"),
}
#: columns of text that an empty text may stand in
_MAY_BE_EMPTY = ("edit", "value", "answer", "text")
_TEXTS = ("model", "persona", "item", *_MAY_BE_EMPTY, "kind", "mode", "order", "status")


def with_texts(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an empty text where a missing value stands in a column that may be empty, and numbers as texts."""
    changed: dict[str, pd.Series] = {}
    for name in _TEXTS:
        column = given = table[name]
        if column.dtype.kind in "iufb":  # a reader of CSV takes a persona named 7, or a column of holes, for numbers
            column = column.astype(object).where(column.isna(), column.astype(str))
        elif isinstance(column.dtype, pd.StringDtype):
            column = column.astype(object)
        if name in _MAY_BE_EMPTY and column.isna().any():
            column = column.astype(object).where(column.notna(), "")
        if column is not given:
            changed[name] = column
    return table.assign(**changed) if changed else table


def check_table(table: pd.DataFrame) -> None:
    """Refuse what is no table of answers.

    Raises:
        ValueError: names the column, what was expected and what came.
        TypeError: a column of numbers holds something else.
    """
    for name, allowed in ALLOWED.items():
        found = pd.unique(table[name])
        wrong = [one for one in found if one not in allowed]
        if wrong:
            raise ValueError(
                f"table: column {name!r}: expected one of {', '.join(map(repr, allowed))}, got {_shown(wrong)}"
            )
    for name in ("model", "persona", "item"):
        holes = int(table[name].isna().sum())
        if holes:
            raise ValueError(f"table: column {name!r}: expected a name in every row, got {holes} rows without one")
    for name in ("p_yes", "mass", "score", "perplexity"):
        if table[name].dtype.kind not in "fiu" and len(table):
            raise TypeError(f"table: column {name!r}: expected numbers, got {table[name].dtype}")
    p_yes = table["p_yes"].to_numpy(dtype=float, na_value=np.nan)
    outside = p_yes[(p_yes < 0) | (p_yes > 1)]
    if len(outside):
        raise ValueError(
            f"table: column 'p_yes': expected probabilities between 0 and 1, got {_shown(list(outside[:1]))} "
            f"in {len(outside)} of {len(p_yes)} rows"
        )


def check_distinct(table: pd.DataFrame, identity: Sequence[str], name: str) -> None:
    """Refuse an answer that comes twice.

    Args:
        table: of answers.
        identity: columns that tell one answer from every other.
        name: of the argument, for the message.

    Raises:
        ValueError: says which answer, and what to do.
    """
    twice = table.duplicated(list(identity))
    if not twice.any():
        return
    again = table[twice]
    first = ", ".join(f"{column} {_shown([again.iloc[0][column]])}" for column in identity)
    raise ValueError(
        f"{name}: expected every answer once, got {len(again)} of them twice, the first of {first}; "
        "leave one measurement out, or give its edits labels of their own"
    )


def _shown(wrong: Sequence[object]) -> str:
    named = ", ".join(repr(getattr(one, "item", lambda one=one: one)()) for one in wrong[:3])
    return named + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
