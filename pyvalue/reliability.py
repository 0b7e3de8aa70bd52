"""How well the items of a scale measure one thing: functions of an array of scores, persons by items.

Knows nothing of models or tables. A number that cannot be had is NaN, and comes with the reason; nothing here fails on
one person, one item or equal answers. Missing scores are NaN, and ``missing`` says what becomes of them: ``"listwise"``
leaves out every person who lacks a score; ``"pairwise"`` takes each covariance over the persons who have both scores,
and counts the fewest persons of any pair when it makes an interval.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Missing = Literal["listwise", "pairwise"]


@dataclass(frozen=True)
class Estimate:
    """A number and how well it is known.

    Attributes:
        value: NaN where it cannot be had.
        low: of its interval; NaN where there is none.
        high: of its interval.
        n: persons, or pairs of scores, that it comes from.
        reason: why ``value`` is NaN; empty where it is a number.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    reason: str = ""

    @classmethod
    def none(cls, reason: str, n: int = 0) -> Estimate:
        """No number, and why."""
        return cls(math.nan, n=n, reason=reason)


def cronbach_alpha(scores: npt.ArrayLike, *, confidence: float = 0.95, missing: Missing = "listwise") -> Estimate:
    """Cronbach's α: k / (k - 1) · (1 - sum of the items' variances / variance of their sum).

    Cronbach (1951), Psychometrika 16; the interval is Feldt's (1965), Psychometrika 30, exact for parallel items and
    normal scores.

    Args:
        scores: (persons, items), keyed so that high means much of the same thing everywhere.
        confidence: of the interval.
        missing: see the module.

    Raises:
        ValueError: ``scores`` is not two-dimensional, or an unknown ``missing``.
    """
    cov, n, reason = _covariance(scores, missing)
    if reason:
        return Estimate.none(reason, n)
    k = len(cov)
    alpha = float(k / (k - 1) * (1 - np.trace(cov) / cov.sum()))
    low, high = _feldt(alpha, n, k, confidence)
    return Estimate(alpha, low, high, n)


def standardised_alpha(scores: npt.ArrayLike, *, missing: Missing = "listwise") -> Estimate:
    """α of items of equal variance: k r / (1 + (k - 1) r), r their mean correlation; no interval.

    Args:
        scores: (persons, items).
        missing: see the module.
    """
    cov, n, reason = _covariance(scores, missing)
    reason = reason or _constant(cov)
    if reason:
        return Estimate.none(reason, n)
    k = len(cov)
    r = (_correlations(cov).sum() - k) / (k * (k - 1))
    if 1 + (k - 1) * r <= 0:
        return Estimate.none("the items correlate too negatively", n)
    return Estimate(float(k * r / (1 + (k - 1) * r)), n=n)


def omega_total(scores: npt.ArrayLike, *, missing: Missing = "listwise", iterations: int = 500) -> Estimate:
    """McDonald's ω of one factor: (Σ loadings)² / ((Σ loadings)² + Σ unique variances); no interval.

    Unlike α it does not need items that measure equally well. McDonald (1999), "Test theory"; loadings by iterated
    principal axes of the covariances.

    Args:
        scores: (persons, at least 3 items).
        missing: see the module.
        iterations: most rounds of the search for loadings.
    """
    cov, n, reason = _covariance(scores, missing)
    if not reason and len(cov) < 3:
        reason = "one factor needs at least 3 items"
    reason = reason or _constant(cov)
    if reason:
        return Estimate.none(reason, n)
    variances = np.diag(cov)
    common = 0.5 * variances
    loadings = np.zeros(len(cov))
    for _ in range(iterations):
        reduced = cov - np.diag(variances - common)
        size, directions = np.linalg.eigh(reduced)
        loadings = directions[:, -1] * math.sqrt(max(float(size[-1]), 0.0))
        before, common = common, np.minimum(loadings**2, variances)  # a Heywood case has no unique variance, not less
        if np.abs(common - before).max() < 1e-9 * variances.max():
            break
    shared = float(loadings.sum() ** 2)
    if shared == 0:
        return Estimate.none("no factor: the items do not go together", n)
    return Estimate(shared / (shared + float((variances - common).sum())), n=n)


def split_half(
    scores: npt.ArrayLike,
    *,
    strata: Sequence[Any] | None = None,
    splits: int = 1000,
    seed: int = 0,
    formula: Literal["spearman-brown", "flanagan"] = "spearman-brown",
    missing: Missing = "listwise",
) -> Estimate:
    """Mean reliability over many splits of the items into halves of equal size; no interval.

    Args:
        scores: (persons, items). An odd item goes to one of the halves.
        strata: a label an item, such as its keying: each half then has as many of each label as can be.
        splits: drawn; without strata all different ones are taken where there are no more than that.
        seed: of the draw.
        formula: ``"spearman-brown"``: 2 r / (1 + r), r the correlation of the halves. ``"flanagan"``: 4 times their
            covariance over the variance of the sum (Flanagan 1937, Rulon 1939). The mean of the latter over all
            splits into equal halves is Cronbach's α (Cronbach 1951); that of the former is close to it.
        missing: see the module.

    Raises:
        ValueError: an unknown formula, ``splits`` < 1, or strata of another length.
    """
    if formula not in ("spearman-brown", "flanagan"):
        raise ValueError(f"formula: expected 'spearman-brown' or 'flanagan', got {formula!r}")
    if splits < 1:
        raise ValueError(f"splits: expected at least 1, got {splits}")
    cov, n, reason = _covariance(scores, missing)
    if reason:
        return Estimate.none(reason, n)
    if strata is not None and len(strata) != len(cov):
        raise ValueError(f"strata: expected one label for each of {len(cov)} items, got {len(strata)}")
    halves = _halves(len(cov), strata, splits, seed)
    others = 1 - halves
    first, second = ((half @ cov * half).sum(axis=1) for half in (halves, others))
    both = (halves @ cov * others).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = both / np.sqrt(first * second)
        each = 2 * r / (1 + r) if formula == "spearman-brown" else 4 * both / (first + second + 2 * both)
    usable = each[np.isfinite(each)]
    return Estimate(float(usable.mean()), n=n) if len(usable) else Estimate.none("no half varies between persons", n)


def item_rest(scores: npt.ArrayLike, *, missing: Missing = "listwise") -> Floats:
    """Correlation of each item with the sum of the others, (items,); NaN where one of both is constant.

    Args:
        scores: (persons, items).
        missing: see the module.
    """
    cov, _, reason = _covariance(scores, missing, constant=True)
    if reason:
        return np.full(np.shape(scores)[1], np.nan)
    own, with_sum = np.diag(cov), cov.sum(axis=1)
    rest = cov.sum() - 2 * with_sum + own
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where((own > 0) & (rest > 1e-15), (with_sum - own) / np.sqrt(own * rest), np.nan))


def saturated_share(p_yes: npt.ArrayLike, low: float = 0.01, high: float = 0.99) -> float:
    """Share of the known probabilities that are at most ``low`` or at least ``high``; NaN where none is known.

    Args:
        p_yes: of any shape, NaN where missing.
        low: at most this is saturated.
        high: at least this is.
    """
    known = np.asarray(p_yes, dtype=float)
    known = known[np.isfinite(known)]
    return float(((known <= low) | (known >= high)).mean()) if known.size else math.nan


def read_scores(scores: npt.ArrayLike) -> Floats:
    """The scores as float64 of two dimensions.

    Raises:
        ValueError: another number of dimensions.
    """
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"scores: expected an array (persons, items), got one of shape {array.shape}")
    return array


def _covariance(scores: npt.ArrayLike, missing: Missing, constant: bool = False) -> tuple[Floats, int, str]:
    """Covariances (items, items), the persons behind each at least, and why there are none (empty: there are)."""
    if missing not in ("listwise", "pairwise"):
        raise ValueError(f"missing: expected 'listwise' or 'pairwise', got {missing!r}")
    array = read_scores(scores)
    k = array.shape[1]
    nothing = np.full((k, k), np.nan)
    if missing == "listwise":
        array = array[np.isfinite(array).all(axis=1)]
    known = np.isfinite(array).astype(float)
    pairs = known.T @ known
    n = int(pairs.min()) if k else 0
    if k < 2:
        return nothing, n, f"at least 2 items are needed, got {k}"
    if n < 2:
        who = "have all items" if missing == "listwise" else "have some two items"
        return nothing, n, f"at least 2 persons are needed that {who}, got {n}"
    centre = np.nansum(array, axis=0) / known.sum(axis=0)
    filled = np.where(known > 0, array - centre, 0.0)
    # Means of a pair are over the persons of the pair.
    means = filled.T @ known / pairs
    cov = (filled.T @ filled - pairs * means * means.T) / (pairs - 1)
    np.fill_diagonal(cov, np.maximum(np.diag(cov), 0.0))
    scale = max(1.0, float(np.nanmax(np.abs(array)))) ** 2
    cov[np.abs(cov) < 1e-14 * scale] = 0.0  # what rounding leaves of equal answers
    if not constant and cov.sum() <= 1e-12 * max(float(np.trace(cov)), 1e-300):
        return nothing, n, "the sum of the items does not vary between persons"
    return cov, n, ""


def _constant(cov: Floats) -> str:
    equal = np.flatnonzero(np.diag(cov) <= 0)
    return f"item {equal[0] + 1} does not vary between persons" if len(equal) else ""


def _correlations(cov: Floats) -> Floats:
    spread = np.sqrt(np.diag(cov))
    return np.asarray(cov / np.outer(spread, spread))


def _feldt(alpha: float, n: int, k: int, confidence: float) -> tuple[float, float]:
    from scipy.special import fdtri  # scipy.stats takes a second to import

    persons, rest = n - 1, (n - 1) * (k - 1)
    tail = (1 - confidence) / 2
    upper, lower = fdtri(persons, rest, [1 - tail, tail])
    return float(1 - (1 - alpha) * upper), float(1 - (1 - alpha) * lower)


def _halves(k: int, strata: Sequence[Any] | None, splits: int, seed: int) -> Floats:
    """Which items are in the first half, (splits, k) of 0 and 1."""
    # Of an even number, every split comes twice, as itself and with the halves exchanged.
    if strata is None and math.comb(k, k // 2) <= (splits if k % 2 else 2 * splits):
        chosen = itertools.combinations(range(k), k // 2)
        return np.array([np.isin(np.arange(k), one) for one in chosen], dtype=float)
    random = np.random.default_rng(seed)
    labels = np.unique([str(label) for label in strata], return_inverse=True)[1] if strata else np.zeros(k, dtype=int)
    halves = np.zeros((splits, k))
    for half in halves:
        order = random.permutation(k)
        order = order[np.argsort(random.permutation(labels.max() + 1)[labels[order]], kind="stable")]
        half[order[random.integers(2) :: 2]] = 1
    return halves
