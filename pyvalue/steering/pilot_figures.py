"""What each edit of a pilot did: gain, leakage, and whether it broke the model. Chooses nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.broken_edits import edit_table
from pyvalue.edit_changes import paired_changes
from pyvalue.effects.change_moments import Moments
from pyvalue.effects.leakage import Leakage, leakage
from pyvalue.responses import Responses

COLUMNS = [
    "gain", "gain_low", "gain_high", "gain_p", "leakage", "leakage_low", "leakage_high", "plain_leakage",
    "valid", "perplexity_ratio", "usable", "reason",
]  # fmt: skip


def edit_figures(
    answers: Responses, edits: Sequence[str], target: Mapping[str, int], keep: Sequence[str] = (), screened: int = 1
) -> tuple[pd.DataFrame, dict[str, Leakage]]:
    """One row an edit, in the order given; the columns of ``run_pilot`` that come from answers, and ``reason``.

    With it, the leakage of every edit; it has the group ``"kept"`` where values are kept.

    Args:
        answers: unedited ones and those under the edits.
        edits: their labels.
        target: value -> +1 or -1.
        keep: values whose leakage counts; default all but the target's that were asked about.
        screened: how many candidates these edits are among; ``gain_p`` is multiplied with it.
    """
    state = edit_table(answers.table).set_index("edit")
    wanted = Responses(answers.table[answers.table["edit"].isin(["", *edits])].reset_index(drop=True))
    changes = paired_changes(wanted)
    rows: list[dict[str, Any]] = []
    leaks = {label: leakage(changes.of(label), target, groups={"kept": keep} if keep else None) for label in edits}
    group = "kept" if keep else "all"
    for label, found in leaks.items():
        estimate, low, high = found.estimate(group)
        change, gain = changes.of(label), found.gain
        counted = [v for v in change.columns if v not in target and (not keep or v in keep)]
        plain = float(change[counted].mean().abs().mean() / abs(gain)) if gain else math.nan
        rows.append(
            {
                "gain": gain, "gain_low": found.low, "gain_high": found.high,
                "gain_p": np.minimum(1.0, screened * p_value(change, target)),
                "leakage": estimate, "leakage_low": low, "leakage_high": high, "plain_leakage": plain,
                "valid": float(state.loc[label, "valid"]),
                "perplexity_ratio": float(state.loc[label, "perplexity_ratio"]),
                "usable": bool(not state.loc[label, "broken"] and gain == gain),
                "reason": str(state.loc[label, "reason"]) or ("" if gain == gain else "no target question answered"),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, index=list(edits), columns=COLUMNS), leaks


def p_value(change: pd.DataFrame, target: Mapping[str, int]) -> float:
    """Of Student's t test over personas that the target's gain is 0, two-sided; NaN with fewer than 3 personas."""
    from scipy.special import stdtr

    sign = np.array([float(target.get(value, 0)) for value in change.columns])
    gain, error, n = Moments.of(change.to_numpy(dtype=float)).gain(sign)
    if math.isnan(error):
        return math.nan
    return float(2 * stdtr(n - 1, -abs(gain) / error)) if error else float(gain == 0)
