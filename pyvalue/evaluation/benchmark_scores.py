"""Scores of a study as arrays: unedited, under every edit, and what each edit changed, persona by persona.

Edits that broke the model are left out here. Nothing is split here; that is ``pyvalue.evaluation.held_out``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.broken_edits import split_broken
from pyvalue.broken_scores import broken_rows
from pyvalue.edit_changes import paired_changes
from pyvalue.responses import Responses, Score
from pyvalue.wide_scores import score_rows

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StudyScores:
    """E edits, P personas and V values; NaN where a score is missing. Edits and personas are in sorted order.

    Attributes:
        edits, personas, values: names.
        rest: (P, V) scores without an edit.
        after: (E, P, V) scores under each.
        change: (E, P, V) paired changes; see ``pyvalue.edit_changes``.
    """

    edits: tuple[str, ...]
    personas: tuple[str, ...]
    values: tuple[str, ...]
    rest: Floats = field(repr=False)
    after: Floats = field(repr=False)
    change: Floats = field(repr=False)

    def only(self, edits: Sequence[int] | None = None, personas: Sequence[int] | None = None) -> StudyScores:
        """Some edits and personas, by place; None for all."""
        e = list(range(len(self.edits))) if edits is None else list(edits)
        p = list(range(len(self.personas))) if personas is None else list(personas)
        return StudyScores(
            tuple(self.edits[i] for i in e),
            tuple(self.personas[i] for i in p),
            self.values,
            self.rest[p],
            self.after[np.ix_(e, p)],
            self.change[np.ix_(e, p)],
        )

    def of_values(self, values: Sequence[str]) -> StudyScores:
        """Some values, in the order given."""
        at = [self.values.index(value) for value in values]
        return StudyScores(
            self.edits, self.personas, tuple(values), self.rest[:, at], self.after[..., at], self.change[..., at]
        )

    def rows(self) -> pd.DataFrame:
        """All rows with a score, indexed (edit, persona); the edit of unedited rows is ``""``."""
        index = pd.MultiIndex.from_product([("", *self.edits), self.personas], names=["edit", "persona"])
        table = np.concatenate([self.rest[None], self.after]).reshape(len(index), len(self.values))
        return pd.DataFrame(table, index=index, columns=list(self.values)).dropna(how="all")


def without_broken(source: Any, score: Score) -> tuple[Any, tuple[str, ...]]:
    """``Responses`` or a table of rows without the edits that broke the model, and a sentence for each of those."""
    if isinstance(source, Responses):
        return split_broken(source)
    rows = score_rows(source, score)
    broken = broken_rows(rows)
    kept = rows[~rows.index.get_level_values("edit").isin(list(broken))]
    return kept, tuple(f"the edit {edit!r} was left out: {reason}" for edit, reason in broken.items())


def source_notes(source: Any, score: Score) -> list[str]:
    """What a source lacks, with counts: rows that cannot be paired, and single scores."""
    rows = score_rows(source, score)
    edits, personas = (rows.index.get_level_values(level) for level in ("edit", "persona"))
    plain = np.asarray(edits == "")
    alone = ~plain & ~np.asarray(personas.isin(personas[plain]))
    idle = plain & ~np.asarray(personas.isin(personas[~plain]))
    missing = rows.isna().to_numpy()
    found = []
    if alone.any() and plain.any():
        found.append(
            f"{_counted(int(alone.sum()), 'row')} under edits, of {_counted(personas[alone].nunique(), 'persona')} "
            "without an unedited row, left out: there is nothing to compare them with"
        )
    if idle.any() and not plain.all():
        found.append(
            f"{_counted(int(idle.sum()), 'persona')} without a row under any edit: unedited scores alone are used"
        )
    if missing.any():
        columns = rows.columns[missing.any(axis=0)]
        found.append(
            f"{_counted(int(missing.sum()), 'score')} of {missing.size} missing (in {', '.join(columns)}), "
            f"{int(missing[plain].sum())} of them unedited: a change that needs one is left out"
        )
    return found


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def study_scores(source: Any, score: Score) -> StudyScores:
    """Read ``Responses`` or a table of rows; broken edits are to be gone already.

    Raises:
        ValueError: there are no unedited rows, no edits, or no persona with both.
    """
    changes = paired_changes(source, score)
    rows = score_rows(source, score)
    edits, personas = tuple(sorted(changes.edits)), tuple(sorted(set(rows.index.get_level_values("persona"))))
    values = tuple(rows.columns)
    index = pd.MultiIndex.from_product([("", *edits), personas], names=["edit", "persona"])
    cube = rows.reindex(index).to_numpy(dtype=float).reshape(len(edits) + 1, len(personas), len(values))
    change = changes.change.reindex(index[len(personas) :], columns=list(values))
    return StudyScores(edits, personas, values, cube[0], cube[1:], change.to_numpy(dtype=float).reshape(cube[1:].shape))
