"""How well correlations fit the circle in seven numbers, with the intervals and p-values that they have.

Works from correlations and from sums a persona; which rows and columns they are of is decided in ``circumplex``.
"""

from __future__ import annotations

import numpy as np

from pyvalue.evaluation.circumplex_centring import beyond_centring
from pyvalue.evaluation.circumplex_moments import Floats, PersonaMoments, bootstrap_counts, correlation_of
from pyvalue.evaluation.circumplex_order import falls, order_statistics
from pyvalue.evaluation.scaling import Level, Scaling, procrustes_fit, smacof
from pyvalue.evaluation.sinusoid import profiles_of

#: how strong the pattern is (the first two), and how pure
QUANTITIES = (
    "fall of r across the circle",
    "amplitude at own place",
    "correlation with closeness",
    "the same, noise taken off",
    "correspondence index",
    "mean sinusoid R²",
    "fit of the map",
)
FALL, AMPLITUDE, CLOSENESS, WITHOUT_NOISE, INDEX, R_SQUARED, MAP = range(7)


def fits(r: Floats, distance: Floats, angles: Floats) -> Floats:
    """(7, B) quantities of correlations (B, d, d), but for those that need resamples or a map."""
    found = np.full((len(QUANTITIES), len(r)), np.nan)
    found[FALL] = falls(r, distance)
    found[CLOSENESS], found[INDEX] = order_statistics(r, distance)
    if len(angles) >= 4:
        _, amplitude, peak, r_squared = profiles_of(r, angles)
        found[AMPLITUDE] = (amplitude * np.cos(np.radians(peak - angles))).mean(axis=1)
        found[R_SQUARED] = r_squared.mean(axis=1)
    return found


def independence_p(
    covariance: Floats, drawn: Floats, distance: Floats, angles: Floats, theory: Floats, scaling: Scaling | None,
    level: Level, maps: int,
) -> dict[str, float]:  # fmt: skip
    """Quantity -> p against simulated covariances (B, d, d) of independent, centred values."""
    own = fits(beyond_centring(covariance)[None], distance, angles)
    by_chance = fits(beyond_centring(drawn), distance, angles)
    quantities = (FALL, AMPLITUDE, CLOSENESS, INDEX) if scaling else (FALL, CLOSENESS, INDEX)
    found = {QUANTITIES[k]: share_as_high(by_chance[k], own[k, 0]) for k in quantities}
    if scaling:
        some = correlation_of(drawn[:maps])
        start = np.broadcast_to(theory, (len(some), *theory.shape))
        mapped = procrustes_fit(smacof(1.0 - some, start, level)[0], start)
        found[QUANTITIES[MAP]] = share_as_high(mapped, scaling.fit)
    return found


def share_as_high(by_chance: Floats, own: float) -> float:
    """p = (1 + #) / (1 + B)."""
    return float((1 + (by_chance >= own - 1e-9).sum()) / (1 + len(by_chance)))


def jackknifed(
    moments: PersonaMoments, estimates: Floats, distance: Floats, angles: Floats, confidence: float
) -> tuple[Floats, Floats]:
    """Ends of the intervals of fall and amplitude; missing where a value varies in one persona only."""
    from scipy import stats

    personas = len(moments.weight)
    left = fits(moments.without_one(), distance, angles)[:2]
    squares = ((left - left.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    half = stats.t.ppf((1 + confidence) / 2, personas - 1) * np.sqrt(squares * (personas - 1) / personas)
    return estimates - half, estimates + half


def without_noise(
    moments: PersonaMoments, r: Floats, distance: Floats, resamples: int, confidence: float, seed: int
) -> tuple[float, float, float]:
    """Correlation with closeness were there no sampling error in r, and its interval."""
    row, column = np.triu_indices(len(r), 1)
    closeness = distance[row, column].mean() - distance[row, column]
    closeness /= np.sqrt(closeness @ closeness)
    blocks = [moments.correlations(counts) for counts in bootstrap_counts(len(moments.weight), resamples, seed)]
    drawn = np.concatenate(blocks)[:, row, column]
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    if len(drawn) < 2:
        return np.nan, np.nan, np.nan
    drawn = drawn - drawn.mean(axis=1, keepdims=True)
    noise = float(drawn.var(axis=0, ddof=1).sum())
    pairs = (r[row, column] - r[row, column].mean())[None]
    own, again = (_ratio(x @ closeness, (x**2).sum(axis=1) - less) for x, less in ((pairs, noise), (drawn, 2 * noise)))
    low, high = np.quantile(again, [(1 - confidence) / 2, (1 + confidence) / 2])
    known = (pairs**2).sum() > noise
    return float(own[0]) if known else np.nan, float(low), float(high)


def _ratio(covariance: Floats, squares: Floats) -> Floats:
    """Covariance / root of squares within -1 and 1; where noise leaves no squares, either end."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = covariance / np.sqrt(np.maximum(squares, 0.0))
    return np.asarray(np.clip(np.where(squares > 0, ratio, np.sign(covariance)), -1.0, 1.0))
