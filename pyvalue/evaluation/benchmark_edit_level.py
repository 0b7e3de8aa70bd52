"""Metrics of mean changes: which are detectable, which way they go, and whether predicted intervals hold them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pyvalue.evaluation.auroc import auprc, auroc
from pyvalue.evaluation.benchmark_compared import Compared
from pyvalue.evaluation.benchmark_ranking import areas
from pyvalue.evaluation.benchmark_strata import Stratum
from pyvalue.evaluation.benchmark_sums import RANKING, VALUES, Draws, Metric, Sums, finished, of_baseline, scores_of
from pyvalue.evaluation.predictors import Prediction

Floats = npt.NDArray[np.float64]


def edit_level(strata: Sequence[Stratum], compared: Compared, draws: Draws) -> list[dict[str, Metric]]:
    """Metrics of mean changes: ``AUROC, AUPRC, sign accuracy, coverage, width``, one dictionary a predictor."""
    shape = (len(draws.personas), len(strata))
    sums = [
        {name: Sums(shape, len(draws.names)) for name in (*RANKING, *VALUES, *map(of_baseline, VALUES))}
        for _ in compared.knows
    ]
    rivals = compared.signed_rivals()
    cells = events = 0
    for s, stratum in enumerate(strata):
        above, mean = stratum.edit_outcomes(draws.personas, draws.confidence)
        cells, events = cells + int(np.isfinite(above[0]).sum()), events + int((above[0] == 1).sum())
        if stratum.target < 0:
            continue
        for k, found in enumerate(sums):
            _rank_edit(found, s, stratum, stratum.predictions[k], above, draws)
            rival = rivals[k]
            other = None if rival is None else stratum.predictions[rival]
            _judge_edit(found, s, stratum, (stratum.predictions[k], other), above, mean, draws)
    return finished(sums, draws, cells, events, [*RANKING, *VALUES], compared)


def _rank_edit(
    found: dict[str, Sums], s: int, stratum: Stratum, prediction: Prediction | None, above: Floats, draws: Draws
) -> None:
    table = scores_of(prediction, stratum, stratum.known)
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
    found: dict[str, Sums], s: int, stratum: Stratum, pair: tuple[Prediction | None, Prediction | None],
    above: Floats, mean: Floats, draws: Draws,
) -> None:  # fmt: skip
    """Sign and interval of one predictor, and those of its baseline in the same cells."""
    own, first = (None if one is None else one.expected(stratum.known) for one in pair)
    if own is None or pair[0] is None:
        return
    row = np.sign(np.nan_to_num(own[stratum.target]))
    told = (above == 1) & (row != 0)
    measured = np.sign(mean)
    _put(found["sign accuracy"], s, told & (measured == row), told)
    if first is not None:
        same = told & (measured == np.sign(np.nan_to_num(first[stratum.target])))
        _put(found[of_baseline("sign accuracy")], s, same, told)
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
    _put(found[of_baseline("coverage")], s, inside & (mean >= ends[0]) & (mean <= ends[1]), inside)
    _put(found[of_baseline("width")], s, np.where(inside, ends[1] - ends[0], 0.0), inside)


def _interval(prediction: Prediction, stratum: Stratum, confidence: float) -> tuple[Floats, Floats] | None:
    """(V,) ends for a measured mean change: the noise that it is expected to have is added to what is predicted."""
    from scipy.special import ndtri

    ends, middle = prediction.interval(stratum.known), prediction.expected(stratum.known)
    if ends is None or middle is None:
        return None
    noise = float(ndtri((1 + confidence) / 2)) * np.nan_to_num(stratum.noise)
    low, high, middle = ends[0][stratum.target], ends[1][stratum.target], middle[stratum.target]
    return middle - np.hypot(middle - low, noise), middle + np.hypot(high - middle, noise)


def _put(sums: Sums, s: int, top: npt.NDArray[np.generic], bottom: npt.NDArray[np.generic]) -> None:
    sums.top[:, s], sums.bottom[:, s] = top.sum(axis=1), bottom.sum(axis=1)
