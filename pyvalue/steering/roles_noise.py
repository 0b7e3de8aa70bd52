"""How much of the differences between personas would be there again with other questions. Ranks nobody.

Items are split in halves; what differs between a persona's halves is noise (Flanagan's split-half reliability).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from pyvalue.responses import Responses, Score

#: random halves over which the variance of the noise is averaged
SPLITS = 8
#: personas with both halves, below which nothing is said
MIN_PERSONAS = 3


def lasting_shares(
    answers: Responses | None,
    deviations: Callable[[pd.DataFrame], pd.DataFrame],
    whole: pd.DataFrame,
    score: Score,
    seed: int,
) -> pd.Series:
    """Share of the variance over personas that is no noise of the items, in [0, 1], of every quantity.

    Args:
        answers: unedited; None where single answers are not known.
        deviations: rows (edit, persona) x values -> the quantities of each row.
        whole: the quantities by all items.
        score: of ``Responses``.
        seed: of the halves.

    Returns:
        One share a column of ``whole``; NaN where a value has fewer than 2 items, or too few personas answered both
        halves.
    """
    nothing = pd.Series(np.nan, index=whole.columns)
    if answers is None:
        return nothing
    items = answers.table.drop_duplicates("item")[["item", "value", "keying"]].sort_values("item")
    if not (items[items["keying"] != 0].groupby("value").size() > 1).any():
        return nothing
    random = np.random.default_rng(seed)
    noise = []
    for _ in range(SPLITS):
        parts = [deviations(_only(answers, half).matrix(score)) for half in _halves(items, random)]
        difference = parts[0] - parts[1].reindex(parts[0].index)
        enough = difference.notna().sum() >= MIN_PERSONAS
        # The whole is about the mean of its halves, whose noise is half of that of their difference.
        noise.append((difference.var() / 4).where(enough))
    variance = whole.var()
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1 - pd.DataFrame(noise).mean() / variance
    return share.mask(variance == 0, 0.0).clip(0, 1).reindex(whole.columns)


def _halves(items: pd.DataFrame, random: np.random.Generator) -> tuple[set[str], set[str]]:
    """Two sets of items with as many of every value and sign in each, or one more in one of them."""
    found: tuple[set[str], set[str]] = (set(), set())
    for _, value in items.groupby("value"):
        turn = int(random.integers(2))
        for _, part in value.groupby("keying"):
            for name in random.permutation(part["item"].to_numpy()):
                found[turn % 2].add(str(name))
                turn += 1
    return found


def _only(answers: Responses, items: set[str]) -> Responses:
    return Responses(answers.table[answers.table["item"].isin(items)].reset_index(drop=True), answers.facts)
