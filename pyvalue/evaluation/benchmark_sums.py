"""Metrics as ratios of sums over strata, for the data, their bootstrap samples and permuted names at once.

The first draw is the data, the others are samples of personas ("plain") or of personas and edits ("wide"). ``null``
holds the metric of the same predictions with the names of the values permuted, the same way in every stratum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pyvalue.evaluation.benchmark_compared import Compared
from pyvalue.evaluation.benchmark_strata import Stratum
from pyvalue.evaluation.predictors import Prediction

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int_]

RANKING = ("AUROC", "AUPRC")
VALUES = ("sign accuracy", "coverage", "width")
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
        of_baseline, of_baseline_wide: the same metric of the predictor that it is compared with on the same cells; NaN
            where there is none.
        null: (N,) under permuted names; None where that says nothing.
        cells, events: how many cells it is over, and how many of them changed.
        by_stratum: (S,) the estimate in each stratum, NaN where it has none.
    """

    plain: Floats
    wide: Floats
    of_baseline: Floats
    of_baseline_wide: Floats
    null: Floats | None
    cells: int
    events: int
    by_stratum: Floats


@dataclass
class Sums:
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


def ratio(top: Any, bottom: Any) -> Floats:
    """NaN where the bottom is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(bottom > 0, top / bottom, np.nan)


def of_baseline(metric: str) -> str:
    return f"{metric} of the baseline"


def scores_of(prediction: Prediction | None, stratum: Stratum, change: float | None = None) -> Floats:
    size = stratum.change.shape[1]
    return np.zeros((size, size)) if prediction is None else prediction.scores(change)


def area_of(found: dict[str, Sums]) -> float:
    """AUROC of the data."""
    return float(ratio(found["AUROC"].top[0].sum(), found["AUROC"].bottom[0].sum()))


def blocks(n: int, cells: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(cells, 1))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def permuted_counts(counts: Floats, names: Ints, size: int) -> Floats:
    """(N, V V) counts with rows and columns in the order of each permutation."""
    table = counts.reshape(size, size)
    return np.asarray(table[names[:, :, None], names[:, None, :]].reshape(len(names), -1))


def finished(
    sums: list[dict[str, Sums]], draws: Draws, cells: int, events: int, metrics: Sequence[str], compared: Compared
) -> list[dict[str, Metric]]:
    made = []
    rivals = compared.rivals([area_of(found) for found in sums])
    for found, rival in zip(sums, rivals, strict=True):
        own: dict[str, Metric] = {}
        for name in metrics:
            one = found[name]
            if name not in RANKING:
                other = _both(found[of_baseline(name)], draws)
            elif rival is None:
                other = (np.full(one.shape[0], np.nan),) * 2
            else:
                other = _both(sums[rival][name], draws)
            told = int(one.bottom[0].sum())
            own[name] = Metric(
                *_both(one, draws),
                *other,
                ratio(one.null_top, one.null_bottom) if one.null_bottom.any() else None,
                cells if name in RANKING else told,
                events if name != "coverage" and name != "width" else told,
                ratio(one.top[0], one.bottom[0]),
            )
        made.append(own)
    return made


def _both(sums: Sums, draws: Draws) -> tuple[Floats, Floats]:
    plain = ratio(sums.top.sum(axis=1), sums.bottom.sum(axis=1))
    return plain, ratio((sums.top * draws.edits).sum(axis=1), (sums.bottom * draws.edits).sum(axis=1))
