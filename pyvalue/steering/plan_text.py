"""A plan in a few lines of text. Computes nothing that the plan does not hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyvalue.steering.plan import SteeringPlan
    from pyvalue.steering.plan_leakage import ExpectedLeakage

#: predicted movers that are named with their numbers; the table has all
MOST_NAMED = 12


def plan_lines(plan: SteeringPlan) -> list[str]:
    """Target, means, what should move and how far, kept values, expected leakage, cost, problems."""
    wish = ", ".join(("raise " if sign > 0 else "lower ") + value for value, sign in plan.target.items())
    lines = [f"{'target':17} {wish}" + (f" by {plan.amount:+z.3f}" if plan.amount is not None else "")]
    lines += _means(plan)
    lines += _predicted(plan)
    if plan.keep:
        lines.append(_line("keep", ", ".join(_kept(plan, value) for value in plan.keep)))
    lines += _leakage(plan)
    if plan.cost is not None:
        lines.append(_line("cost", str(plan.cost)))
    return lines + [_line("problem" if not place else "", told) for place, told in enumerate(plan.problems)]


def _line(head: str, text: str) -> str:
    return f"{head:17} {text}"


def _means(plan: SteeringPlan) -> list[str]:
    lines = []
    if plan.edits:
        label = " + ".join(edit.label for edit in plan.edits)
        best = plan.pilot.iloc[0].to_dict() if len(plan.pilot) else {}
        lines.append(_line("edit", label + _figures(best)))
    if plan.role is not None:
        row = plan.roles.set_index("persona").loc[plan.role].to_dict()
        lines.append(_line("or role" if plan.edits else "role", plan.role + _role_figures(row, len(plan.roles))))
    if plan.choice:
        lines.append(_line("chosen", plan.choice))
    advice = "model, sae, inventory and personas for edits"
    if plan.roles.empty:
        advice = f"base with personas for roles; {advice}"
    return lines or [_line("means", f"none chosen: give {advice}")]


def _figures(row: dict[str, Any]) -> str:
    gain, told = row.get("gain", math.nan), []
    if not math.isnan(gain):
        told.append(f"gain {spread(gain, row.get('gain_low', math.nan), row.get('gain_high', math.nan))}")
    leaks = row.get("leakage", math.nan)
    if not math.isnan(leaks):
        ends = (row.get("leakage_low", math.nan), row.get("leakage_high", math.nan))
        told.append(
            f"leakage {leaks:z.2f}" + ("" if any(map(math.isnan, ends)) else f" [{ends[0]:z.2f}, {ends[1]:z.2f}]")
        )
    elif not math.isnan(plain := row.get("plain_leakage", math.nan)):
        told.append(f"leakage {plain:.2f}, noise and all")
    return f" ({', '.join(told)})" if told else ""


def _role_figures(row: dict[str, Any], personas: int) -> str:
    """What one persona deviates by, and how far that can be believed."""
    told = [f"gain {row['gain']:+z.3f}"]
    if not math.isnan(row["leakage"]):
        told.append(f"leakage {row['leakage']:.2f}")
    figures = ", ".join(told)
    if math.isnan(row.get("reliability", math.nan)):
        return (
            f" ({figures}: as it answered, against the mean of {personas} personas; the best of many, so expect less "
            "on other questions)"
        )
    return (
        f" ({figures}: expected of other questions, against the mean of {personas} personas; it answered "
        f"{row['observed']:+z.3f}, with a reliability of {row['reliability']:.2f})"
    )


def _predicted(plan: SteeringPlan) -> list[str]:
    changes = plan.predicted_changes
    numbered = len(changes) and changes["low"].notna().any()
    unit = "change of the score" if plan.amount is not None else "per unit of target change"
    lines = []
    for relation, head in (("definite", "should move"), ("possible", "may move"), ("unaffected", "should stay")):
        values = plan.values(relation)  # type: ignore[arg-type]
        if numbered and relation != "unaffected" and values:
            named = [_change(changes, value) for value in values[:MOST_NAMED]]
            rest = f", and {len(values) - MOST_NAMED} more" if len(values) > MOST_NAMED else ""
            lines.append(_line(head, ", ".join(named) + rest + f" ({unit})"))
        else:
            lines.append(_line(head, ", ".join(values) or "none"))
    if unknown := plan.values("unknown"):
        lines.append(_line("no prediction", ", ".join(unknown)))
    return lines


def _change(changes: Any, value: str) -> str:
    row = changes.set_index("value").loc[value]
    ends = row[["minimum", "maximum"]].to_numpy(dtype=float)
    if any(map(math.isnan, ends)):
        return f"{value} (not known)"
    middle = " to ".join(dict.fromkeys(f"{end:+z.3f}" for end in ends))
    return f"{value} {middle} [{row['low']:+z.3f}, {row['high']:+z.3f}]"


def _kept(plan: SteeringPlan, value: str) -> str:
    relation = plan.predicted[value]
    if relation == "unknown":
        return f"{value} (no prediction)"
    if relation == "unaffected":
        return f"{value} (should stay)"
    verb = "should move" if relation == "definite" else "may move"
    changes = plan.predicted_changes
    numbers = _change(changes, value).removeprefix(value).strip() if len(changes) else ""
    return f"{value} ({verb}{', ' + numbers if numbers and 'not known' not in numbers else ''})"


def _leakage(plan: SteeringPlan) -> list[str]:
    lines = []
    leaks = plan.expected_leakage
    if leaks.known:
        of_kept = plan.expected_leakage_on(plan.keep) if plan.keep else None
        kept = f"; of the kept values {leakage_text(of_kept)}" if of_kept is not None and of_kept.known else ""
        told = f"{leakage_text(leaks)} per unit of target change, by the graph{kept}"
        lines.append(_line("expected leakage", told))
    if plan.pilot_leakage is not None:
        groups = ["all", *(["kept"] if plan.keep else [])]
        told = "; of the kept values ".join(_measured(plan.pilot_leakage, group) for group in groups)
        lines.append(
            _line("pilot's leakage", f"{told}; on the answers that the edit was chosen by, so likely more on others")
        )
    return lines


def _measured(found: Any, group: str) -> str:
    estimate, low, high = found.estimate(group)
    if not math.isnan(estimate):
        return f"{estimate:z.2f} [{low:z.2f}, {high:z.2f}]"
    return f"undefined ({found.reason or 'too few answers'})"


def leakage_text(found: ExpectedLeakage) -> str:
    """``0.12 [0.02, 0.30]``, or ``0.12 to 0.30 [0.02, 0.41]``; without the interval where there is none."""
    told = " to ".join(dict.fromkeys(f"{end:.2f}" for end in found[:2]))
    return told if math.isnan(found.low) else f"{told} [{found.low:.2f}, {found.high:.2f}]"


def spread(value: float, low: float, high: float) -> str:
    """``+0.120 [+0.050, +0.190]``; without the interval where there is none."""
    if any(map(math.isnan, (low, high))):
        return f"{value:+z.3f}"
    return f"{value:+z.3f} [{low:+z.3f}, {high:+z.3f}]"


def ends_text(low: float, high: float) -> str:
    """``[+0.050, +0.190]``; ``0`` where both ends are; empty where there are none."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return "0" if low == high == 0 else f"[{low:+z.3f}, {high:+z.3f}]"
