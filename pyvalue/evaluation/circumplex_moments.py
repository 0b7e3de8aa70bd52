"""Correlations of many samples of personas at once, from sums that are made once a persona.

A resample is a row of counts: how often each persona is in it. Weighted sums, sums of squares and of products add up
over personas, so that the correlations of all resamples are two matrix products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
#: numbers of one block of counts; keeps a bootstrap of a survey of 40,000 people below 100 MB
_BLOCK = 4_000_000


@dataclass(frozen=True)
class PersonaMoments:
    """Weighted sums a persona.

    Attributes:
        weight: (P,) sums of weights.
        total: (P, d) weighted sums of scores.
        product: (P, d, d) weighted sums of products.
    """

    weight: Floats
    total: Floats
    product: Floats

    def means(self, counts: ArrayLike) -> Floats:
        """(B, d) weighted means of resamples; counts (B, P)."""
        counts = np.asarray(counts, dtype=float)
        return np.asarray((counts @ self.total) / (counts @ self.weight)[:, None])

    def correlations(self, counts: ArrayLike) -> Floats:
        """(B, d, d) correlations of resamples; NaN where a column does not vary."""
        return correlation_of(self.covariances(counts))

    def covariances(self, counts: ArrayLike) -> Floats:
        """(B, d, d) covariances of resamples, divided by their weight."""
        counts = np.asarray(counts, dtype=float)
        d = self.total.shape[1]
        weight = (counts @ self.weight)[:, None]
        mean = (counts @ self.total) / weight
        second = (counts @ self.product.reshape(len(self.product), d * d)) / weight
        return np.asarray(second.reshape(-1, d, d) - mean[:, :, None] * mean[:, None, :])

    def without_one(self) -> Floats:
        """(P, d, d) correlations of all personas but one each, for a jackknife."""
        weight = (self.weight.sum() - self.weight)[:, None]
        mean = (self.total.sum(axis=0) - self.total) / weight
        second = (self.product.sum(axis=0) - self.product) / weight[:, :, None]
        return correlation_of(second - mean[:, :, None] * mean[:, None, :])

    @property
    def effective_personas(self) -> float:
        """How many equally weighted personas are worth these (Kish 1965)."""
        return float(self.weight.sum() ** 2 / (self.weight**2).sum())


def persona_moments(scores: Floats, persona: NDArray[np.intp], weights: Floats | None = None) -> PersonaMoments:
    """Sums a persona of scores (n, d), which should lie around 0: correlations of scores far from it lose digits."""
    weights = np.ones(len(scores)) if weights is None else weights
    personas = int(persona.max()) + 1
    weighted = scores * weights[:, None]
    d = scores.shape[1]
    product = np.zeros((personas, d, d))
    for i in range(d):
        for j in range(i, d):
            product[:, i, j] = product[:, j, i] = np.bincount(persona, weighted[:, i] * scores[:, j], personas)
    total = np.stack([np.bincount(persona, weighted[:, i], personas) for i in range(d)], axis=1, dtype=float)
    return PersonaMoments(np.bincount(persona, weights, personas).astype(float), total, product)


def correlation_of(covariance: Floats) -> Floats:
    """(..., d, d) correlations; NaN in rows and columns without variance."""
    variance = np.diagonal(covariance, axis1=-2, axis2=-1)
    scale = np.sqrt(np.where(variance > 1e-14, variance, np.nan))
    r = np.clip(covariance / (scale[..., :, None] * scale[..., None, :]), -1.0, 1.0)
    d = covariance.shape[-1]
    r[..., range(d), range(d)] = np.where(np.isnan(scale), np.nan, 1.0)
    return np.asarray(r)


def bootstrap_counts(personas: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Blocks (b, P) of counts: personas drawn with replacement, all rows of one together."""
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // personas)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        yield rng.multinomial(personas, np.full(personas, 1.0 / personas), size=size).astype(float)
