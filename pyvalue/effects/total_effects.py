"""Total effects of every value on every other, by a graph and the rows that it was learnt from.

Linear effects without hidden causes, by IDA: a range where the graph leaves directions open, and the same widened by
a bootstrap over personas. The graph is held fixed: no interval knows of an edge that was found wrongly.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue.effects.effect_bootstrap import cluster_worth, covariance, left_out_covariances, resampled_covariances
from pyvalue.effects.effect_rows import EffectRows, effect_rows
from pyvalue.effects.graph_soundness import graph_soundness
from pyvalue.effects.ida import effects_given
from pyvalue.effects.valid_parents import TooManySetsError
from pyvalue.effects.value_effects import Effects, effect_ranges, listed_sets
from pyvalue.graph import ValueGraph
from pyvalue.responses import Score

__all__ = ["Effects", "EffectsWarning", "estimate_effects"]

Floats = NDArray[np.float64]


class EffectsWarning(UserWarning):
    """Some effects cannot be computed; the notes of the effects repeat it."""


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
    minus Student's t times its standard error, the larger one of the bootstrap's and the jackknife's; ``low`` and
    ``high`` are the outermost ends over the sets. So whichever set is right, the interval holds its effect with at
    least the stated confidence, given that the graph is right; for graphs that may be wrong see
    :func:`pyvalue.effects.refitted_effects.refitted_effects`.

    Args:
        graph: learnt from the data, or given.
        data: what ``pyvalue.wide_scores`` takes, or a table or array of rows by values; see ``effect_rows``. Rows with
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
    covariances = _covariances(graph, rows, resamples, seed, standardised)
    notes += _constant(graph, rows)
    soundness = graph_soundness(graph)
    determined = None if soundness.extendable else soundness.determined
    if determined is not None:
        told = _told(graph, soundness.reason, determined)
        warnings.warn(told, EffectsWarning, stacklevel=2)
        notes.append(told)
    worth = cluster_worth(rows)
    d = len(graph.names)
    found = np.full((4, d, d), np.nan)
    counts, too_many = dict.fromkeys(graph.names, 0), {}
    for place, name in enumerate(graph.names):
        try:
            sets = listed_sets(graph, [place], determined)
        except TooManySetsError as fault:
            too_many[name] = str(fault)
            continue
        if sets:
            counts[name] = len(sets)
            stacks = (tuple(effects_given(c, place, one) for c in covariances) for one in sets)
            found[:, place] = effect_ranges(stacks, worth, confidence)
    if too_many:
        notes.append(f"no effects of {', '.join(too_many)}: {next(iter(too_many.values()))}")
        warnings.warn(notes[-1], EffectsWarning, stacklevel=2)
    facts = {
        "rows": len(rows.rows),
        "clusters": rows.n_clusters,
        "worth": worth,
        "cluster": rows.cluster_name,
        "score": score,
        "resamples": resamples,
        "confidence": confidence,
        "seed": seed,
        "standardised": standardised,
        "graph": "held fixed",
        "interval": "t with the larger of bootstrap and jackknife standard error, outermost over sets of parents",
        "soundness": soundness.reason,
        "determined": None if determined is None else list(determined),
        "sets": counts,
    }
    minimum, maximum, low, high = found
    return Effects(minimum, maximum, low, high, graph, *covariances, facts, tuple(notes))


def _covariances(
    graph: ValueGraph, rows: EffectRows, resamples: int, seed: int, standardised: bool
) -> tuple[Floats, Floats, Floats]:
    """Of all rows, resamples, and without one cluster each; NaN at values that the rows lack or that are constant."""
    whole = covariance(rows.rows)
    flat = np.ptp(rows.rows, axis=0) == 0
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


def _check_options(graph: Any, resamples: Any, confidence: float, on_missing: str) -> None:
    if not isinstance(graph, ValueGraph):
        raise TypeError(f"graph must be a ValueGraph, got {type(graph).__name__}")
    if not isinstance(resamples, int) or isinstance(resamples, bool) or resamples < 100:
        raise ValueError(f"resamples: expected a whole number of at least 100, got {resamples!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    if on_missing not in ("raise", "drop"):
        raise ValueError(f"on_missing: expected 'raise' or 'drop', got {on_missing!r}")
