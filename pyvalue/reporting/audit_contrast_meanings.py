"""What the contrasts of an audit mean for a reader: of rates of change, and of the choice of one persona."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pyvalue.evaluation.audit_findings import Finding
from pyvalue.reporting.wording import signed

_NO_HELP = "It does not help to tell side effects."


def follows_meaning(one: Finding) -> str:
    """Whether values that the graph lets follow do so, and how much of it is that some change often anyway.

    The verdict is on the lift: a contrast above 0 whose lift is not, comes from values that change often under
    whatever edit, and would come of any graph that points at them.
    """
    figures = one.figures
    lift, p = (_number(figures, key) for key in ("lift", "lift_p"))
    said = _rates(figures)
    if one.verdict == "holds":
        then = "beyond how often each value changes at all, and beyond graphs with permuted names, the graph tells "
        then += "which values follow. It says something about steering."
        return f"{said} {_capital(then)}{_unsure(figures)}" if said else then + _unsure(figures)
    alike = "graphs with permuted names often do as well"
    if math.isfinite(p):
        alike = f"{p:.0%} of graphs with permuted names do at least as well"
    if one.verdict == "fails":
        then = f"given how often each value changes at all, {alike}. {_NO_HELP}"
        if _holds_zero(figures):
            then += " That it points at the wrong values is not shown either: the interval of the lift holds 0."
        return f"{said} {_capital(then)}" if said else then
    if math.isfinite(p) and p < 0.05 and math.isfinite(lift):
        return (
            f"the lift ({signed(lift)}) is more than graphs with permuted names give, but there are too few personas "
            "to say so of others."
        )
    then = f"{alike}. This is no evidence that the graph tells side effects, and none that it does not."
    return f"{said} {_capital(then)}" if said else then


def _rates(figures: Mapping[str, Any]) -> str:
    """Whether expected values changed more often, and what of it is their own liveliness."""
    contrast, expected, unexpected, lift = (
        _number(figures, key) for key in ("contrast", "expected", "unexpected", "lift")
    )
    if not all(map(math.isfinite, (contrast, expected, unexpected, lift))):
        return ""
    told = f"values that the graph points to changed {'more' if contrast > 0 else 'less'} often than others "
    told += f"({expected:.3f} against {unexpected:.3f})"
    if contrast > 0 and lift <= 0:
        return f"{told}, but only since they change often anyway."
    if contrast > 0 and lift < contrast / 2:
        return f"{told}, mostly since they change often anyway."
    return f"{told}."


def _unsure(figures: Mapping[str, Any]) -> str:
    return " For other personas it may be none: the interval of the lift holds 0." if _holds_zero(figures) else ""


def _holds_zero(figures: Mapping[str, Any]) -> bool:
    return _number(figures, "lift_low") <= 0 <= _number(figures, "lift_high")


def choice_meaning(one: Finding) -> str:
    """Whether the chosen persona is an extreme one, and whether the others agree among themselves."""
    figures = one.figures
    agree = _agreement(figures)
    if one.verdict == "unclear":
        return "there are too few others to tell whether the one that was looked at is like them."
    if one.verdict == "fails":
        end = ""
        if {"rank", "rank_from_below"} <= set(figures):
            largest = figures["rank"] <= figures["rank_from_below"]
            end = f", with one of the {'largest' if largest else 'smallest'} contrasts"
        return f"the one that was looked at is an extreme one{end}; the result speaks for it alone.{agree}"
    return f"the one that was looked at was no extreme choice.{agree}"


def _agreement(figures: Mapping[str, Any]) -> str:
    if not {"above_0", "below_0", "personas", "smallest", "largest"} <= set(figures):
        return ""
    above, below, every = figures["above_0"], figures["below_0"], figures["personas"]
    if above and below:
        return (
            f" But the result hangs on whom one looks at: {above:,} of {every:,} lie above 0 and {below:,} below, from "
            f"{signed(figures['smallest'])} to {signed(figures['largest'])}."
        )
    said = f" None of {every:,} lies {'below' if above else 'above'} 0"
    lifts = figures.get("lift_above_0")
    if above and lifts is not None and lifts < every:
        return f"{said}; beyond how often values change anyway, {lifts:,} lie above it."
    return f"{said}."


def _number(figures: Mapping[str, Any], key: str) -> float:
    found = figures.get(key)
    return math.nan if found is None else float(found)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
