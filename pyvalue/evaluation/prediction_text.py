"""An evaluation in lines of text: predicted against measured, value by value. Computes nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pyvalue.steering.plan_leakage import ExpectedLeakage
from pyvalue.steering.plan_text import ends_text, leakage_text, spread

if TYPE_CHECKING:
    from pyvalue.evaluation.prediction import Evaluation

_RELATIONS = {
    "target": "target",
    "definite": "should move",
    "possible": "may move",
    "unaffected": "should stay",
    "unknown": "no prediction",
}
#: quantities that are shares of values, and have no intervals
SHARES = ("coverage", "coverage of no change", "sign accuracy")


def evaluation_lines(outcome: Evaluation) -> list[str]:
    """A table of the values, and the quantities of the summary with what was expected of them."""
    wide = max([5, *(len(value) for value in outcome.effects["value"])])
    lines = [f"{'value':{wide}}  {'by the graph':13}  {'predicted':18}  {'measured':24}  agrees"]
    order = list(_RELATIONS)
    for row in sorted(outcome.effects.to_dict("records"), key=lambda r: order.index(r["predicted"])):
        predicted = ends_text(row["predicted_low"], row["predicted_high"])
        measured = "no answers" if math.isnan(row["change"]) else spread(row["change"], row["low"], row["high"])
        agrees = "" if row["covered"] is None or row["covered"] != row["covered"] else None
        verdict = agrees if agrees is not None else "yes" if row["covered"] else "no"
        told = f"{row['value']:{wide}}  {_RELATIONS[row['predicted']]:13}  {predicted:18}  {measured:24}  {verdict}"
        lines.append(told.rstrip())
    lines.append(f"over {outcome.personas} personas; predicted: interval by the graph for the target's measured change")
    for row in outcome.summary.to_dict("records"):
        lines.append(f"{row['quantity']:21}  {quantity_text(outcome, row['quantity'])}")
    if outcome.facts.get("not_in_leakage"):
        named = ", ".join(outcome.facts["not_in_leakage"])
        lines.append(f"leakage, measured and expected, leaves out {named}: no prediction, or too few answers")
    if outcome.facts.get("broken"):
        lines.append(f"the edit broke the model: {outcome.facts['broken']}")
    return lines


def quantity_text(outcome: Evaluation, quantity: str) -> str:
    """The estimate with its interval, and what was expected; "undefined" where there is none."""
    estimate, low, high = outcome.estimate(quantity)
    expected = outcome.facts.get("expected", {}).get(quantity)
    if math.isnan(estimate):
        found = "undefined"
    elif quantity in SHARES:
        found = f"{estimate:.0%}"
    else:
        found = spread(estimate, low, high)
    if expected is None:
        return found
    if isinstance(expected, dict):
        return f"{found} (expected by the graph: {leakage_text(ExpectedLeakage(**expected))})"
    return f"{found} (expected: {expected:.0%}{' or more' if quantity == 'coverage' else ' by chance'})"
