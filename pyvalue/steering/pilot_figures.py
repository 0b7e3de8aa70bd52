"""What each edit of a pilot did: gain, leakage, and whether it broke the model. Chooses nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pyvalue.broken_edits import edit_table
from pyvalue.effects.leakage import Leakage, leakage
from pyvalue.paired_changes import PairedChanges, paired_changes
from pyvalue.responses import Responses

COLUMNS = [
    "gain", "gain_low", "gain_high", "leakage", "leakage_low", "leakage_high", "plain_leakage",
    "valid", "perplexity_ratio", "usable", "reason",
]  # fmt: skip


def edit_figures(
    answers: Responses, edits: Sequence[str], target: Mapping[str, int], keep: Sequence[str] = ()
) -> pd.DataFrame:
    """One row an edit, in the order given; the columns of ``run_pilot`` that come from answers, and ``reason``.

    Args:
        answers: unedited ones and those under the edits.
        edits: their labels.
        target: value -> +1 or -1.
        keep: values whose leakage counts; default all but the target's that were asked about.
    """
    state = edit_table(answers.table).set_index("edit")
    changes = paired_changes(answers)
    rows: list[dict[str, Any]] = []
    for label in edits:
        found = _leakage(changes, label, target, keep)
        group = _group(found)
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
    return pd.DataFrame(rows, index=list(edits), columns=COLUMNS)


def leakage_of(answers: Responses, edit: str, target: Mapping[str, int], keep: Sequence[str] = ()) -> Leakage:
    """Leakage of one edit; with the group ``"kept"`` where values are kept."""
    return _leakage(paired_changes(answers), edit, target, keep)


def _leakage(changes: PairedChanges, edit: str, target: Mapping[str, int], keep: Sequence[str]) -> Leakage:
    return leakage(changes.of(edit), target, groups={"kept": keep} if keep else None)


def _group(found: Leakage) -> str:
    return "kept" if "kept" in found.groups else "all"
