"""The ten basic values of people, from a file of the European Social Survey that the user has.

The survey asks 21 portraits (PVQ-21, Schwartz 2003); a respondent says how much each is like them. The data are free
for registered users at https://ess.sikt.no and come with no part of this package. The key and the rule for missing
answers are those of "Computing scores for the 10 human values" (Schwartz, on the pages of the survey).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.file_faults import file_faults
from pyvalue.schwartz_circle import CIRCLE

#: names of the 21 portraits in the survey's files, in the order of the questionnaire; later rounds add an "a"
ITEMS = (
    "ipcrtiv", "imprich", "ipeqopt", "ipshabt", "impsafe", "impdiff", "ipfrule", "ipudrst", "ipmodst", "ipgdtim",
    "impfree", "iphlppl", "ipsuces", "ipstrgv", "ipadvnt", "ipbhprp", "iprspot", "iplylfr", "impenv", "imptrad",
    "impfun",
)  # fmt: skip
#: basic value -> numbers of its portraits, from 1
KEY: Mapping[str, tuple[int, ...]] = {
    "Self-Direction": (1, 11),
    "Stimulation": (6, 15),
    "Hedonism": (10, 21),
    "Achievement": (4, 13),
    "Power": (2, 17),
    "Security": (5, 14),
    "Conformity": (7, 16),
    "Tradition": (9, 20),
    "Benevolence": (12, 18),
    "Universalism": (3, 8, 19),
}
#: answers: 1 very much like me ... 6 not like me at all; the rest are the survey's codes for "no answer"
_FIRST, _LAST = 1, 6
_NO_ANSWER = frozenset({7, 8, 9, 66, 77, 88, 99})
#: a respondent with more answers missing than this is left out
MOST_MISSING = 5
#: weights of the survey's files: for analyses over countries, after stratification within one, of the design alone
WEIGHTS = ("anweight", "pspwght", "dweight")


@dataclass(frozen=True)
class SurveyValues:
    """Respondents of a survey by values.

    Attributes:
        rows: (respondents × ten basic values), index (edit, persona) with the empty edit, so that whatever takes rows
            of scores takes these. 1 to 6, higher is more important; about the respondent's own mean where they were
            centred.
        weights: of the respondents, the same index; all 1 where none were asked for.
        facts: file, country, weight, respondents read and kept, and why others were not.
    """

    rows: pd.DataFrame = field(repr=False)
    weights: pd.Series = field(repr=False)
    facts: Mapping[str, Any]

    def matrix(self) -> pd.DataFrame:
        """``rows``, for ``discover``, which knows no weights; ``missing="drop"`` there leaves out who lacks a value."""
        return self.rows

    def means(self) -> pd.Series:
        """Weighted mean of every value."""
        table = self.rows.to_numpy()
        known = np.isfinite(table)
        weight = self.weights.to_numpy()[:, None] * known
        return pd.Series((weight * np.where(known, table, 0.0)).sum(axis=0) / weight.sum(axis=0), self.rows.columns)

    def __repr__(self) -> str:
        return f"SurveyValues({len(self.rows)} of {self.facts['read']} respondents, weights: {self.facts['weights']})"


def load_ess(
    path: str | Path | pd.DataFrame,
    *,
    country: str | Sequence[str] | None = None,
    weights: str | None = None,
    centre: bool = False,
) -> SurveyValues:
    """Read the ten basic values of the respondents of a European Social Survey file.

    Answers are turned round (7 less the answer), so that higher is more important. A value is the mean of the answered
    portraits of its key; missing where none was answered. Respondents with more than 5 of 21 answers missing, and such
    as gave one answer to all, are left out. The second rule is ours: users of the scale often drop everyone with the
    same answer to nearly all items, but we found no published number for the 21 items to hold to.

    Args:
        path: CSV file, or a DataFrame read from one, with the 21 columns (``ipcrtiv ... impfun`` or, in newer rounds,
            ``ipcrtiva ... impfuna``; capitals do not matter), one row a respondent. Other columns are not used.
        country: code or codes of ``cntry`` to keep, such as "DE"; None for all.
        weights: ``"anweight"``, ``"pspwght"`` or another column with weights; None for none. Respondents without a
            weight above 0 are left out.
        centre: whether to take the respondent's mean over all answered portraits off (Schwartz' correction for the use
            of the scale). ``circumplex`` and ``priorities`` take their own.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: ``path`` is neither.
        ValueError: a column is missing, an answer is no code of the survey, or nobody is left.
    """
    if not isinstance(path, str | Path | pd.DataFrame):
        raise TypeError(f"path: expected the path of a CSV file or a DataFrame of it, got {type(path).__name__}")
    if isinstance(path, str | Path) and not Path(path).is_file():
        raise FileNotFoundError(f"path: no such file: {path}; the survey's files are at https://ess.sikt.no")
    name = "a DataFrame" if isinstance(path, pd.DataFrame) else Path(path).name
    with file_faults(f"path: {name}"):
        table, items = _read(path, name, country, weights)
        answers = _answers(table[items], items)
    read = len(table)
    left_out: dict[str, int] = {}
    few = (np.isnan(answers).sum(axis=1)) > MOST_MISSING
    left_out[f"more than {MOST_MISSING} answers missing"] = int(few.sum())
    spread = np.where(np.isnan(answers), -np.inf, answers).max(1) - np.where(np.isnan(answers), np.inf, answers).min(1)
    same = ~few & (spread == 0)
    left_out["the same answer to everything"] = int(same.sum())
    with file_faults(f"path: {name}, column {weights!r}"):
        given = np.ones(read) if weights is None else pd.to_numeric(table[weights], errors="coerce")
        weight = np.asarray(given, dtype=float)
    unweighted = ~few & ~same & ~(np.isfinite(weight) & (weight > 0))
    left_out["no weight above 0"] = int(unweighted.sum())
    keep = ~(few | same | unweighted)
    if not keep.any():
        raise ValueError(f"path: no respondent of {read} is left: {left_out}")
    rows = _values(answers[keep], centre)
    index = pd.MultiIndex.from_arrays([[""] * len(rows), _labels(table[keep])], names=["edit", "persona"])
    countries = sorted(map(str, table["cntry"].unique())) if "cntry" in table else None
    facts = {"file": name, "countries": countries, "weights": weights, "centred": centre, "read": read,
             "kept": int(keep.sum()), "left_out": left_out}  # fmt: skip
    return SurveyValues(rows.set_axis(index), pd.Series(weight[keep], index, name="weight"), facts)


def _read(
    source: str | Path | pd.DataFrame, file: str, country: str | Sequence[str] | None, weights: str | None
) -> tuple[pd.DataFrame, list[str]]:
    """The respondents of the countries, columns in small letters, and the names of the 21 portraits among them."""
    head = source if isinstance(source, pd.DataFrame) else pd.read_csv(source, nrows=0)
    header = [str(name).lower() for name in head.columns]
    items = next((own for own in ([*ITEMS], [f"{item}a" for item in ITEMS]) if set(own) <= set(header)), None)
    if items is None:
        lacking = [item for item in ITEMS if item not in header and f"{item}a" not in header]
        raise ValueError(
            f"path: expected the 21 columns {ITEMS[0]} ... {ITEMS[-1]} (or all with an 'a' at the end) in {file}; "
            f"missing: {', '.join(lacking) or 'some of either kind'}. Download the human values of the survey"
        )
    wanted: list[str] = [name for name in ("cntry", "idno", "essround") if name in header]
    for argument, column in (("weights", weights), ("country", "cntry" if country is not None else None)):
        if column is not None and column.lower() not in header:
            there = ", ".join(name for name in WEIGHTS if name in header)
            raise ValueError(
                f"{argument}: expected a column {column!r} in {file}, got none; weights there: {there or 'none'}"
            )
    if weights is not None and weights.lower() not in wanted:
        wanted.append(weights.lower())
    used = {*items, *wanted}
    if isinstance(source, pd.DataFrame):
        table = source.loc[:, [str(name).lower() in used for name in source.columns]].copy()
    else:
        table = pd.read_csv(source, usecols=lambda name: str(name).lower() in used, low_memory=False)
    table.columns = pd.Index([str(name).lower() for name in table.columns])
    if weights is not None and weights != weights.lower():
        table[weights] = table[weights.lower()]
    if country is not None:
        codes = [country] if isinstance(country, str) else list(country)
        absent = [code for code in codes if code not in set(table["cntry"])]
        if absent:
            there = ", ".join(sorted(map(str, table["cntry"].unique())))
            raise ValueError(f"country: {file} has nobody of {', '.join(absent)}; it has {there}")
        table = table[table["cntry"].isin(codes)]
    return table.reset_index(drop=True), items


def _answers(table: pd.DataFrame, items: list[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(n, 21) importance 1 to 6, NaN where there is no answer."""
    given = table[items].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    valid = np.isin(given, range(_FIRST, _LAST + 1))
    strange = ~valid & np.isfinite(given) & ~np.isin(given, list(_NO_ANSWER))
    if strange.any():
        row, column = np.argwhere(strange)[0]
        raise ValueError(
            f"path: the answer {given[row, column]:g} to {items[column]} in row {row + 1} is no code of the survey "
            f"(1 to 6, and {', '.join(map(str, sorted(_NO_ANSWER)))} for no answer)"
        )
    return np.where(valid, _FIRST + _LAST - given, np.nan)


def _values(answers: np.ndarray[Any, np.dtype[np.float64]], centre: bool) -> pd.DataFrame:
    known = np.isfinite(answers)
    filled = np.where(known, answers, 0.0)
    columns = {}
    for value in CIRCLE:
        own = [number - 1 for number in KEY[value]]
        count = known[:, own].sum(axis=1)
        columns[value] = np.where(count > 0, filled[:, own].sum(axis=1) / np.maximum(count, 1), np.nan)
    rows = pd.DataFrame(columns)
    return rows.sub(filled.sum(axis=1) / known.sum(axis=1), axis=0) if centre else rows


def _labels(table: pd.DataFrame) -> list[str]:
    """A label for every respondent that no other has: round, country and number, or the place in the file."""
    parts = [name for name in ("essround", "cntry", "idno") if name in table]
    if "idno" in parts:
        labels = table[parts].astype(str).agg("-".join, axis=1)
        if labels.is_unique:
            return list(labels)
    return [f"row-{place + 1}" for place in table.index]
