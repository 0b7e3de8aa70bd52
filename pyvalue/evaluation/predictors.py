"""What a predictor of side effects is: fitted on a study, it says of every pair (i, j) what j does when i is moved.

The predictors themselves are in ``predictors_known`` (marginal rates, correlations, names), ``predictors_items``,
``predictors_graph``, ``predictors_learnt`` and ``predictors_stacked``; ``default_predictors`` lists them. Nothing is
evaluated here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.evaluation.benchmark_scores import StudyScores
from pyvalue.evaluation.detectable_change import multiplier
from pyvalue.graph import ValueGraph

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Training:
    """What a predictor may look at: training edits, personas and items, and what is known without any.

    Attributes:
        study: scores without an edit, under the training edits, and the paired changes.
        threshold: |change| of one persona above which a value counts as changed.
        tested: personas that the mean change of a tested edit is to be taken over; tells how noisy it will be.
        confidence: of the predicted intervals.
        before: (personas, V) unedited scores of the tested personas on the tested items, which are known before
            anything is steered; those of ``study`` where they are not given.
        items: scores of other personas on the tested items under other edits; None where the items of ``study`` are the
            tested ones, or nobody else answered them.
        find_graph: gives the graph between the values for these scores, or None where there is none.
        similarity: (V, V) similarity of the values' names, or None.
        seed: of predictors that draw numbers.
    """

    study: StudyScores = field(repr=False)
    threshold: float = 0.0
    tested: int = 25
    confidence: float = 0.95
    before: Floats | None = field(default=None, repr=False)
    items: StudyScores | None = field(default=None, repr=False)
    find_graph: Callable[[StudyScores], ValueGraph | None] = field(default=lambda study: None, repr=False)
    similarity: Floats | None = field(default=None, repr=False)
    seed: int = 0

    @cached_property
    def graph(self) -> ValueGraph | None:
        """Given, or found in the training rows; None where there is none."""
        return self.find_graph(self.study)

    @cached_property
    def changed(self) -> Floats:
        """(E, P, V) 1 where a persona changed, 0 where not, NaN where unknown."""
        change = self.study.change
        return np.where(np.isfinite(change), (np.abs(change) > self.threshold).astype(float), np.nan)

    @cached_property
    def means(self) -> Floats:
        """(E, V) mean change over personas; NaN where no persona has one."""
        return nan_mean(self.study.change, axis=1)

    @cached_property
    def noise(self) -> Floats:
        """(V,) expected standard error of the mean change of a tested edit."""
        apart = self.study.change - self.means[:, None, :]
        known = np.isfinite(apart)
        freedom = known.sum(axis=(0, 1)) - known.any(axis=1).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = np.sqrt((np.where(known, apart, 0.0) ** 2).sum(axis=(0, 1)) / freedom)
        return np.asarray(spread / np.sqrt(max(self.tested, 1)), dtype=float)

    @cached_property
    def detectable(self) -> Floats:
        """(V,) expected minimal detectable mean change of a tested edit."""
        values = len(self.study.values)
        return multiplier(np.array([float(self.tested)]), self.confidence, max(values - 1, 1)) * self.noise


@dataclass(frozen=True)
class Prediction:
    """What a fitted predictor says; row i = the value that is moved, column j = the value asked about.

    The expected change of j is ``offset + slope * change of i``. None where a predictor does not say such a thing; NaN
    where it says nothing of a pair.

    Attributes:
        values: names of the V values.
        score: (V, V) larger where j is more likely to change when i does.
        offset: (V, V) expected change of j whatever i does.
        slope: (V, V) expected change of j per unit of change of i.
        slope_low, slope_high: (V, V) interval of the slope.
        spread: (V, V) half-width of the interval that stays where i does not move.
        edit_score: a function of the change of i that gives (V, V) scores for mean changes of an edit; None: ``score``.
    """

    values: tuple[str, ...]
    score: Floats = field(repr=False)
    offset: Floats | None = field(default=None, repr=False)
    slope: Floats | None = field(default=None, repr=False)
    slope_low: Floats | None = field(default=None, repr=False)
    slope_high: Floats | None = field(default=None, repr=False)
    spread: Floats | None = field(default=None, repr=False)
    edit_score: Callable[[float], Floats] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        size = (len(self.values),) * 2
        for one in fields(self)[1:7]:
            table = getattr(self, one.name)
            if table is not None and np.shape(table) != size:
                raise ValueError(
                    f"{one.name}: expected shape {size}, one row and column a value, got {np.shape(table)}"
                )

    def scores(self, change: float | None = None) -> Floats:
        """(V, V) finite scores, of personas or, with a change of i, of mean changes.

        A pair without a score gets the mean of the others: no opinion is no lower than an average one.
        """
        table = self.score if change is None or self.edit_score is None else self.edit_score(change)
        known = np.isfinite(table) & ~np.eye(len(self.values), dtype=bool)
        return np.where(np.isfinite(table), table, table[known].mean() if known.any() else 0.0)

    def expected(self, change: float) -> Floats | None:
        """(V, V) expected change of j when i changes by this much; None where nothing has a sign."""
        if self.offset is None and self.slope is None:
            return None
        offset, slope = (0.0 if part is None else part for part in (self.offset, self.slope))
        return np.asarray(offset + np.multiply(slope, change), dtype=float)

    def interval(self, change: float) -> tuple[Floats, Floats] | None:
        """(V, V) ends of the interval of the change of j; None where there is none."""
        middle = self.expected(change)
        if middle is None or (self.spread is None and self.slope_low is None):
            return None
        spread = np.zeros_like(middle) if self.spread is None else self.spread
        below = above = np.zeros_like(middle)
        if self.slope_low is not None and self.slope_high is not None and self.slope is not None:
            ends = np.stack([(self.slope_low - self.slope) * change, (self.slope_high - self.slope) * change])
            below, above = -ends.min(axis=0), ends.max(axis=0)
        return middle - np.hypot(below, spread), middle + np.hypot(above, spread)

    def predict(self, target: str, change: float) -> pd.DataFrame:
        """One row a value other than the target: ``value, score, expected, low, high``; NaN where nothing is said."""
        if target not in self.values:
            raise ValueError(f"target: expected one of {', '.join(self.values)}, got {target!r}")
        at = self.values.index(target)
        nothing = np.full((len(self.values),) * 2, np.nan)
        expected = self.expected(change)
        low, high = self.interval(change) or (nothing, nothing)
        table = {
            "value": self.values,
            "score": self.scores(change)[at],
            "expected": (nothing if expected is None else expected)[at],
            "low": low[at],
            "high": high[at],
        }
        return pd.DataFrame(table).drop(index=at).reset_index(drop=True)


@runtime_checkable
class Predictor(Protocol):
    """Anything with a name that can be fitted. ``fit`` may return None where the training data do not suffice.

    Two further attributes are looked at where a predictor has them: ``knows_items``, True where it looks at
    ``Training.before`` or ``Training.items``, so that it is compared with its like; ``is_baseline``, True where others
    that know as much are to be compared with it.
    """

    @property
    def name(self) -> str:
        """What the tables call it."""

    def fit(self, train: Training) -> Prediction | None:
        """Look at the training data alone."""


def default_predictors() -> tuple[Predictor, ...]:
    """The marginal rate first, what a graph says, what is learnt from other edits, and what knows the tested items."""
    from pyvalue.evaluation.predictors_graph import GraphEffects, GraphReach, RandomGraphs
    from pyvalue.evaluation.predictors_items import ItemRate, ScoreLevels, UneditedDisagreement
    from pyvalue.evaluation.predictors_known import (
        Correlation,
        MarginalRate,
        MarginalSize,
        NameSimilarity,
        OneFactor,
        WithinEditCorrelation,
    )
    from pyvalue.evaluation.predictors_learnt import ChangeRegression, ConditionalRate, LowRank, RateTimesGraph
    from pyvalue.evaluation.predictors_stacked import Stacked

    return (
        MarginalRate(),
        MarginalSize(),
        GraphReach("definite"),
        GraphReach("possible"),
        GraphEffects(),
        RandomGraphs(),
        Correlation(),
        WithinEditCorrelation(),
        OneFactor(),
        NameSimilarity(),
        RateTimesGraph(),
        ConditionalRate(),
        ChangeRegression(),
        LowRank(),
        Stacked(),
        ItemRate(),
        ScoreLevels(),
        UneditedDisagreement(),
    )


def nan_mean(table: Floats, axis: int | tuple[int, ...]) -> Floats:
    """Mean of the known entries, NaN where there are none, without NumPy's warning."""
    known = np.isfinite(table)
    count = known.sum(axis=axis)
    total = np.where(known, table, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def knows_items(predictor: Predictor) -> bool:
    """Whether it looks at what is known of the tested items."""
    return bool(getattr(predictor, "knows_items", False))


def is_baseline(predictor: Predictor) -> bool:
    """Whether others that know as much are to be compared with it."""
    return bool(getattr(predictor, "is_baseline", False))


def to_rows(row: Floats) -> Floats:
    """(V, V) with the same row for every i: what is said of j whatever i is."""
    return np.tile(row, (len(row), 1))


def pair_regression(x: Floats, groups: npt.NDArray[np.int_] | None = None) -> tuple[Floats, Floats, Floats]:
    """Correlations and slopes of every column on every other, over the rows that have both.

    Args:
        x: (n, V), NaN where missing.
        groups: (n,) labels whose means are taken off first, or None for the grand mean.

    Returns:
        (V, V) correlations, (V, V) slopes of column j on column i, (V, V) numbers of rows; NaN where a column does not
        vary or fewer than 3 rows have both.
    """
    if groups is None:
        x = x - nan_mean(x, axis=0)
    else:
        x = x.copy()
        for label in np.unique(groups):
            x[groups == label] -= nan_mean(x[groups == label], axis=0)
    known = np.isfinite(x)
    filled, have = np.where(known, x, 0.0), known.astype(float)
    n = have.T @ have
    mean = filled.T @ have / np.maximum(n, 1)  # of i over the rows that also have j
    square = (filled**2).T @ have - n * mean**2
    product = filled.T @ filled - n * mean * mean.T
    usable = (n >= 3) & (square > 1e-12) & (square.T > 1e-12)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.where(usable, product / np.sqrt(square * square.T), np.nan)
        slope = np.where(usable, product / square, np.nan)
    return np.clip(r, -1, 1), slope, n
