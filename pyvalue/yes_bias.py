"""The bias towards "yes": how it is taken off scores, and how large it is. Works on the table of ``Responses``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.reliability import Estimate, saturated_share

# Answers to which one bias belongs, and those whose bias stands in where an order has none.
_ANY_ORDER = ["model", "edit", "persona", "mode"]
_ASKED = [*_ANY_ORDER, "order"]
# Where the log odds of a probability of 0 or 1 would have no end.
_EDGE = 1e-9


def corrected_scores(table: pd.DataFrame) -> pd.Series:
    """Scores after the level of "yes" on items without keying is taken off; see ``Responses.answers``."""
    free = table["keying"] == 0
    level = _level(table)
    bias = pd.Series(0.0, index=table.index)
    if free.any():
        own, others = (
            level[free].groupby([table.loc[free, key] for key in keys]).mean().rename("bias")
            for keys in (_ASKED, _ANY_ORDER)
        )
        bias = _of_rows(table, own, _ASKED).fillna(_of_rows(table, others, _ANY_ORDER))
        unknown = bias.isna()
        bias[unknown] = np.where(_known_to(table[unknown], table[free], ["model", "mode"]), np.nan, 0.0)
    return _freed(table, level, bias).where(~free)


def centred_scores(table: pd.DataFrame) -> pd.Series:
    """Scores after the level of "yes" on the keyed items of all other values is taken off; see ``Responses.answers``.

    Raises:
        ValueError: items of a single value, whose level cannot be told from a bias.
    """
    keyed = table["keying"] != 0
    values = list(dict.fromkeys(table.loc[keyed, "value"]))
    if len(values) == 1:
        raise ValueError(
            f"score: 'centred' expects items of at least 2 values, got {values[0]} alone; take 'raw' or 'corrected'"
        )
    level = _level(table)
    own, others = (_level_elsewhere(table[keyed], level[keyed], keys) for keys in (_ASKED, _ANY_ORDER))
    bias = _of_rows(table, own, [*_ASKED, "value"]).fillna(_of_rows(table, others, [*_ANY_ORDER, "value"]))
    return _freed(table, level, bias).where(keyed)


def uncorrected(table: pd.DataFrame) -> pd.Series:
    """Why a valid answer to a keyed item has no corrected score, one text a row; empty where it has one.

    Args:
        table: of ``Responses``.
    """
    free = table["keying"] == 0
    lost = ~free & table["p_yes"].notna() & corrected_scores(table).isna()
    asked = _known_to(table[lost], table[free], _ANY_ORDER)
    reason = pd.Series("", index=table.index)
    reason[lost] = np.where(
        asked, "no content-free answer of the persona is valid", "no content-free item was asked there"
    )
    return reason


def _level(table: pd.DataFrame) -> pd.Series:
    """How far an answer leans towards yes: log odds, or 2 p_yes - 1 of one that was written."""
    return log_odds(table["p_yes"]).where(table["mode"] == "score", 2 * table["p_yes"] - 1)


def _freed(table: pd.DataFrame, level: pd.Series, bias: pd.Series) -> pd.Series:
    freed = level - bias
    return table["keying"] * np.tanh(freed / 2).where(table["mode"] == "score", freed)


def _of_rows(table: pd.DataFrame, bias: pd.Series, keys: list[str]) -> pd.Series:
    return table[keys].join(bias, on=keys)["bias"]


def _known_to(rows: pd.DataFrame, others: pd.DataFrame, keys: list[str]) -> npt.NDArray[np.bool_]:
    """Which rows have a combination of keys that some other row has."""
    known = pd.MultiIndex.from_frame(others[keys].drop_duplicates())
    found: npt.NDArray[np.bool_] = pd.MultiIndex.from_frame(rows[keys]).isin(known)
    return found


def _level_elsewhere(keyed: pd.DataFrame, level: pd.Series, keys: list[str]) -> pd.Series:
    """Of each value, the mean level over the other values, both signs of each weighing the same."""
    by_sign = level.groupby([keyed[key] for key in (*keys, "value", "keying")]).mean().unstack("keying")
    of_value = by_sign.reindex(columns=[-1, 1]).mean(axis=1, skipna=False)
    together = of_value.groupby(level=keys)
    others = together.transform("count") - of_value.notna()
    return ((together.transform("sum") - of_value.fillna(0.0)) / others.where(others > 0)).rename("bias")


def log_odds(p: pd.Series) -> pd.Series:
    """log(p / (1 - p)), of probabilities drawn 1e-9 away from 0 and 1."""
    clipped = p.clip(_EDGE, 1 - _EDGE)
    return np.log(clipped) - np.log1p(-clipped)


def bias_table(table: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """How much the answers lean towards "yes" whatever is asked: one row an edit and mode.

    Columns, all means over the valid answers, NaN where nothing of the kind was asked:
        content_free, nonsense: p_yes on those items.
        keyed: p_yes on keyed items, where those for and those against a value weigh the same within each value that
            has both: 0.5 for a model whose answers follow the value alone, if the items for and those against it are
            equally extreme; else it shows how extreme they are, too.
        content_free_saturated: share of p_yes on content-free and nonsense items at most 0.01 or at least 0.99; score
            mode only. The log odds of such answers are huge, and drive corrected scores to -1 and 1.
        content_free_log_odds, nonsense_log_odds, keyed_log_odds: the same of log(p / (1 - p)); score mode only.
        order_effect, order_low, order_high: p_yes where the prompt says "yes or no" less p_yes where it says "no or
            yes", mean over personas, with a t interval over them.
        paraphrase_spread: standard deviation of p_yes between wordings of one question to one persona.
    """
    rows = []
    for (edit, mode), part in table.groupby(["edit", "mode"], sort=False):
        scored = mode == "score"
        odds = log_odds(part["p_yes"]) if scored else part["p_yes"] * math.nan
        row: dict[str, Any] = {"edit": edit, "mode": mode, "answers": len(part)}
        for name, level in (("", part["p_yes"]), ("_log_odds", odds)):
            for kind in ("content-free", "nonsense"):
                row[f"{kind.replace('-', '_')}{name}"] = float(level[part["kind"] == kind].mean())
            row[f"keyed{name}"] = _balanced_mean(part, level)
        free = part.loc[part["keying"] == 0, "p_yes"]
        row["content_free_saturated"] = saturated_share(free) if scored else math.nan
        effect = order_effect(part, part["p_yes"], confidence)
        row |= {"order_effect": effect.value, "order_low": effect.low, "order_high": effect.high}
        row["paraphrase_spread"] = _paraphrase_spread(part)
        rows.append(row)
    return pd.DataFrame(rows)


def order_effect(table: pd.DataFrame, quantity: pd.Series, confidence: float = 0.95) -> Estimate:
    """Mean over personas of a quantity under "yes or no" less the same under "no or yes".

    Args:
        table: answers under one edit in one mode.
        quantity: of every answer; only questions that a persona answered in both orders count.
        confidence: of the t interval over personas.
    """
    if table["order"].nunique() < 2:
        return Estimate.none("the options were named in one order only")
    keys = ["persona", "item", "wording", "repeat"]
    wide = table[[*keys, "order"]].assign(quantity=quantity).pivot_table(
        index=keys, columns="order", values="quantity", aggfunc="mean"
    )  # fmt: skip
    if not {"yes-no", "no-yes"} <= set(wide.columns):
        return Estimate.none("no question was answered in both orders")
    difference = (wide["yes-no"] - wide["no-yes"]).dropna().groupby(level="persona").mean()
    return mean_estimate(difference.to_numpy(), confidence)


def mean_estimate(values: npt.NDArray[np.float64], confidence: float = 0.95) -> Estimate:
    """The mean of independent values with its t interval.

    Args:
        values: (n,), none missing.
        confidence: of the interval, which needs two values.
    """
    from scipy.special import stdtrit

    n = len(values)
    if not n:
        return Estimate.none("no valid answers")
    mean = float(values.mean())
    if n < 2:
        return Estimate(mean, n=n)
    half = float(stdtrit(n - 1, (1 + confidence) / 2) * values.std(ddof=1) / math.sqrt(n))
    return Estimate(mean, mean - half, mean + half, n)


def _balanced_mean(part: pd.DataFrame, level: pd.Series) -> float:
    keyed = part["keying"] != 0
    by_sign = level[keyed].groupby([part.loc[keyed, "value"], part.loc[keyed, "keying"]]).mean().unstack()
    return float(by_sign.mean(axis=1, skipna=False).mean()) if by_sign.shape[1] == 2 else math.nan


def _paraphrase_spread(part: pd.DataFrame) -> float:
    if part["wording"].nunique() < 2:
        return math.nan
    of_wording = part.groupby(["persona", "item", "wording"])["p_yes"].mean()
    variance = of_wording.groupby(level=["persona", "item"]).var(ddof=1).mean()
    return float(np.sqrt(variance))
