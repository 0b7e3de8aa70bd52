"""What each edit of a pilot did: gain, leakage, and whether it broke the model. Chooses nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pyvalue.broken_edits import edit_table
from pyvalue.edit_changes import paired_changes
from pyvalue.effects.leakage import Leakage, leakage
from pyvalue.responses import Responses

COLUMNS = [
    "gain", "gain_low", "gain_high", "leakage", "leakage_low", "leakage_high", "plain_leakage",
    "valid", "perplexity_ratio", "usable", "reason",
]  # fmt: skip


def edit_figures(
    answers: Responses, edits: Sequence[str], target: Mapping[str, int], keep: Sequence[str] = ()
) -> tuple[pd.DataFrame, dict[str, Leakage]]:
    """One row an edit, in the order given; the columns of ``run_pilot`` that come from answers, and ``reason``.

    With it, the leakage of every edit; it has the group ``"kept"`` where values are kept.

    Args:
        answers: unedited ones and those under the edits.
        edits: their labels.
        target: value -> +1 or -1.
        keep: values whose leakage counts; default all but the target's that were asked about.
    """
    state = edit_table(answers.table).set_index("edit")
    wanted = Responses(answers.table[answers.table["edit"].isin(["", *edits])].reset_index(drop=True))
    changes = paired_changes(wanted)
    rows: list[dict[str, Any]] = []
    leaks = {label: leakage(changes.of(label), target, groups={"kept": keep} if keep else None) for label in edits}
    group = "kept" if keep else "all"
    for label, found in leaks.items():
        estimate, low, high = found.estimate(group)
        plain = float(found.table.set_index("group").loc[group, "plain"])
        gain = found.gain
        rows.append(
            {
                "gain": gain, "gain_low": found.low, "gain_high": found.high,
                "leakage": estimate, "leakage_low": low, "leakage_high": high, "plain_leakage": plain,
                "valid": float(state.loc[label, "valid"]),
                "perplexity_ratio": float(state.loc[label, "perplexity_ratio"]),
                "usable": bool(not state.loc[label, "broken"] and gain == gain),
                "reason": str(state.loc[label, "reason"]) or ("" if gain == gain else "no target question answered"),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, index=list(edits), columns=COLUMNS), leaks
