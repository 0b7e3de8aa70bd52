"""Do values go together in the same way over all rows, among personas under one edit, and among edits on one persona?

A search over pooled rows mixes two kinds of correlation: between personas, who are what they are, and between edits,
which were done to the model. Where the two disagree in sign, an edge found in the mixture describes neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.evaluation.audit_contrasts import MIN_CLUSTERS, widened_percentiles
from pyvalue.evaluation.audit_options import MIN_RESAMPLES

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

#: kinds of correlation, in the order of the arrays
KINDS = ("pooled", "within edits", "within personas")


@dataclass(frozen=True)
class WithinBetween:
    """Correlations of every pair of values, pooled and with the means of edits or of personas taken off.

    Attributes:
        pairs: one row a pair: ``one, other``, and for each kind the correlation and its interval (``pooled``,
            ``pooled_low``, ``pooled_high``, ``within_edits`` ..., ``within_personas`` ...). Intervals: percentiles of
            a bootstrap that draws both personas and edits, set wider for few of either.
        rows: used; rows with a missing score are left out.
        left_out: rows that were.
        constant: values left out because they do not vary.
        why_no_interval: in words, where personas or edits are too few.
    """

    pairs: pd.DataFrame = field(repr=False)
    rows: int
    left_out: int
    constant: tuple[str, ...]
    why_no_interval: str = ""

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
        resamples: of the bootstrap, at least 100. It draws personas and, apart from them, edits; a row counts as often
            as its persona times its edit was drawn (Owen 2007, Annals of Applied Statistics 1), which is too wide
            rather than too narrow. So intervals hold for other personas under other edits like these. Both are put in
            order of name first, so that the order of rows does not matter.
        confidence: of the intervals, in (0, 1).
        seed: of the bootstrap.

    Raises:
        ValueError: fewer than 2 values vary, fewer than 3 rows are complete, or an argument is out of range.
    """
    if resamples < MIN_RESAMPLES:
        raise ValueError(f"resamples: expected at least {MIN_RESAMPLES}, got {resamples}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    whole = rows.dropna().sort_index(level="persona", sort_remaining=True)
    if len(whole) < 3:
        raise ValueError(f"rows: expected at least 3 without a missing score, got {len(whole)} of {len(rows)}")
    varies = (whole.max() - whole.min() > 1e-12).to_numpy()
    names = [str(name) for name in whole.columns[varies]]
    if len(names) < 2:
        raise ValueError(f"rows: expected at least 2 values that vary, got {len(names)}")
    scores, edit, persona = _groups(whole.loc[:, varies])
    edits, personas = int(edit.max()) + 1, int(persona.max()) + 1
    above = np.triu_indices(len(names), 1)
    observed = _correlations(scores, edit, persona, np.ones(len(scores)))[:, above[0], above[1]]
    ends = np.full((len(KINDS), len(above[0]), 2), np.nan)
    why = _why_no_interval(edits, personas)
    if not why:
        replicates = np.stack(
            [
                _correlations(scores, edit, persona, e[edit] * p[persona])[:, above[0], above[1]]
                for e, p in _drawn(edits, personas, resamples, seed)
            ]
        )
        for place in np.ndindex(ends.shape[:2]):
            ends[place] = widened_percentiles(replicates[:, *place], min(edits, personas), confidence)
    table: dict[str, Any] = {"one": [names[i] for i in above[0]], "other": [names[j] for j in above[1]]}
    for kind, r, interval in zip(KINDS, observed, ends, strict=True):
        name = kind.replace(" ", "_")
        table |= {name: r, f"{name}_low": interval[:, 0], f"{name}_high": interval[:, 1]}
    constant = tuple(str(name) for name in whole.columns[~varies])
    return WithinBetween(pd.DataFrame(table), len(whole), len(rows) - len(whole), constant, why)


def _groups(rows: pd.DataFrame) -> tuple[Floats, Codes, Codes]:
    """Standardised scores (n, d) with the number of each row's edit and persona, by name."""
    # Correlations do not mind a shift; near 0 the differences of sums of squares lose no digits.
    scores = rows.to_numpy(dtype=float)
    scores = (scores - scores.mean(axis=0)) / scores.std(axis=0)
    edit, persona = (pd.factorize(rows.index.get_level_values(name), sort=True)[0] for name in ("edit", "persona"))
    return scores, edit, persona


def _correlations(scores: Floats, edit: Codes, persona: Codes, weights: Floats) -> Floats:
    """(3, d, d) of ``KINDS``, of rows that count ``weights`` (n,) times; NaN where a value does not vary."""
    used = weights > 0
    scores, edit, persona, weights = scores[used], edit[used], persona[used], weights[used]
    products = (scores * weights[:, None]).T @ scores
    moments = []
    for group in (np.zeros_like(edit), edit, persona):
        total = np.stack([np.bincount(group, weights * column) for column in scores.T])
        count = np.bincount(group, weights)
        moments.append(products - (total / np.maximum(count, 1.0)) @ total.T)
    return _scaled(np.stack(moments))


def _drawn(edits: int, personas: int, resamples: int, seed: int) -> Iterator[tuple[Floats, Floats]]:
    """How often each edit and each persona is drawn."""
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        e, p = (rng.multinomial(n, np.full(n, 1 / n)).astype(float) for n in (edits, personas))
        yield e, p


def _scaled(moments: Floats) -> Floats:
    variance = np.einsum("rii->ri", moments)
    # Scores were standardised: what is this small is a difference of equal sums.
    spread = np.sqrt(np.where(variance > 1e-9, variance, np.nan))
    r: Floats = moments / (spread[:, :, None] * spread[:, None, :])
    return r


def _why_no_interval(edits: int, personas: int) -> str:
    if min(edits, personas) >= MIN_CLUSTERS:
        return ""
    return (
        f"no intervals: they need at least {MIN_CLUSTERS} personas and {MIN_CLUSTERS} edits (no edit is one), got "
        f"{personas} and {edits}"
    )
