"""Metrics of persona rows: of those in which one value changed, in which did another, and which way?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyvalue.evaluation.benchmark_compared import Compared
from pyvalue.evaluation.benchmark_ranking import areas, wins
from pyvalue.evaluation.benchmark_strata import Stratum
from pyvalue.evaluation.benchmark_sums import (
    RANKING,
    Draws,
    Metric,
    Sums,
    area_of,
    blocks,
    finished,
    of_baseline,
    permuted_counts,
    ratio,
    scores_of,
)
from pyvalue.evaluation.predictors import Prediction

Floats = npt.NDArray[np.float64]


#: bootstrap samples of the areas that take most time, AUPRC and pooled AUROC: enough for a standard deviation
FEW = 200


def row_level(strata: Sequence[Stratum], compared: Compared, draws: Draws) -> list[dict[str, Metric]]:
    """Metrics of persona rows: ``AUROC, AUPRC, pooled AUROC, sign accuracy``, one dictionary a predictor."""
    shape = (len(draws.personas), len(strata))
    names = (*RANKING, "sign accuracy", of_baseline("sign accuracy"))
    predictors = range(len(compared.knows))
    sums = [{name: Sums(shape, len(draws.names)) for name in names} for _ in predictors]
    counts = [stratum.row_counts(draws.threshold) for stratum in strata]
    pooled = []
    for k, found in enumerate(sums):
        cells = [_cells(stratum, pair, k) for stratum, pair in zip(strata, counts, strict=True)]
        for s, (stratum, own) in enumerate(zip(strata, cells, strict=True)):
            _rank_rows(found, s, own, draws.personas[:, stratum.personas])
        pooled.append(_pooled(strata, cells, draws))
        _rank_null(found, cells, draws)
    rivals = compared.signed_rivals()
    for s, stratum in enumerate(strata):
        signs = stratum.row_signs(draws.threshold)
        for k, found in enumerate(sums):
            rival = rivals[k]
            other = None if rival is None else stratum.predictions[rival]
            _sign_rows(found, s, stratum, (stratum.predictions[k], other), signs, draws)
    cells_, events = (int(sum(one.sum() for pair in counts for one in pair[:last])) for last in (2, 1))
    made = finished(sums, draws, cells_, events, [*RANKING, "sign accuracy"], compared)
    nothing = np.full(len(draws.personas), np.nan)
    for metrics, own_pooled, rival in zip(made, pooled, compared.rivals([area_of(f) for f in sums]), strict=True):
        other_pooled = (nothing, nothing) if rival is None else pooled[rival]
        metrics["pooled AUROC"] = Metric(
            own_pooled[0], own_pooled[1], other_pooled[0], other_pooled[1],
            null=None, cells=cells_, events=events, by_stratum=np.full(len(strata), np.nan),
        )  # fmt: skip
    return made


@dataclass(frozen=True)
class _Cells:
    """Scores (C,) of the cells of a stratum, with counts (P, C) of hits and misses: pairs of values, in every part."""

    score: Floats
    hits: Floats
    misses: Floats


def _cells(stratum: Stratum, counts: tuple[Floats, Floats], k: int) -> _Cells:
    tables = stratum.by_part[k]
    if tables is None:
        return _Cells(scores_of(stratum.predictions[k], stratum).ravel(), *counts)
    of = stratum.parts[:, None] == np.arange(len(tables))
    hits, misses = ((of[:, :, None] * one[:, None, :]).reshape(len(of), -1) for one in counts)
    return _Cells(tables.ravel(), hits, misses)


def _rank_rows(found: dict[str, Sums], s: int, cells: _Cells, weights: Floats) -> None:
    area, average = found["AUROC"], found["AUPRC"]
    area.top[:, s] = ((weights @ wins(cells.score, cells.hits, cells.misses)) * weights).sum(axis=1)
    area.bottom[:, s] = (weights @ cells.hits.sum(axis=1)) * (weights @ cells.misses.sum(axis=1))
    few = weights[: 1 + FEW]
    for part in blocks(len(few), len(cells.score)):
        made = areas(cells.score, few[part] @ cells.hits, few[part] @ cells.misses)
        average.top[part, s], average.bottom[part, s] = made.precision, made.hits


def _pooled(strata: Sequence[Stratum], cells: Sequence[_Cells], draws: Draws) -> tuple[Floats, Floats]:
    """Draws of the AUROC over all strata together, whose scores come from different fits: plain, and wide."""
    found = np.full((2, len(draws.personas)), np.nan)
    score = np.concatenate([one.score for one in cells])
    sizes = [len(one.score) for one in cells]
    few = draws.personas[: 1 + FEW]
    for part in blocks(len(few), len(score)):
        drawn = [few[part][:, stratum.personas] for stratum in strata]
        yes, no = (
            np.concatenate([w @ one for w, one in zip(drawn, counts, strict=True)], axis=1)
            for counts in ([one.hits for one in cells], [one.misses for one in cells])
        )
        often = np.repeat(draws.edits[: 1 + FEW][part], sizes, axis=1)
        for row, weight in enumerate((1.0, often)):
            made = areas(score, yes * weight, no * weight)
            found[row, part] = ratio(made.won, made.pairs)
    return found[0], found[1]


def _rank_null(found: dict[str, Sums], cells: Sequence[_Cells], draws: Draws) -> None:
    size = draws.names.shape[1]
    for own in cells:
        hits, misses = own.hits.sum(axis=0), own.misses.sum(axis=0)
        for part in blocks(len(draws.names), len(own.score)):
            names = draws.names[part]
            yes, no = (
                np.concatenate([permuted_counts(one, names, size) for one in whole.reshape(-1, size * size)], axis=1)
                for whole in (hits, misses)
            )
            area = areas(own.score, yes, no)
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
        same = found[of_baseline("sign accuracy")]
        same.top[:, s] = weights @ (told & (signs[first[0]] == first[1])).sum(axis=1)
        same.bottom[:, s] = sums.bottom[:, s]
    size = draws.names.shape[1]
    up, down = ((signs[kind] == one).sum(axis=0).astype(float) for one in (1, -1))
    for part in blocks(len(draws.names), size * size):
        plus, minus = (permuted_counts(one, draws.names[part], size) for one in (up, down))
        sums.null_top[part] += plus @ (row > 0) + minus @ (row < 0)
        sums.null_bottom[part] += (plus + minus) @ (row != 0)
