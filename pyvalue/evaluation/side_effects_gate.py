"""Changes under the edits of a study that did not break the model, and what is said of those that did.

Judges no side effect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pyvalue.broken_edits import edit_table
from pyvalue.broken_scores import broken_rows
from pyvalue.edit_changes import PairedChanges, paired_changes
from pyvalue.responses import Responses, Score
from pyvalue.wide_scores import read_source, score_rows

#: what is known of the answers under an edit, where there are single answers
RATES = ("valid", "invalid", "refused", "degenerate", "perplexity_ratio")


@dataclass(frozen=True)
class WorkingEdits:
    """A study without the edits that broke the model.

    Attributes:
        changes: of every working edit; None where there is none.
        broken: label -> reason.
        rates: one row a label, columns ``RATES``: shares of answers, and perplexity of the questions over that without
            an edit. Empty for tables of scores, which keep no answers.
        asked: label -> personas with a row under the edit, paired or not.
    """

    changes: PairedChanges | None
    broken: dict[str, str]
    rates: pd.DataFrame = field(repr=False)
    asked: dict[str, int] = field(repr=False)


def working_edits(source: Any, score: Score = "corrected") -> WorkingEdits:
    """Take broken edits out, and pair the others with the unedited answers.

    Args:
        source: ``Responses``, or what ``score_rows`` takes.
        score: of ``Responses``.

    Raises:
        ValueError: there are no unedited rows, or no edits.
    """
    source = read_source(source)
    if isinstance(source, Responses):
        table = edit_table(source.table).set_index("edit")
        broken = {str(label): str(reason) for label, reason in table.loc[table["broken"], "reason"].items()}
        rates = table.assign(**{name: table[name] / table["answers"] for name in ("invalid", "refused", "degenerate")})
        left = [label for label in source.edits if label not in broken]
        working = _chosen(source, left)
        changes = paired_changes(working, score) if any(left) or not broken else None
        people = source.table.groupby("edit")["persona"].nunique()
        return WorkingEdits(changes, broken, rates[list(RATES)], {str(label): int(n) for label, n in people.items()})
    rows = score_rows(source, score)
    broken = broken_rows(rows)
    left_rows = rows[~rows.index.get_level_values("edit").isin(list(broken))]
    working_left = any(left_rows.index.get_level_values("edit") != "")
    changes = paired_changes(left_rows, score) if working_left or not broken else None
    people = rows.index.get_level_values("edit").value_counts()
    nothing = pd.DataFrame(columns=list(RATES), dtype=float)
    return WorkingEdits(changes, broken, nothing, {str(label): int(n) for label, n in people.items()})


def _chosen(responses: Responses, labels: Iterable[str]) -> Responses:
    kept = responses.table["edit"].isin(list(labels))
    return Responses(responses.table[kept].reset_index(drop=True), responses.facts)
