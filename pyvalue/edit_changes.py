"""What each edit changed: every persona's scores under it less the same persona's scores without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.plotted import Plotted
from pyvalue.responses import VALID, Responses, Score
from pyvalue.wide_scores import edit_labels, read_source, score_rows

_QUESTION = ["persona", "item", "mode", "wording", "order", "repeat"]


@dataclass(frozen=True)
class PairedChanges(Plotted):
    """Changes of scores under edits; do not change the tables in place.

    Attributes:
        change: rows (edit, persona), columns values: score under the edit less the same persona's without one; missing
            where either is.
        before: the same rows and columns: the scores without an edit that were taken off. From ``Responses`` they are
            those of the questions that were answered both times, so they may differ between edits.
    """

    change: pd.DataFrame = field(repr=False)
    before: pd.DataFrame = field(repr=False)

    @property
    def edits(self) -> tuple[str, ...]:
        """Labels of the edits, in order of first appearance."""
        return tuple(dict.fromkeys(self.change.index.get_level_values("edit")))

    @property
    def personas(self) -> tuple[str, ...]:
        """Personas with a row under some edit, in order of first appearance."""
        return tuple(dict.fromkeys(self.change.index.get_level_values("persona")))

    @property
    def values(self) -> tuple[str, ...]:
        """Columns."""
        return tuple(self.change.columns)

    def of(self, edit: str) -> pd.DataFrame:
        """Changes under one edit: rows personas, columns values."""
        if edit not in self.edits:
            raise ValueError(f"edit: expected one of {', '.join(self.edits)}, got {edit!r}")
        return self.change.xs(edit, level="edit")

    def cube(self) -> npt.NDArray[np.float64]:
        """(E, P, V) changes in the order of ``edits``, ``personas`` and ``values``; NaN where there is none."""
        full = pd.MultiIndex.from_product([self.edits, self.personas], names=["edit", "persona"])
        table: npt.NDArray[np.float64] = self.change.reindex(full).to_numpy(dtype=float)
        return table.reshape(len(self.edits), len(self.personas), len(self.values))

    def only(self, edits: Any = None, personas: Any = None) -> PairedChanges:
        """The changes under some edits, of some personas, or both; None for all."""
        index = self.change.index
        keep = np.ones(len(index), dtype=bool)
        labels = edit_labels(edits)
        if labels is not None:
            keep &= index.get_level_values("edit").isin(list(labels))
        if personas is not None:
            keep &= index.get_level_values("persona").isin(list(personas))
        return PairedChanges(self.change[keep], self.before[keep])

    def __repr__(self) -> str:
        return f"PairedChanges({len(self.edits)} edits x {len(self.personas)} personas, {len(self.values)} values)"


def paired_changes(source: Any, score: Score = "corrected") -> PairedChanges:
    """Take every persona's unedited scores off its scores under each edit.

    Of ``Responses``, a question that was not validly answered both times is left out on both sides, so that a change
    is never a change of questions.

    Args:
        source: with unedited rows and rows under edits; see ``pyvalue.wide_scores.score_rows``.
        score: of ``Responses``.

    Raises:
        ValueError: there are no unedited rows, no edits, or no persona with both.
    """
    source = read_source(source)
    if isinstance(source, Responses):
        _check_edits(source.edits)
        before, after = _of_responses(source, score)
    else:
        rows = score_rows(source, score)
        edits = rows.index.get_level_values("edit")
        _check_edits(tuple(edits))
        unedited = rows[edits == ""].droplevel("edit")
        after = rows[edits != ""]
        after = after[after.index.get_level_values("persona").isin(unedited.index)]
        before = unedited.loc[after.index.get_level_values("persona")].set_axis(after.index)
    if not len(after):
        raise ValueError("source: no persona has a row without an edit and one under an edit; ask the same personas")
    return PairedChanges(after - before, before)


def answered_both_times(one: Responses, other: Responses) -> tuple[Responses, Responses]:
    """The answers to questions that were asked in both; those not valid both times are invalid on both sides."""
    asked = [pd.MultiIndex.from_frame(r.table[_QUESTION]) for r in (one, other)]
    valid = [labels[r.table["status"].isin(VALID)] for r, labels in zip((one, other), asked, strict=True)]
    kept = []
    for r, own, answered, theirs in zip((one, other), asked, valid[::-1], asked[::-1], strict=True):
        table = r.table.copy()
        gone = ~own.isin(answered) & table["status"].isin(VALID)
        table.loc[gone, ["p_yes", "score"]] = np.nan
        table.loc[gone, "status"] = "invalid"
        kept.append(Responses(table[own.isin(theirs)].reset_index(drop=True), r.facts))
    return kept[0], kept[1]


def _of_responses(source: Responses, score: Score) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores before and after; edits whose answers are complete in one pass, all others one by one."""
    complete = _complete_edits(source.table)
    pairs = {}
    if complete:
        table = source.table[source.table["edit"].isin(["", *complete])]
        rows = Responses(table.reset_index(drop=True), source.facts).matrix(score)
        unedited = rows.xs("", level="edit")
        for edit, own in rows.groupby(level="edit", sort=False):
            pairs[edit] = (unedited.loc[own.index.get_level_values("persona")].set_axis(own.index), own)
    rest = [edit for edit in source.edits if edit and edit not in complete]
    base = source.only(edit="") if rest else source
    pairs |= {edit: _of_one_edit(base, source.only(edit=edit), score) for edit in rest}
    before, after = (pd.concat(tables) for tables in zip(*(pairs[edit] for edit in source.edits if edit), strict=True))
    values = _values_in_order(source.table)
    return before[values], after[values]


def _values_in_order(table: pd.DataFrame) -> list[str]:
    """Of the edited answers, edit by edit."""
    asked = table[(table["edit"] != "") & (table["keying"] != 0)]
    by_edit = np.argsort(pd.factorize(asked["edit"])[0], kind="stable")
    return list(dict.fromkeys(asked["value"].to_numpy()[by_edit]))


def _complete_edits(table: pd.DataFrame) -> set[str]:
    """Edits under which every persona gave valid answers to all questions, as all personas did without an edit.

    There nothing is to be left out, and a persona's scores do not hang on those of the others.
    """
    question, _ = pd.factorize(pd.MultiIndex.from_frame(table[_QUESTION[1:]]))
    groups = table.assign(question=question, valid=table["status"].isin(VALID)).groupby(["edit", "persona"], sort=False)
    sizes = groups["question"].agg(["size", "nunique"])
    every = len(np.unique(question))
    full = (sizes["size"] == every) & (sizes["nunique"] == every) & groups["valid"].all()
    by_edit = full.groupby(level="edit").all()
    if not by_edit.loc[""]:
        return set()
    plain = set(table.loc[table["edit"] == "", "persona"])
    known = full.index.get_level_values("persona").isin(list(plain))
    by_edit &= pd.Series(known, full.index).groupby(level="edit").all()
    return {str(edit) for edit in by_edit.index[by_edit] if edit}


def _of_one_edit(base: Responses, steered: Responses, score: Score) -> tuple[pd.DataFrame, pd.DataFrame]:
    both = answered_both_times(base, steered)
    before, after = (part.matrix(score) for part in both)
    unedited = before.droplevel("edit")
    after = after[after.index.get_level_values("persona").isin(unedited.index)]
    before = unedited.loc[after.index.get_level_values("persona")].set_axis(after.index)
    return before.reindex(columns=after.columns), after


def _check_edits(edits: tuple[str, ...]) -> None:
    if "" not in edits:
        raise ValueError(
            "source: expected rows without an edit (an empty label), to compare the edits with, got none; "
            "measure the same personas unedited and add them"
        )
    if not any(edits):
        raise ValueError("source: expected rows under at least one edit, got unedited ones only")
