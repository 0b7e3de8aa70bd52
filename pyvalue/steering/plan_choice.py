"""Of candidates with a gain and a leakage: the least leaky one that reaches the target, and why, in words.

Leakage is judged by the upper end of its interval where there is one. The estimate of a noisy edit is as often far too
low as far too high, and may even be below 0, so that the least of several estimates is often that of the noisiest.
"""

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

    Of the candidates whose gain is above 0 and at least ``wanted_gain``, the one with the least ``leakage_high``; where
    all of these are undefined, the least ``leakage`` (those below 0 count as 0); where these are, too, the least
    ``plain_leakage`` (mean |change| / gain, noise and all). Where none reaches, the one with the largest gain. Of
    equals the one with the larger gain.

    Args:
        table: columns ``gain``, ``leakage`` and perhaps ``leakage_high`` and ``plain_leakage``, one row a candidate.
        reach: wanted gain; None for half of the best.
    """
    known = table[table["gain"].notna()].sort_values("gain", ascending=False, kind="stable")
    if known.empty:
        return None
    reaching = known[(known["gain"] > 0) & (known["gain"] >= wanted_gain(known["gain"], reach))]
    basis = _basis(reaching)
    if basis is not None:
        # The first of equals, and the rows are in order of gain.
        return int(reaching[basis].clip(lower=0).idxmin())
    return int((reaching if len(reaching) else known).index[0])


def _basis(reaching: pd.DataFrame) -> str | None:
    """The column that decides among candidates that reach; None where nothing is known of what they leak."""
    columns = ("leakage_high", "leakage", "plain_leakage")
    return next((name for name in columns if name in reaching and reaching[name].notna().any()), None)


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
    basis = _basis(reaching)
    if basis is None:
        return f"{row['label']}: the largest gain; nothing is known of what the candidates leak"
    known = int(reaching[basis].notna().sum())
    told = (
        f"{row['label']}: " + _among(known, len(reaching), asked) + f" on {on} ({_figure(row, basis)} per unit of gain"
    )
    told += ", noise and all, since no candidate's gain is surely above 0)" if basis == "plain_leakage" else ")"
    top = table["gain"].idxmax()
    if top == chosen:
        return f"{told}, and it has the largest gain"
    other = table.loc[top]
    leaks = f" and leaks {_figure(other, basis)}" if not math.isnan(other[basis]) else ""
    return f"{told}; {other['label']} has the largest gain ({other['gain']:+z.3f}){leaks}"


def _among(known: int, reaching: int, asked: str) -> str:
    if known == reaching:
        return f"of {known} candidates with a gain of at least {asked}, this one leaks least"
    rest = f"nothing is known of the leakage of {reaching - known} more with a gain of at least {asked}"
    if known == 1:
        return f"the only candidate whose gain is surely above 0, so that its leakage is known ({rest}); it leaks"
    return f"of {known} candidates whose leakage is known ({rest}), this one leaks least"


def _figure(row: pd.Series, basis: str) -> str:
    if basis == "leakage_high":
        return f"at most {row[basis]:.2f} by its interval, {row['leakage']:z.2f} by the estimate,"
    return f"{row[basis]:z.2f}"
