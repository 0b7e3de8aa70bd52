"""Circle or simple structure? Four tests on the first two components of the correlations (Acton & Revelle 2004).

"Evaluation of ten psychometric criteria for circumplex structure", Methods of Psychological Research 9. On a circle the
gaps between neighbours are equal (gap test), all values are as far out (Fisher test), and no turn of the two axes is
better than another (rotation and variance test). What counts as small depends on the number of values, of people and on
how much the components take up, so each statistic is compared with two simulations of just these: a circle with the
angles of the theory, and four clusters at right angles.

The statistics do not know which value is where: a circle in a wrong order passes, and so does noise, whose loadings
point every way. That the order is the theory's is the business of ``circumplex_order`` and ``circumplex_centring``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyvalue.evaluation.circumplex_centring import centred_covariance, raw_variances, wishart_halves
from pyvalue.evaluation.circumplex_moments import correlation_of

Floats = NDArray[np.float64]
TESTS = ("gap", "fisher", "rotation", "variance")
# Both criteria are trigonometric polynomials of the turn with a period of 180°; 36 equal steps average them exactly.
_TURNS = np.radians(5.0 * np.arange(36))
#: share of variance that the components of a simulation take up at the most, so that there is some error
_MOST_COMMUNALITY = 0.98
#: samples that the share of the factors is set with
_CALIBRATING = 100
_ROUNDS = 50


def structure_statistics(correlations: Floats) -> Floats:
    """The four statistics (B, 4) of correlation matrices (B, d, d), in the order of ``TESTS``.

    All are 0 on a perfect circle.

    gap: variance of the gaps (radians) between neighbours in direction, the gap from last to first among them.
    fisher: coefficient of variation of the communalities. rotation: that of the quartimax criterion over turns of the
    axes. variance: that of the variance of the squared loadings on one axis over turns (VT2). The R package psych
    leaves the last gap out and turns over 45° only, so its numbers depend on where the axes start; these do not.
    """
    loadings = plane_loadings(correlations)
    radius = (loadings**2).sum(axis=2)
    direction = np.sort(np.arctan2(loadings[:, :, 1], loadings[:, :, 0]), axis=1)
    gaps = np.diff(np.concatenate([direction, direction[:, :1] + 2 * np.pi], axis=1), axis=1)
    cosine, sine = np.cos(_TURNS), np.sin(_TURNS)
    first = (loadings[:, :, :1] * cosine + loadings[:, :, 1:] * sine) ** 2  # (B, d, turns)
    second = radius[:, :, None] - first
    quartimax = ((first - second) ** 2).sum(axis=1) / 2
    return np.stack(
        [
            gaps.var(axis=1, ddof=1),
            _variation(radius),
            _variation_over(quartimax),
            _variation_over(first.var(1, ddof=1)),
        ],
        axis=1,
    )


def plane_loadings(correlations: Floats) -> Floats:
    """Loadings (B, d, 2) on the first two principal components."""
    values, vectors = np.linalg.eigh(correlations)
    return np.asarray(vectors[..., -2:] * np.sqrt(np.maximum(values[..., None, -2:], 0.0)))


def structure_tests(
    correlation: Floats,
    angles: Floats,
    rows: int,
    *,
    centred: bool,
    variances: Floats | None = None,
    simulations: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Each statistic beside what a circle and what simple structure would give.

    Both simulations have the d values, the given number of independent rows, and on average the mean communality that
    was found (that of their population is lower, as components take up error, too). Their rows are taken about their
    means if those of the data were, and then have the variances of the data: centring distorts a circle whose values
    vary differently, and this must not count against it. The clusters of simple structure are at 0°, 90°, 180° and
    270°: every value goes to the one nearest its angle in the theory.

    Args:
        correlation: (d, d), d >= 4.
        angles: (d,) of the theory, in degrees.
        rows: independent rows behind the correlations, such as the number of personas.
        centred: whether every row's mean was taken off.
        variances: (d,) of the centred values; None for equal ones before centring. Not used of rows as they are,
            whose correlations do not depend on them.
        simulations: of each kind.
        seed: of the simulations.

    Returns:
        One row a test: ``test, statistic, circle, simple`` (medians of the simulations), ``circle_p`` (share of circles
        with a statistic at least as large: small speaks against a circle) and ``simple_p`` (share of simple structures
        with one as small: small speaks against simple structure). p = (1 + #) / (1 + simulations).
    """
    if len(correlation) < 4:
        raise ValueError(f"correlation: expected those of at least 4 values, got {len(correlation)}")
    found = structure_statistics(correlation[None])[0]
    communality = float((plane_loadings(correlation[None]) ** 2).sum() / len(correlation))
    rng = np.random.default_rng(seed)
    simple = np.round(angles / 90.0) * 90.0
    circle, clusters = (
        structure_statistics(_simulated(a, communality, rows, centred, variances, simulations, rng))
        for a in (angles, simple)
    )
    columns = {
        "test": TESTS,
        "statistic": found,
        "circle": np.median(circle, axis=0),
        "simple": np.median(clusters, axis=0),
        "circle_p": (1 + (circle >= found).sum(axis=0)) / (1 + simulations),
        "simple_p": (1 + (clusters <= found).sum(axis=0)) / (1 + simulations),
    }
    return pd.DataFrame(columns)


def _simulated(
    angles: Floats,
    communality: float,
    rows: int,
    centred: bool,
    variances: Floats | None,
    simulations: int,
    rng: np.random.Generator,
) -> Floats:
    """Sample correlations (B, d, d) of normal rows with two factors, whose mean communality is the given one."""
    d, freedom = len(angles), max(rows - 1, 2)
    halves = wishart_halves(d, freedom, simulations, rng)
    some = halves[:_CALIBRATING]
    low, high = 0.0, _MOST_COMMUNALITY
    for _ in range(10):  # the mean rises with the share of the factors; to 0.001
        share = (low + high) / 2
        mean = float(
            (plane_loadings(_sampled(angles, share, some, freedom, centred, variances)) ** 2).sum(axis=2).mean()
        )
        low, high = (share, high) if mean < communality else (low, share)
    return _sampled(angles, (low + high) / 2, halves, freedom, centred, variances)


def _sampled(
    angles: Floats, share: float, halves: Floats, freedom: int, centred: bool, variances: Floats | None
) -> Floats:
    turn = np.radians(angles)
    loadings = np.sqrt(share) * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    population = loadings @ loadings.T + (1.0 - share) * np.eye(len(angles))
    if centred and variances is not None:
        spread = np.sqrt(_raw_variances(population, variances))
        population = population * np.outer(spread, spread)
    half = np.linalg.cholesky(population) @ halves
    covariance = half @ half.transpose(0, 2, 1) / freedom
    return correlation_of(centred_covariance(covariance) if centred else covariance)


def _raw_variances(population: Floats, centred: Floats) -> Floats:
    """Variances of values with these correlations so that, once centred, they have the given ones; by iteration."""
    raw = raw_variances(centred)
    for _ in range(_ROUNDS):
        spread = np.sqrt(raw)
        raw = raw * centred / np.diagonal(centred_covariance(population * np.outer(spread, spread)))
    return np.asarray(np.maximum(raw, 1e-6 * raw.max()))


def _variation(x: Floats) -> Floats:
    """Coefficient of variation over values, (B,)."""
    return np.asarray(x.std(axis=1, ddof=1) / x.mean(axis=1))


def _variation_over(criterion: Floats) -> Floats:
    """That over all turns of the axes."""
    return np.asarray(criterion.std(axis=1) / np.maximum(criterion.mean(axis=1), 1e-12))
