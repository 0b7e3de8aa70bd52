"""The answers of one or more models: a tidy table, one row an answer. Imports no room and no torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from pyvalue.errors import StoreError

Score = Literal["raw", "corrected", "ipsatised"]

#: column -> meaning; the order of the columns on disk
COLUMNS = {
    "model": "name of the model",
    "edit": "label of the edits of the residual stream, empty for none",
    "persona": "name of the persona",
    "item": "id of the item",
    "value": "value asked about, empty for an item without keying",
    "keying": "+1 or -1; 0 for a content-free or nonsense item",
    "kind": "keyed, content-free or nonsense",
    "mode": "score (probabilities of the next token), generate (a written answer) or free (rated by a judge)",
    "wording": "0 for the item's question, 1, 2, ... for its paraphrases",
    "order": "yes-no or no-yes: in which order the prompt names the options",
    "repeat": "0, 1, ... where a question is asked more than once",
    "text": "the question as it was worded",
    "answer": "what the model wrote; empty where it was scored",
    "status": "yes, no or unsure, which are valid; invalid, refused or degenerate",
    "p_yes": "P(yes) / (P(yes) + P(no)), or 1, 0.5, 0 for a written yes, unsure, no; missing when not valid",
    "mass": "P(yes) + P(no); missing where the answer was written",
    "score": "keying * (2 p_yes - 1), in [-1, 1]; missing when not valid or without keying",
    "perplexity": "of the question's own tokens under the edit; missing where it was not computed",
}
#: columns that a table may lack, and what then stands in them
DEFAULTS: dict[str, Any] = {
    "mode": "score", "wording": 0, "order": "yes-no", "repeat": 0, "answer": "", "perplexity": np.nan,
}  # fmt: skip
#: statuses of answers that count
VALID = ("yes", "no", "unsure")
_ROW = ["model", "edit", "persona"]
# Answers to which one bias towards "yes" belongs.
_ASKED = [*_ROW, "mode", "order"]
_NUMBERS = {
    "keying": "int8", "wording": "int16", "repeat": "int16",
    "p_yes": "float64", "mass": "float64", "score": "float64", "perplexity": "float64",
}  # fmt: skip


@dataclass(frozen=True)
class Responses:
    """Answers as a tidy table; do not change ``table`` in place.

    Attributes:
        table: the columns of ``pyvalue.responses.COLUMNS``, one row an answer; those of ``DEFAULTS`` may be left out.
        facts: what made the answers (model, inventory, prompts, versions).
    """

    table: pd.DataFrame = field(repr=False)
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        missing = [name for name in COLUMNS if name not in {*self.table.columns, *DEFAULTS, "kind"}]
        if missing:
            raise ValueError(
                f"table: missing columns {', '.join(missing)}; expected {', '.join(COLUMNS)}, "
                f"got {', '.join(map(str, self.table.columns))}"
            )
        object.__setattr__(self, "table", _completed(self.table))

    @property
    def values(self) -> tuple[str, ...]:
        """Values asked about, in order of first appearance."""
        named = self.table.loc[self.table["keying"] != 0, "value"]
        return tuple(dict.fromkeys(named))

    @property
    def personas(self) -> tuple[str, ...]:
        """Personas, in order of first appearance."""
        return tuple(dict.fromkeys(self.table["persona"]))

    @property
    def edits(self) -> tuple[str, ...]:
        """Labels of the edits, in order of first appearance; the empty label is "no edit"."""
        return tuple(dict.fromkeys(self.table["edit"]))

    @property
    def valid_share(self) -> float:
        """Share of answers that are yes, no or unsure."""
        return float(self.table["status"].isin(VALID).mean())

    def answers(self, score: Score = "corrected") -> pd.Series:
        """One score an answer, in [-1, 1] (ipsatised: [-2, 2]), missing for content-free items and invalid answers.

        Args:
            score: ``"raw"``: keying * (2 p_yes - 1). ``"corrected"``: the same after the log odds of "yes" on the
                content-free items (their mean over the same edit, persona and order) are taken off those of every
                answer (contextual calibration, Zhao et al. 2021); raw when the table has no content-free items, missing
                where all of a row's are invalid.
                Written and rated answers have no odds: there the mean of 2 p_yes - 1 on the content-free items is
                taken off that of every answer, which then lies in [-2, 2].
                ``"ipsatised"``: corrected, less the row's mean over the values (Schwartz 1992).

        Raises:
            ValueError: unknown ``score``.
        """
        if score == "raw":
            return self.table["score"]
        if score == "corrected":
            return self._corrected()
        if score == "ipsatised":
            corrected = self._corrected()
            rows = [self.table[key] for key in _ROW]
            by_value = corrected.groupby([*rows, self.table["value"]]).mean()  # missing for content-free items
            mean = by_value.groupby(level=_ROW).mean().rename("mean")
            return corrected - self.table[_ROW].join(mean, on=_ROW)["mean"]
        raise ValueError(f"score: expected 'raw', 'corrected' or 'ipsatised', got {score!r}")

    def matrix(self, score: Score = "corrected") -> pd.DataFrame:
        """Mean score of every value: rows (edit, persona), columns values, in order of first appearance.

        Args:
            score: see ``answers``.

        Raises:
            ValueError: unknown ``score``, or answers of more than one model, which a mean would mix.
        """
        models = list(dict.fromkeys(self.table["model"]))
        if len(models) > 1:
            raise ValueError(f"table: expected answers of one model, got {', '.join(models)}; make a matrix for each")
        asked = self.table["keying"] != 0
        frame = self.table.loc[asked, ["edit", "persona", "value"]].assign(score=self.answers(score)[asked])
        wide = frame.pivot_table(
            index=["edit", "persona"], columns="value", values="score", aggfunc="mean", sort=False, dropna=False
        )
        order = [pair for pair in dict.fromkeys(zip(frame["edit"], frame["persona"], strict=True))]
        wide = wide.reindex(index=pd.MultiIndex.from_tuples(order, names=["edit", "persona"]), columns=self.values)
        wide.columns.name = None
        return wide

    def only(self, edit: str | None = None, personas: Sequence[str] | None = None) -> Responses:
        """The answers under one edit label (empty: none), of some personas, or both."""
        keep = np.ones(len(self.table), dtype=bool)
        if edit is not None:
            keep &= (self.table["edit"] == edit).to_numpy()
        if personas is not None:
            keep &= self.table["persona"].isin(list(personas)).to_numpy()
        return Responses(self.table[keep].reset_index(drop=True), self.facts)

    def save(self, path: str | Path) -> Path:
        """Write one Parquet file (to a temporary name, then renamed)."""
        path = Path(path)
        scratch = path.with_name(f".{path.name}.part")
        try:
            self.table.to_parquet(scratch, index=False)
            os.replace(scratch, path)
        except OSError as fault:
            scratch.unlink(missing_ok=True)
            raise StoreError(f"cannot write {path}: {fault.strerror or fault}; nothing was changed") from fault
        return path

    @classmethod
    def load(cls, path: str | Path) -> Responses:
        """Read one Parquet file, or every ``part-*.parquet`` of a folder.

        Raises:
            StoreError: no such file, no parts, or not readable.
        """
        path = Path(path)
        files = sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]
        if not files:
            raise StoreError(f"no responses in {path}; expected part-*.parquet")
        return cls(pd.concat([_read(file) for file in files], ignore_index=True))

    def __repr__(self) -> str:
        return (
            f"Responses({len(self.table)} answers: {len(self.edits)} edits x {len(self.personas)} personas, "
            f"{len(self.values)} values, {self.valid_share:.1%} valid)"
        )

    def _corrected(self) -> pd.Series:
        table, free = self.table, self.table["keying"] == 0
        scored = table["mode"] == "score"
        level = _log_odds(table["p_yes"]).where(scored, 2 * table["p_yes"] - 1)
        bias = level[free].groupby([table.loc[free, key] for key in _ASKED]).mean().rename("bias")
        of_row = table[_ASKED].join(bias, on=_ASKED)["bias"] if free.any() else 0.0
        freed = level - of_row
        return (table["keying"] * np.tanh(freed / 2).where(scored, freed)).where(~free)


def make_table(rows: dict[str, Any]) -> pd.DataFrame:
    """A table with the columns of ``COLUMNS`` in their number formats, from one sequence (or scalar) a column."""
    return _formatted(_completed(pd.DataFrame(rows))[list(COLUMNS)])


def _completed(table: pd.DataFrame) -> pd.DataFrame:
    """With the columns that a table may lack."""
    lacks = {name: value for name, value in DEFAULTS.items() if name not in table.columns}
    if "kind" not in table.columns:
        lacks["kind"] = np.where(table["keying"] != 0, "keyed", "content-free")
    return table.assign(**lacks) if lacks else table


def _formatted(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({name: _NUMBERS.get(name, "object") for name in COLUMNS})


def _read(file: Path) -> pd.DataFrame:
    try:
        return _formatted(Responses(pd.read_parquet(file)).table)
    except (OSError, ValueError) as fault:
        raise StoreError(
            f"responses {file} cannot be read ({fault}); if it is damaged, delete it and measure again"
        ) from fault


def _log_odds(p: pd.Series) -> pd.Series:
    clipped = p.clip(1e-9, 1 - 1e-9)
    return np.log(clipped) - np.log1p(-clipped)
