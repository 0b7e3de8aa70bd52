"""Edits that broke the model in a study, and what the contrast is with and without them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pyvalue.evaluation.audit_contrast_findings import Reach
from pyvalue.evaluation.audit_contrasts import counts_of_edits
from pyvalue.evaluation.audit_findings import Finding, Verdict
from pyvalue.evaluation.audit_options import AuditOptions
from pyvalue.evaluation.audit_study import Part, Study
from pyvalue.evaluation.label_permutation import LabelPermutation, contrasts, label_permutation

NAME = "broken edits"


def broken_finding(study: Study, values: Sequence[str], reach: Reach, options: AuditOptions) -> Finding:
    """Which edits were taken out, why, and what that changed.

    Args:
        study: with the broken edits in ``whole_judged`` alone.
        values: of the contrast.
        reach: of them.
        options: of the audit.
    """
    claim = "no edit breaks the model, so that changes are changes of values"
    whole = study.whole_judged.of_values(values)
    if not study.learnt.edits and not whole.edits:
        return Finding(NAME, claim, "not computable", {}, "there are no rows under edits")
    figures: dict[str, Any] = {"edits": len({*whole.edits, *study.learnt.edits}), "broken": dict(study.broken)}
    plain = any(not edit for edit in whole.rows.index.get_level_values("edit"))
    if not study.broken and not plain:
        told = "there are no rows without an edit to compare with"
        return Finding(NAME, claim, "not computable", figures, told)
    if not study.broken:
        return Finding(NAME, claim, "holds", figures, f"none of {figures['edits']} edits broke the model")
    before, after = (_test(part, reach, options) for part in (whole, study.judged.of_values(values)))
    for name, tests in (("before", before), ("after", after)):
        if tests:
            contrast, lift = tests
            figures |= {f"contrast_{name}": contrast, f"lift_{name}": lift.observed, f"lift_p_{name}": lift.p}
    reasons = "; ".join(f"{edit}: {reason}" for edit, reason in study.broken.items())
    changed = f"; contrast with them {_told(before)}, without them {_told(after)}"
    flips = before is not None and after is not None and (before[1].p < options.level) != (after[1].p < options.level)
    verdict: Verdict = "fails"
    told = f"taken out of every other check: {reasons}{changed}"
    return Finding(NAME, claim, verdict, figures | {"verdict_changes": flips}, told)


def _test(part: Part, reach: Reach, options: AuditOptions) -> tuple[float, LabelPermutation] | None:
    """The contrast, and the test of its lift."""
    change = part.change
    if change is None:
        return None
    counts = counts_of_edits(change, options.cut)
    test = label_permutation(counts.lift(), reach.possible, permutations=options.permutations, seed=options.seed)
    return float(contrasts(counts.rates(), reach.possible)), test


def _told(found: tuple[float, LabelPermutation] | None) -> str:
    if found is None or not math.isfinite(found[1].p):
        return "not defined"
    return f"{found[0]:+.3f} (lift {found[1].observed:+.3f}, p = {found[1].p:.2g})"
