"""How well can one tell, before steering, which values will move and which way? Predictors judged on held-out edits."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.evaluation.benchmark_levels import Draws, Metric, edit_level, row_level
from pyvalue.evaluation.benchmark_result import METRICS, PredictionBenchmark
from pyvalue.evaluation.benchmark_scores import StudyScores
from pyvalue.evaluation.benchmark_strata import Stratum, strata_of
from pyvalue.evaluation.held_out import HeldOut, hold_out
from pyvalue.evaluation.predictors import Prediction, Predictor, Training, default_predictors
from pyvalue.graph import ValueGraph
from pyvalue.responses import Score

Floats = npt.NDArray[np.float64]

#: share of changes of exactly 0 from which scores count as discrete, and any change as a change
DISCRETE_SHARE = 0.01


def benchmark_predictions(
    source: Any,
    graph: ValueGraph | None = None,
    *,
    test: Any = None,
    predictors: Sequence[Predictor] | None = None,
    score: Score = "corrected",
    folds: int = 2,
    leave_edit_out: bool = True,
    features: Mapping[str, str] | None = None,
    targets: Mapping[str, str] | None = None,
    threshold: float | None = None,
    permutations: int = 1000,
    resamples: int = 1000,
    confidence: float = 0.95,
    similarity: pd.DataFrame | None = None,
    seed: int = 0,
) -> PredictionBenchmark:
    """Fit predictors on other edits, other personas and other items, and judge them on those left out.

    The task: an edit is known to move a value, its target; which others does it move? The target of an edit is the
    value whose mean change over the training personas is largest, unless ``targets`` names it.

    Two levels. "edit": the mean change of a value over the tested personas is above the minimal detectable effect
    (``pyvalue.evaluation.detectable_change``, Bonferroni over the values other than the target). "row": of the rows in
    which a persona's value i changed, j changed; all pairs of values. Areas compare values within one edit and split;
    only "pooled AUROC" compares scores of different edits, as Kang et al. (2025) would.

    Intervals are estimate plus and minus z times the standard deviation over bootstrap samples: of personas, whose
    rows stay together ("low", "high"), and of personas and edits at once ("wide"; Owen 2007, "The pigeonhole
    bootstrap", Annals of Applied Statistics 1). Items and values are taken as they are. p: the same predictions with
    the names of the values permuted, the same way for all edits, so that edits that are alike do not count as many;
    all permutations where there are no more than ``permutations``.

    Args:
        source: ``Responses``, a table with rows (edit, persona), or the path of a file; see
            ``pyvalue.score_rows.score_rows``. Edits that broke the model are left out and named.
        graph: of the values; None to find one in each set of training rows with ``discover``. If it was learnt from
            the tested rows, it has seen them, and nothing here can undo that.
        test: another source, with other personas, to judge on; None to split ``source``. Personas in both are left out
            of training.
        predictors: to judge, the one to compare with first; None for ``default_predictors``.
        score: of ``Responses``.
        folds: parts that the personas are split into, each tested in turn.
        leave_edit_out: whether predictors are fitted without the tested edit. False asks an easier question: how an
            edit that was seen acts on other personas.
        features: edit -> feature; edits of one feature are left out together.
        targets: edit -> the value that it is to move.
        threshold: |change| above which a persona's value counts as changed. None: 0 where at least 1% of the changes
            are exactly 0, else the median of |change|.
        permutations: for p.
        resamples: bootstrap samples.
        confidence: of intervals and of the minimal detectable effect.
        similarity: of the values' names, rows and columns values; see ``pyvalue.measurement.name_similarity``.
        seed: of splits, bootstrap and permutations. The result is the same for any order of rows.

    Raises:
        ValueError: an argument is out of range or names what is not there; the source has no unedited rows, no edits,
            or fewer than 2 values.
        TypeError: an argument is of the wrong type.

    Example:
        >>> print(benchmark_predictions("train.csv", graph, test="test.csv"))
    """
    _check(graph, folds, permutations, resamples, confidence, threshold)
    chosen = list(default_predictors() if predictors is None else predictors)
    _check_predictors(chosen)
    split = hold_out(source, test, score, folds=folds, features=features, leave_edit_out=leave_edit_out, seed=seed)
    values = split.folds[0].test.values
    notes = list(split.notes)
    if threshold is None:
        threshold = _threshold(split)
    find = _finder(graph, values, notes)
    alike = None if similarity is None else _similarity(similarity, values)
    wanted = _targets(targets, split)
    strata, personas = _strata(split, chosen, find, alike, threshold, confidence, wanted, seed, notes)
    draws = _draws(strata, len(personas), len(values), threshold, confidence, resamples, permutations, seed)
    kept = [k for k in range(len(chosen)) if any(s.predictions[k] is not None for s in strata)]
    for k in set(range(len(chosen))) - set(kept):
        notes.append(f"{chosen[k].name}: left out, {_why_not(chosen[k], graph, find, similarity)}")
    names = [chosen[k].name for k in kept]
    if not kept:
        raise ValueError("predictors: none of them could be fitted on this source")
    strata = [_with_predictions(s, [s.predictions[k] for k in kept]) for s in strata]
    found = {"edit": edit_level(strata, len(kept), draws), "row": row_level(strata, len(kept), draws)}
    _explain(strata, found, len(personas), notes)
    facts = {
        "edits": len({s.edit for s in strata}),
        "personas": len(personas),
        "values": len(values),
        "splits": len({s.fold for s in strata}),
        "held_out": split.held_out,
        "threshold": threshold,
        "score": score,
        "graph": "given" if graph is not None else "found in the training rows of each split",
        "confidence": confidence,
        "resamples": resamples,
        "permutations": len(draws.names),
        "exact": _is_exact(len(values), permutations),
        "seed": seed,
        "targets": "given" if targets else "the value moved most in training personas",
    }
    return PredictionBenchmark(
        _table(names, found, facts), _per_edit(names, found, strata, values, draws), facts, tuple(dict.fromkeys(notes))
    )


def _check(
    graph: Any, folds: int, permutations: int, resamples: int, confidence: float, threshold: float | None
) -> None:
    if graph is not None and not isinstance(graph, ValueGraph):
        raise TypeError(f"graph: expected a ValueGraph (see pyvalue.discover) or None, got {type(graph).__name__}")
    for name, given, least in (("folds", folds, 1), ("permutations", permutations, 1), ("resamples", resamples, 2)):
        if isinstance(given, bool) or not isinstance(given, int | np.integer):
            raise TypeError(f"{name}: expected a whole number, got {given!r}")
        if given < least:
            raise ValueError(f"{name}: expected at least {least}, got {given}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    if threshold is not None and not (math.isfinite(threshold) and threshold >= 0):
        raise ValueError(f"threshold: expected a number of at least 0, got {threshold}")


def _check_predictors(chosen: Sequence[Any]) -> None:
    if not chosen:
        raise ValueError("predictors: expected at least one, got none")
    for one in chosen:
        if not isinstance(one, Predictor):
            raise TypeError(f"predictors: expected objects with a name and fit(train), got {type(one).__name__}")
    names = [one.name for one in chosen]
    if len(set(names)) < len(names):
        raise ValueError(f"predictors: expected different names, got {', '.join(names)}")


def _threshold(split: HeldOut) -> float:
    change = np.concatenate([np.abs(fold.train.change).ravel() for fold in split.folds])
    change = change[np.isfinite(change)]
    if not len(change) or (change < 1e-12).mean() >= DISCRETE_SHARE:
        return 1e-12  # scores are sums of fractions, equal ones may differ by rounding
    return float(np.median(change))


def _finder(
    graph: ValueGraph | None, values: Sequence[str], notes: list[str]
) -> Callable[[StudyScores], ValueGraph | None]:
    if graph is not None:
        if absent := [name for name in graph.names if name not in values]:
            notes.append(f"graph: its values {', '.join(absent)} are not in the source and were passed over")
        if absent := [name for name in values if name not in graph.names]:
            notes.append(f"graph: it lacks {', '.join(absent)}, which count as nobody's descendants")
        if not graph.is_valid_cpdag():
            notes.append("graph: no DAG has exactly this graph, so some effects cannot be computed")
        return lambda study: graph
    kept: dict[tuple[tuple[str, ...], tuple[str, ...], bytes], ValueGraph | None] = {}

    def find(study: StudyScores) -> ValueGraph | None:
        key = (study.edits, study.personas, study.rest.tobytes())
        if key not in kept:
            kept[key] = _discovered(study, notes)
        return kept[key]

    return find


def _discovered(study: StudyScores, notes: list[str]) -> ValueGraph | None:
    from pyvalue.discovery.api import discover
    from pyvalue.discovery.degenerate import DegenerateDataWarning

    rows = study.rows().dropna()
    several = rows.index.get_level_values("persona").nunique() > 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateDataWarning)
            return discover(rows, test="fisherz", cluster="persona" if several else None)
    except ValueError as fault:
        notes.append(f"graph: none could be found in some training rows ({' '.join(str(fault).split())[:200]})")
        return None


def _similarity(similarity: Any, values: Sequence[str]) -> Floats:
    if not isinstance(similarity, pd.DataFrame):
        raise TypeError(f"similarity: expected a DataFrame, values by values, got {type(similarity).__name__}")
    absent = [name for name in values if name not in similarity.index or name not in similarity.columns]
    if absent:
        raise ValueError(f"similarity: expected a row and a column for every value, {', '.join(absent)} is missing")
    return np.asarray(similarity.loc[list(values), list(values)].to_numpy(dtype=float))


def _targets(targets: Mapping[str, str] | None, split: HeldOut) -> dict[str, str] | None:
    if targets is None:
        return None
    values = split.folds[0].test.values
    for edit, value in targets.items():
        if value not in values:
            raise ValueError(f"targets: {value!r} of edit {edit!r} is no value; expected one of {', '.join(values)}")
    return dict(targets)


def _strata(
    split: HeldOut, chosen: Sequence[Predictor], find: Callable[[StudyScores], ValueGraph | None],
    alike: Floats | None, threshold: float, confidence: float, targets: dict[str, str] | None, seed: int,
    notes: list[str],
) -> tuple[list[Stratum], list[str]]:  # fmt: skip
    personas = sorted({name for fold in split.folds for name in fold.test.personas})
    strata: list[Stratum] = []
    for number, fold in enumerate(split.folds):
        train = Training(fold.train, threshold, len(fold.test.personas), confidence, fold.test.rest, find, alike, seed)
        made = [one.fit(train) for one in chosen]
        strata += strata_of(fold, number, personas, train.noise, made, targets)
    if still := sorted({s.edit for s in strata if s.target < 0}):
        notes.append(f"edits that moved no value, so that they have no target: {', '.join(still)}")
    if not strata:
        raise ValueError("source: no tested persona has a change under any edit")
    return strata, personas


def _with_predictions(stratum: Stratum, predictions: Sequence[Prediction | None]) -> Stratum:
    from dataclasses import replace

    return replace(stratum, predictions=tuple(predictions))


def _draws(
    strata: Sequence[Stratum], personas: int, values: int, threshold: float, confidence: float, resamples: int,
    permutations: int, seed: int,
) -> Draws:  # fmt: skip
    rng = np.random.default_rng([seed, 3])
    edits, place = np.unique([s.edit for s in strata], return_inverse=True)
    drawn = rng.multinomial(personas, np.full(personas, 1 / personas), size=resamples)
    again = rng.multinomial(len(edits), np.full(len(edits), 1 / len(edits)), size=resamples)
    return Draws(
        np.vstack([np.ones(personas), drawn]).astype(float),
        np.vstack([np.ones(len(edits)), again]).astype(float)[:, place],
        _names(values, permutations, rng),
        threshold,
        confidence,
    )


def _is_exact(values: int, permutations: int) -> bool:
    return values < 13 and math.factorial(values) <= permutations


def _names(values: int, permutations: int, rng: np.random.Generator) -> npt.NDArray[np.int_]:
    if _is_exact(values, permutations):
        return np.array(list(itertools.permutations(range(values))))
    return rng.permuted(np.tile(np.arange(values), (permutations, 1)), axis=1)


def _why_not(predictor: Predictor, graph: ValueGraph | None, find: Any, similarity: Any) -> str:
    if predictor.name == "name similarity" and similarity is None:
        return "since no similarity was given (pyvalue.measurement.name_similarity makes one)"
    return "since it could not be fitted on these training rows"


def _explain(
    strata: Sequence[Stratum], found: dict[str, list[dict[str, Metric]]], personas: int, notes: list[str]
) -> None:
    if personas < 2:
        notes.append("one tested persona: no interval, and no mean change can be told from none")
    if len({s.edit for s in strata}) < 2:
        notes.append("one tested edit: no interval over edits")
    for level, made in found.items():
        one = made[0]["AUROC"]
        if one.events in (0, one.cells) and one.cells:
            what = "no" if not one.events else "every"
            notes.append(f"{level} level: {what} cell changed, so there is nothing to rank")


def _table(names: Sequence[str], found: dict[str, list[dict[str, Metric]]], facts: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for level, made in found.items():
        for metric in METRICS:
            rows += [
                {"predictor": name, "level": level, "metric": metric, **_numbers(one[metric], metric, k, facts)}
                for k, (name, one) in enumerate(zip(names, made, strict=True))
                if metric in one
            ]
    return pd.DataFrame(rows)


def _numbers(one: Metric, metric: str, place: int, facts: Mapping[str, Any]) -> dict[str, float]:
    from scipy.special import ndtr, ndtri

    z = float(ndtri((1 + facts["confidence"]) / 2))
    personas, edits = facts["personas"], facts["edits"]
    estimate = float(one.plain[0])
    spread = _deviation(one.plain[1:], personas)
    wide = _deviation(one.wide[1:], min(personas, edits))
    ends = (0.0, 1.0) if metric != "width" else (0.0, math.inf)
    row = {"estimate": estimate}
    for name, s in (("", spread), ("wide_", wide)):
        row[f"{name}low"], row[f"{name}high"] = (float(np.clip(estimate + sign * z * s, *ends)) for sign in (-1, 1))
    row["p"] = _p(one, facts)
    if place == 0:
        gap = spread = wide = math.nan
    else:
        gap = estimate - float(one.of_marginal[0])
        spread = _deviation(one.plain[1:] - one.of_marginal[1:], personas)
        wide = _deviation(one.wide[1:] - one.of_marginal_wide[1:], min(personas, edits))
    row["difference"] = gap
    for name, s in (("difference_", spread), ("difference_wide_", wide)):
        row[f"{name}low"], row[f"{name}high"] = gap - z * s, gap + z * s
    row["difference_p"] = float(2 * ndtr(-abs(gap) / wide)) if wide > 0 else math.nan
    return {**row, "cells": one.cells, "events": one.events}


def _deviation(draws: Floats, n: int) -> float:
    """Standard deviation of bootstrap draws of n units, which is too small by the root of (n - 1) / n."""
    known = draws[np.isfinite(draws)]
    if n < 2 or len(known) < 2:
        return math.nan
    return float(known.std(ddof=1) * math.sqrt(n / (n - 1)))


def _p(one: Metric, facts: Mapping[str, Any]) -> float:
    if one.null is None or not np.isfinite(one.plain[0]):
        return math.nan
    null = one.null[np.isfinite(one.null)]
    above = int((null >= one.plain[0] - 1e-12).sum())
    if facts["exact"]:  # the data themselves are among the permutations
        return above / len(null) if len(null) else math.nan
    return (1 + above) / (1 + len(null))


def _per_edit(
    names: Sequence[str], found: dict[str, list[dict[str, Metric]]], strata: Sequence[Stratum],
    values: Sequence[str], draws: Draws,
) -> pd.DataFrame:  # fmt: skip
    rows = []
    for edit in dict.fromkeys(s.edit for s in strata):
        own = [i for i, s in enumerate(strata) if s.edit == edit]
        targets = list(dict.fromkeys(values[strata[i].target] for i in own if strata[i].target >= 0))
        change = np.array([strata[i].known for i in own])
        shares = {"edit": _moved_share(strata, own, draws), "row": _changed_share(strata, own, draws.threshold)}
        for level, made in found.items():
            for name, metrics in zip(names, made, strict=True):
                rows.append(
                    {
                        "level": level,
                        "edit": edit,
                        "target": " or ".join(targets),
                        "change": float(change[np.isfinite(change)].mean()) if np.isfinite(change).any() else math.nan,
                        "moved": shares[level],
                        "predictor": name,
                        **{m: _mean(metrics[m].by_stratum[own]) for m in ("AUROC", "sign accuracy")},
                    }
                )
    return pd.DataFrame(rows)


def _moved_share(strata: Sequence[Stratum], own: Sequence[int], draws: Draws) -> float:
    return _mean(np.concatenate([strata[i].edit_outcomes(draws.personas[:1], draws.confidence)[0][0] for i in own]))


def _changed_share(strata: Sequence[Stratum], own: Sequence[int], threshold: float) -> float:
    hits, misses = (sum(float(strata[i].row_counts(threshold)[k].sum()) for i in own) for k in (0, 1))
    return hits / (hits + misses) if hits + misses else math.nan


def _mean(x: Floats) -> float:
    known = x[np.isfinite(x)]
    return float(known.mean()) if len(known) else math.nan
