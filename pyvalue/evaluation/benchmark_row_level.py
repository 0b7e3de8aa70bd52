"""Metrics of persona rows: of those in which one value changed, in which did another, and which way?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pyvalue.evaluation.benchmark_ranking import areas
from pyvalue.evaluation.benchmark_strata import Stratum
from pyvalue.evaluation.benchmark_sums import (
    RANKING,
    Draws,
    Metric,
    Sums,
    blocks,
    finished,
    of_first,
    permuted_counts,
    ratio,
    scores_of,
)
from pyvalue.evaluation.predictors import Prediction

Floats = npt.NDArray[np.float64]


def row_level(strata: Sequence[Stratum], predictors: int, draws: Draws) -> list[dict[str, Metric]]:
    """Metrics of persona rows: ``AUROC, AUPRC, pooled AUROC, sign accuracy``, one dictionary a predictor."""
    shape = (len(draws.personas), len(strata))
    names = (*RANKING, "sign accuracy", of_first("sign accuracy"))
    sums = [{name: Sums(shape, len(draws.names)) for name in names} for _ in range(predictors)]
    counts = [stratum.row_counts(draws.threshold) for stratum in strata]
    pooled = [_Pooled(len(draws.personas)) for _ in range(predictors)]
    scores = [[scores_of(stratum.predictions[k], stratum).ravel() for stratum in strata] for k in range(predictors)]
    cell = sum(yes.shape[1] for yes, _ in counts)
    for part in blocks(len(draws.personas), cell):
        both = [
            tuple(draws.personas[part][:, stratum.personas] @ one for one in pair)
            for stratum, pair in zip(strata, counts, strict=True)
        ]
        for k in range(predictors):
            _rank_rows(sums[k], pooled[k], part, scores[k], both, draws.edits[part])
    whole = [tuple(one.sum(axis=0) for one in pair) for pair in counts]
    size = draws.names.shape[1]
    for part in blocks(len(draws.names), cell):
        both = [tuple(permuted_counts(one, draws.names[part], size) for one in pair) for pair in whole]
        for k in range(predictors):
            _rank_null(sums[k], part, scores[k], both)
    for s, stratum in enumerate(strata):
        signs = stratum.row_signs(draws.threshold)
        for k, found in enumerate(sums):
            _sign_rows(found, s, stratum, (stratum.predictions[k], stratum.predictions[0]), signs, draws)
    cells, events = (int(sum(one.sum() for pair in whole for one in pair[:last])) for last in (2, 1))
    made = finished(sums, draws, cells, events, [*RANKING, "sign accuracy"])
    for metrics, own in zip(made, pooled, strict=True):
        metrics["pooled AUROC"] = Metric(
            own.plain, own.wide, pooled[0].plain, pooled[0].wide, None, cells, events, np.full(len(strata), np.nan)
        )
    return made


class _Pooled:
    """AUROC over all strata together, whose scores come from different fits."""

    def __init__(self, draws: int) -> None:
        self.plain, self.wide = np.full(draws, np.nan), np.full(draws, np.nan)


def _rank_rows(
    found: dict[str, Sums], pooled: _Pooled, part: slice, scores: list[Floats], both: list[tuple[Floats, ...]],
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


def _rank_null(found: dict[str, Sums], part: slice, scores: list[Floats], both: list[tuple[Floats, ...]]) -> None:
    for score, (yes, no) in zip(scores, both, strict=True):
        area = areas(score, yes, no)
        found["AUROC"].null_top[part] += area.won
        found["AUROC"].null_bottom[part] += area.pairs
        found["AUPRC"].null_top[part] += area.precision
        found["AUPRC"].null_bottom[part] += area.hits


def _row_sign(prediction: Prediction | None) -> tuple[int, Floats] | None:
    """Which signs a predictor tells: 0, of the product of both changes (a slope); 1, of the change of j (an offset)."""
    if prediction is None or (prediction.slope is None and prediction.offset is None):
        return None
    kind, table = (0, prediction.slope) if prediction.slope is not None else (1, prediction.offset)
    return kind, np.sign(np.nan_to_num(np.asarray(table, dtype=float))).ravel()


def _sign_rows(
    found: dict[str, Sums], s: int, stratum: Stratum, pair: tuple[Prediction | None, Prediction | None],
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
        same = found[of_first("sign accuracy")]
        same.top[:, s] = weights @ (told & (signs[first[0]] == first[1])).sum(axis=1)
        same.bottom[:, s] = sums.bottom[:, s]
    size = draws.names.shape[1]
    up, down = ((signs[kind] == one).sum(axis=0).astype(float) for one in (1, -1))
    for part in blocks(len(draws.names), size * size):
        plus, minus = (permuted_counts(one, draws.names[part], size) for one in (up, down))
        sums.null_top[part] += plus @ (row > 0) + minus @ (row < 0)
        sums.null_bottom[part] += (plus + minus) @ (row != 0)
