"""What other edits teach: which values change together under them, and what that says of the next edit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyvalue.evaluation.predictors import Prediction, Training, nan_mean, to_rows
from pyvalue.evaluation.predictors_graph import GraphReach

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ConditionalRate:
    """Share of training rows in which j changed among those in which i did, drawn towards the marginal rate of j.

    Attributes:
        prior: rows that the marginal rate counts for; about the number at which a rate's error is .05.
    """

    prior: float = 100.0
    name: str = "conditional rate"

    def fit(self, train: Training) -> Prediction:
        """Score (V, V)."""
        hits, misses = change_counts(train)
        rate = nan_mean(train.changed, axis=(0, 1))
        score = (hits.sum(axis=0) + self.prior * rate) / ((hits + misses).sum(axis=0) + self.prior)
        return Prediction(train.study.values, score)


@dataclass(frozen=True)
class RateTimesGraph:
    """The marginal rate of j times a factor: of all pairs that the graph connects, or of all that it does not.

    The factors are the observed over the expected number of changes of j given a change of i, under training edits.
    """

    name: str = "marginal rate x graph"

    def fit(self, train: Training) -> Prediction | None:
        """None without a graph."""
        reach = GraphReach("possible").fit(train)
        if reach is None:
            return None
        hits, misses = (counts.sum(axis=0) for counts in change_counts(train))
        rate = to_rows(nan_mean(train.changed, axis=(0, 1)))
        expected = np.nan_to_num(rate) * (hits + misses)
        factor = np.ones_like(rate)
        for connected in (True, False):
            pairs = (reach.score > 0) == connected
            np.fill_diagonal(pairs, False)
            if expected[pairs].sum() > 0:
                factor[pairs] = hits[pairs].sum() / expected[pairs].sum()
        return Prediction(train.study.values, rate * factor)


@dataclass(frozen=True)
class ChangeRegression:
    """The change of j on that of i over training edits, through the origin: an edit that leaves i leaves j.

    Of personas: over all training rows; the score is the root mean square of j when i changes as much as it does in
    the rows in which it changes. Of mean changes: ridge regression over edits; the score is the probability that the
    change of j is above the minimal detectable effect.

    Attributes:
        penalty: of the ridge, in edits of typical size.
    """

    penalty: float = 2.0
    name: str = "change regression"

    def fit(self, train: Training) -> Prediction | None:
        """None with fewer than 3 training edits."""
        means = train.means
        if len(means) < 3:
            return None
        slope, residual, error = _through_origin(means, self.penalty)
        free = max(len(means) - 1, 1)
        return _gaussian(train, _row_score(train), slope, residual, error, free)


@dataclass(frozen=True)
class LowRank:
    """A few common directions of all edits: probabilistic principal components of their mean changes.

    The second moments of the mean changes (in standard errors) are those of ``rank`` directions plus equal noise
    (Tipping & Bishop 1999); given the change of i, that of j follows as in any normal distribution around no change.

    Attributes:
        rank: number of directions, at most one less than there are edits or values.
    """

    rank: int = 2
    name: str = "low rank"

    def fit(self, train: Training) -> Prediction | None:
        """None with fewer than 3 training edits."""
        unit = np.where(train.noise > 0, train.noise, np.nan)
        table = np.nan_to_num(train.means / unit)
        edits, values = table.shape
        rank = min(self.rank, edits - 1, values - 1)
        if edits < 3 or rank < 1:
            return None
        size, vectors = np.linalg.eigh(table.T @ table / edits)
        rest = max(float(size[:-rank].mean()), 1e-9)
        top = vectors[:, -rank:]
        moments = top @ np.diag(np.maximum(size[-rank:] - rest, 0.0)) @ top.T + rest * np.eye(values)
        own = np.diagonal(moments)
        slope = moments / own[:, None]
        residual = np.sqrt(np.maximum(own[None, :] - moments * slope, 0.0))
        scale = np.where(np.isfinite(unit), unit, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = slope * scale[None, :] / np.where(scale > 0, scale, np.nan)[:, None]
        return _gaussian(train, _row_score(train), slope, residual * scale[None, :], np.zeros_like(slope), edits - 1)


def change_counts(train: Training) -> tuple[Floats, Floats]:
    """(E, V, V) training rows of every edit in which i changed and j did, and in which i changed and j did not."""
    changed = np.nan_to_num(train.changed)
    stayed = np.where(np.isfinite(train.changed), 1 - changed, 0.0)
    given = changed.transpose(0, 2, 1)
    return given @ changed, given @ stayed


def _through_origin(x: Floats, penalty: float) -> tuple[Floats, Floats, Floats]:
    """(V, V) slopes of j on i, standard deviations of the residuals, and standard errors of the slopes."""
    known = np.isfinite(x)
    filled, have = np.where(known, x, 0.0), known.astype(float)
    n = have.T @ have
    square = (filled**2).T @ have  # of i, where j is known
    product = filled.T @ filled
    whole = np.maximum(square + penalty * square / np.maximum(n, 1), 1e-30)
    slope = product / whole
    left = np.maximum(square.T - 2 * slope * product + slope**2 * square, 0.0)
    residual = np.sqrt(left / np.maximum(n - 1, 1))
    error = np.where(square > 1e-30, residual / np.sqrt(whole), 0.0)
    return slope, residual, error


def _row_score(train: Training) -> Floats:
    """(V, V) expected root mean square of j in a row in which i changes as much as it does where it does."""
    change = train.study.change
    rows = change.reshape(-1, change.shape[-1])
    slope, residual, _ = _through_origin(rows, 0.0)
    changed = np.where(np.abs(rows) > train.threshold, rows, np.nan)
    usual = np.nan_to_num(np.sqrt(nan_mean(changed**2, axis=0)))
    return np.asarray(np.hypot(residual, slope * usual[:, None]), dtype=float)


def _gaussian(train: Training, score: Floats, slope: Floats, residual: Floats, error: Floats, free: int) -> Prediction:
    """A prediction whose mean changes are normal: intervals by Student's t, scores by the chance to be detectable."""
    from scipy.special import ndtr, stdtrit

    t = float(stdtrit(free, (1 + train.confidence) / 2))
    bound = to_rows(np.nan_to_num(train.detectable))

    def chance(change: float) -> Floats:
        middle = np.nan_to_num(slope) * change
        spread = np.maximum(np.sqrt(residual**2 + (error * change) ** 2), 1e-12)
        return np.asarray(ndtr((middle - bound) / spread) + ndtr((-middle - bound) / spread), dtype=float)

    return Prediction(
        train.study.values, score, slope=slope, slope_low=slope - t * error, slope_high=slope + t * error,
        spread=t * residual, edit_score=chance,
    )  # fmt: skip
