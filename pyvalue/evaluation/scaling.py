"""A map of the values (multidimensional scaling), and how near it comes to the circle of the theory (Procrustes).

SMACOF, started from the theory as Bilsky, Janik & Schwartz (2011, "The structural organization of human values",
Journal of Cross-Cultural Psychology 42) do, so that of several maps that are about as good the one nearest the theory
is found. Many maps are made at once: the tests need one for every permutation. Not a general MDS: two dimensions, no
weights, no missing pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: what the distances of the map should follow: the order of the dissimilarities, or a straight line through them
Level = Literal["ordinal", "interval"]
_MOST_ROUNDS = 300
_TOLERANCE = 1e-5
_TINY = 1e-12
#: maps made at once: as many as stay in the processor's cache
_BATCH = 32


@dataclass(frozen=True)
class Scaling:
    """A map in two dimensions.

    Attributes:
        names: the d values.
        coordinates: (d, 2), turned, reflected, moved and scaled to fit the theory best.
        theory: (d, 2) where the theory has the values.
        stress: Stress-1 (Kruskal 1964) of the map, from the theory's start; 0 is perfect.
        free_stress: that of the map from the start of classical scaling, which knows no theory.
        random_stress: mean free stress of maps of the same dissimilarities dealt out to the pairs at random.
        stress_p: share of these that are as low as ``free_stress``: p that there is any structure in the plane.
        fit: Procrustes correlation of the map with the theory, sqrt(1 - m²), from 0 to 1.
        fit_p: share of arrangements of the values on the circle whose own map, from its own start, fits them as well.
        permutations: behind each p, which is (1 + #) / (1 + permutations).
        level: ``"ordinal"`` or ``"interval"``.
    """

    names: tuple[str, ...]
    coordinates: Floats = field(repr=False)
    theory: Floats = field(repr=False)
    stress: float
    free_stress: float
    random_stress: float
    stress_p: float
    fit: float
    fit_p: float
    permutations: int
    level: Level


def scale(
    correlation: Floats,
    names: tuple[str, ...],
    theory: Floats,
    *,
    level: Level = "ordinal",
    permutations: int = 199,
    seed: int = 0,
) -> Scaling:
    """Map values whose correlations (d, d) are known, and compare the map with their places (d, 2) in the theory.

    The start is the theory, which pulls the map towards it. So the test gives every other arrangement of the values
    the same advantage: its map starts from it, too.

    Raises:
        ValueError: fewer than 4 values, a missing correlation, or an unknown level.
    """
    d = len(names)
    if level not in ("ordinal", "interval"):
        raise ValueError(f"level: expected 'ordinal' or 'interval', got {level!r}")
    if d < 4 or not np.isfinite(correlation).all():
        raise ValueError(f"correlation: expected those of at least 4 values, none missing, got {d} values")
    rng = np.random.default_rng(seed)
    apart = 1.0 - correlation
    places = np.concatenate([np.arange(d)[None], rng.permuted(np.tile(np.arange(d), (permutations, 1)), axis=1)])
    starts = theory[places]  # [k, i]: where arrangement k has value i
    maps, stress = smacof(np.broadcast_to(apart, (len(starts), d, d)), starts, level)
    fits = procrustes_fit(maps, starts)
    shuffled = np.concatenate([apart[None], _dealt(apart, permutations, rng)])
    _, free = smacof(shuffled, classical(shuffled), level)
    return Scaling(
        names=names,
        coordinates=align(maps[0], theory),
        theory=theory,
        stress=float(stress[0]),
        free_stress=float(free[0]),
        random_stress=float(free[1:].mean()) if permutations else float("nan"),
        stress_p=float((free <= free[0] + 1e-9).mean()),
        fit=float(fits[0]),
        fit_p=float((fits >= fits[0] - 1e-9).mean()),
        permutations=permutations,
        level=level,
    )


def smacof(dissimilarity: Floats, start: Floats, level: Level = "ordinal") -> tuple[Floats, Floats]:
    """Maps (B, d, 2) and their Stress-1 (B,) by iterative majorisation (De Leeuw 1977; Borg & Groenen 2005, ch. 8-9).

    Args:
        dissimilarity: (B, d, d), symmetric.
        start: (B, d, 2).
        level: equal dissimilarities may be at different distances under "ordinal" (primary approach to ties).
    """
    if len(start) > _BATCH:
        batches = [slice(first, first + _BATCH) for first in range(0, len(start), _BATCH)]
        parts = [smacof(dissimilarity[b], start[b], level) for b in batches]
        return np.concatenate([x for x, _ in parts]), np.concatenate([s for _, s in parts])
    d = dissimilarity.shape[-1]
    row, column = np.triu_indices(d, 1)
    wanted = dissimilarity[:, row, column]
    maps = np.array(start, dtype=float)
    stress = np.full(len(maps), np.inf)
    active = np.arange(len(maps))
    for _ in range(_MOST_ROUNDS):
        x = maps[active]
        apart = _distances(x)
        pairs = apart[:, row, column]
        fitted = _disparities(wanted[active], pairs, level)
        now = _stress(pairs, fitted)
        done = stress[active] - now < _TOLERANCE
        stress[active] = now
        active, x, apart, fitted = active[~done], x[~done], apart[~done], fitted[~done]
        if not len(active):
            break
        ratio = np.zeros_like(apart)
        ratio[:, row, column] = fitted / np.maximum(apart[:, row, column], _TINY)
        ratio += ratio.transpose(0, 2, 1)
        maps[active] = (ratio.sum(axis=2)[:, :, None] * x - ratio @ x) / d
    return maps, stress


def _distances(x: Floats) -> Floats:
    return np.asarray(np.sqrt(((x[:, :, None, :] - x[:, None, :, :]) ** 2).sum(axis=-1)))


def _stress(pairs: Floats, fitted: Floats) -> Floats:
    """Stress-1 at the best size of the map: the fitted distances have a fixed size, the map's is free."""
    product = (pairs * fitted).sum(axis=1)
    squares = (pairs**2).sum(axis=1) * (fitted**2).sum(axis=1)
    return np.asarray(np.sqrt(np.clip(1.0 - product**2 / np.maximum(squares, _TINY), 0.0, 1.0)))


def _disparities(wanted: Floats, pairs: Floats, level: Level) -> Floats:
    """What the distances should be: fitted to them, of a fixed sum of squares so that the map cannot shrink to 0."""
    fitted = _monotone(wanted, pairs) if level == "ordinal" else _straight(wanted, pairs)
    size = np.sqrt((fitted**2).sum(axis=1, keepdims=True))
    return np.asarray(fitted * np.sqrt(pairs.shape[1]) / np.maximum(size, _TINY))


def _straight(wanted: Floats, pairs: Floats) -> Floats:
    """Least squares line that does not fall, and is not below 0 at the smallest dissimilarity."""
    x = wanted - wanted.min(axis=1, keepdims=True)
    centred = x - x.mean(axis=1, keepdims=True)
    spread = (centred**2).sum(axis=1, keepdims=True)
    slope = (centred * pairs).sum(axis=1, keepdims=True) / np.maximum(spread, _TINY)
    level = pairs.mean(axis=1, keepdims=True) - slope * x.mean(axis=1, keepdims=True)
    through = (x * pairs).sum(axis=1, keepdims=True) / np.maximum((x**2).sum(axis=1, keepdims=True), _TINY)
    line = np.where(level < 0, through * x, level + slope * x)
    return np.asarray(np.where(slope < 0, pairs.mean(axis=1, keepdims=True), line))


def _monotone(wanted: Floats, pairs: Floats) -> Floats:
    """Isotonic regression of distances on the order of dissimilarities, for all rows at once.

    By its min-max form: g_i = max over j <= i of min over k >= i of the mean from j to k.
    """
    first = np.argsort(pairs, axis=1, kind="stable")
    order = np.take_along_axis(first, np.argsort(np.take_along_axis(wanted, first, 1), axis=1, kind="stable"), 1)
    sums = np.concatenate([np.zeros((len(pairs), 1)), np.cumsum(np.take_along_axis(pairs, order, 1), axis=1)], axis=1)
    m = pairs.shape[1]
    begin, end = np.arange(m)[:, None], np.arange(m)[None, :]
    upper = end >= begin
    means = np.where(upper, (sums[:, None, 1:] - sums[:, :-1, None]) / np.where(upper, end - begin + 1, 1), np.inf)
    lowest = np.minimum.accumulate(means[:, :, ::-1], axis=2)[:, :, ::-1]
    fitted = np.where(upper, lowest, -np.inf).max(axis=1)
    back: Floats = np.empty_like(fitted)
    np.put_along_axis(back, order, fitted, 1)
    return back


def classical(dissimilarity: Floats) -> Floats:
    """Maps (B, d, 2) by classical scaling (Torgerson 1952): the first two principal coordinates."""
    d = dissimilarity.shape[-1]
    centring = np.eye(d) - 1.0 / d
    values, vectors = np.linalg.eigh(-0.5 * centring @ dissimilarity**2 @ centring)
    return np.asarray(vectors[..., -2:] * np.sqrt(np.maximum(values[..., None, -2:], _TINY)))


def _dealt(apart: Floats, permutations: int, rng: np.random.Generator) -> Floats:
    """Matrices (B, d, d) with the same dissimilarities at other pairs."""
    row, column = np.triu_indices(len(apart), 1)
    dealt = np.zeros((permutations, *apart.shape))
    dealt[:, row, column] = rng.permuted(np.tile(apart[row, column], (permutations, 1)), axis=1)
    return np.asarray(dealt + dealt.transpose(0, 2, 1))


def procrustes_fit(maps: Floats, targets: Floats) -> Floats:
    """Procrustes correlation (B,) of maps (B, d, 2): 1 less SciPy's disparity, and its root; reflection is allowed."""
    one, other = (_standard(x) for x in (maps, targets))
    singular = np.linalg.svd(one.transpose(0, 2, 1) @ other, compute_uv=False)
    return np.asarray(np.minimum(singular.sum(axis=-1), 1.0))


def align(coordinates: Floats, target: Floats) -> Floats:
    """A map (d, 2), turned, reflected, moved and scaled by least squares onto the target."""
    left, singular, right = np.linalg.svd(
        _standard(coordinates[None])[0].T @ (target - target.mean(axis=0)), full_matrices=False
    )
    turned = _standard(coordinates[None])[0] @ (left @ right)
    return np.asarray(turned * singular.sum() + target.mean(axis=0))


def _standard(x: Floats) -> Floats:
    centred = x - x.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True)), _TINY))
