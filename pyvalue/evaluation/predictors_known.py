"""Baselines: how often a value changes at all, how values go together without an edit, how alike their names are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyvalue.evaluation.predictors import Prediction, Training, nan_mean, pair_regression, to_rows

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MarginalRate:
    """Share of persona rows in which j changed under other edits, whatever was moved. The one to beat.

    The expected change is the mean over the other edits, with the interval of a further draw from them.
    """

    name: str = "marginal rate"
    is_baseline: bool = True

    def fit(self, train: Training) -> Prediction:
        """Score (V, V) with equal rows."""
        offset, spread = _further_edit(train)
        rate = nan_mean(train.changed, axis=(0, 1))
        return Prediction(train.study.values, to_rows(rate), offset=to_rows(offset), spread=to_rows(spread))


@dataclass(frozen=True)
class MarginalSize:
    """Root mean square of the mean changes of j under other edits, in standard errors, whatever was moved.

    Its score of single personas is the root mean square of their changes.
    """

    name: str = "marginal size"
    is_baseline: bool = True

    def fit(self, train: Training) -> Prediction:
        """Scores (V, V) with equal rows."""
        offset, spread = _further_edit(train)
        noise = np.where(train.noise > 0, train.noise, np.nan)
        size = to_rows(np.sqrt(nan_mean(train.means**2, axis=0)) / noise)
        return Prediction(
            train.study.values,
            to_rows(np.sqrt(nan_mean(train.study.change**2, axis=(0, 1)))),
            offset=to_rows(offset),
            spread=to_rows(spread),
            edit_score=lambda change: size,
        )


def _further_edit(train: Training) -> tuple[Floats, Floats]:
    """Mean change over edits, and the half-width of the prediction interval of one more edit; NaN for fewer than 3."""
    from scipy.special import stdtrit

    means = train.means
    n = np.isfinite(means).sum(axis=0)
    centre = nan_mean(means, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(nan_mean((means - centre) ** 2, axis=0) * n / (n - 1)) * np.sqrt(1 + 1 / n)
        width = stdtrit(np.where(n > 2, n - 1, np.nan), (1 + train.confidence) / 2) * spread
    return centre, np.asarray(width, dtype=float)


@dataclass(frozen=True)
class Correlation:
    """|r| of i and j over the unedited rows of training personas; expected change by the regression of j on i.

    The interval is that of the slope (Student's t over personas), as if an edit moved j only as i goes with it.
    """

    name: str = "correlation"

    def fit(self, train: Training) -> Prediction | None:
        """None with fewer than 4 unedited rows."""
        rows = train.study.rest
        return None if np.isfinite(rows).any(axis=1).sum() < 4 else _from_rows(train, rows, None)


@dataclass(frozen=True)
class WithinEditCorrelation:
    """As ``Correlation``, over unedited rows and rows under training edits, each less the mean of its edit."""

    name: str = "within-edit correlation"

    def fit(self, train: Training) -> Prediction | None:
        """None with fewer than 4 rows."""
        study = train.study
        cube = np.concatenate([study.rest[None], study.after])
        rows = cube.reshape(-1, len(study.values))
        if np.isfinite(rows).any(axis=1).sum() < 4:
            return None
        return _from_rows(train, rows, np.repeat(np.arange(len(cube)), len(study.personas)))


def _from_rows(train: Training, rows: Floats, groups: npt.NDArray[np.int_] | None) -> Prediction:
    from scipy.special import stdtrit

    r, slope, n = pair_regression(rows, groups)
    # Rows of one persona under several edits are one draw of a persona, so degrees of freedom are of personas.
    free = np.maximum(np.minimum(n, len(train.study.personas)) - 2, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.abs(slope) * np.sqrt((1 / r**2 - 1) / free)
    width = stdtrit(free, (1 + train.confidence) / 2) * np.where(np.isfinite(error), error, np.nan)
    return Prediction(train.study.values, np.abs(r), slope=slope, slope_low=slope - width, slope_high=slope + width)


@dataclass(frozen=True)
class OneFactor:
    """All values move with one common factor: the first principal component of the unedited correlations.

    The correlation of i and j is then the product of their loadings, and so is the score.
    """

    name: str = "one factor"

    def fit(self, train: Training) -> Prediction | None:
        """None with fewer than 4 unedited rows, or where fewer than 2 values vary."""
        rows = train.study.rest
        if np.isfinite(rows).any(axis=1).sum() < 4:
            return None
        r, _, _ = pair_regression(rows)
        vary = np.isfinite(np.diagonal(r))
        if vary.sum() < 2:
            return None
        size, vectors = np.linalg.eigh(np.nan_to_num(r[np.ix_(vary, vary)]))
        loading = np.full(len(r), np.nan)
        loading[vary] = vectors[:, -1] * np.sqrt(max(size[-1], 0.0))
        spread = np.sqrt(nan_mean((rows - nan_mean(rows, axis=0)) ** 2, axis=0))
        implied = np.clip(np.outer(loading, loading), -1, 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = implied * spread[None, :] / np.where(spread > 0, spread, np.nan)[:, None]
        return Prediction(train.study.values, np.abs(implied), slope=slope)


@dataclass(frozen=True)
class NameSimilarity:
    """How alike the names of i and j are to a language model; see ``pyvalue.measurement.name_similarity``."""

    name: str = "name similarity"

    def fit(self, train: Training) -> Prediction | None:
        """None where no similarity was given."""
        return None if train.similarity is None else Prediction(train.study.values, train.similarity)
