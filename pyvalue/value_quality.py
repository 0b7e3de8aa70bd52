"""How good the answers to the items of one value are: one row of ``Quality.values``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.agreement import icc, retest
from pyvalue.reliability import Floats, cronbach_alpha, item_rest, omega_total, saturated_share, split_half
from pyvalue.responses import VALID
from pyvalue.yes_bias import order_effect

#: an item on which fewer personas have a score is left out of a value's reliability
MIN_ITEM_SHARE = 0.5
VALUE_COLUMNS = (
    "items", "items_left_out", "personas", "alpha", "alpha_low", "alpha_high", "omega", "split_half", "icc",
    "icc_low", "icc_high", "icc_personas", "retest", "retest_low", "retest_high", "wording", "wording_low",
    "wording_high", "order_effect", "order_low", "order_high", "plus_minus", "lowest_item_rest", "lowest_item",
    "saturated", "valid", "incomplete", "too_few", "effective_n", "reason",
)  # fmt: skip
_QUESTION = ["item", "wording", "order", "repeat"]


def value_row(answers: pd.DataFrame, confidence: float, splits: int, seed: int) -> dict[str, Any]:
    """Everything about one value in one mode under one edit.

    Args:
        answers: of its items, with the column ``scored``.
        confidence: of the intervals.
        splits: of the items into halves, at most.
        seed: of the splits.
    """
    every = answers.pivot_table(index="persona", columns="item", values="scored", aggfunc="mean", dropna=False)
    kept = every.loc[:, every.notna().mean() >= MIN_ITEM_SHARE]
    keying = answers.groupby("item")["keying"].first()[kept.columns]
    items = kept.to_numpy(dtype=float)
    alpha = cronbach_alpha(items, confidence=confidence, missing="pairwise")
    halves = split_half(items, strata=list(keying), splits=splits, seed=seed, missing="pairwise")
    between = icc(items, "2,1", confidence=confidence)
    again = retest(_repeated(answers, "repeat"), confidence=confidence).consistency
    worded = icc(_repeated(answers, "wording"), "2,1", confidence=confidence)
    order = order_effect(answers, answers["p_yes"], confidence)
    by_sign = answers.groupby("keying")["scored"].mean()
    rest = item_rest(items, missing="pairwise")
    lowest = int(np.nanargmin(rest)) if np.isfinite(rest).any() else None
    return {
        "items": items.shape[1],
        "items_left_out": answers["item"].nunique() - items.shape[1],
        "personas": int(kept.notna().any(axis=1).sum()),
        "alpha": alpha.value, "alpha_low": alpha.low, "alpha_high": alpha.high,
        "omega": omega_total(items, missing="pairwise").value,
        "split_half": halves.value,
        "icc": between.value, "icc_low": between.low, "icc_high": between.high,
        "icc_personas": between.n,
        "retest": again.value, "retest_low": again.low, "retest_high": again.high,
        "wording": worded.value, "wording_low": worded.low, "wording_high": worded.high,
        "order_effect": order.value, "order_low": order.low, "order_high": order.high,
        "plus_minus": float(by_sign.get(1, math.nan) - by_sign.get(-1, math.nan)),
        "lowest_item_rest": math.nan if lowest is None else float(rest[lowest]),
        "lowest_item": "" if lowest is None else str(kept.columns[lowest]),
        "saturated": saturated_share(answers.loc[answers["mode"] == "score", "p_yes"]),
        "valid": float(answers["status"].isin(VALID).mean()),
        "reason": alpha.reason,
    }  # fmt: skip


def _repeated(answers: pd.DataFrame, column: str) -> Floats:
    """Mean score, personas by wordings or repeats, over the questions that a persona answered in all of them.

    A mean over other questions under one wording than under the next would compare the questions. The level of each
    question goes out too, so that personas who answered different ones do not differ by that.
    """
    question = [name for name in _QUESTION if name != column]
    wide = answers.pivot_table(index=["persona", *question], columns=column, values="scored", aggfunc="mean").dropna()
    level = wide.mean(axis=1).groupby(level=question).transform("mean")
    paired = wide.sub(level, axis=0).groupby(level="persona").mean()
    scores: Floats = paired.to_numpy(dtype=float)
    return scores
