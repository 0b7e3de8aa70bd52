"""What an audit looks at: the rows of a study, its held-out rows, and the changes under edits that work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.broken_edits import edit_table
from pyvalue.broken_scores import broken_rows
from pyvalue.edit_changes import paired_changes
from pyvalue.responses import Responses, Score
from pyvalue.wide_scores import NO_PERSONA, read_source, score_rows

#: rows are held out where no larger share of them is among the learnt ones; a few may agree by chance
MAX_SHARED = 0.05


@dataclass(frozen=True)
class Part:
    """One set of rows.

    Attributes:
        rows: (edit, persona) by values.
        change: of the rows under edits, paired; None where there are none.
        why_no_change: the reason.
    """

    rows: pd.DataFrame = field(repr=False)
    change: pd.DataFrame | None = field(repr=False)
    why_no_change: str = ""

    @property
    def unedited(self) -> pd.DataFrame:
        """Rows persona by values of the personas without an edit; the row without a persona is left out."""
        plain = self.rows[self.rows.index.get_level_values("edit") == ""].droplevel("edit")
        return plain.drop(index=NO_PERSONA, errors="ignore").rename(index=str)

    @property
    def edits(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(edit for edit in self.rows.index.get_level_values("edit") if edit))

    def without(self, edits: Mapping[str, str]) -> Part:
        """Less the rows under some edits."""
        if not edits:
            return self
        rows = self.rows[~self.rows.index.get_level_values("edit").isin(list(edits))]
        if self.change is None:
            return Part(rows, None, self.why_no_change)
        change = self.change[~self.change.index.get_level_values("edit").isin(list(edits))]
        if not len(change):
            return Part(rows, None, "every edit broke the model")
        return Part(rows, change)

    def of_values(self, values: Sequence[str]) -> Part:
        """With these columns alone."""
        change = None if self.change is None else self.change[list(values)]
        return Part(self.rows[list(values)], change, self.why_no_change)


@dataclass(frozen=True)
class Study:
    """What is audited.

    Attributes:
        learnt: rows that a graph is learnt from.
        judged: rows that it is judged on: held-out ones, or the same.
        held_out: whether they are held out: other rows than those.
        asked: "the responses", "the test rows" -> their values.
        shared_rows: judged rows that are among the learnt ones, with the same scores.
        broken: edit that broke the model -> reason; in ``whole_judged`` alone.
        whole_judged: ``judged`` with the broken edits.
    """

    learnt: Part
    judged: Part
    held_out: bool
    shared_rows: int
    asked: Mapping[str, Sequence[str]]
    broken: Mapping[str, str]
    whole_judged: Part


def read_study(responses: Any, test: Any, edits: Sequence[str] | None, score: Score) -> Study:
    """Read both parts and take out the edits that broke the model in either.

    Raises:
        ValueError: an edit of ``edits`` is in neither part, or the parts have fewer than 3 values in common.
    """
    learnt, broken = _part(responses, edits, score)
    judged, others = (learnt, broken) if test is None else _part(test, edits, score)
    shared = _shared(learnt.rows, judged.rows)
    missing = [edit for edit in edits or () if edit and edit not in {*learnt.edits, *judged.edits}]
    if missing:
        raise ValueError(f"edits: there are no rows under {', '.join(map(repr, missing))}")
    common = [name for name in learnt.rows.columns if name in judged.rows.columns]
    if len(common) < 3:
        raise ValueError(f"responses, test: expected at least 3 values in both, got {len(common)}")
    broken = {**broken, **others}
    asked = {"the responses": list(learnt.rows.columns)}
    if test is not None:
        asked["the test rows"] = list(judged.rows.columns)
    learnt, judged = learnt.of_values(common), judged.of_values(common)
    held_out = test is not None and shared <= MAX_SHARED * len(judged.rows)
    return Study(learnt.without(broken), judged.without(broken), held_out, shared, asked, broken, judged)


def _part(source: Any, edits: Sequence[str] | None, score: Score) -> tuple[Part, dict[str, str]]:
    source = read_source(source)
    if isinstance(source, Responses):
        kept = source if edits is None else _under(source, edits)
        table = edit_table(kept.table)
        found = table[table["broken"]]
        broken = dict(zip(found["edit"].astype(str), found["reason"].astype(str), strict=True))
        rows = kept.matrix(score)
        return _paired(kept, rows, score), broken
    rows = score_rows(source, score)
    if edits is not None:
        rows = rows[rows.index.get_level_values("edit").isin(["", *edits])]
    if not len(rows):
        raise ValueError(f"edits: no rows are left under {', '.join(map(repr, edits or ()))} or without an edit")
    return _paired(rows, rows, score), broken_rows(rows)


def _shared(learnt: pd.DataFrame, judged: pd.DataFrame) -> int:
    """Rows of the same edit and persona with the same scores, all of them and not all missing."""
    common = [name for name in learnt.columns if name in judged.columns]
    again = learnt[common].reindex(judged.index).to_numpy()
    scores = judged[common].to_numpy()
    same = (again == scores) | (np.isnan(again) & np.isnan(scores))
    return int((same.all(axis=1) & np.isfinite(scores).any(axis=1)).sum())


def _paired(source: Any, rows: pd.DataFrame, score: Score) -> Part:
    rows = rows.rename(columns=str)
    try:
        change = paired_changes(source, score).change.rename(columns=str).reindex(columns=rows.columns)
    except ValueError as fault:
        return Part(rows, None, str(fault).removeprefix("source: "))
    if not np.isfinite(change.to_numpy()).any():
        return Part(rows, None, "no score is known both with and without an edit")
    return Part(rows, change)


def _under(responses: Responses, edits: Sequence[str]) -> Responses:
    keep = responses.table["edit"].isin(["", *edits])
    return Responses(responses.table[keep].reset_index(drop=True), responses.facts)
