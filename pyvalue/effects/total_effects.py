"""Total effects of every value on every other, by a graph and the rows that it was learnt from.

Linear effects without hidden causes, by IDA: a range where the graph leaves directions open, and the same widened by
a bootstrap over personas. The graph is held fixed: no interval knows of an edge that was found wrongly.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyvalue.effects.effect_bootstrap import covariance, reach, resampled_covariances
from pyvalue.effects.effect_rows import EffectRows, effect_rows
from pyvalue.effects.graph_soundness import graph_soundness
from pyvalue.effects.ida import effects_given
from pyvalue.effects.joint_ida import joint_effects
from pyvalue.effects.valid_parents import ParentSets, TooManySetsError, joint_parent_sets, valid_parent_sets
from pyvalue.graph import ValueGraph
from pyvalue.responses import Score

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


class EffectsWarning(UserWarning):
    """Some effects cannot be computed; the notes of the effects repeat it."""


@dataclass(frozen=True, eq=False, repr=False)
class Effects:
    """Total effects of d values on each other; row = cause, column = effect, 1 on the diagonal.

    An effect is what is added to one value when one unit is added to another. It is exactly 0 where the graph has no
    possibly directed path, and NaN where it cannot be computed; ``notes`` says why.

    Attributes:
        minimum: (d, d) least effect over the valid sets of parents of the cause.
        maximum: (d, d) largest; the same where there is a single set.
        low: (d, d) least lower end of the intervals of the effects over these sets.
        high: (d, d) largest upper end.
        graph: that the effects are by.
        covariance: (d, d) of the rows; NaN at values that they lack.
        replicates: (R, d, d) of resampled rows.
        facts: what the effects were estimated from and how.
        notes: what could not be computed and what was left out.
    """

    minimum: Floats
    maximum: Floats
    low: Floats
    high: Floats
    graph: ValueGraph
    covariance: Floats
    replicates: Floats
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The d values, those of the graph."""
        return self.graph.names

    def table(self) -> pd.DataFrame:
        """One row an ordered pair: ``source, target, relation, minimum, maximum, low, high, sets``.

        ``relation`` is "definite" where a directed path leads from source to target, "possible" where only a possibly
        directed one does, "none" otherwise. ``sets`` counts the valid sets of parents of the source; 0 where none
        could be listed.
        """
        import pandas as pd

        relation = self.relations()
        sets = self.facts["sets"]
        rows = [
            {
                "source": a,
                "target": b,
                "relation": str(relation[i, j]),
                **{name: float(getattr(self, name)[i, j]) for name in ("minimum", "maximum", "low", "high")},
                "sets": sets[a],
            }
            for i, a in enumerate(self.names)
            for j, b in enumerate(self.names)
            if i != j
        ]
        columns = ["source", "target", "relation", "minimum", "maximum", "low", "high", "sets"]
        return pd.DataFrame(rows, columns=columns)

    def relations(self) -> NDArray[np.str_]:
        """(d, d) "definite", "possible" or "none" by the graph; "self" on the diagonal."""
        found = np.full((len(self.names), len(self.names)), "none", dtype="<U8")
        for i, name in enumerate(self.names):
            possible, definite = self.graph.possible_descendants(name), self.graph.definite_descendants(name)
            found[i, [b in possible for b in self.names]] = "possible"
            found[i, [b in definite for b in self.names]] = "definite"
            found[i, i] = "self"
        return found

    def predict(self, change: Mapping[str, float]) -> pd.DataFrame:
        """What happens to every value when some are changed by these amounts, and held there.

        Several values at once by joint IDA: paths from one of them through another do not count twice, because the
        other is held.

        Args:
            change: value to the amount added, in the units of the effects.

        Returns:
            One row a value in the order of ``names``: ``value, minimum, maximum, low, high``, the range over valid sets
            of parents and the same widened by the bootstrap. The changed values have the given amounts.

        Raises:
            ValueError: no value, an unknown one, or an amount that is not finite.
            TooManySetsError: the values have too many sets of parents together; change fewer.
        """
        import pandas as pd

        causes, amounts = _checked_change(change, self.names)
        sets = _listed(self.graph, causes, self.facts["determined"])
        ranges = np.full((4, len(self.names)), np.nan)
        if sets:
            stacks = [
                tuple(amounts @ joint_effects(c, causes, one) for c in (self.covariance, self.replicates))
                for one in sets
            ]
            ranges = _ranges(stacks, self.facts["clusters"], self.facts["confidence"])
            ranges[:, causes] = amounts
        return pd.DataFrame(
            {"value": self.names, **dict(zip(("minimum", "maximum", "low", "high"), ranges, strict=True))}
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, and all that :meth:`from_dict` needs."""
        from pyvalue.effects.effects_json import to_dict

        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Effects:
        """Effects from :meth:`to_dict`'s data. Raises ValueError where they do not describe some."""
        from pyvalue.effects.effects_json import from_dict

        return from_dict(data)

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        from pyvalue.effects.effects_json import save

        return save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Effects:
        """Read what :meth:`save` wrote; StoreError where the file is something else."""
        from pyvalue.effects.effects_json import load

        return load(path)

    def __repr__(self) -> str:
        known = np.isfinite(self.minimum).all(axis=1)
        open_ = sum(self.facts["sets"][name] > 1 for name in self.names)
        return (
            f"Effects({len(self.names)} values, {int(known.sum())} with effects, {open_} with several sets of parents, "
            f"{self.facts['rows']} rows in {self.facts['clusters']} clusters, {len(self.replicates)} resamples)"
        )


def estimate_effects(
    graph: ValueGraph,
    data: Any,
    *,
    score: Score = "corrected",
    resamples: int = 1000,
    confidence: float = 0.95,
    cluster: Any = "persona",
    standardised: bool = False,
    on_missing: str = "raise",
    seed: int = 0,
) -> Effects:
    """Estimate total effects by IDA, with intervals from resampled personas.

    For each value and each set of parents that it has in some DAG of the graph's class, its effect on another is its
    coefficient in the regression of the other on it and these parents (Maathuis, Kalisch & Bühlmann 2009, "Estimating
    high-dimensional intervention effects from observational data"). The interval for one set is the estimate plus and
    minus Student's t times the standard deviation over resamples; ``low`` and ``high`` are the outermost ends over the
    sets. So whichever set is right, the interval holds its effect with at least the stated confidence, given that the
    graph is right.

    Args:
        graph: learnt from the data, or given.
        data: what ``pyvalue.score_rows`` takes, or a table or array of rows by values; see ``effect_rows``. Rows with
            a missing score of a value in the graph are left out, and ``notes`` says how many.
        score: of ``Responses``.
        resamples: of the bootstrap, at least 100.
        confidence: of the intervals, in (0, 1).
        cluster: index level or column whose rows are resampled together, or labels; None for independent rows.
        standardised: effects in standard deviations of the effect per standard deviation of the cause, over the rows;
            otherwise in units of the scores.
        on_missing: of values in the graph that the data lack: "raise", or "drop". Dropped values have no effects, nor
            have those with such a value among their possible parents; the rest is not touched.
        seed: of the resamples. The same result for any order of rows.

    Raises:
        ValueError: an argument is out of range, the data lack values of the graph, or rows are too few.
        TypeError: ``graph`` is no ``ValueGraph`` or ``data`` cannot be read.

    Warns:
        EffectsWarning: no DAG agrees with the graph, so that only effects of values with certain parents, on no cycle,
            are computed; or a value has too many sets of parents.
    """
    _check_options(graph, resamples, confidence, on_missing)
    rows = effect_rows(data, graph.names, score, cluster)
    notes = [*rows.notes, *_absent(graph, rows, on_missing)]
    whole, replicates = _covariances(graph, rows, resamples, seed, standardised)
    notes += _constant(graph, rows)
    soundness = graph_soundness(graph)
    determined = None if soundness.extendable else soundness.determined
    if determined is not None:
        told = _told(graph, soundness.reason, determined)
        warnings.warn(told, EffectsWarning, stacklevel=2)
        notes.append(told)
    d = len(graph.names)
    found = np.full((4, d, d), np.nan)
    counts = dict.fromkeys(graph.names, 0)
    for i, name in enumerate(graph.names):
        try:
            sets = _listed(graph, [i], determined)
        except TooManySetsError as fault:
            notes.append(f"no effects of {name}: {fault}")
            warnings.warn(notes[-1], EffectsWarning, stacklevel=2)
            continue
        if not sets:
            continue
        counts[name] = len(sets)
        stacks = [tuple(effects_given(c, i, one) for c in (whole, replicates)) for one in sets]
        found[:, i] = _ranges(stacks, rows.n_clusters, confidence)
    facts = {
        "rows": len(rows.rows),
        "clusters": rows.n_clusters,
        "cluster": rows.cluster_name,
        "score": score,
        "resamples": resamples,
        "confidence": confidence,
        "seed": seed,
        "standardised": standardised,
        "graph": "held fixed",
        "soundness": soundness.reason,
        "determined": None if determined is None else list(determined),
        "sets": counts,
    }
    return Effects(*found, graph, whole, replicates, facts, tuple(notes))


def _listed(graph: ValueGraph, causes: list[int], determined: Any) -> list[ParentSets]:
    """Sets of parents of the causes; none where the graph does not tell them."""
    if determined is None:
        return joint_parent_sets(graph.marks, causes)
    if not all(graph.names[i] in determined for i in causes):
        return []
    arrows = (graph.marks == -1) & (graph.marks.T == 1)
    parents = tuple(tuple(np.flatnonzero(arrows[:, i]).tolist()) for i in causes)
    reached = [
        [b in graph.possible_descendants(graph.names[i]) or i == j for j, b in enumerate(graph.names)] for i in causes
    ]
    return [ParentSets(parents, np.array(reached))]


def _ranges(stacks: list[tuple[Floats, ...]], clusters: int, confidence: float) -> Floats:
    """(4, d) minimum, maximum, low, high over sets; NaN where one of them has no answer."""
    points = np.array([point for point, _ in stacks])
    widths = np.array([reach(replicates, clusters, confidence) for _, replicates in stacks])
    return np.array([points.min(0), points.max(0), (points - widths).min(0), (points + widths).max(0)])


def _covariances(
    graph: ValueGraph, rows: EffectRows, resamples: int, seed: int, standardised: bool
) -> tuple[Floats, Floats]:
    """Over the values of the graph, NaN where the rows lack one or it is constant."""
    whole, replicates = covariance(rows.rows), resampled_covariances(rows, resamples, seed)
    scale = np.sqrt(np.diagonal(whole))
    flat = np.ptp(rows.rows, axis=0) == 0
    scale = np.where(flat, np.nan, scale)
    unit = scale if standardised else np.where(flat, np.nan, 1.0)
    place = [graph.names.index(name) for name in rows.names]
    d = len(graph.names)
    wide, wide_replicates = np.full((d, d), np.nan), np.full((resamples, d, d), np.nan)
    wide[np.ix_(place, place)] = whole / np.outer(unit, unit)
    wide_replicates[np.ix_(range(resamples), place, place)] = replicates / np.outer(unit, unit)
    return wide, wide_replicates


def _absent(graph: ValueGraph, rows: EffectRows, on_missing: str) -> list[str]:
    absent = [name for name in graph.names if name not in rows.names]
    if not absent:
        return []
    named = ", ".join(absent)
    if on_missing == "raise":
        raise ValueError(
            f"data: expected every value of the graph, but {named} {'is' if len(absent) == 1 else 'are'} missing; "
            "add them, or pass on_missing='drop' for the effects that do not need them"
        )
    touched = [
        name
        for i, name in enumerate(graph.names)
        if name not in absent
        and any(graph.marks[i, graph.names.index(a)] != 0 and graph.marks[graph.names.index(a), i] != 1 for a in absent)
    ]
    kept = [name for name in graph.names if name not in {*absent, *touched}]
    return [
        f"the data lack {named}; no effects of or on these, nor of values that may have one as parent "
        f"({', '.join(touched) or 'none'}); computed are those of {', '.join(kept) or 'none'}"
    ]


def _constant(graph: ValueGraph, rows: EffectRows) -> list[str]:
    flat = [name for name, column in zip(rows.names, rows.rows.T, strict=True) if np.ptp(column) == 0]
    return [f"constant in the rows, so without effects of or on it: {name}" for name in flat]


def _told(graph: ValueGraph, reason: str, determined: tuple[str, ...]) -> str:
    rest = ", ".join(name for name in graph.names if name not in determined)
    return (
        f"{reason}. Computed are only the effects of values with certain parents and on no cycle "
        f"({', '.join(determined) or 'none'}), not those of {rest or 'none'}; "
        "pyvalue.effects.sound_graph.sound_graph(graph, data) looks for a graph without the fault"
    )


def _checked_change(change: Mapping[str, float], names: tuple[str, ...]) -> tuple[list[int], Floats]:
    if not change:
        raise ValueError("change: expected at least one value with the amount added, got none")
    unknown = [name for name in change if name not in names]
    if unknown:
        raise ValueError(f"change: expected values among {', '.join(names)}, got {', '.join(map(repr, unknown))}")
    amounts = np.array([float(amount) for amount in change.values()])
    if not np.isfinite(amounts).all():
        raise ValueError(f"change: expected finite amounts, got {dict(change)}")
    return [names.index(name) for name in change], amounts


def _check_options(graph: Any, resamples: Any, confidence: float, on_missing: str) -> None:
    if not isinstance(graph, ValueGraph):
        raise TypeError(f"graph must be a ValueGraph, got {type(graph).__name__}")
    if not isinstance(resamples, int) or isinstance(resamples, bool) or resamples < 100:
        raise ValueError(f"resamples: expected a whole number of at least 100, got {resamples!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    if on_missing not in ("raise", "drop"):
        raise ValueError(f"on_missing: expected 'raise' or 'drop', got {on_missing!r}")
