"""Metrics of every predictor on two levels: mean changes of edits, and rows of single personas.

Each metric is a ratio of two sums over strata. It is computed for all draws at once: the first draw is the data, the
others are bootstrap samples of personas ("plain") or of personas and edits ("wide"). ``null`` holds the metric of the
same predictions with the names of the values permuted, the same way in every stratum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pyvalue.evaluation.auroc import auprc, auroc
from pyvalue.evaluation.benchmark_ranking import areas
from pyvalue.evaluation.benchmark_strata import Stratum
from pyvalue.evaluation.predictors import Prediction

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int_]

# Entries of counts held at a time, 4 MiB of doubles: more would leave the cache, and take several times as long.
_BLOCK = 1 << 19


@dataclass(frozen=True)
class Draws:
    """How replicates are drawn.

    Attributes:
        personas: (R + 1, personas) how often each was drawn; the first row is ones.
        edits: (R + 1, strata) how often the edit of each stratum was; the first row is ones.
        names: (N, V) permutations of the values.
        threshold: |change| above which a persona counts as changed.
        confidence: of the minimal detectable effect and of predicted intervals.
    """

    personas: Floats
    edits: Floats
    names: Ints
    threshold: float
    confidence: float


@dataclass
class Metric:
    """One metric of one predictor.

    Attributes:
        plain, wide: (R + 1,) draws; the first is the estimate.
        of_marginal, of_marginal_wide: the same metric of the first predictor on the same cells.
        null: (N,) under permuted names; None where that says nothing.
        cells, events: how many cells it is over, and how many of them changed.
        by_stratum: (S,) the estimate in each stratum, NaN where it has none.
    """

    plain: Floats
    wide: Floats
    of_marginal: Floats
    of_marginal_wide: Floats
    null: Floats | None
    cells: int
    events: int
    by_stratum: Floats


@dataclass
class _Sums:
    """Numerators and denominators (draws, strata) of one metric, filled stratum by stratum."""

    shape: tuple[int, int]
    nulls: int
    top: Floats = field(init=False)
    bottom: Floats = field(init=False)
    null_top: Floats = field(init=False)
    null_bottom: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.top, self.bottom = np.zeros(self.shape), np.zeros(self.shape)
        self.null_top, self.null_bottom = np.zeros(self.nulls), np.zeros(self.nulls)


def ratio(top: Floats, bottom: Floats) -> Floats:
    """NaN where the bottom is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(bottom > 0, top / bottom, np.nan)


def edit_level(strata: Sequence[Stratum], predictors: int, draws: Draws) -> list[dict[str, Metric]]:
    """Metrics of mean changes: ``AUROC, AUPRC, sign accuracy, coverage, width``, one dictionary a predictor."""
    shape = (len(draws.personas), len(strata))
    sums = [
        {name: _Sums(shape, len(draws.names)) for name in (*_RANKING, *_VALUES, *map(_marginal, _VALUES))}
        for _ in range(predictors)
    ]
    cells = events = 0
    for s, stratum in enumerate(strata):
        above, mean = stratum.edit_outcomes(draws.personas, draws.confidence)
        cells, events = cells + int(np.isfinite(above[0]).sum()), events + int((above[0] == 1).sum())
        if stratum.target < 0:
            continue
        for k, found in enumerate(sums):
            _rank_edit(found, s, stratum, stratum.predictions[k], above, draws)
            _judge_edit(found, s, stratum, (stratum.predictions[k], stratum.predictions[0]), above, mean, draws)
    return _finished(sums, draws, cells, events, [*_RANKING, *_VALUES])


def row_level(strata: Sequence[Stratum], predictors: int, draws: Draws) -> list[dict[str, Metric]]:
    """Metrics of persona rows: ``AUROC, AUPRC, pooled AUROC, sign accuracy``, one dictionary a predictor."""
    shape = (len(draws.personas), len(strata))
    names = (*_RANKING, "sign accuracy", _marginal("sign accuracy"))
    sums = [{name: _Sums(shape, len(draws.names)) for name in names} for _ in range(predictors)]
    counts = [stratum.row_counts(draws.threshold) for stratum in strata]
    pooled = [_Pooled(len(draws.personas)) for _ in range(predictors)]
    scores = [[_scores(stratum.predictions[k], stratum).ravel() for stratum in strata] for k in range(predictors)]
    cell = sum(yes.shape[1] for yes, _ in counts)
    for part in _blocks(len(draws.personas), cell):
        both = [
            tuple(draws.personas[part][:, stratum.personas] @ one for one in pair)
            for stratum, pair in zip(strata, counts, strict=True)
        ]
        for k in range(predictors):
            _rank_rows(sums[k], pooled[k], part, scores[k], both, draws.edits[part])
    whole = [tuple(one.sum(axis=0) for one in pair) for pair in counts]
    size = draws.names.shape[1]
    for part in _blocks(len(draws.names), cell):
        both = [tuple(_permuted(one, draws.names[part], size) for one in pair) for pair in whole]
        for k in range(predictors):
            _rank_null(sums[k], part, scores[k], both)
    for s, stratum in enumerate(strata):
        signs = stratum.row_signs(draws.threshold)
        for k, found in enumerate(sums):
            _sign_rows(found, s, stratum, (stratum.predictions[k], stratum.predictions[0]), signs, draws)
    cells, events = (int(sum(one.sum() for pair in whole for one in pair[:last])) for last in (2, 1))
    made = _finished(sums, draws, cells, events, [*_RANKING, "sign accuracy"])
    for metrics, own in zip(made, pooled, strict=True):
        metrics["pooled AUROC"] = Metric(
            own.plain, own.wide, pooled[0].plain, pooled[0].wide, None, cells, events, np.full(len(strata), np.nan)
        )
    return made


_RANKING = ("AUROC", "AUPRC")
_VALUES = ("sign accuracy", "coverage", "width")


def _marginal(metric: str) -> str:
    return f"{metric} of the first predictor"


class _Pooled:
    """AUROC over all strata together, whose scores come from different fits."""

    def __init__(self, draws: int) -> None:
        self.plain, self.wide = np.full(draws, np.nan), np.full(draws, np.nan)


def _blocks(n: int, cells: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(cells, 1))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def _permuted(counts: Floats, names: Ints, size: int) -> Floats:
    """(N, V V) counts with rows and columns in the order of each permutation."""
    table = counts.reshape(size, size)
    return np.asarray(table[names[:, :, None], names[:, None, :]].reshape(len(names), -1))


def _scores(prediction: Prediction | None, stratum: Stratum, change: float | None = None) -> Floats:
    size = stratum.change.shape[1]
    return np.zeros((size, size)) if prediction is None else prediction.scores(change)


def _rank_rows(
    found: dict[str, _Sums], pooled: _Pooled, part: slice, scores: list[Floats], both: list[tuple[Floats, ...]],
    edits: Floats,
) -> None:  # fmt: skip
    for s, (score, (yes, no)) in enumerate(zip(scores, both, strict=True)):
        area = areas(score, yes, no)
        found["AUROC"].top[part, s], found["AUROC"].bottom[part, s] = area.won, area.pairs
        found["AUPRC"].top[part, s], found["AUPRC"].bottom[part, s] = area.precision, area.hits
    score = np.concatenate(scores)
    yes, no = (np.concatenate([pair[i] for pair in both], axis=1) for i in (0, 1))
    area = areas(score, yes, no)
    pooled.plain[part] = ratio(area.won, area.pairs)
    often = np.repeat(edits, [len(one) for one in scores], axis=1)
    area = areas(score, yes * often, no * often)
    pooled.wide[part] = ratio(area.won, area.pairs)


def _rank_null(found: dict[str, _Sums], part: slice, scores: list[Floats], both: list[tuple[Floats, ...]]) -> None:
    for score, (yes, no) in zip(scores, both, strict=True):
        area = areas(score, yes, no)
        found["AUROC"].null_top[part] += area.won
        found["AUROC"].null_bottom[part] += area.pairs
        found["AUPRC"].null_top[part] += area.precision
        found["AUPRC"].null_bottom[part] += area.hits


def _rank_edit(
    found: dict[str, _Sums], s: int, stratum: Stratum, prediction: Prediction | None, above: Floats, draws: Draws
) -> None:
    table = _scores(prediction, stratum, stratum.known)
    area = areas(table[stratum.target], (above == 1).astype(float), (above == 0).astype(float))
    found["AUROC"].top[:, s], found["AUROC"].bottom[:, s] = area.won, area.pairs
    found["AUPRC"].top[:, s], found["AUPRC"].bottom[:, s] = area.precision, area.hits
    known = np.flatnonzero(np.isfinite(above[0]))
    label = above[0, known] == 1
    if not label.any() or label.all():
        return
    permuted = table[draws.names[:, [stratum.target]], draws.names[:, known]]
    for name, made, weight in (("AUROC", auroc, area.pairs[0]), ("AUPRC", auprc, area.hits[0])):
        found[name].null_top += weight * made(permuted, label)
        found[name].null_bottom += weight


def _judge_edit(
    found: dict[str, _Sums], s: int, stratum: Stratum, pair: tuple[Prediction | None, Prediction | None],
    above: Floats, mean: Floats, draws: Draws,
) -> None:  # fmt: skip
    """Sign and interval of one predictor, and those of the first predictor in the same cells."""
    own, first = (None if one is None else one.expected(stratum.known) for one in pair)
    if own is None or pair[0] is None:
        return
    row = np.sign(np.nan_to_num(own[stratum.target]))
    told = (above == 1) & (row != 0)
    measured = np.sign(mean)
    _put(found["sign accuracy"], s, told & (measured == row), told)
    if first is not None:
        same = told & (measured == np.sign(np.nan_to_num(first[stratum.target])))
        _put(found[_marginal("sign accuracy")], s, same, told)
    permuted = np.sign(np.nan_to_num(own))[draws.names[:, [stratum.target]], draws.names]
    seen = (above[0] == 1) & (permuted != 0)
    found["sign accuracy"].null_top += (seen & (permuted == measured[0])).sum(axis=1)
    found["sign accuracy"].null_bottom += seen.sum(axis=1)
    ends = _interval(pair[0], stratum, draws.confidence)
    if ends is None:
        return
    inside = np.isfinite(above) & np.isfinite(ends[0]) & np.isfinite(ends[1])
    _put(found["coverage"], s, inside & (mean >= ends[0]) & (mean <= ends[1]), inside)
    _put(found["width"], s, np.where(inside, ends[1] - ends[0], 0.0), inside)
    ends = None if pair[1] is None else _interval(pair[1], stratum, draws.confidence)
    if ends is None:
        return
    _put(found[_marginal("coverage")], s, inside & (mean >= ends[0]) & (mean <= ends[1]), inside)
    _put(found[_marginal("width")], s, np.where(inside, ends[1] - ends[0], 0.0), inside)


def _interval(prediction: Prediction, stratum: Stratum, confidence: float) -> tuple[Floats, Floats] | None:
    """(V,) ends for a measured mean change: the noise that it is expected to have is added to what is predicted."""
    from scipy.special import ndtri

    ends, middle = prediction.interval(stratum.known), prediction.expected(stratum.known)
    if ends is None or middle is None:
        return None
    noise = float(ndtri((1 + confidence) / 2)) * np.nan_to_num(stratum.noise)
    low, high, middle = ends[0][stratum.target], ends[1][stratum.target], middle[stratum.target]
    return middle - np.hypot(middle - low, noise), middle + np.hypot(high - middle, noise)


def _put(sums: _Sums, s: int, top: npt.NDArray[np.generic], bottom: npt.NDArray[np.generic]) -> None:
    sums.top[:, s], sums.bottom[:, s] = top.sum(axis=1), bottom.sum(axis=1)


def _row_sign(prediction: Prediction | None) -> tuple[int, Floats] | None:
    """Which signs a predictor tells: 0, of the product of both changes (a slope); 1, of the change of j (an offset)."""
    if prediction is None or (prediction.slope is None and prediction.offset is None):
        return None
    kind, table = (0, prediction.slope) if prediction.slope is not None else (1, prediction.offset)
    return kind, np.sign(np.nan_to_num(np.asarray(table, dtype=float))).ravel()


def _sign_rows(
    found: dict[str, _Sums], s: int, stratum: Stratum, pair: tuple[Prediction | None, Prediction | None],
    signs: tuple[Floats, Floats], draws: Draws,
) -> None:  # fmt: skip
    own, first = (_row_sign(one) for one in pair)
    if own is None:
        return
    kind, row = own
    told = (signs[0] != 0) & (row != 0)
    weights = draws.personas[:, stratum.personas]
    sums = found["sign accuracy"]
    sums.top[:, s] = weights @ (told & (signs[kind] == row)).sum(axis=1)
    sums.bottom[:, s] = weights @ told.sum(axis=1)
    if first is not None:
        same = found[_marginal("sign accuracy")]
        same.top[:, s] = weights @ (told & (signs[first[0]] == first[1])).sum(axis=1)
        same.bottom[:, s] = sums.bottom[:, s]
    size = draws.names.shape[1]
    up, down = ((signs[kind] == one).sum(axis=0).astype(float) for one in (1, -1))
    for part in _blocks(len(draws.names), size * size):
        plus, minus = (_permuted(one, draws.names[part], size) for one in (up, down))
        sums.null_top[part] += plus @ (row > 0) + minus @ (row < 0)
        sums.null_bottom[part] += (plus + minus) @ (row != 0)


def _finished(
    sums: list[dict[str, _Sums]], draws: Draws, cells: int, events: int, metrics: Sequence[str]
) -> list[dict[str, Metric]]:
    made = []
    for found in sums:
        own: dict[str, Metric] = {}
        for name in metrics:
            one = found[name]
            first = sums[0][name] if name in _RANKING else found[_marginal(name)]
            told = int(one.bottom[0].sum())
            own[name] = Metric(
                *_both(one, draws),
                *_both(first, draws),
                ratio(one.null_top, one.null_bottom) if one.null_bottom.any() else None,
                cells if name in _RANKING else told,
                events if name != "coverage" and name != "width" else told,
                ratio(one.top[0], one.bottom[0]),
            )
        made.append(own)
    return made


def _both(sums: _Sums, draws: Draws) -> tuple[Floats, Floats]:
    plain = ratio(sums.top.sum(axis=1), sums.bottom.sum(axis=1))
    return plain, ratio((sums.top * draws.edits).sum(axis=1), (sums.bottom * draws.edits).sum(axis=1))
