"""Which values an edit hits directly, and which it moves only through their parents in a graph.

A direct hit is relative to the values that were measured and to the graph: an edit that acts on a value through
something that was not measured hits it directly, and so it seems where a parent is missing from the graph. The test of
one edit and value is :mod:`pyvalue.effects.invariance`; directions are found by :mod:`pyvalue.effects.contexts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyvalue.atomic_files import write_json
from pyvalue.edit_changes import PairedChanges, paired_changes
from pyvalue.effects.contexts_rows import chosen_edits, without_broken
from pyvalue.effects.invariance import SLOPES, Intercept, Slopes, direct_effect
from pyvalue.effects.invariance_parents import possible_parents
from pyvalue.graph import ValueGraph
from pyvalue.responses import Score

Floats = NDArray[np.float64]

#: F of the instruments below which they are called weak (Staiger & Stock 1997, Econometrica 65)
WEAK = 10.0

_COLUMNS = [
    "edit", "value", "personas", "change", "intercept", "low", "high", "p", "q", "hit", "other_intercept", "other_p",
    "other_q", "robust", "parents", "sets", "strength", "reason",
]  # fmt: skip
#: columns that are printed
_SHORT = ["edit", "value", "change", "intercept", "low", "high", "q", "other_q", "robust"]

#: slopes -> those that err where these do not
_OTHER: dict[str, Slopes] = {"repeated": "paired", "unedited": "paired", "paired": "repeated"}


@dataclass(frozen=True)
class DirectHits:
    """Direct effects of every edit on every value of a graph.

    Attributes:
        table: one row an edit and value:
            ``personas`` with the changes that the test needs, and their mean ``change``;
            ``intercept``: what of it the parents do not explain, with its interval ``low, high``;
            ``p``: two-sided, of no direct effect; ``q``: Benjamini & Hochberg's (1995) over all rows with a p;
            ``hit``: q is at most alpha;
            ``other_intercept``, ``other_p``, ``other_q``: the same with ``other_slopes``;
            ``robust``: a hit by both, with the same sign;
            ``parents`` that were used, joined by ", ";
            ``sets``: how many sets of parents the graph allows. Where there are several, p, intercept and parents
            are those of the least significant, and the interval is wide enough for all: whichever is true, a hit is
            one, and the interval covers with its confidence;
            ``strength``: F of the instruments that slopes="repeated" rests on (the smallest over the sets); NaN else;
            ``reason``: why there is no test, or "".
        alpha: false discovery rate.
        confidence: of the intervals, each for itself.
        slopes: where slopes come from; see ``pyvalue.effects.invariance.direct_effect``.
        other_slopes: those that the hits are checked with: "paired", or "repeated" where ``slopes`` is "paired".
        personas: of the data.
        left_out: edit -> why it is not in the table.
        notes: what else a reader should know.
    """

    table: pd.DataFrame = field(repr=False)
    alpha: float
    confidence: float
    slopes: str
    other_slopes: str
    personas: int
    left_out: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)

    def hits(self, *, robust: bool = True) -> dict[str, tuple[str, ...]]:
        """Edit -> values that it hits directly, in the order of the table: by both slopes, or by ``slopes`` alone."""
        found: dict[str, tuple[str, ...]] = {edit: () for edit in dict.fromkeys(self.table["edit"])}
        for row in self.table[self.table["robust" if robust else "hit"]].to_dict("records"):
            found[row["edit"]] += (row["value"],)
        return found

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; missing numbers are null."""
        table = self.table.astype(object)
        return {
            "table": table.where(table.notna(), None).to_dict("records"),
            "alpha": self.alpha,
            "confidence": self.confidence,
            "slopes": self.slopes,
            "other_slopes": self.other_slopes,
            "personas": self.personas,
            "left_out": dict(self.left_out),
            "notes": list(self.notes),
        }

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        write_json(path, self.to_dict())
        return Path(path)

    def __repr__(self) -> str:
        hit, robust, tested = (
            int(n) for n in (self.table["hit"].sum(), self.table["robust"].sum(), self.table["p"].notna().sum())
        )
        edits, values = self.table["edit"].nunique(), self.table["value"].nunique()
        return (
            f"DirectHits({robust} robust hits and {hit - robust} others of {tested} tested pairs of {edits} edits and "
            f"{values} values, {self.personas} personas, false discovery rate {self.alpha:g}, slopes {self.slopes} and "
            f"{self.other_slopes}; {len(self.left_out)} edits left out)"
        )

    def __str__(self) -> str:
        """The hits, robust ones and others, with few of the columns of ``table``."""
        hits = self.table.loc[self.table["hit"], _SHORT]
        return f"{self!r}\n{hits.to_string(index=False, float_format='{:.3f}'.format)}" if len(hits) else repr(self)


def direct_hits(
    data: Any,
    graph: ValueGraph,
    *,
    edits: Sequence[str | int] | None = None,
    alpha: float = 0.05,
    confidence: float = 0.95,
    slopes: Slopes = "repeated",
    score: Score = "corrected",
) -> DirectHits:
    """Test for every edit and value whether the value moved by more than its parents' movement explains.

    Args:
        data: with unedited rows and rows under edits of the same personas, see ``pyvalue.wide_scores.score_rows``; or
            ``PairedChanges``. Edits that broke the model are left out and named, except from ``PairedChanges``, where
            the unread answers are no longer to be seen.
        graph: says which values are the parents of which.
        edits: labels to test; None for all. The others still serve "repeated" slopes.
        alpha: false discovery rate over all edits and values that are tested.
        confidence: of the intervals.
        slopes: "repeated", "unedited" or "paired"; see ``pyvalue.effects.invariance.direct_effect``. None is right
            whatever the data: "paired" calls children of hit parents hit far more often than in 5% of tests where
            scores have errors of measurement, "repeated" and "unedited" where personas share a trait that acts on
            several values, or answer an item always in the same way (docs/interventions.md has the figures). So every
            hit is checked with the other kind, and is ``robust`` if both agree. Where personas do not differ reliably
            the instruments of "repeated" are weak, and it finds little: ``notes`` name the values.
        score: of ``Responses``.

    Raises:
        ValueError: an argument is out of range, no edit is left, or the graph and the data have no value in common.
        TypeError: ``data`` or ``graph`` is of the wrong type.
    """
    _check(graph, alpha, confidence, slopes)
    left_out: dict[str, str] = {}
    if not isinstance(data, PairedChanges):
        kept, left_out = without_broken(data, score)
        data = _changes(kept, score, left_out)
    chosen = chosen_edits(data.edits, edits, left_out)
    conditions = _conditions(data)
    values = [value for value in graph.names if value in conditions.values]
    if not values:
        raise ValueError(
            f"graph: none of its values is in the data; the graph has {', '.join(graph.names)}, the data "
            f"{', '.join(conditions.values)}"
        )
    parents = {value: _parents(graph, value, conditions.values) for value in values}
    table, other = (_tested(conditions, chosen, parents, way, confidence, alpha) for way in (slopes, _OTHER[slopes]))
    table = table.assign(**{f"other_{name}": other[name] for name in ("intercept", "p", "q")})
    agree = np.sign(table["intercept"]) == np.sign(other["intercept"])
    table["robust"] = table["hit"] & other["hit"] & agree
    order = {edit: i for i, edit in enumerate(chosen)}
    table = table[_COLUMNS].sort_values("edit", key=lambda e: e.map(order), kind="stable", ignore_index=True)
    notes = _notes(graph, conditions, table, chosen)
    people = len(data.personas)
    return DirectHits(table, alpha, confidence, slopes, _OTHER[slopes], people, left_out, tuple(notes))


def _tested(
    data: _Conditions,
    edits: Sequence[str],
    parents: Mapping[str, list[tuple[str, ...]] | str],
    slopes: Slopes,
    confidence: float,
    alpha: float,
) -> pd.DataFrame:
    """A row for every value and edit, by one kind of slopes."""
    table = pd.DataFrame(
        [_row(edit, value, sets, data, slopes, confidence) for value, sets in parents.items() for edit in edits]
    )
    table["q"] = _benjamini_hochberg(table["p"].to_numpy(dtype=float))
    table["hit"] = table["q"] <= alpha
    return table


@dataclass(frozen=True)
class _Conditions:
    """Scores (g, n, d) without an edit and under each, and changes (g - 1, n, d)."""

    edits: tuple[str, ...]
    values: tuple[str, ...]
    scores: Floats
    changes: Floats


def _changes(kept: Any, score: Score, left_out: dict[str, str]) -> PairedChanges:
    try:
        return paired_changes(kept, score)
    except ValueError as fault:
        if not left_out:
            raise
        told = "; ".join(f"{edit} {reason}" for edit, reason in left_out.items())
        raise ValueError(f"{fault} (left out before: {told})") from fault


def _conditions(data: PairedChanges) -> _Conditions:
    changes = data.cube()
    before = PairedChanges(data.before, data.before).cube()
    # Of answers, what is without an edit differs between edits by the questions that were answered both times.
    known = np.isfinite(before)
    with np.errstate(invalid="ignore"):
        unedited = np.where(known, before, 0.0).sum(axis=0) / known.sum(axis=0)
    scores = np.concatenate([unedited[None], before + changes])
    return _Conditions(data.edits, tuple(map(str, data.values)), scores, changes)


def _parents(graph: ValueGraph, value: str, measured: Sequence[str]) -> list[tuple[str, ...]] | str:
    """Sets of parents by name, or why there are none."""
    try:
        sets = possible_parents(graph.marks, graph.names.index(value))
    except ValueError as fault:
        return str(fault)
    named = [tuple(graph.names[k] for k in one) for one in sets]
    lacking = sorted({name for one in named for name in one} - set(measured))
    return f"the data lack its possible parents {', '.join(lacking)}" if lacking else named


def _row(
    edit: str,
    value: str,
    parents: list[tuple[str, ...]] | str,
    data: _Conditions,
    slopes: Slopes,
    confidence: float,
) -> dict[str, Any]:
    j, e = data.values.index(value), data.edits.index(edit)
    change = data.changes[e, :, j]
    known = np.isfinite(change)
    row: dict[str, Any] = {
        "edit": edit, "value": value, "personas": int(known.sum()),
        "change": float(change[known].mean()) if known.any() else np.nan,
        "intercept": np.nan, "low": np.nan, "high": np.nan, "p": np.nan, "parents": "", "sets": 0, "strength": np.nan,
        "reason": "",
    }  # fmt: skip
    if isinstance(parents, str):
        return row | {"reason": parents}
    found: list[tuple[tuple[str, ...], Intercept]] = []
    for one in parents:
        at = [data.values.index(name) for name in one]
        try:
            test = direct_effect(change, data.changes[e][:, at], data.scores[:, :, j], data.scores[:, :, at], slopes)
        except ValueError as fault:
            # Without one of the sets nobody can say that a hit holds for all.
            return row | {"sets": len(parents), "reason": f"with parents {', '.join(one) or 'none'}: {fault}"}
        found.append((one, test))
    used, least = max(found, key=lambda pair: pair[1].p)
    ends = [test.interval(confidence) for _, test in found]
    strengths = [test.strength for _, test in found if np.isfinite(test.strength)]
    return row | {
        "personas": int((known & np.isfinite(data.changes[e][:, [data.values.index(n) for n in used]]).all(1)).sum()),
        "intercept": least.estimate,
        "low": min(low for low, _ in ends),
        "high": max(high for _, high in ends),
        "p": least.p,
        "parents": ", ".join(used),
        "sets": len(parents),
        "strength": min(strengths, default=np.nan),
    }


def _benjamini_hochberg(p: Floats) -> Floats:
    """Adjusted p-values; NaN stays."""
    from scipy.stats import false_discovery_control

    q = np.full(len(p), np.nan)
    known = np.isfinite(p)
    if known.any():
        q[known] = false_discovery_control(p[known], method="bh")
    return q


def _notes(graph: ValueGraph, data: _Conditions, table: pd.DataFrame, chosen: Sequence[str]) -> list[str]:
    notes = []
    for edit in chosen:
        if not np.nan_to_num(data.changes[data.edits.index(edit)]).any():
            notes.append(f"edit {edit!r} changed no score")
    lacking = [value for value in graph.names if value not in data.values]
    if lacking:
        notes.append(f"values of the graph that the data lack, not tested: {', '.join(lacking)}")
    beyond = [value for value in data.values if value not in graph.names]
    if beyond:
        notes.append(f"values of the data that the graph lacks, not tested: {', '.join(beyond)}")
    cyclic = dict.fromkeys(table["value"][table["reason"].str.contains("directed cycle")])
    if cyclic:
        notes.append(f"on a directed cycle of the graph, not tested: {', '.join(cyclic)}")
    joined = graph.bidirected_edges()
    if joined:
        notes.append(f"joined by ↔ and not taken for parents: {', '.join(f'{a} ↔ {b}' for a, b in joined)}")
    weak = dict.fromkeys(table["value"][table["strength"] < WEAK])
    if weak:
        notes.append(
            f"personas differ too little, or too unreliably, to tell slopes well (F below {WEAK:g}), so that hits on "
            f"these are easily missed: {', '.join(weak)}"
        )
    return notes


def _check(graph: Any, alpha: Any, confidence: Any, slopes: Any) -> None:
    if not isinstance(graph, ValueGraph):
        raise TypeError(f"graph: expected a ValueGraph, got {type(graph).__name__}")
    for name, number in (("alpha", alpha), ("confidence", confidence)):
        if not 0 < number < 1:
            raise ValueError(f"{name}: expected a number between 0 and 1, got {number}")
    if slopes not in SLOPES:
        raise ValueError(f"slopes: expected one of {', '.join(SLOPES)}, got {slopes!r}")
