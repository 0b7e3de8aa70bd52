"""Which values matter most, beside the order that people all over the world give them.

Compares the ranking of means with a reference ranking. How values go together is ``circumplex``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyvalue.atomic_files import write_json
from pyvalue.evaluation.circumplex_moments import bootstrap_counts, persona_moments
from pyvalue.evaluation.circumplex_options import check_numbers, check_share
from pyvalue.evaluation.circumplex_rows import circle_rows
from pyvalue.evaluation.ess import SurveyValues
from pyvalue.plotted import Plotted
from pyvalue.responses import Score
from pyvalue.schwartz_circle import basic_value

Floats = NDArray[np.float64]
#: importance to representative or near-representative samples of 13 nations, from the most (1) to the least (10):
#: Schwartz & Bardi (2001), "Value hierarchies across cultures", Journal of Cross-Cultural Psychology 32
PAN_CULTURAL: Mapping[str, float] = {
    "Benevolence": 1,
    "Self-Direction": 2,
    "Universalism": 3,
    "Security": 4,
    "Conformity": 5,
    "Achievement": 6,
    "Hedonism": 7,
    "Stimulation": 8,
    "Tradition": 9,
    "Power": 10,
}


@dataclass(frozen=True)
class Priorities(Plotted):
    """A ranking of values beside a reference.

    Attributes:
        table: one row a value, the most important first: ``value, mean, low, high, rank, rank_low, rank_high,
            reference``. ``mean``: of the rows about their own means, with its percentile interval over resamples of
            personas; ``rank_low, rank_high``: the interval of the rank; ``reference``: rank in the reference among the
            values in common.
        spearman, kendall: rank correlations with the reference (τ-b).
        spearman_p, kendall_p: two-sided p: share of all orders of the values that agree or disagree as much; exact, but
            for Kendall's with ties, which is SciPy's approximation.
        spearman_low, spearman_high: percentile interval of ``spearman`` over resamples of personas.
        left_out: column -> why it was not used.
        facts: reference, personas, rows, score, confidence, resamples, seed.
    """

    table: pd.DataFrame = field(repr=False)
    spearman: float
    spearman_p: float
    kendall: float
    kendall_p: float
    spearman_low: float
    spearman_high: float
    left_out: Mapping[str, str]
    facts: Mapping[str, Any] = field(repr=False)

    def __repr__(self) -> str:
        first = ", ".join(self.table["value"].head(3))
        interval = f" [{self.spearman_low:.2f}, {self.spearman_high:.2f}]" if math.isfinite(self.spearman_low) else ""
        return (
            f"Priorities({len(self.table)} values, first {first}; rank correlation with {self.facts['reference']} "
            f"{self.spearman:.2f}{interval}, p={self.spearman_p:.2g})"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; missing numbers are null."""
        rows = self.table.astype(object).where(self.table.notna(), None).to_dict("records")
        numbers = {k: None if v != v else v for k, v in vars(self).items() if isinstance(v, float)}
        return {"table": rows, **numbers, "left_out": dict(self.left_out), "facts": dict(self.facts)}

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        write_json(path, self.to_dict())
        return Path(path)


def priorities(
    source: Any,
    reference: Literal["pan-cultural"] | Mapping[str, float] | SurveyValues = "pan-cultural",
    *,
    score: Score = "corrected",
    edit: str | None = "",
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Priorities:
    """Rank the ten basic values by their means and compare the ranking with a reference.

    Every row is taken about its mean over its basic values first, so that saying yes to everything changes nothing.

    Args:
        source: ``Responses``, rows of scores (see ``score_rows``) or what ``load_ess`` gives.
        reference: "pan-cultural"; ranks, value -> 1 for the most important; or what ``load_ess`` gives, whose weighted
            means are ranked.
        score: of ``Responses``.
        edit: label of the edit whose rows are taken; "" for unsteered ones, None for all.
        resamples: of personas, for the intervals; none with fewer than 3 personas.
        confidence: of the intervals.
        seed: of the resamples.

    Raises:
        ValueError: fewer than 3 values in common with the reference, no complete rows, an unknown reference or one with
            missing ranks, or a number out of range.
        TypeError: the reference is nothing of the above, or a number is none.
    """
    check_share("confidence", confidence)
    check_numbers(resamples=(resamples, 0), seed=(seed, 0))
    ranks, label = _reference(reference)
    rows = circle_rows(source, score, edit=edit, means=True)
    names = [name for name in rows.names if name in ranks]
    if len(names) < 3:
        raise ValueError(f"reference: expected at least 3 values in common, got {', '.join(names) or 'none'}")
    left_out = {**rows.left_out, **{n: "is not in the reference" for n in rows.names if n not in ranks}}
    from scipy import stats

    scores = rows.scores[:, [rows.names.index(name) for name in names]]
    moments = persona_moments(scores, rows.persona, rows.weights)
    mean = moments.means(np.ones((1, rows.personas)))[0]
    theirs = stats.rankdata([ranks[name] for name in names])
    own = stats.rankdata(np.round(-mean, 12))
    drawn = np.full((1, len(names)), np.nan)
    if rows.personas >= 3 and resamples > 0:
        drawn = np.concatenate([moments.means(c) for c in bootstrap_counts(rows.personas, resamples, seed)])
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    drawn_ranks = np.where(np.isnan(drawn), np.nan, stats.rankdata(np.round(-drawn, 12), axis=1))
    low, high = np.quantile(drawn, tails, axis=0)
    rank_low, rank_high = np.quantile(drawn_ranks, tails, axis=0)
    rho_low, rho_high = np.quantile(_pearson(drawn_ranks, theirs), tails)
    columns = {"value": names, "mean": mean, "low": low, "high": high, "rank": own, "rank_low": rank_low,
               "rank_high": rank_high, "reference": theirs}  # fmt: skip
    table = pd.DataFrame(columns).sort_values(["rank", "reference"], kind="stable").reset_index(drop=True)
    rho = float(_pearson(own[None], theirs)[0])
    tau = stats.kendalltau(own, theirs)
    facts = {"reference": label, "personas": rows.personas, "rows": len(rows.scores), "score": score, "edit": edit,
             "confidence": confidence, "resamples": resamples, "seed": seed}  # fmt: skip
    return Priorities(
        table,
        rho,
        spearman_p(own, theirs),
        float(tau.statistic),
        float(tau.pvalue),
        float(rho_low),
        float(rho_high),
        left_out,
        facts,
    )


def _reference(reference: Any) -> tuple[Mapping[str, float], str]:
    if isinstance(reference, str):
        if reference != "pan-cultural":
            raise ValueError(f"reference: expected 'pan-cultural' or ranks of values, got {reference!r}")
        return PAN_CULTURAL, "Schwartz & Bardi (2001)"
    if isinstance(reference, SurveyValues):
        means = reference.means().dropna()
        return {str(name): -mean for name, mean in means.items()}, str(reference.facts["file"])
    if not isinstance(reference, Mapping):
        raise TypeError(
            f"reference: expected 'pan-cultural', ranks of values or a survey, got {type(reference).__name__}"
        )
    ranks = {}
    for name, rank in reference.items():
        try:
            number = float(rank)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"reference: expected a number for each value, got {rank!r} for {name!r}; leave it out")
        ranks[basic_value(str(name))] = number
    if None in ranks or len(ranks) < len(reference):
        given = ", ".join(map(str, reference))
        raise ValueError(f"reference: expected each of the ten basic values once at most, got {given}")
    if len(ranks) > 1 and len(set(ranks.values())) == 1:
        raise ValueError("reference: expected ranks that differ, got the same for all values")
    return {str(name): rank for name, rank in ranks.items()}, "given"


def _pearson(ranks: Floats, theirs: Floats) -> Floats:
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    other = theirs - theirs.mean()
    with np.errstate(invalid="ignore"):
        return np.asarray((centred @ other) / np.sqrt((centred**2).sum(axis=1) * (other @ other)))


def spearman_p(one: Floats, other: Floats) -> float:
    """Exact two-sided p of Spearman's ρ, ties or not: share of all d! orders with |ρ| at least as large.

    Counts orders by their sum of rank products, value by value: after k values only the set of ranks given out and the
    sum so far matter, so 2^d sets stand for d! orders. Ranks (average for ties) are doubled to be whole.
    """
    a, b = np.rint(2 * one).astype(int), np.rint(2 * other).astype(int)
    d, most = len(a), int(np.sort(a) @ np.sort(b))
    counts: dict[int, NDArray[np.float64]] = {0: np.eye(1, most + 1)[0]}
    for k in range(d):
        following: dict[int, NDArray[np.float64]] = {}
        for taken, ways in counts.items():
            for place in range(d):
                if taken >> place & 1:
                    continue
                step = int(a[k] * b[place])
                target = following.setdefault(taken | 1 << place, np.zeros(most + 1))
                target[step:] += ways[: most + 1 - step]
        counts = following
    ways = counts[(1 << d) - 1]
    middle = a.sum() * b.sum() / d
    far = np.abs(np.arange(most + 1) - middle) >= abs(float(a @ b) - middle) - 1e-9
    return float(ways[far].sum() / ways.sum())
