"""What people answered on rating scales (Likert), one row a person and one column an item, as Responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.responses import Responses
from pyvalue.responses_frames import as_pandas, from_frame

_KEYS = '{"item 1": ("Power", 1), "item 2": ("Power", -1)}'


def responses_of_ratings(
    table: Any,
    items: Any,
    *,
    scale: tuple[float, float] = (1, 5),
    missing: Sequence[float] = (),
    persona: str | None = None,
    source: str = "people",
) -> Responses:
    """Answers of people to rated items, as those of a model: scores, quality and graphs are then found alike.

    A rating r on a scale from low to high becomes ``p_yes`` = (r - low) / (high - low), and its score
    keying * (2 p_yes - 1): -1 at the end of the scale that speaks against the value, 1 at the other. Above the middle
    of the scale the status is "yes", below it "no", on it "unsure". How people use the scale is taken off by
    ``.matrix("ipsatised")``, which centres each row about its own mean (Schwartz 1992).

    Args:
        table: a pandas, polars or pyarrow table, another one that narwhals knows, or a ``datasets.Dataset``.
        items: column -> (value, keying), keying -1 for an item that speaks against the value; or an ``Inventory``
            whose items are called like the columns. Other columns are left out.
        scale: lowest and highest rating; ratings between whole numbers are taken, too. The highest may be named
            first, where it means the least agreement: ``scale=(6, 1)`` for 1 "very much like me" to 6 "not at all".
        missing: codes that stand for no answer, such as 99. Empty cells always do.
        persona: column that names the person, each once; default the index of a pandas table where it has a name, else
            the numbers of the rows, from 1.
        source: who answered, in the place of the model's name.

    Returns:
        Responses in the mode "free", whose ratings have no log odds, so that "corrected" scores are the raw ones. No
        answer is missing.

    Raises:
        TypeError: ``table`` is no table, ``items`` no mapping, or a column holds no numbers.
        ValueError: a column is missing, a keying is neither 1 nor -1, a rating is outside of the scale, a person comes
            twice, or the scale is no range.
    """
    if persona is None and isinstance(table, pd.DataFrame) and isinstance(table.index.name, str):
        persona, table = table.index.name, table.reset_index()
    frame, _ = as_pandas(table)
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    keys = _keys(items)
    wanted = [*keys, *([] if persona is None else [persona])]
    if absent := [name for name in wanted if name not in frame.columns]:
        raise ValueError(
            f"table: no column {', '.join(map(repr, absent))}; it has {', '.join(map(str, frame.columns))}"
        )
    low, high = _ends(scale)
    people = [str(number + 1) for number in range(len(frame))] if persona is None else _people(frame[persona])
    parts = []
    for item, (value, keying, text) in keys.items():
        ratings = _ratings(item, frame[item], missing, min(low, high), max(low, high))
        p_yes = (ratings - low) / (high - low)
        status = np.select([np.isnan(p_yes), p_yes > 0.5, p_yes < 0.5], ["invalid", "yes", "no"], "unsure")
        parts.append(
            pd.DataFrame(
                {
                    "persona": people, "item": item, "value": value, "keying": keying, "text": text,
                    "answer": [f"{rating:g}" if np.isfinite(rating) else "" for rating in ratings],
                    "status": status, "p_yes": p_yes,
                }
            )
        )  # fmt: skip
    answers = pd.concat(parts, ignore_index=True).assign(model=source, mode="free")
    return from_frame(answers, {"scale": [low, high], "source": source})


def _keys(items: Any) -> dict[str, tuple[str, int, str]]:
    """Column -> (value, keying, question)."""
    if hasattr(items, "items") and not callable(items.items):  # an Inventory
        return {item.id: (item.value, item.keying, item.question) for item in items.items if item.keying}
    if not isinstance(items, Mapping):
        raise TypeError(f"items: expected {_KEYS} or an Inventory, got {type(items).__name__}")
    found = {}
    for column, key in items.items():
        if isinstance(key, str) or not isinstance(key, Sequence) or len(key) != 2:
            raise TypeError(f"items: expected {_KEYS}, got {column!r}: {key!r}")
        value, keying = key
        if not value or not isinstance(value, str) or keying not in (1, -1):
            raise ValueError(f"items: {column!r}: expected a value and the keying 1 or -1, got {key!r}")
        found[str(column)] = (value, int(keying), "")
    if not found:
        raise ValueError(f"items: expected at least one, such as {_KEYS}, got none")
    return found


def _ends(scale: Any) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in scale)
    except (TypeError, ValueError) as fault:
        raise TypeError(f"scale: expected its lowest and highest rating, such as (1, 5), got {scale!r}") from fault
    if low == high or not np.isfinite([low, high]).all():
        raise ValueError(f"scale: expected two different numbers, such as (1, 5), got {scale!r}")
    return low, high


def _people(column: pd.Series) -> list[str]:
    if column.isna().any():
        raise ValueError(f"persona: {int(column.isna().sum())} rows of column {column.name!r} are empty")
    if column.duplicated().any():
        again = column[column.duplicated()].iloc[0]
        raise ValueError(f"persona: expected each person once, {again!r} of column {column.name!r} comes twice")
    return [str(name) for name in column]


def _ratings(item: str, column: pd.Series, missing: Sequence[float], lowest: float, highest: float) -> Any:
    try:
        ratings = column.astype(float).to_numpy(dtype=float, na_value=np.nan).copy()
    except (TypeError, ValueError) as fault:
        raise TypeError(f"table: column {item!r}: expected ratings in numbers, got {fault}") from fault
    ratings[np.isin(ratings, list(missing))] = np.nan
    outside = ratings[(ratings < lowest) | (ratings > highest)]
    if len(outside):
        raise ValueError(
            f"table: column {item!r}: expected ratings from {lowest:g} to {highest:g}, got {outside[0]:g} in "
            f"{len(outside)} rows; if it stands for no answer: missing=[{outside[0]:g}]"
        )
    return ratings
