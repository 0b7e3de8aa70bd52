"""Total effects of every value on every other, by a graph and the rows that it was learnt from.

Linear effects without hidden causes, by IDA: a range where the graph leaves directions open, and the same widened by
a bootstrap over personas. Rows are compared within edits, because what an edit adds to several values at once is no
effect of one on another. The graph is held fixed: no interval knows of an edge that was found wrongly.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue.effects.effect_bootstrap import (
    cluster_worth,
    covariance,
    left_out_covariances,
    resampled_covariances,
)
from pyvalue.effects.effect_ranges import listed_sets, single_ranges
from pyvalue.effects.effect_rows import Edits, EffectRows, effect_rows
from pyvalue.effects.graph_soundness import graph_soundness
from pyvalue.effects.valid_parents import ParentSets, TooManySetsError
from pyvalue.effects.value_effects import Effects
from pyvalue.given_graphs import as_value_graph
from pyvalue.graph import ValueGraph
from pyvalue.responses import Score

__all__ = ["Effects", "EffectsWarning", "estimate_effects"]

Floats = NDArray[np.float64]


class EffectsWarning(UserWarning):
    """Some effects cannot be computed, or are asked for in a doubtful way; the notes of the effects repeat it."""


def estimate_effects(
    graph: ValueGraph,
    data: Any,
    *,
    score: Score = "corrected",
    resamples: int = 1000,
    confidence: float = 0.95,
    cluster: Any = "persona",
    edits: Edits = "within",
    standardised: bool = False,
    on_missing: str = "raise",
    seed: int = 0,
) -> Effects:
    """Estimate total effects by IDA, with intervals from resampled personas.

    For each value and each set of parents that it has in some DAG of the graph's class, its effect on another is its
    coefficient in the regression of the other on it and these parents (Maathuis, Kalisch & Bühlmann 2009, "Estimating
    high-dimensional intervention effects from observational data"). The interval for one set is the estimate plus and
    minus Student's t times its standard error, the larger one of the bootstrap's and the jackknife's; ``low`` and
    ``high`` are the outermost ends over the sets. So whichever set is right, the interval holds its effect with at
    least the stated confidence, given that the graph is right; for graphs that may be wrong see
    ``pv.refitted_effects``.

    Args:
        graph: learnt from the data, or given; a networkx ``DiGraph`` will do.
        data: what ``pyvalue.wide_scores`` takes, or a table or array of rows by values; see ``effect_rows``. Rows with
            a missing score of a value in the graph are left out, and ``notes`` says how many.
        score: of ``Responses``.
        resamples: of the bootstrap, at least 100.
        confidence: of the intervals, in (0, 1).
        cluster: index level or column whose rows are resampled together, or labels; None for independent rows.
        edits: of rows with labels of edits. "within": the mean of each edit is taken out, in every resample anew. That
            adjusts for the edit, which is set from outside, so that it may hit any values in any amounts; it must not
            change how values depend on each other. "unedited": rows without an edit alone; right whatever edits do, and
            wider. "pooled": as if there were no edits, for edits that are known to hit a single value each at most;
            otherwise what an edit adds to two values passes for an effect of one on the other.
        standardised: effects in standard deviations of the effect per standard deviation of the cause, over the rows
            (within edits, where means are taken out); otherwise in units of the scores.
        on_missing: of values in the graph that the data lack: "raise", or "drop". Dropped values have no effects, nor
            have those with such a value among their possible parents; the rest is not touched.
        seed: of the resamples. The same result for any order of rows.

    Raises:
        ValueError: an argument is out of range, the data lack values of the graph, or rows are too few.
        TypeError: ``graph`` is no graph or ``data`` cannot be read.

    Warns:
        EffectsWarning: no DAG agrees with the graph, so that only effects of values with certain parents, on no cycle,
            are computed; a value has too many sets of parents; or edits are pooled.
    """
    graph = as_value_graph(graph)
    resamples = whole_number("resamples", resamples, 100)
    seed = whole_number("seed", seed, 0)
    check_confidence(confidence)
    if on_missing not in ("raise", "drop"):
        raise ValueError(f"on_missing: expected 'raise' or 'drop', got {on_missing!r}")
    rows = effect_rows(data, graph.names, score, cluster, edits)
    notes = [*rows.notes, *_absent(graph, rows, on_missing)]
    if rows.pooled > 1:
        notes.append(pooled_note(rows))
        warnings.warn(notes[-1], EffectsWarning, stacklevel=2)
    covariances = _covariances(graph, rows, resamples, seed, standardised)
    notes += _constant(graph, rows)
    soundness = graph_soundness(graph)
    determined = None if soundness.extendable else soundness.determined
    if determined is not None:
        told = _told(graph, soundness.reason, determined)
        warnings.warn(told, EffectsWarning, stacklevel=2)
        notes.append(told)
    worth = cluster_worth(rows)
    sets, too_many = _sets(graph, determined)
    minimum, maximum, low, high = single_ranges(covariances, sets, worth, confidence)
    if too_many:
        notes.append(f"no effects of {', '.join(too_many)}: {next(iter(too_many.values()))}")
        warnings.warn(notes[-1], EffectsWarning, stacklevel=2)
    if len(rows.names) == len(graph.names):
        notes += _collinear(graph, sets, minimum, _flat(rows))
    notes += _without_interval(graph, minimum, low)
    facts = {
        "rows": len(rows.rows),
        "clusters": rows.n_clusters,
        "worth": worth,
        "cluster": rows.cluster_name,
        "edits": edits,
        "means": rows.n_edits,
        "score": score,
        "resamples": resamples,
        "confidence": confidence,
        "seed": seed,
        "standardised": standardised,
        "graph": "held fixed",
        "interval": "t with the larger of bootstrap and jackknife standard error, outermost over sets of parents",
        "soundness": soundness.reason,
        "determined": None if determined is None else list(determined),
        "sets": {name: len(sets.get(place, ())) for place, name in enumerate(graph.names)},
    }
    return Effects(minimum, maximum, low, high, graph, *covariances, facts, tuple(notes))


def _covariances(
    graph: ValueGraph, rows: EffectRows, resamples: int, seed: int, standardised: bool
) -> tuple[Floats, Floats, Floats]:
    """Of all rows, resamples, and without one cluster each; NaN at values that the rows lack or that are constant."""
    whole = covariance(rows.rows, rows.edit)
    flat = _flat(rows)
    unit = np.where(flat, np.nan, np.sqrt(np.diagonal(whole)) if standardised else 1.0)
    place = [graph.names.index(name) for name in rows.names]

    def wide(matrices: Floats) -> Floats:
        found = np.full((len(matrices), len(graph.names), len(graph.names)), np.nan)
        found[np.ix_(range(len(matrices)), place, place)] = matrices / np.outer(unit, unit)
        return found

    resampled, left_out = resampled_covariances(rows, resamples, seed), left_out_covariances(rows)
    return wide(whole[None])[0], wide(resampled), wide(left_out)


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


def _flat(rows: EffectRows) -> NDArray[np.bool_]:
    """(d,) values that are constant, under each edit whose mean is taken out."""
    flat = np.ones(rows.rows.shape[1], dtype=bool)
    for edit in range(rows.n_edits):
        flat &= np.ptp(rows.rows[rows.edit == edit], axis=0) == 0
    return flat


def _constant(graph: ValueGraph, rows: EffectRows) -> list[str]:
    under = " under each edit" if rows.n_edits > 1 else ""
    return [
        f"constant in the rows{under}, so without effects of or on it: {name}"
        for name, flat in zip(rows.names, _flat(rows), strict=True)
        if flat
    ]


def _sets(
    graph: ValueGraph, determined: tuple[str, ...] | None
) -> tuple[Mapping[int, list[ParentSets]], dict[str, str]]:
    """Sets of parents by column, and of what values there are too many to list."""
    found, too_many = {}, {}
    for place, name in enumerate(graph.names):
        try:
            sets = listed_sets(graph, [place], determined)
        except TooManySetsError as fault:
            too_many[name] = str(fault)
            continue
        if sets:
            found[place] = sets
    return found, too_many


def _collinear(
    graph: ValueGraph, sets: Mapping[int, list[ParentSets]], minimum: Floats, flat: NDArray[np.bool_]
) -> list[str]:
    lacking = [
        place
        for place, listed in sets.items()
        if np.isnan(minimum[place]).all() and not any(flat[[place, *one.parents[0]]].any() for one in listed)
    ]
    if not lacking:
        return []
    named = ", ".join(graph.names[place] for place in lacking)
    return [f"no effects of {named}: its parents leave it no variance of its own, or rows are too few to tell"]


def _without_interval(graph: ValueGraph, minimum: Floats, low: Floats) -> list[str]:
    without = np.flatnonzero((np.isfinite(minimum) & ~np.isfinite(low)).any(axis=1))
    if not len(without):
        return []
    named = ", ".join(graph.names[place] for place in without)
    return [f"no interval for effects of {named}: too few rows or clusters, so that resamples often have no answer"]


def pooled_note(rows: EffectRows) -> str:
    """What is doubtful about rows under several edits as draws from one population."""
    return (
        f"edits='pooled': rows under {rows.pooled} edits are taken for one population; where an edit hits several "
        "values directly, that passes for effects between them, and intervals hold the truth too rarely "
        "(edits='within' takes the means of the edits out)"
    )


def _told(graph: ValueGraph, reason: str, determined: tuple[str, ...]) -> str:
    rest = ", ".join(name for name in graph.names if name not in determined)
    return (
        f"{reason}. Computed are only the effects of values with certain parents and on no cycle "
        f"({', '.join(determined) or 'none'}), not those of {rest or 'none'}; "
        "pv.sound_graph(graph, data) looks for a graph without the fault"
    )


def whole_number(argument: str, given: Any, least: int) -> int:
    """The number, of whatever type of whole numbers. Raises ValueError where it is none or too small."""
    try:
        number = None if isinstance(given, bool) else operator.index(given)
    except TypeError:
        number = None
    if number is None or number < least:
        raise ValueError(f"{argument}: expected a whole number of at least {least}, got {given!r}")
    return number


def check_confidence(confidence: Any) -> None:
    """Raise ValueError where it is not between 0 and 1."""
    if not isinstance(confidence, int | float | np.number) or not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, such as 0.95, got {confidence!r}")
