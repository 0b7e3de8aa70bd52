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
from pyvalue.evaluation.audit_options import AuditOptions
from pyvalue.evaluation.change_rates import expected_and_unexpected
from pyvalue.evaluation.label_permutation import LabelPermutation, label_permutation

Mask = npt.NDArray[np.bool_]

#: a chosen persona is an extreme one where no more than this share of the personas has a contrast as large
EXTREME_SHARE = 0.1
#: personas that a rank is told of
MIN_RANKED = 10

CONTRAST_CLAIM = "values that the graph lets follow change more often than the others, beyond what permuted names give"
CHOICE_CLAIM = "the chosen persona shows what the others show"


@dataclass(frozen=True)
class Reach:
    """Who follows whom: over possibly directed paths, as the paper takes it, and over directed ones."""

    possible: Mask = field(repr=False)
    definite: Mask = field(repr=False)


def contrast_finding(
    name: str,
    rates: npt.NDArray[np.float64],
    reach: Reach,
    interval: tuple[float, float],
    of_what: str,
    options: AuditOptions,
    why_no_interval: str = "",
) -> tuple[Finding, LabelPermutation]:
    """The contrast of one set of rates with its null and interval.

    Args:
        name: of the finding.
        rates: (d, d).
        reach: of the same values.
        interval: over personas; NaN where there is none.
        of_what: which comparisons the rates are of, in words.
        options: of the audit.
        why_no_interval: in words.
    """
    test, definite = (
        label_permutation(rates, flags, permutations=options.permutations, seed=options.seed)
        for flags in (reach.possible, reach.definite)
    )
    with np.errstate(invalid="ignore"):
        expected, unexpected = (_mean(side) for side in expected_and_unexpected(rates, reach.possible))
    low, high = interval
    figures: dict[str, Any] = {
        "contrast": test.observed, "expected": expected, "unexpected": unexpected, "low": low, "high": high,
        "p": test.p, "permutations": len(test.null), "exact": test.exact,
        "null_mean": _mean(test.null), "null_sd": float(np.std(test.null)) if len(test.null) else math.nan,
        "definite_contrast": definite.observed, "definite_p": definite.p,
    }  # fmt: skip
    if not math.isfinite(test.p):
        return Finding(
            name, CONTRAST_CLAIM, "not computable", figures, f"{of_what}: {_why_undefined(rates, reach)}"
        ), test
    span = (
        f", {options.confidence:.0%} interval over personas {low:+.3f} to {high:+.3f}"
        if math.isfinite(low)
        else f"; no interval over personas: {why_no_interval}"
    )
    sentence = (
        f"{of_what}: {expected:.3f} expected against {unexpected:.3f} unexpected, contrast {test.observed:+.3f}{span}; "
        f"permuted names give as much with p = {p_in_words(test.p)}"
    )
    return Finding(name, CONTRAST_CLAIM, _verdict(test.p, options.level), figures, sentence), test


def choice_finding(
    name: str, contrasts: pd.DataFrame, chosen: str | None, options: AuditOptions, what: str = "persona"
) -> Finding:
    """Where the chosen persona stands among all that could have been chosen.

    Args:
        name: of the finding.
        contrasts: columns ``persona`` and ``contrast``.
        chosen: one of them, or None.
        options: of the audit.
        what: "persona" or "baseline".
    """
    known = contrasts.dropna(subset="contrast")
    each = known["contrast"].to_numpy()
    if len(each) < 2:
        told = f"a choice needs at least 2 {what}s with a contrast, got {len(each)}"
        return Finding(name, CHOICE_CLAIM, "not computable", {"personas": len(each)}, told)
    above, below = int((each > 0).sum()), int((each < 0).sum())
    figures: dict[str, Any] = {
        "personas": len(each), "above_0": above, "below_0": below,
        "smallest": float(each.min()), "median": float(np.median(each)), "largest": float(each.max()),
    }  # fmt: skip
    sign = ""
    if what == "persona":  # two baselines share a comparison, so their signs are no independent ones
        figures["sign_p"] = _sign_test(above, below)
        sign = f" (sign test p = {p_in_words(figures['sign_p'])})"
    spread = (
        f"of {len(each)} {what}s taken alone {above} have a contrast above 0{sign}, "
        f"from {each.min():+.3f} to {each.max():+.3f}, median {np.median(each):+.3f}"
    )
    if chosen is None:
        return Finding(name, CHOICE_CLAIM, "not computable", figures, f"no {what} was named; {spread}")
    own = known.loc[known["persona"] == chosen, "contrast"]
    if own.empty:
        return Finding(name, CHOICE_CLAIM, "not computable", figures, f"{chosen} has no contrast; {spread}")
    contrast = float(own.iloc[0])
    rank = 1 + int((each > contrast + 1e-12).sum())
    figures |= {"chosen": chosen, "contrast": contrast, "rank": rank}
    verdict: Verdict = "fails" if rank / len(each) <= EXTREME_SHARE else "holds"
    if len(each) < MIN_RANKED:
        verdict = "unclear"
    return Finding(
        name, CHOICE_CLAIM, verdict, figures, f"{chosen} is rank {rank} of {len(each)} with {contrast:+.3f}; {spread}"
    )


def single_contrasts(counts: ChangeCounts, reach: Mask) -> pd.DataFrame:
    """Columns ``persona, expected, unexpected, contrast``: of every persona, or baseline, alone."""
    rows = []
    for persona, rates in zip(counts.personas, counts.single(), strict=True):
        expected, unexpected = (_mean(side) for side in expected_and_unexpected(rates, reach))
        rows.append((persona, expected, unexpected, expected - unexpected))
    return pd.DataFrame(rows, columns=["persona", "expected", "unexpected", "contrast"])


def why_no_interval(personas: Sequence[str]) -> str:
    """In words, where ``personas`` are too few."""
    return f"it needs at least {MIN_CLUSTERS} personas, got {len(personas)}"


def _verdict(p: float, level: float) -> Verdict:
    if p < level:
        return "holds"
    return "fails" if p >= 0.5 else "unclear"


def _why_undefined(rates: npt.NDArray[np.float64], reach: Reach) -> str:
    others = ~np.eye(len(rates), dtype=bool)
    if not np.isfinite(rates[others]).any():
        return "no value changed"
    if not reach.possible[others].any():
        return "the graph lets no value follow another, so there are no expected changes"
    if reach.possible[others].all():
        return "the graph lets every value follow every other, so there are no unexpected changes"
    return "the values that changed have no expected, or no unexpected, changes"


def _sign_test(above: int, below: int) -> float:
    if not above + below:
        return math.nan
    from scipy.stats import binomtest  # a second to import

    return float(binomtest(above, above + below).pvalue)


def _mean(x: npt.NDArray[np.float64]) -> float:
    known = x[np.isfinite(x)]
    return float(known.mean()) if len(known) else math.nan


def p_in_words(p: float) -> str:
    """Two digits, and no more than there are."""
    if not math.isfinite(p):
        return "none"
    return f"{p:.2f}" if p >= 0.095 else f"{p:.3f}" if p >= 0.001 else f"{p:.1g}"
