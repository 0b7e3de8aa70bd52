"""How well can one tell, before steering, which values will move and which way? Predictors judged on held-out edits."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.evaluation.benchmark_checks import check_options, check_predictors, checked_targets, similarity_table
from pyvalue.evaluation.benchmark_compared import Compared, compared
from pyvalue.evaluation.benchmark_edit_level import edit_level
from pyvalue.evaluation.benchmark_result import PredictionBenchmark
from pyvalue.evaluation.benchmark_row_level import row_level
from pyvalue.evaluation.benchmark_scores import StudyScores
from pyvalue.evaluation.benchmark_strata import Stratum, strata_of
from pyvalue.evaluation.benchmark_sums import Draws, Metric
from pyvalue.evaluation.benchmark_tables import metric_table, per_edit_table
from pyvalue.evaluation.detectable_change import ROUNDING
from pyvalue.evaluation.held_out import HeldOut, hold_out
from pyvalue.evaluation.predictors import Predictor, Training, default_predictors, is_baseline, knows_items
from pyvalue.evaluation.predictors_items import ItemRate
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
    only "pooled AUROC" compares scores of different edits, and so of different fits.

    Intervals are estimate plus and minus Student's t times the standard deviation over bootstrap samples: of personas,
    whose rows stay together ("low", "high"), and of personas and edits at once ("wide"; Owen 2007, "The pigeonhole
    bootstrap", Annals of Applied Statistics 1), with degrees of freedom by whichever are fewer. Items and values are
    taken as they are. The AUPRC of rows and the pooled AUROC use the first 200 samples only. p: the same predictions
    with the names of the values permuted, the same way for all edits, so that edits that are alike do not count as
    many; all permutations where there are no more than ``permutations``.

    Predictors are compared with the best baseline that knows as much of the tested items as they do. Who knows them is
    told by other personas, under other edits, on the same items; of personas that are tested at once, one part after
    the other is told by the rest.

    Args:
        source: ``Responses``, a table with rows (edit, persona), or the path of a file; see
            ``pyvalue.wide_scores.score_rows``. Edits that broke the model are left out and named.
        graph: of the values; None to find one in each set of training rows with ``discover``. If it was learnt from
            the tested rows, it has seen them, and nothing here can undo that.
        test: another source, with other personas, to judge on; None to split ``source``. Personas in both are left out
            of training.
        predictors: to judge; None for ``default_predictors``. Baselines are those with ``is_baseline``; where none that
            need not know the tested items has it, the first of these.
        score: of ``Responses``.
        folds: parts that the personas are split into, each tested in turn.
        leave_edit_out: whether predictors are fitted without the tested edit. False asks an easier question: how an
            edit that was seen acts on other personas.
        features: edit -> feature; edits of one feature are left out together. Labels or numbers of features.
        targets: edit -> the value that it is to move; edits that are not named have the one that they moved most.
        threshold: |change| above which a persona's value counts as changed. None: 0 where at least 1% of the changes
            are exactly 0 (in rows that changed at all), else the median of |change|.
        permutations: for p.
        resamples: bootstrap samples.
        confidence: of intervals and of the minimal detectable effect.
        similarity: of the values' names, rows and columns values; see ``pyvalue.measurement.name_similarity``.
        seed: of splits, bootstrap and permutations. The result is the same for any order of rows.

    Raises:
        ValueError: an argument is out of range or names what is not there; the source has no unedited rows, no edits,
            or fewer than 2 values; the graph has none of its values.
        TypeError: an argument is of the wrong type.

    Example:
        >>> print(benchmark_predictions("train.csv", graph, test="test.csv"))
    """
    check_options(graph, folds, permutations, resamples, confidence, threshold, seed)
    chosen = list(default_predictors() if predictors is None else predictors)
    check_predictors(chosen)
    split = hold_out(source, test, score, folds=folds, features=features, leave_edit_out=leave_edit_out, seed=seed)
    values = split.folds[0].test.values
    notes = list(split.notes)
    if threshold is None:
        threshold = _threshold(split)
    find = _finder(graph, values, notes)
    alike = None if similarity is None else similarity_table(similarity, values)
    wanted = checked_targets(targets, split)
    strata, personas = _strata(split, chosen, find, alike, threshold, confidence, wanted, seed, notes)
    draws = _draws(strata, len(personas), len(values), threshold, confidence, resamples, permutations, seed)
    kept = [k for k in range(len(chosen)) if any(s.predictions[k] is not None for s in strata)]
    for k in set(range(len(chosen))) - set(kept):
        notes.append(f"{chosen[k].name}: left out, {_why_not(chosen[k], split, similarity)}")
    chosen_kept = [chosen[k] for k in kept]
    names = [one.name for one in chosen_kept]
    if not kept:
        raise ValueError("predictors: none of them could be fitted on this source")
    strata = [s.only(kept) for s in strata]
    kinds = compared(
        [knows_items(one) for one in chosen_kept], [is_baseline(one) for one in chosen_kept],
        same_items=split.same_items,
    )  # fmt: skip
    found = {"edit": edit_level(strata, kinds, draws), "row": row_level(strata, kinds, draws)}
    _explain(strata, found, len(personas), notes)
    _explain_comparisons(names, kinds, draws, confidence, notes)
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
        "exact": is_exact(len(values), permutations),
        "seed": seed,
        "targets": _said_of_targets(wanted, {s.edit for s in strata}),
    }
    return PredictionBenchmark(
        metric_table(names, found, facts, kinds),
        per_edit_table(names, found, strata, values, draws),
        facts,
        tuple(dict.fromkeys(notes)),
    )


def _threshold(split: HeldOut) -> float:
    rows = np.concatenate([np.abs(fold.train.change).reshape(-1, len(fold.train.values)) for fold in split.folds])
    rows = rows[(rows > ROUNDING).any(axis=1)]  # an edit without any effect does not make scores discrete
    change = rows[np.isfinite(rows)]
    if not len(change) or (change <= ROUNDING).mean() >= DISCRETE_SHARE:
        return ROUNDING  # scores are sums of fractions, equal ones may differ by rounding
    return float(np.median(change))


def _finder(
    graph: ValueGraph | None, values: Sequence[str], notes: list[str]
) -> Callable[[StudyScores], ValueGraph | None]:
    if graph is not None:
        if not set(graph.names) & set(values):
            raise ValueError(
                f"graph: it has none of the values of the source; it has {', '.join(graph.names)}, the source "
                f"{', '.join(values)}"
            )
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


def _strata(
    split: HeldOut, chosen: Sequence[Predictor], find: Callable[[StudyScores], ValueGraph | None],
    alike: Floats | None, threshold: float, confidence: float, targets: dict[str, str] | None, seed: int,
    notes: list[str],
) -> tuple[list[Stratum], list[str]]:  # fmt: skip
    personas = sorted({name for fold in split.folds for name in fold.test.personas})
    strata: list[Stratum] = []
    for number, fold in enumerate(split.folds):
        train = Training(
            fold.train, threshold, len(fold.test.personas), confidence, fold.test.rest, None, find, alike, seed
        )
        shown = [replace(train, items=one.study) for one in fold.items] or [train]
        made = [[one.fit(t) for t in shown] if knows_items(one) else [one.fit(train)] for one in chosen]
        strata += strata_of(fold, number, personas, train.noise, made, targets)
    if still := sorted({s.edit for s in strata if s.target < 0}):
        notes.append(f"edits that moved no value, so that they have no target: {', '.join(still)}")
    if not strata:
        raise ValueError("source: no tested persona has a change under any edit")
    return strata, personas


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
        permutations_of(values, permutations, rng),
        threshold,
        confidence,
    )


def is_exact(values: int, permutations: int) -> bool:
    return values < 13 and math.factorial(values) <= permutations


def permutations_of(values: int, permutations: int, rng: np.random.Generator) -> npt.NDArray[np.int_]:
    if is_exact(values, permutations):
        return np.array(list(itertools.permutations(range(values))))
    return rng.permuted(np.tile(np.arange(values), (permutations, 1)), axis=1)


def _said_of_targets(wanted: dict[str, str] | None, edits: set[str]) -> str:
    usual = "the value moved most in training personas"
    given = sorted(edits & set(wanted or {}))
    if not given:
        return usual
    return "given" if len(given) == len(edits) else f"given for {len(given)} of {len(edits)} edits, else {usual}"


def _why_not(predictor: Predictor, split: HeldOut, similarity: Any) -> str:
    if isinstance(predictor, ItemRate):
        if split.same_items:
            return "since the tested items are those of training, so that the marginal rate is the same"
        return "since nobody but the tested personas answered the tested items"
    if predictor.name == "name similarity" and similarity is None:
        return "since no similarity was given (pyvalue.measurement.name_similarity makes one)"
    return "since it could not be fitted on these training rows"


def _explain_comparisons(
    names: Sequence[str], kinds: Compared, draws: Draws, confidence: float, notes: list[str]
) -> None:
    judged = [k for k in range(len(names)) if not kinds.baseline[k]]
    alone = [names[k] for k in judged if kinds.rivals([0.0] * len(names))[k] is None]
    if alone:
        notes.append(
            f"{', '.join(alone)}: compared with nothing, since no baseline here knows the tested items; add ItemRate()"
        )
    if len(judged) / (1 + len(draws.names)) >= 1 - confidence:
        notes.append(
            f"p: {len(draws.names)} permutations of names are too few for any of {len(judged)} predictors to be called "
            "better after Holm's correction"
        )


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
