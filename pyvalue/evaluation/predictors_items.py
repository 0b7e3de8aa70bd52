"""What the tested items themselves tell before an edit is tried: how often they change at all, how finely they score.

These know more than predictors that were fitted on other items, so they are compared among themselves. None of them
knows which value is moved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyvalue.evaluation.predictors import Prediction, Training, nan_mean, to_rows

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ItemRate:
    """Share of rows in which j changed on the tested items, over other personas and under other edits.

    The marginal rate of the tested items: what one has to beat who knows them.
    """

    name: str = "marginal rate, tested items"
    knows_items: bool = True
    is_baseline: bool = True

    def fit(self, train: Training) -> Prediction | None:
        """Score (V, V) with equal rows; None without answers of others to the tested items."""
        if train.items is None:
            return None
        change = train.items.change
        changed = np.where(np.isfinite(change), (np.abs(change) > train.threshold).astype(float), np.nan)
        return Prediction(train.study.values, to_rows(nan_mean(changed, axis=(0, 1))))


@dataclass(frozen=True)
class ScoreLevels:
    """How many different scores the tested personas have on j without an edit: with few, a change is seldom seen."""

    name: str = "score levels, tested items"
    knows_items: bool = True
    is_baseline: bool = True

    def fit(self, train: Training) -> Prediction | None:
        """Score (V, V) with equal rows; None with fewer than 2 unedited rows."""
        rows = _unedited(train)
        if len(rows) < 2:
            return None
        # Scores are means of a few numbers, so equal ones may differ by rounding.
        levels = [len(np.unique(column[np.isfinite(column)].round(9))) for column in rows.T]
        return Prediction(train.study.values, to_rows(np.array(levels, dtype=float)))


@dataclass(frozen=True)
class UneditedDisagreement:
    """How often two tested personas differ on j without any edit.

    It knows the tested items, as one may before steering, but neither their answers under an edit nor the target. What
    it finds is mostly how finely a value is scored: it tells as well where two personas differ without any steering.
    """

    name: str = "unedited disagreement"
    knows_items: bool = True

    def fit(self, train: Training) -> Prediction | None:
        """Score (V, V) with equal rows; None with fewer than 2 unedited rows."""
        rows = _unedited(train)
        if len(rows) < 2:
            return None
        return Prediction(train.study.values, to_rows(_disagreement(rows, train.threshold)))


def _disagreement(rows: Floats, threshold: float) -> Floats:
    """(V,) share of pairs of rows whose scores are further apart than the threshold; NaN with fewer than 2 scores."""
    found = np.full(rows.shape[1], np.nan)
    for j, column in enumerate(rows.T):
        score = np.sort(column[np.isfinite(column)])
        n = len(score)
        if n > 1:
            close = np.searchsorted(score, score + threshold, side="right") - np.arange(n) - 1
            found[j] = 1 - close.sum() / (n * (n - 1) / 2)
    return found


def _unedited(train: Training) -> Floats:
    """(n, V) unedited rows of the tested personas on the tested items; where not given, those of training."""
    rows = train.study.rest if train.before is None else train.before
    return np.asarray(rows[np.isfinite(rows).any(axis=1)])
