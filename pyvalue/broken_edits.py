"""Edits under which the model no longer answers: found by the share of valid answers and by perplexity.

A broken model has no values to speak of: what it says under such an edit is left out, and said to be.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.responses import STATUSES, VALID, Responses

#: share of valid answers under an edit over that without one, below which it is broken
MIN_VALID_RATIO = 0.9
#: share of valid answers under an edit, below which it is broken where there is nothing to compare with
MIN_VALID_SHARE = 0.5
#: a drop of the share of valid answers counts only where chance would give it less often than this
CHANCE_LEVEL = 0.01
#: perplexity of the questions under an edit over that without one, above which it is broken. Of the bundled model's
#: texts under 15 edits of three features, none whose ratio was 3.4 or less looped, and all from 4.8 on did.
MAX_PERPLEXITY_RATIO = 4.0

_QUESTION = ["persona", "item", "wording", "order", "repeat"]
_GROUP = ["model", "mode"]


def edit_table(
    table: pd.DataFrame,
    min_valid_ratio: float = MIN_VALID_RATIO,
    max_perplexity_ratio: float = MAX_PERPLEXITY_RATIO,
) -> pd.DataFrame:
    """What every edit did to the answers: one row a model, mode and edit.

    Columns:
        model, mode, edit, answers.
        valid, valid_ratio: share of valid answers, and its ratio to the share without an edit.
        one column for each status: how many answers have it.
        mass: mean of P(yes) + P(no).
        perplexity, perplexity_ratio: geometric mean of the perplexities of the questions, and its ratio.
        broken, reason: whether the edit is broken, and why in words.

    Ratios are to the unedited answers of the same model and mode, on the questions of the edit where those were asked
    without it. Where there are none, or none is valid, ``valid`` must be at least ``MIN_VALID_SHARE``. A ratio below
    the threshold counts only where so large a drop would come by chance with a probability below ``CHANCE_LEVEL``: a
    one-sided test of two proportions with their pooled variance (Fleiss 1981, "Statistical Methods for Rates and
    Proportions", chapter 2), which takes answers for independent. The unedited model is never called broken.

    Args:
        table: of ``Responses``.
        min_valid_ratio: in [0, 1].
        max_perplexity_ratio: at least 1.

    Raises:
        ValueError: a threshold out of its range.
    """
    if not 0 <= min_valid_ratio <= 1:
        raise ValueError(f"min_valid_ratio: expected a number between 0 and 1, got {min_valid_ratio}")
    if not max_perplexity_ratio >= 1:
        raise ValueError(f"max_perplexity_ratio: expected a number of at least 1, got {max_perplexity_ratio}")
    asked = table[[*_GROUP, "edit", "status", "mass"]].assign(
        valid=table["status"].isin(VALID),
        log=np.log(table["perplexity"].where(table["perplexity"] > 0)),
        question=table.groupby(_QUESTION, sort=False, observed=True).ngroup(),
    )
    rows = []
    for (model, mode), of_mode in asked.groupby(_GROUP, sort=False):
        plain = of_mode[of_mode["edit"] == ""]
        for edit, part in of_mode.groupby("edit", sort=False):
            same = plain[plain["question"].isin(part["question"])]
            before = same if len(same) else plain
            row: dict[str, Any] = {"model": model, "mode": mode, "edit": edit, "answers": len(part)}
            row["valid"] = float(part["valid"].mean())
            share = float(before["valid"].mean()) if len(before) else math.nan
            row["valid_ratio"] = _ratio(row["valid"], share)
            chance = _chance_of_drop(row["valid"], len(part), share, len(before))
            counts = part["status"].value_counts()
            row |= {status: int(counts.get(status, 0)) for status in STATUSES}
            row["mass"] = float(part["mass"].mean())
            row["perplexity"] = math.exp(part["log"].mean())
            row["perplexity_ratio"] = math.exp(part["log"].mean() - before["log"].mean())
            row["reason"] = _reason(row, chance, min_valid_ratio, max_perplexity_ratio) if edit else ""
            row["broken"] = bool(row["reason"])
            rows.append(row)
    columns = [
        "model", "mode", "edit", "answers", "valid", "valid_ratio", *STATUSES, "mass", "perplexity",
        "perplexity_ratio", "broken", "reason",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def split_broken(
    responses: Responses,
    min_valid_ratio: float = MIN_VALID_RATIO,
    max_perplexity_ratio: float = MAX_PERPLEXITY_RATIO,
) -> tuple[Responses, tuple[str, ...]]:
    """The answers without those of broken edits, and a sentence for each edit that was left out."""
    table = responses.table
    if not (table["edit"] != "").any():
        return responses, ()
    edits = edit_table(table, min_valid_ratio, max_perplexity_ratio)
    broken = edits[edits["broken"]]
    if broken.empty:
        return responses, ()
    keys = ["model", "mode", "edit"]
    gone = pd.MultiIndex.from_frame(table[keys]).isin(pd.MultiIndex.from_frame(broken[keys]))
    told = tuple(
        f"answers under the edit {row['edit']!r} ({row['mode']}) were left out, since it broke the model: "
        f"{row['reason']}"
        for row in broken.to_dict("records")
    )
    return Responses(table[~gone].reset_index(drop=True), responses.facts), told


def working_answers(responses: Responses) -> tuple[Responses, tuple[str, ...]]:
    """``split_broken``, for those who need some answers.

    Raises:
        ValueError: no answers are left.
    """
    kept, told = split_broken(responses)
    if kept.table.empty:
        raise ValueError(f"responses hold no answers of a working model{': ' * bool(told)}{'; '.join(told)}")
    return kept, told


def _ratio(share: float, before: float) -> float:
    return share / before if before > 0 else math.nan


def _chance_of_drop(share: float, n: int, before: float, n_before: int) -> float:
    """Probability of a share this much below the other, or more, if both come from one proportion."""
    from scipy.special import ndtr  # scipy.stats takes a second to import

    if not n_before or share >= before:
        return 1.0
    pooled = (share * n + before * n_before) / (n + n_before)
    return float(ndtr((share - before) / math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n_before))))


def _reason(row: dict[str, Any], chance: float, min_valid_ratio: float, max_perplexity_ratio: float) -> str:
    found = []
    if math.isnan(row["valid_ratio"]):
        if row["valid"] < MIN_VALID_SHARE:
            found.append(f"{row['valid']:.0%} of its answers are valid, less than {MIN_VALID_SHARE:.0%}")
    elif row["valid_ratio"] < min_valid_ratio and chance < CHANCE_LEVEL:
        found.append(
            f"{row['valid']:.0%} of its answers are valid, {row['valid_ratio']:.2f} of the share without an edit "
            f"(less than {min_valid_ratio:g})"
        )
    if row["perplexity_ratio"] > max_perplexity_ratio:
        found.append(
            f"the questions' perplexity is {row['perplexity_ratio']:.1f} times that without an edit "
            f"(more than {max_perplexity_ratio:g})"
        )
    return "; ".join(found)
