"""What the contrasts of a study are worth: against permuted names, over personas, and against the choice of one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.evaluation.audit_contrasts import MIN_CLUSTERS, ChangeCounts
from pyvalue.evaluation.audit_findings import Finding, Verdict
from pyvalue.evaluation.audit_options import MIN_CONTRASTED, AuditOptions
from pyvalue.evaluation.change_rates import expected_and_unexpected
from pyvalue.evaluation.label_permutation import TIE, LabelPermutation, contrasts, label_permutation

Mask = npt.NDArray[np.bool_]

#: a chosen persona is an extreme one where no more than this share of the personas has a contrast as large, or as small
EXTREME_SHARE = 0.1
#: personas that a rank is told of
MIN_RANKED = 10

CONTRAST_CLAIM = (
    "values that the graph lets follow change more often than the others, beyond how often each changes at all and "
    "beyond what permuted names give"
)
CHOICE_CLAIM = "the chosen persona shows what the others show"
#: name of the null of the contrast as the paper takes it, beside that of the lift, which has the finding's own name
PAPERS = "{}, as in the paper"

Interval = tuple[float, float]


@dataclass(frozen=True)
class Reach:
    """Who follows whom: over possibly directed paths, as the paper takes it, and over directed ones."""

    possible: Mask = field(repr=False)
    definite: Mask = field(repr=False)


@dataclass(frozen=True)
class Intervals:
    """Over personas, of the contrast and of its lift; NaN where there is none, with the reason."""

    contrast: Interval = (math.nan, math.nan)
    lift: Interval = (math.nan, math.nan)
    why_none: str = ""


def contrast_finding(
    name: str, counts: ChangeCounts, reach: Reach, intervals: Intervals, of_what: str, options: AuditOptions,
    least: int = MIN_CLUSTERS,
) -> tuple[Finding, dict[str, LabelPermutation]]:  # fmt: skip
    """The contrast of some comparisons, the lift in it, their nulls and intervals. The verdict is on the lift.

    Args:
        name: of the finding.
        counts: of the comparisons.
        reach: of the same values.
        intervals: over personas.
        of_what: which comparisons these are, in words.
        options: of the audit.
        least: personas without which the claim is not said to hold.

    Returns:
        The finding, and its tests against permuted names: of the lift, and of the contrast as in the paper.
    """
    rates, lift = counts.rates(), counts.lift()
    papers, test, definite = (
        label_permutation(table, flags, permutations=options.permutations, seed=options.seed)
        for table, flags in ((rates, reach.possible), (lift, reach.possible), (lift, reach.definite))
    )
    tests = {name: test, PAPERS.format(name): papers}
    expected, unexpected = (_mean(side) for side in expected_and_unexpected(rates, reach.possible))
    low, high = intervals.contrast
    moved = float(counts.changed.sum() / counts.asked.sum()) if counts.asked.sum() else math.nan
    figures: dict[str, Any] = {
        "contrast": papers.observed, "expected": expected, "unexpected": unexpected, "low": low, "high": high,
        "p": papers.p, "marginal": papers.observed - test.observed, "lift": test.observed,
        "lift_low": intervals.lift[0], "lift_high": intervals.lift[1], "lift_p": test.p,
        "permutations": len(test.null), "exact": test.exact, "changed": moved, "threshold": options.cut,
        "null_mean": _mean(test.null), "null_sd": float(np.std(test.null)) if len(test.null) else math.nan,
        "definite_lift": definite.observed, "definite_lift_p": definite.p, "personas": len(counts.personas),
    }  # fmt: skip
    why = _why_undefined(rates, reach) if not math.isfinite(test.p) else _why_no_contrast(moved, options)
    if why:
        return Finding(name, CONTRAST_CLAIM, "not computable", figures, f"{of_what}: {why}"), tests
    spans = [_span(interval, options) for interval in (intervals.contrast, intervals.lift)]
    none = f"; no interval over personas: {intervals.why_none}" if intervals.why_none and not any(spans) else ""
    sentence = (
        f"{of_what}: {expected:.3f} expected against {unexpected:.3f} unexpected, contrast {papers.observed:+.3f}"
        f"{spans[0]}, of permuted names p = {p_in_words(papers.p)}; {figures['marginal']:+.3f} of it is how often "
        f"these values change at all, {test.observed:+.3f}{spans[1]} is lift, p = {p_in_words(test.p)}{none}"
    )
    verdict = verdict_of(test.p, options.level)
    if verdict == "holds" and len(counts.personas) < least:
        verdict = "unclear"
    return Finding(name, CONTRAST_CLAIM, verdict, figures, sentence), tests


def choice_finding(
    name: str, singles: pd.DataFrame, chosen: str | None, options: AuditOptions, what: str = "persona"
) -> Finding:
    """Where the chosen persona stands among all that could have been chosen; either end is an extreme.

    How many lie above 0 is told and not tested: personas share the edits and the values that change often.

    Args:
        name: of the finding.
        singles: as ``single_contrasts`` gives.
        chosen: one of them, or None.
        options: of the audit.
        what: "persona" or "baseline".
    """
    known = singles.dropna(subset="contrast")
    each = known["contrast"].to_numpy()
    if len(each) < 2:
        told = f"a choice needs at least 2 {what}s with a contrast, got {len(each)}"
        return Finding(name, CHOICE_CLAIM, "not computable", {"personas": len(each)}, told)
    figures: dict[str, Any] = {
        "personas": len(each), "above_0": int((each > 0).sum()), "below_0": int((each < 0).sum()),
        "lift_above_0": int((known["lift"] > 0).sum()),
        "smallest": float(each.min()), "median": float(np.median(each)), "largest": float(each.max()),
    }  # fmt: skip
    spread = (
        f"of {len(each)} {what}s taken alone {figures['above_0']} have a contrast above 0 and "
        f"{figures['lift_above_0']} a lift above 0; contrasts from {each.min():+.3f} to {each.max():+.3f}, median "
        f"{np.median(each):+.3f}"
    )
    if chosen is None:
        return Finding(name, CHOICE_CLAIM, "not computable", figures, f"no {what} was named; {spread}")
    own = known.loc[known["persona"] == chosen, "contrast"]
    if own.empty:
        return Finding(name, CHOICE_CLAIM, "not computable", figures, f"{chosen} has no contrast; {spread}")
    contrast = float(own.iloc[0])
    rank = 1 + int((each > contrast + TIE).sum())
    from_below = 1 + int((each < contrast - TIE).sum())
    figures |= {"chosen": chosen, "contrast": contrast, "rank": rank, "rank_from_below": from_below}
    verdict: Verdict = "fails" if min(rank, from_below) / len(each) <= EXTREME_SHARE else "holds"
    if len(each) < MIN_RANKED:
        verdict = "unclear"
    return Finding(
        name, CHOICE_CLAIM, verdict, figures, f"{chosen} is rank {rank} of {len(each)} with {contrast:+.3f}; {spread}"
    )


def single_contrasts(counts: ChangeCounts, reach: Mask) -> pd.DataFrame:
    """Columns ``persona, expected, unexpected, contrast, lift``: of every persona, or baseline, alone."""
    each = np.eye(len(counts.personas))
    lifts = contrasts(counts.lift(each), reach)
    rows = []
    for persona, rates, lift in zip(counts.personas, counts.rates(each), lifts, strict=True):
        expected, unexpected = (_mean(side) for side in expected_and_unexpected(rates, reach))
        rows.append((persona, expected, unexpected, expected - unexpected, float(lift)))
    return pd.DataFrame(rows, columns=["persona", "expected", "unexpected", "contrast", "lift"])


def why_no_interval(personas: Sequence[str]) -> str:
    """In words, where ``personas`` are too few."""
    return f"it needs at least {MIN_CLUSTERS} personas, got {len(personas)}"


def verdict_of(p: float, level: float) -> Verdict:
    """Of a one-sided test: "fails" where it would be as clear in the other direction."""
    if p < level:
        return "holds"
    return "fails" if p >= 1 - level else "unclear"


def _span(interval: Interval, options: AuditOptions) -> str:
    low, high = interval
    return f" ({options.confidence:.0%} interval {low:+.3f} to {high:+.3f})" if math.isfinite(low) else ""


def _why_no_contrast(moved: float, options: AuditOptions) -> str:
    if moved <= 1 - MIN_CONTRASTED:
        return ""
    return (
        f"{moved:.1%} of the scores count as changed at threshold {options.cut:g}, so a rate of change tells nothing; "
        "pass a larger threshold"
    )


def _why_undefined(rates: npt.NDArray[np.float64], reach: Reach) -> str:
    others = ~np.eye(len(rates), dtype=bool)
    if not np.isfinite(rates[others]).any():
        return "no value changed"
    if not reach.possible[others].any():
        return "the graph lets no value follow another, so there are no expected changes"
    if reach.possible[others].all():
        return "the graph lets every value follow every other, so there are no unexpected changes"
    return "the values that changed have no expected, or no unexpected, changes"


def _mean(x: npt.NDArray[np.float64]) -> float:
    known = x[np.isfinite(x)]
    return float(known.mean()) if len(known) else math.nan


def p_in_words(p: float) -> str:
    """Two digits, and no more than there are."""
    if not math.isfinite(p):
        return "not defined"
    return f"{p:.2f}" if p >= 0.095 else f"{p:.3f}" if p >= 0.001 else f"{p:.1g}"
