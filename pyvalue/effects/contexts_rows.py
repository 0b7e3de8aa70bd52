"""The rows of a study that can be used to see what edits do: those of edits that did not break the model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.broken_edits import edit_table, split_broken
from pyvalue.broken_scores import broken_rows
from pyvalue.responses import Responses, Score
from pyvalue.wide_scores import edit_label, edit_labels, score_rows


def without_broken(data: Any, score: Score = "corrected") -> tuple[Any, dict[str, str]]:
    """The data without edits that broke the model, and why each was left out.

    Of ``Responses`` they are found by ``pyvalue.broken_edits``, of tables and files by ``pyvalue.broken_scores``.

    Returns:
        ``Responses`` or a table of rows (edit, persona); label of the edit -> reason.
    """
    if isinstance(data, Responses):
        table = edit_table(data.table)
        broken = table[table["broken"]]
        return split_broken(data)[0], {
            row["edit"]: f"broke the model: {row['reason']}" for row in broken.to_dict("records")
        }
    rows = score_rows(data, score)
    reasons = {edit: f"broke the model: {reason}" for edit, reason in broken_rows(rows).items()}
    return rows[~rows.index.get_level_values("edit").isin(list(reasons))], reasons


def chosen_edits(present: Iterable[Any], edits: Iterable[Any] | None, left_out: dict[str, str]) -> list[str]:
    """The labels to look at, in the order of the data; those that broke the model are not among them.

    Raises:
        TypeError: ``edits`` is a single text or cannot be gone through.
        ValueError: none is left, or an edit is asked for that the data do not have.
    """
    known = [edit for edit in dict.fromkeys(map(edit_label, present)) if edit]
    labels = edit_labels(edits)
    wanted = set(known if labels is None else labels)
    unknown = sorted(wanted - set(known) - set(left_out))
    if unknown:
        named = ", ".join(edit or "no edit" for edit in unknown)
        raise ValueError(f"edits: no rows under {named}; the data have {', '.join(known)}")
    kept = [edit for edit in known if edit in wanted]
    if not kept:
        told = "; ".join(f"{edit} {reason}" for edit, reason in left_out.items()) or "the data have unedited rows only"
        raise ValueError(f"edits: none is left to look at: {told}")
    return kept


def unchanged_values(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    """Whether not one score differs, over the personas of both."""
    shared = after.index.intersection(before.index)
    change = (after.loc[shared] - before.loc[shared]).to_numpy()
    return bool(len(shared)) and not np.nan_to_num(change).any()
