"""How well repeated measurements agree: intraclass and other correlations with intervals, and what rows are worth.

Functions of arrays, like ``pyvalue.reliability``, whose rules for missing scores and hopeless input hold here too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pyvalue.reliability import Estimate, Floats, read_scores

Form = Literal["1,1", "2,1", "3,1", "1,k", "2,k", "3,k"]
FORMS: tuple[Form, ...] = ("1,1", "2,1", "3,1", "1,k", "2,k", "3,k")


@dataclass(frozen=True)
class Retest:
    """Agreement of repeats of one measurement.

    Attributes:
        correlation: mean Pearson correlation over the pairs of repeats; its interval is that of one
            pair, by Fisher's z.
        consistency: ICC(3,1): a shift of everybody between the repeats does not count.
        agreement: ICC(2,1): it does.
    """

    correlation: Estimate
    consistency: Estimate
    agreement: Estimate


def icc(scores: npt.ArrayLike, form: Form = "2,1", *, confidence: float = 0.95) -> Estimate:
    """Intraclass correlation: the share of the variance of a score that lies between persons.

    The forms of Shrout & Fleiss (1979), Psychological Bulletin 86, with their intervals from F. Persons who lack a
    score are left out (listwise).

    Args:
        scores: (persons, raters); a rater may be an item, a wording or a repeat.
        form: ``"1,1"``: every person has raters of their own. ``"2,1"``: the same raters, drawn from many; their
            differences count as error. ``"3,1"``: these raters alone, whose differences do not count. With ``"k"``: of
            the mean over raters; ``"3,k"`` is Cronbach's α.
        confidence: of the interval.

    Raises:
        ValueError: an unknown form, or ``scores`` is not two-dimensional.
    """
    if form not in FORMS:
        raise ValueError(f"form: expected one of {', '.join(map(repr, FORMS))}, got {form!r}")
    array = read_scores(scores)
    array = array[np.isfinite(array).all(axis=1)]
    n, k = array.shape
    if k < 2:
        return Estimate.none(f"at least 2 scores a person are needed, got {k}", n)
    if n < 2:
        return Estimate.none(f"at least 2 persons are needed that have all scores, got {n}", n)
    squares = _Squares.of(array)
    if squares.total <= 1e-14 * max(1.0, float(np.abs(array).max())) ** 2:
        return Estimate.none("the scores do not vary", n)
    value, low, high = _single(squares, form[0], (1 - confidence) / 2)
    if form.endswith("k"):
        value, low, high = (_of_mean(r, k) for r in (value, low, high))
    if not math.isfinite(value):
        return Estimate.none("the scores do not vary between persons", n)
    if not low <= value <= high:  # the approximate interval of form 2 fails where persons differ less than by chance
        return Estimate(value, n=n)
    return Estimate(value, low, high, n)


def retest(scores: npt.ArrayLike, *, confidence: float = 0.95) -> Retest:
    """Agreement of repeats.

    Args:
        scores: (persons, repeats). The correlation of a pair is over the persons who have both; the intraclass
            correlations are over those who have all.
        confidence: of the intervals.
    """
    array = read_scores(scores)
    columns = range(array.shape[1])
    pairs = [correlation(array[:, i], array[:, j], confidence=confidence) for i in columns for j in columns if i < j]
    known = [pair for pair in pairs if not pair.reason]
    if not known:
        mean = pairs[0] if pairs else Estimate.none(f"at least 2 repeats are needed, got {array.shape[1]}")
    elif len(pairs) == 1:
        mean = known[0]
    else:
        fewest = min(pair.n for pair in known)
        mean = _fisher(float(np.mean([pair.value for pair in known])), fewest, confidence)
    consistency = icc(array, "3,1", confidence=confidence)
    return Retest(mean, consistency, icc(array, "2,1", confidence=confidence))


def correlation(x: npt.ArrayLike, y: npt.ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Pearson's correlation with the interval of Fisher's z, over the entries that are known in both.

    Args:
        x: (n,)
        y: (n,)
        confidence: of the interval, which needs 4 entries.
    """
    one, other = (np.asarray(a, dtype=float) for a in (x, y))
    both = np.isfinite(one) & np.isfinite(other)
    one, other = one[both], other[both]
    n = len(one)
    if n < 3:
        return Estimate.none(f"at least 3 persons are needed, got {n}", n)
    if min(float(np.ptp(one)), float(np.ptp(other))) < 1e-12:
        return Estimate.none("one of the scores does not vary between persons", n)
    return _fisher(float(np.corrcoef(one, other)[0, 1]), n, confidence)


def disattenuated(r: float, reliability_x: float, reliability_y: float) -> float:
    """What a correlation would be of scores without error: r / √(reliabilities) (Spearman 1904); may exceed 1.

    NaN where a reliability is unknown or not above 0.
    """
    if not (reliability_x > 0 and reliability_y > 0):
        return math.nan
    return r / math.sqrt(reliability_x * reliability_y)


def effective_n(scores: npt.ArrayLike, *clusterings: npt.ArrayLike) -> Estimate:
    """How many independent scores the mean of these is worth: n / (1 + Σ (size - 1) · intraclass correlation).

    Kish (1965), "Survey sampling"; with two crossed clusterings, such as persons and edits, their effects add. Size is
    that of the cluster of an average score, Σ size² / n. What rows are worth to a correlation differs from this, and
    ``pyvalue.discovery`` counts it for itself.

    Args:
        scores: (n,), NaN where missing: such rows are left out.
        clusterings: (n,) labels each.
    """
    array = np.asarray(scores, dtype=float)
    known = np.isfinite(array)
    array = array[known]
    n = len(array)
    if n < 2 or float(np.ptp(array)) < 1e-12:
        return Estimate.none("the scores do not vary" if n > 1 else f"at least 2 scores are needed, got {n}", n)
    effect = 1.0
    for labels in clusterings:
        codes = np.unique(np.asarray(labels)[known], return_inverse=True)[1]
        sizes = np.bincount(codes)
        effect += (float(sizes @ sizes) / n - 1) * max(0.0, _between(array, codes))
    return Estimate(n / effect, n=n)


@dataclass(frozen=True)
class _Squares:
    """Mean squares of persons by raters: between persons, between raters, the rest, and within persons."""

    persons: float
    raters: float
    rest: float
    within: float
    total: float
    n: int
    k: int

    @classmethod
    def of(cls, array: Floats) -> _Squares:
        n, k = array.shape
        mean = array.mean()
        persons = k * float(((array.mean(axis=1) - mean) ** 2).sum())
        raters = n * float(((array.mean(axis=0) - mean) ** 2).sum())
        total = float(((array - mean) ** 2).sum())
        rest = max(total - persons - raters, 0.0)
        persons, rest = (0.0 if part < 1e-14 * total else part for part in (persons, rest))  # what rounding leaves
        return cls(
            persons / (n - 1), raters / (k - 1), rest / ((n - 1) * (k - 1)), (rest + raters) / (n * (k - 1)),
            total, n, k,
        )  # fmt: skip


def _single(s: _Squares, model: str, tail: float) -> tuple[float, float, float]:
    """The intraclass correlation of one rater with its interval."""
    from scipy.special import fdtri

    n, k = s.n, s.k
    if model in "13":
        error, free = (s.within, n * (k - 1)) if model == "1" else (s.rest, (n - 1) * (k - 1))
        if s.persons == 0 and error == 0:
            return math.nan, math.nan, math.nan
        value = (s.persons - error) / (s.persons + (k - 1) * error)
        if error == 0:
            return value, value, value
        ratio = s.persons / error
        low, high = ratio / fdtri(n - 1, free, 1 - tail), ratio * fdtri(free, n - 1, 1 - tail)
        return value, float((low - 1) / (low + k - 1)), float((high - 1) / (high + k - 1))
    value = (s.persons - s.rest) / (s.persons + (k - 1) * s.rest + k * (s.raters - s.rest) / n)
    if s.rest == 0 and s.raters == 0:
        return value, value, value
    # Satterthwaite's degrees of freedom (Shrout & Fleiss 1979, p. 424, in the form of McGraw & Wong 1996).
    if value >= 1:
        return value, math.nan, math.nan
    a, b = k * value / (n * (1 - value)), 1 + k * value * (n - 1) / (n * (1 - value))
    parts = (a * s.raters) ** 2 / (k - 1) + (b * s.rest) ** 2 / ((n - 1) * (k - 1))
    free_ = (a * s.raters + b * s.rest) ** 2 / parts if parts > 0 else math.nan
    if not free_ > 0:
        return value, math.nan, math.nan
    upper, lower = fdtri(n - 1, free_, 1 - tail), fdtri(free_, n - 1, 1 - tail)
    if not math.isfinite(upper):
        return value, math.nan, math.nan
    noise = k * s.raters + (k * n - k - n) * s.rest
    low = n * (s.persons - upper * s.rest) / (upper * noise + n * s.persons)
    high = n * (lower * s.persons - s.rest) / (noise + n * lower * s.persons)
    return value, float(low), float(high)


def _of_mean(r: float, k: int) -> float:
    """Spearman-Brown: of the mean over k raters."""
    return k * r / (1 + (k - 1) * r) if 1 + (k - 1) * r > 0 else math.nan


def _fisher(r: float, n: int, confidence: float) -> Estimate:
    from scipy.special import ndtri

    r = min(max(r, -1.0), 1.0)
    if n < 4 or abs(r) > 1 - 1e-12:
        return Estimate(r, n=n)
    half = float(ndtri((1 + confidence) / 2)) / math.sqrt(n - 3)
    return Estimate(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half), n)


def _between(array: Floats, codes: npt.NDArray[Any]) -> float:
    """Share of the variance that lies between clusters of any sizes: the ANOVA estimate of ICC(1,1)."""
    sizes = np.bincount(codes).astype(float)
    groups, n = len(sizes), len(array)
    if groups < 2 or groups == n:
        return 0.0
    means = np.bincount(codes, weights=array) / sizes
    between = float((sizes * (means - array.mean()) ** 2).sum()) / (groups - 1)
    within = float(((array - means[codes]) ** 2).sum()) / (n - groups)
    size = (n - float(sizes @ sizes) / n) / (groups - 1)
    return (between - within) / (between + (size - 1) * within)
