"""Do values go together in the same way over all rows, among personas under one edit, and among edits on one persona?

A search over pooled rows mixes two kinds of correlation: between personas, who are what they are, and between edits,
which were done to the model. Where the two disagree in sign, an edge found in the mixture describes neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

#: kinds of correlation, in the order of the arrays
KINDS = ("pooled", "within edits", "within personas")
# Resamples worked on at once.
_CHUNK = 50


@dataclass(frozen=True)
class WithinBetween:
    """Correlations of every pair of values, pooled and with the means of edits or of personas taken off.

    Attributes:
        pairs: one row a pair: ``one, other``, and for each kind the correlation and its interval (``pooled``,
            ``pooled_low``, ``pooled_high``, ``within_edits`` ..., ``within_personas`` ...). Intervals: percentiles of
            a bootstrap over personas.
        rows: used; rows with a missing score are left out.
        left_out: rows that were.
        constant: values left out because they do not vary.
    """

    pairs: pd.DataFrame = field(repr=False)
    rows: int
    left_out: int
    constant: tuple[str, ...]

    def disagreements(self, kind: str = "within edits") -> dict[str, int]:
        """Pairs whose sign differs from the pooled one, and those whose intervals are clear of 0 on either side.

        Args:
            kind: "within edits" or "within personas".

        Returns:
            ``pairs`` with both correlations; ``differ`` in sign; ``clear``: both intervals leave out 0, on different
            sides; ``pooled_clear`` and ``within_clear``: the interval of the one, or of the other, leaves out 0.

        Raises:
            ValueError: an unknown kind.
        """
        if kind not in KINDS[1:]:
            raise ValueError(f"kind: expected one of {', '.join(KINDS[1:])}, got {kind!r}")
        name = kind.replace(" ", "_")
        one, other = self.pairs["pooled"], self.pairs[name]
        pooled, within = (
            np.sign(self.pairs[f"{each}_low"]) * (self.pairs[f"{each}_low"] * self.pairs[f"{each}_high"] > 0)
            for each in ("pooled", name)
        )
        return {
            "pairs": int((one.notna() & other.notna()).sum()),
            "differ": int((one * other < 0).sum()),
            "clear": int((pooled * within < 0).sum()),
            "pooled_clear": int((pooled != 0).sum()),
            "within_clear": int((within != 0).sum()),
        }


def within_between(
    rows: pd.DataFrame, *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> WithinBetween:
    """Pearson correlations of all pairs of values: pooled, within edits, and within personas.

    "Within edits" takes the mean of its edit off every score (no edit counts as one); what remains are differences
    between personas. "Within personas" takes the mean of its persona off; what remains is what the edits did.

    Args:
        rows: (edit, persona) by values, as ``pyvalue.wide_scores.score_rows`` gives.
        resamples: of the bootstrap, which draws whole personas; they are put in order of name first, so that the order
            of rows does not matter.
        confidence: of the intervals, in (0, 1).
        seed: of the bootstrap.

    Raises:
        ValueError: fewer than 2 values vary, fewer than 3 rows are complete, or an argument is out of range.
    """
    if resamples < 1:
        raise ValueError(f"resamples: expected at least 1, got {resamples}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    whole = rows.dropna().sort_index(level="persona", sort_remaining=True)
    if len(whole) < 3:
        raise ValueError(f"rows: expected at least 3 without a missing score, got {len(whole)} of {len(rows)}")
    varies = (whole.max() - whole.min() > 1e-12).to_numpy()
    names = [str(name) for name in whole.columns[varies]]
    if len(names) < 2:
        raise ValueError(f"rows: expected at least 2 values that vary, got {len(names)}")
    sums = _Sums.of(whole.loc[:, varies])
    above = np.triu_indices(len(names), 1)
    observed = sums.correlations(np.ones((1, sums.personas)))[:, 0][:, above[0], above[1]]
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(sums.personas, np.full(sums.personas, 1 / sums.personas), size=resamples).astype(float)
    drawn_r = np.concatenate(
        [sums.correlations(drawn[k : k + _CHUNK])[:, :, above[0], above[1]] for k in range(0, resamples, _CHUNK)],
        axis=1,
    )
    table: dict[str, Any] = {"one": [names[i] for i in above[0]], "other": [names[j] for j in above[1]]}
    for kind, r, replicates in zip(KINDS, observed, drawn_r, strict=True):
        low, high = _percentiles(replicates, confidence) if sums.personas > 1 else np.full((2, len(r)), np.nan)
        name = kind.replace(" ", "_")
        table |= {name: r, f"{name}_low": low, f"{name}_high": high}
    constant = tuple(str(name) for name in whole.columns[~varies])
    return WithinBetween(pd.DataFrame(table), len(whole), len(rows) - len(whole), constant)


@dataclass(frozen=True)
class _Sums:
    """Sums and products of the scores of every persona, from which those of any draw of personas follow.

    Attributes:
        products: (P, d·d).
        within: (P, d·d), of scores less the persona's mean.
        by_edit: (P, E·d) sums of the scores under each edit; a persona has at most one row under one.
        counts: (P, E) rows.
    """

    products: Floats
    within: Floats
    by_edit: Floats
    counts: Floats

    @property
    def personas(self) -> int:
        return len(self.products)

    @classmethod
    def of(cls, rows: pd.DataFrame) -> _Sums:
        # Correlations do not mind a shift; near 0 the differences of sums of squares lose no digits.
        scores = rows.to_numpy(dtype=float)
        scores = (scores - scores.mean(axis=0)) / scores.std(axis=0)
        edit = pd.factorize(rows.index.get_level_values("edit"), sort=True)[0]
        persona = pd.factorize(rows.index.get_level_values("persona"), sort=True)[0]
        d = scores.shape[1]
        personas, edits = int(persona.max()) + 1, int(edit.max()) + 1
        cube = np.zeros((personas, edits, d))
        counts = np.zeros((personas, edits))
        np.add.at(cube, (persona, edit), scores)
        np.add.at(counts, (persona, edit), 1.0)
        products = np.einsum("pei,pej->pij", cube, cube)
        total = cube.sum(axis=1)
        within = products - np.einsum("pi,pj->pij", total, total) / counts.sum(axis=1)[:, None, None]
        return cls(
            products.reshape(personas, d * d), within.reshape(personas, d * d),
            cube.reshape(personas, edits * d), counts,
        )  # fmt: skip

    def correlations(self, weights: Floats) -> Floats:
        """(3, R, d, d) of ``KINDS``, for (R, P) weights of the personas; NaN where a value does not vary."""
        d = round(self.products.shape[1] ** 0.5)
        products = (weights @ self.products).reshape(-1, d, d)
        within = (weights @ self.within).reshape(-1, d, d)
        sums = (weights @ self.by_edit).reshape(len(weights), -1, d)
        counts = weights @ self.counts
        scaled = sums / np.sqrt(np.maximum(counts, 1.0))[:, :, None]
        total = sums.sum(axis=1)
        pooled = products - total[:, :, None] * total[:, None, :] / counts.sum(axis=1)[:, None, None]
        return np.stack([_scaled(pooled), _scaled(products - scaled.transpose(0, 2, 1) @ scaled), _scaled(within)])


def _scaled(moments: Floats) -> Floats:
    variance = np.einsum("rii->ri", moments)
    # Scores were standardised: what is this small is a difference of equal sums.
    spread = np.sqrt(np.where(variance > 1e-9, variance, np.nan))
    r: Floats = moments / (spread[:, :, None] * spread[:, None, :])
    return r


def _percentiles(replicates: Floats, confidence: float) -> Floats:
    """(2, pairs); of the replicates in which a correlation is defined, NaN where there are none."""
    tail = (1 - confidence) / 2
    defined = np.isfinite(replicates).any(axis=0)
    ends = np.full((2, replicates.shape[1]), np.nan)
    if defined.any():
        ends[:, defined] = np.nanquantile(replicates[:, defined], [tail, 1 - tail], axis=0)
    return ends
