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
from pyvalue.wide_scores import NO_PERSONA, score_rows


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
        held_out: whether they are held out.
        broken: edit that broke the model -> reason; in ``whole_judged`` alone.
        whole_judged: ``judged`` with the broken edits.
    """

    learnt: Part
    judged: Part
    held_out: bool
    broken: Mapping[str, str]
    whole_judged: Part


def read_study(responses: Any, test: Any, edits: Sequence[str] | None, score: Score) -> Study:
    """Read both parts and take out the edits that broke the model in either.

    Raises:
        ValueError: an edit of ``edits`` is in neither part, or the parts have fewer than 3 values in common.
    """
    learnt, broken = _part(responses, edits, score)
    judged, others = (learnt, broken) if test is None else _part(test, edits, score)
    missing = [edit for edit in edits or () if edit and edit not in {*learnt.edits, *judged.edits}]
    if missing:
        raise ValueError(f"edits: there are no rows under {', '.join(map(repr, missing))}")
    common = [name for name in learnt.rows.columns if name in judged.rows.columns]
    if len(common) < 3:
        raise ValueError(f"responses, test: expected at least 3 values in both, got {len(common)}")
    broken = {**broken, **others}
    learnt, judged = learnt.of_values(common), judged.of_values(common)
    return Study(learnt.without(broken), judged.without(broken), test is not None, broken, judged)


def _part(source: Any, edits: Sequence[str] | None, score: Score) -> tuple[Part, dict[str, str]]:
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
