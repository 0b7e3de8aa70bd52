"""The answers of one or more models: a tidy table, one row an answer. Imports no room and no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from pyvalue.errors import StoreError
from pyvalue.plotted import Plotted
from pyvalue.responses_parquet import read_parquet, write_parquet
from pyvalue.table_checks import ALLOWED, check_distinct, check_table, with_texts
from pyvalue.value_means import ValueMeans, below_share, value_means
from pyvalue.visible_text import printable
from pyvalue.yes_bias import centred_scores, corrected_scores

if TYPE_CHECKING:
    import datasets
    import polars as pl
    import pyarrow as pa

    from pyvalue.quality import Quality

Score = Literal["raw", "corrected", "centred", "ipsatised"]

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
#: columns that every table of answers has
REQUIRED = tuple(name for name in COLUMNS if name not in {*DEFAULTS, "kind"})
#: statuses of answers that count
VALID = ("yes", "no", "unsure")
STATUSES = tuple(str(status) for status in ALLOWED["status"])
#: share of the questions of a value that a persona must have answered to have a score on it
MIN_SHARE = 0.5
#: columns that tell one answer from every other
IDENTITY = ["model", "edit", "persona", "item", "mode", "wording", "order", "repeat"]
_ROW = ["model", "edit", "persona", "mode"]
#: columns of numbers and their formats
NUMBERS = {
    "keying": "int8", "wording": "int16", "repeat": "int16",
    "p_yes": "float64", "mass": "float64", "score": "float64", "perplexity": "float64",
}  # fmt: skip


@dataclass(frozen=True)
class Responses(Plotted):
    """Answers as a tidy table; do not change ``table`` in place.

    Attributes:
        table: the columns of ``pyvalue.responses.COLUMNS``, one row an answer; those of ``DEFAULTS`` may be left out.
        facts: what made the answers (model, inventory, prompts, versions).

    A missing text in ``edit``, ``value``, ``text`` or ``answer`` becomes the empty one, which CSV files cannot hold.

    Raises:
        ValueError: a column is missing, or holds an unknown status, mode, order, kind or keying, or a ``p_yes`` outside
            of [0, 1]. That no answer comes twice is checked by ``load``, ``concat``, ``matrix`` and ``quality``.
        TypeError: a column of numbers holds something else.
    """

    table: pd.DataFrame = field(repr=False)
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        missing = [name for name in REQUIRED if name not in self.table.columns]
        if missing:
            raise ValueError(
                f"table: missing columns {', '.join(missing)}; expected {', '.join(COLUMNS)}, "
                f"got {', '.join(map(str, self.table.columns))}"
            )
        table = with_texts(_completed(self.table))
        check_table(table)
        object.__setattr__(self, "table", table)

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
                answer (contextual calibration, Zhao et al. 2021). Where a persona has no valid content-free answer
                in an order, its mean over all orders stands in. Raw in a mode in which no content-free item was asked
                at all; otherwise missing where a persona has no valid content-free answer under an edit.
                Written and rated answers have no odds: there the mean of 2 p_yes - 1 on the content-free items is
                taken off that of every answer, which then lies in [-2, 2].
                The error of few content-free answers enters every value alike; see docs/measures.md.
                ``"centred"``: as corrected, but what is taken off is the mean over the keyed items of all other values
                of the same edit, persona and order, items for and against a value in equal parts: acquiescence, as it
                is taken off balanced questionnaires (Hofstee et al. 1998). A value's own items are left out, else the
                scores of its items would agree by construction. Missing where no other value has valid answers of
                both signs.
                ``"ipsatised"``: corrected, less the row's mean over the values (Schwartz 1992).

        Raises:
            ValueError: unknown ``score``, or "centred" of a single value.
        """
        if score == "raw":
            return self.table["score"]
        if score == "corrected":
            return corrected_scores(self.table)
        if score == "centred":
            return centred_scores(self.table)
        if score == "ipsatised":
            corrected = corrected_scores(self.table)
            rows = [self.table[key] for key in _ROW]
            by_value = corrected.groupby([*rows, self.table["value"]]).mean()  # missing for content-free items
            mean = by_value.groupby(level=_ROW).mean().rename("mean")
            return corrected - self.table[_ROW].join(mean, on=_ROW)["mean"]
        raise ValueError(f"score: expected 'raw', 'corrected', 'centred' or 'ipsatised', got {score!r}")

    def matrix(self, score: Score = "corrected", *, min_share: float = MIN_SHARE) -> pd.DataFrame:
        """Mean score of every value: rows (edit, persona), columns values, in order of first appearance.

        Personas who answered all that they were asked have plain means. Where answers are missing, a mean over the
        others would depend on which questions those are; there the score is that of an additive model of personas and
        questions within the edit (``pyvalue.value_means``), which is again the plain mean for a single persona.

        Args:
            score: see ``answers``.
            min_share: a value of which a persona has answered less than this share of the questions asked of it is
                missing.

        Raises:
            ValueError: unknown ``score``, ``min_share`` outside of [0, 1], an answer that comes twice, or answers of
                more than one model or mode, which a mean would mix.
        """
        means, index = self._means(score)
        table = np.where(below_share(means.share, min_share), np.nan, means.mean)
        if score == "ipsatised":
            again = (means.adjusted | (np.isfinite(means.mean) != np.isfinite(table))).any(axis=1)
            again &= np.isfinite(table).any(axis=1)
            table[again] -= np.nanmean(table[again], axis=1, keepdims=True)
        return pd.DataFrame(table, index=index, columns=pd.Index(self.values, dtype=object))

    def answered_share(self, score: Score = "corrected") -> pd.DataFrame:
        """Share of the questions asked that have a score: rows (edit, persona), columns values, as ``matrix``.

        Raises:
            ValueError: as ``matrix``.
        """
        means, index = self._means(score)
        return pd.DataFrame(means.share, index=index, columns=pd.Index(self.values, dtype=object))

    def _means(self, score: Score) -> tuple[ValueMeans, pd.MultiIndex]:
        """Means of values with the rows they belong to."""
        models, modes = (list(dict.fromkeys(self.table[name])) for name in ("model", "mode"))
        if len(models) > 1:
            named = printable(", ".join(models))
            raise ValueError(f"table: expected answers of one model, got {named}; make a matrix for each")
        if len(modes) > 1:
            raise ValueError(
                f"table: expected answers of one mode, got {', '.join(modes)}; choose with .only(mode={modes[0]!r})"
            )
        asked = (self.table["keying"] != 0).to_numpy()
        frame = self.table.loc[asked]
        scores = self.answers(score).to_numpy(dtype=float)[asked]
        edit, edits = pd.factorize(frame["edit"])
        persona, personas = pd.factorize(frame["persona"])
        row, pairs = pd.factorize(edit * max(len(personas), 1) + persona)
        value, _ = pd.factorize(frame["value"])
        cell = _codes(frame, ["item", "wording", "order", "repeat"])
        if not pd.Index(row * (int(cell.max(initial=0)) + 1) + cell).is_unique:
            check_distinct(frame, IDENTITY, "table")
        block, who = np.divmod(pairs, max(len(personas), 1))
        index = pd.MultiIndex.from_arrays([edits[block], personas[who]], names=["edit", "persona"])
        return value_means(scores, row, value, cell, block), index

    def quality(self, score: Score = "corrected", **options: Any) -> Quality:
        """How good these answers are as measurements; see ``pyvalue.quality.assess`` for the options."""
        from pyvalue.quality import assess

        return assess(self, score, **options)

    def only(
        self, edit: str | None = None, personas: Sequence[str] | None = None, mode: str | None = None
    ) -> Responses:
        """The answers under one edit label (empty: none), of some personas, in one mode, or all of these."""
        keep = np.ones(len(self.table), dtype=bool)
        if edit is not None:
            keep &= (self.table["edit"] == edit).to_numpy()
        if personas is not None:
            keep &= self.table["persona"].isin(list(personas)).to_numpy()
        if mode is not None:
            keep &= (self.table["mode"] == mode).to_numpy()
        return Responses(self.table[keep].reset_index(drop=True), self.facts)

    def without_broken(self, **thresholds: float) -> Responses:
        """The answers less those under edits that broke the model.

        Args:
            thresholds: ``min_valid_ratio`` and ``max_perplexity_ratio``, see ``pyvalue.broken_edits.edit_table``.
        """
        from pyvalue.broken_edits import split_broken

        return split_broken(self, **thresholds)[0]

    @classmethod
    def concat(cls, parts: Sequence[Responses]) -> Responses:
        """All answers of several measurements, in their order.

        The facts are those of the parts where all have the same, else ``{"parts": [...]}``, one entry a part.

        Raises:
            ValueError: no parts; an answer is in two of them; or an item has another value, keying or wording in one.
        """
        if not parts:
            raise ValueError("parts: expected at least one Responses, got none")
        table = pd.concat([part.table for part in parts], ignore_index=True)
        check_distinct(table, IDENTITY, "parts")
        items = table[["item", "wording", "value", "keying", "text"]].drop_duplicates()
        other = items[items.duplicated(["item", "wording"])]
        if len(other):
            name = other.iloc[0]["item"]
            raise ValueError(f"parts: item {name!r} has two values, keyings or texts; are they of one inventory?")
        facts = [part.facts for part in parts]
        return cls(table, facts[0] if all(one == facts[0] for one in facts) else {"parts": facts})

    def save(self, path: str | Path) -> Path:
        """Write one Parquet file, with the facts in its metadata (to a temporary name, then renamed).

        Raises:
            StoreError: the file cannot be written.
            TypeError: the facts hold something that JSON cannot.
        """
        return write_parquet(self.table, self.facts, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Responses:
        """Read a file that ``save`` wrote, a run folder, or a folder of ``part-*.parquet``.

        The facts are those of the file, or the study of the ``manifest.json`` in the folder or above it.

        Raises:
            StoreError: no such file, no parts, not readable, or an answer comes twice.
        """
        tables, facts = read_parquet(Path(path), lambda table: _formatted(cls(table).table))
        table = pd.concat(tables, ignore_index=True)
        try:
            check_distinct(table, IDENTITY, "responses")
        except ValueError as fault:
            raise StoreError(f"{path} cannot be read: {fault}") from fault
        return cls(table, facts)

    @classmethod
    def from_frame(
        cls, table: Any, facts: dict[str, Any] | None = None, columns: Mapping[str, str] | None = None
    ) -> Responses:
        """Answers from a table of pandas, polars, pyarrow or narwhals; see
        :func:`pyvalue.responses_frames.from_frame`."""
        from pyvalue.responses_frames import from_frame

        return from_frame(table, facts, columns)

    @classmethod
    def from_dataset(cls, dataset: Any, facts: dict[str, Any] | None = None) -> Responses:
        """Answers from a ``datasets.Dataset``; see :func:`pyvalue.responses_frames.from_dataset`."""
        from pyvalue.responses_frames import from_dataset

        return from_dataset(dataset, facts)

    @classmethod
    def from_csv(
        cls, path: str | Path, facts: dict[str, Any] | None = None, columns: Mapping[str, str] | None = None
    ) -> Responses:
        """Answers from a CSV file, one row an answer; see :func:`pyvalue.responses_csv.from_csv`."""
        from pyvalue.responses_csv import from_csv

        return from_csv(path, facts, columns)

    @classmethod
    def from_ratings(cls, table: Any, items: Any, **options: Any) -> Responses:
        """Answers of people, one row a person and one column an item; see
        :func:`pyvalue.ratings.responses_of_ratings`."""
        from pyvalue.ratings import responses_of_ratings

        return responses_of_ratings(table, items, **options)

    def to_pandas(self) -> pd.DataFrame:
        """A copy of the table, with the facts in ``attrs["pyvalue"]``."""
        from pyvalue.responses_frames import to_pandas

        return to_pandas(self)

    def to_polars(self) -> pl.DataFrame:
        """A polars frame; see :func:`pyvalue.responses_frames.to_polars`."""
        from pyvalue.responses_frames import to_polars

        return to_polars(self)

    def to_arrow(self) -> pa.Table:
        """An Arrow table with the facts in its metadata; see :func:`pyvalue.responses_frames.to_arrow`."""
        from pyvalue.responses_frames import to_arrow

        return to_arrow(self)

    def to_dataset(self) -> datasets.Dataset:
        """A ``datasets.Dataset`` with the facts in its description; see
        :func:`pyvalue.responses_frames.to_dataset`."""
        from pyvalue.responses_frames import to_dataset

        return to_dataset(self)

    def to_csv(self, path: str | Path) -> Path:
        """Write a CSV file, which has no place for the facts; see :func:`pyvalue.responses_csv.to_csv`."""
        from pyvalue.responses_csv import to_csv

        return to_csv(self, path)

    def __repr__(self) -> str:
        return (
            f"Responses({len(self.table)} answers: {len(self.edits)} edits x {len(self.personas)} personas, "
            f"{len(self.values)} values, {self.valid_share:.1%} valid)"
        )


def make_table(rows: dict[str, Any]) -> pd.DataFrame:
    """A table with the columns of ``COLUMNS`` in their number formats, from one sequence (or scalar) a column."""
    return _formatted(_completed(pd.DataFrame(rows))[list(COLUMNS)])


def _codes(table: pd.DataFrame, names: Sequence[str]) -> Any:
    """One code for every combination that occurs, 0, 1, ... in order of first appearance."""
    code = np.zeros(len(table), dtype=np.int64)
    for name in names:
        own, labels = pd.factorize(table[name])
        code, _ = pd.factorize(code * max(len(labels), 1) + own)
    return code


def _completed(table: pd.DataFrame) -> pd.DataFrame:
    """With the columns that a table may lack."""
    lacks = {name: value for name, value in DEFAULTS.items() if name not in table.columns}
    if "kind" not in table.columns:
        lacks["kind"] = np.where(table["keying"] != 0, "keyed", "content-free")
    return table.assign(**lacks) if lacks else table


def _formatted(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({name: NUMBERS.get(name, "object") for name in COLUMNS})
