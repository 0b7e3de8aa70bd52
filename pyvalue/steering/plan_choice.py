"""Of candidates with a gain and a leakage: the least leaky one that reaches the target, and why, in words."""

from __future__ import annotations

import math

import pandas as pd

#: share of the best gain that a candidate must have where no wanted change is given. Half leaves room to trade gain
#: for leakage; a candidate with less would need twice the strength of the best, which costs more leakage.
SHARE_OF_BEST = 0.5


def wanted_gain(gain: pd.Series, reach: float | None) -> float:
    """The gain that a candidate must have: ``reach``, or ``SHARE_OF_BEST`` of the best; NaN without candidates."""
    return float(reach) if reach is not None else SHARE_OF_BEST * float(gain.max())


def least_leaky(table: pd.DataFrame, reach: float | None) -> int | None:
    """Row label of the candidate to take; None where there is none with a gain.

    Of the candidates whose gain is above 0 and at least ``wanted_gain``, the one with the least leakage; where leakage
    is undefined for all of them, the least ``plain_leakage`` (mean |change| / gain, noise and all), if there is such a
    column. Where none reaches, the one with the largest gain. Of equals the one with the larger gain.

    Args:
        table: columns ``gain``, ``leakage`` and perhaps ``plain_leakage``, one row a candidate.
        reach: wanted gain; None for half of the best.
    """
    known = table[table["gain"].notna()].sort_values("gain", ascending=False, kind="stable")
    if known.empty:
        return None
    reaching = known[(known["gain"] > 0) & (known["gain"] >= wanted_gain(known["gain"], reach))]
    for column in ("leakage", "plain_leakage"):
        if column in reaching and reaching[column].notna().any():
            return int(reaching[column].idxmin())
    return int((reaching if len(reaching) else known).index[0])


def why(table: pd.DataFrame, chosen: int, reach: float | None, on: str) -> str:
    """Why this candidate, in a sentence.

    Args:
        table: as in ``least_leaky``, with a column ``label``.
        chosen: its row label.
        reach: wanted gain; None for half of the best.
        on: what the leakage is of, such as "the kept values".
    """
    row, wanted = table.loc[chosen], wanted_gain(table["gain"], reach)
    asked = f"{wanted:+.3f}" + ("" if reach is not None else " (half of the best)")
    if not row["gain"] > 0:
        return f"{row['label']}: no candidate moves the target as wanted, and this one has the largest gain"
    if row["gain"] < wanted:
        return f"{row['label']}: no candidate has the wanted gain of {asked}, and this one has the largest"
    reaching = table[table["gain"] >= wanted]
    if len(reaching) == 1:
        return f"{row['label']}: the only candidate with a gain of at least {asked}"
    basis = "leakage" if not math.isnan(row["leakage"]) else "plain_leakage"
    figure = row.get(basis, math.nan)
    if math.isnan(figure):
        return f"{row['label']}: the largest gain; nothing is known of what the candidates leak"
    noise = "" if basis == "leakage" else ", noise and all, since no candidate's gain is surely above 0"
    told = (
        f"{row['label']}: of {len(reaching)} candidates with a gain of at least {asked}, this one leaks least on {on} "
        f"({figure:.2f} per unit of gain{noise})"
    )
    top = table["gain"].idxmax()
    if top == chosen:
        return f"{told}, and it has the largest gain"
    other = table.loc[top]
    leaks = f" and leaks {other[basis]:.2f}" if not math.isnan(other[basis]) else ""
    return f"{told}; {other['label']} has the largest gain ({other['gain']:+.3f}){leaks}"
