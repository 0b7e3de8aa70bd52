"""Row by row: given that one value changed, does the graph tell which others did?

A row is one persona, under one edit, and one ordered pair of values of which the first changed. All rows of a persona
go together in every interval. Two comparisons: the graph against the marginal rate of change of the second value, over
all rows, which a graph that says only yes or no loses to a number that differs from value to value even where it is
true; and the graph among rows with the same second value, of which the marginal rate says nothing. The verdict is on
the second.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.evaluation.audit_contrast_findings import Reach, p_in_words, verdict_of, why_no_interval
from pyvalue.evaluation.audit_contrasts import MIN_CLUSTERS, ChangeCounts, widened_percentiles
from pyvalue.evaluation.audit_findings import Finding
from pyvalue.evaluation.audit_options import AuditOptions
from pyvalue.evaluation.label_permutation import compared, label_orders, relabelled

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

NAME = "row by row"
CLAIM = (
    "of the rows of one and the same value, the graph ranks those in which it changed above those in which it did not"
)

# Permutations worked on at once.
_CHUNK = 2000


def row_finding(
    counts: ChangeCounts, reach: Reach, change: pd.DataFrame, learnt: pd.DataFrame | None, options: AuditOptions
) -> Finding:
    """AUROC of "j changed given that i did": within each j, and over all rows beside that of the marginal rate of j.

    Args:
        counts: of the judged changes.
        reach: of the same values.
        change: the judged changes, rows (edit, persona).
        learnt: changes of other rows, to take the rates from; None to leave one persona out at a time, and then to
            compare rows of one persona alone.
        options: of the audit.
    """
    others = ~np.eye(counts.both.shape[1], dtype=bool)
    hit = np.where(others, counts.both, 0.0)
    miss = np.where(others, counts.known, 0.0) - hit
    weights = _weights(len(counts.personas), options)
    flags = reach.possible[others].astype(float)
    by_pair, by_value = (hit[:, others], miss[:, others]), (hit.sum(axis=1), miss.sum(axis=1))
    if learnt is None:
        score, source = _rates_without_own(change, counts.personas, options.cut), "the other personas"
        graph = _areas_inside(np.tile(flags, (len(score), 1)), *by_pair, weights)
        marginal = _areas_inside(score, *by_value, weights)
    else:
        score, source = _rates(learnt, options.cut), "the training rows"
        graph = weighted_auroc(flags, weights @ by_pair[0], weights @ by_pair[1])
        marginal = weighted_auroc(score, weights @ by_value[0], weights @ by_value[1])
    base = float(hit.sum() / (hit.sum() + miss.sum())) if (hit + miss).any() else math.nan
    difference = graph - marginal
    figures: dict[str, Any] = {
        "rows": int((hit + miss).sum()), "changed": base, "graph": float(graph[0]), "marginal": float(marginal[0]),
        "difference": float(difference[0]), "marginal_from": source, "within_personas": learnt is None,
    }  # fmt: skip
    for name, drawn in (("graph", graph), ("marginal", marginal), ("difference", difference)):
        figures[f"{name}_low"], figures[f"{name}_high"] = widened_percentiles(
            drawn[1:], len(counts.personas), options.confidence
        )
    if not math.isfinite(difference[0]):
        told = "all rows changed or none did" if base in (0.0, 1.0) else "no value changed, or the rates are not known"
        return Finding(NAME, CLAIM, "not computable", figures, told)
    sums = [(weights @ part.reshape(len(part), -1)).reshape(-1, *part.shape[1:]) for part in (hit, miss)]
    within = areas_within_targets(reach.possible, *sums)
    low, high = widened_percentiles(within[1:], len(counts.personas), options.confidence)
    null = _null_within_targets(reach.possible, hit.sum(axis=0), miss.sum(axis=0), options)
    test = compared(float(within[0]), *null)
    figures |= {"within_values": float(within[0]), "within_low": low, "within_high": high, "within_p": test.p}
    beside = (
        f"over {figures['rows']:,} rows, of which {base:.0%} changed, the graph has AUROC {graph[0]:.3f} and the "
        f"marginal rate from {source} {marginal[0]:.3f} (difference {difference[0]:+.3f}"
        f"{_span(figures['difference_low'], figures['difference_high'])}), which is no fair comparison"
    )
    if not math.isfinite(test.p):
        told = "no value has rows that the graph sets apart and of which some changed and some did not"
        return Finding(NAME, CLAIM, "not computable", figures, f"{told}; {beside}")
    # Over personas the graph stays as it is, and some graphs of this shape fit any changes; so it has to beat both.
    verdict = verdict_of(test.p, options.level)
    if verdict == "holds" and not low > 0.5:
        verdict = "unclear"
    few = "" if math.isfinite(low) else f"; no interval: {why_no_interval(counts.personas)}"
    sentence = (
        f"among rows with the same second value AUROC {within[0]:.3f}{_span(low, high)}, of permuted names p = "
        f"{p_in_words(test.p)}{few}; {beside}"
    )
    return Finding(NAME, CLAIM, verdict, figures, sentence)


def _span(low: float, high: float) -> str:
    return f", {low:.3f} to {high:.3f} over personas" if math.isfinite(low) else ""


def areas_within_targets(reach: Mask, hit: Floats, miss: Floats) -> Floats:
    """AUROC of the flags over comparisons of rows with the same second value: a tie counts one half.

    Args:
        reach: (..., d, d) flags.
        hit: (..., d, d) number of rows in which i changed and j did.
        miss: (..., d, d) number of rows in which i changed and j did not; both broadcast against ``reach``.

    Returns:
        (...,); NaN where no value has rows of both kinds, or the flags set none of them apart.
    """
    told_hit, told_miss = (np.einsum("...ij,...ij->...j", reach.astype(float), part) for part in (hit, miss))
    hits, misses = hit.sum(axis=-2), miss.sum(axis=-2)
    pairs = (hits * misses).sum(axis=-1)
    # Of a binary score: rows told and changed beat those neither told nor changed, less the other way round.
    ahead = (told_hit * (misses - told_miss) - (hits - told_hit) * told_miss).sum(axis=-1)
    apart = ((told_hit + told_miss) * (hits + misses - told_hit - told_miss)).sum(axis=-1)
    ahead, pairs = np.broadcast_arrays(ahead, pairs)
    areas: Floats = np.where(apart > 0, 0.5 + 0.5 * _divided(ahead, pairs), np.nan)
    return areas


def _null_within_targets(reach: Mask, hit: Floats, miss: Floats, options: AuditOptions) -> tuple[Floats, bool]:
    orders, exact = label_orders(len(reach), options.permutations, options.seed)
    return np.concatenate(
        [
            areas_within_targets(relabelled(reach, orders[k : k + _CHUNK]), hit, miss)
            for k in range(0, len(orders), _CHUNK)
        ]
    ), exact


def _weights(personas: int, options: AuditOptions) -> Floats:
    """(1 + R, C): every persona once, then the draws of a bootstrap over personas."""
    whole = np.ones((1, personas))
    if personas < MIN_CLUSTERS:
        return whole
    drawn = np.random.default_rng(options.seed).multinomial(
        personas, np.full(personas, 1 / personas), size=options.resamples
    )
    return np.concatenate([whole, drawn])


def _areas_inside(score: Floats, hit: Floats, miss: Floats, weights: Floats) -> Floats:
    """(R,) AUROC over comparisons of rows of one persona, for scores (C, K) that every persona has its own of.

    Across personas, rates that leave the own one out would rank below chance where nothing is to be known: who changes
    much raises the rates of all others, and not the own.
    """
    pairs = hit.sum(axis=1) * miss.sum(axis=1)
    areas = np.concatenate([weighted_auroc(*cells) for cells in zip(score, hit[:, None], miss[:, None], strict=True)])
    known = np.isfinite(areas) & (pairs > 0)
    total = weights[:, known] @ pairs[known]
    return _divided(weights[:, known] @ (areas * pairs)[known], total)


def weighted_auroc(score: Floats, hit: Floats, miss: Floats) -> Floats:
    """AUROC of rows counted by score: probability that one that changed has the higher score, ties one half.

    Args:
        score: (K,); entries of which one is NaN are left out.
        hit: (R, K) number of rows with this score that changed.
        miss: (R, K) number that did not.

    Returns:
        (R,); NaN where one kind is absent.
    """
    known = np.isfinite(score)
    levels, code = np.unique(score[known], return_inverse=True)
    to_level = np.zeros((len(code), len(levels)))
    to_level[np.arange(len(code)), code] = 1.0
    hits, misses = hit[:, known] @ to_level, miss[:, known] @ to_level
    below = np.cumsum(misses, axis=1) - misses
    pairs = hits.sum(axis=1) * misses.sum(axis=1)
    return _divided((hits * (below + misses / 2)).sum(axis=1), pairs)


def _divided(part: Floats, whole: Floats) -> Floats:
    ratio = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def _rates(change: pd.DataFrame, threshold: float) -> Floats:
    """(d,) share of changes above the threshold."""
    table = change.to_numpy(dtype=float)
    known = np.isfinite(table).sum(axis=0)
    return np.where(known > 0, (np.abs(table) > threshold).sum(axis=0) / np.maximum(known, 1), np.nan)


def _rates_without_own(change: pd.DataFrame, personas: tuple[str, ...], threshold: float) -> Floats:
    """(C, d) the same of the rows of all other personas."""
    table = change.to_numpy(dtype=float)
    moved, known = np.abs(table) > threshold, np.isfinite(table)
    labels = change.index.get_level_values("persona").astype(str)
    own = np.asarray(labels)[None, :] == np.array(personas)[:, None]
    left_moved, left_known = (part.sum(axis=0) - own @ part.astype(float) for part in (moved, known))
    return np.where(left_known > 0, left_moved / np.maximum(left_known, 1), np.nan)
