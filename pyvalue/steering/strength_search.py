"""The strength at which an edit has a wanted effect, by bisection.

What an effect is, the caller says; ``effects_of_edits`` has two that are ready.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pandas as pd

from pyvalue.measurement.progress import progress_bar
from pyvalue.models.edits import Edit
from pyvalue.models.loading import LanguageModel

Effect = Callable[[Edit], float]


@dataclass(frozen=True, eq=False)
class StrengthSearch:
    """What a search for a strength found.

    Attributes:
        edit: at ``strength``.
        strength: the one tried whose effect came nearest to ``wanted``.
        effect: its effect.
        wanted: the effect that was asked for.
        tolerance: how far from it is near enough.
        converged: whether ``effect`` is that near.
        reason: why the search ended, in words.
        trials: columns ``strength`` and ``effect``, one row a strength tried, in order; the first two are the ends.
    """

    edit: Edit = field(repr=False)
    strength: float
    effect: float
    wanted: float
    tolerance: float
    converged: bool
    reason: str
    trials: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        found = "converged" if self.converged else "not converged"
        return (
            f"StrengthSearch({found}: effect {self.effect:.4g} at strength {self.strength:.6g}, wanted "
            f"{self.wanted:.4g} +- {self.tolerance:.2g}, {len(self.trials)} trials; {self.reason})"
        )


def find_strength(
    model: LanguageModel | None,
    edit: Edit,
    effect: Effect,
    wanted: float,
    *,
    low: float,
    high: float,
    tolerance: float,
    max_steps: int = 12,
    progress: bool | None = None,
) -> StrengthSearch:
    """Find the strength of an edit at which ``effect`` is ``wanted``, by halving the interval from ``low`` to ``high``.

    The effect at both ends comes first. The search ends without a result, and says why, where ``wanted`` does not lie
    between them, where an effect falls outside those at the ends of its interval by more than ``tolerance`` (the effect
    is not monotone: typically the model breaks at the upper end), or where the effect is not a finite number.

    Args:
        model: that the effect is measured on, to make sure that the edit fits it before anything runs; None checks
            nothing.
        edit: its own strength is not used.
        effect: a function of the edit at some strength.
        wanted: effect to reach.
        low: least strength tried, in the unit of the edit.
        high: largest strength tried.
        tolerance: an effect this far from ``wanted`` is near enough; above 0.
        max_steps: most halvings after the two ends.
        progress: show a bar; default when the terminal is one.

    Returns:
        The strength that came nearest, whether that is near enough, and every trial.

    Raises:
        ValueError: a number is out of range, or the edit takes no strength or not that of an end.
        TypeError: an argument has the wrong type, or ``effect`` gives no number.
        ModelError: the edit does not fit the model.
    """
    if not isinstance(edit, Edit):
        raise TypeError(f"edit must be an Edit, got {type(edit).__name__}; one edit has one strength to search.")
    if edit.op == "ablate":
        raise ValueError(f"edit: op {edit.op!r} has no strength to search; use another op, such as 'scale'.")
    if not callable(effect):
        raise TypeError(f"effect must be a function of an edit, got {type(effect).__name__}.")
    for name, value in (("wanted", wanted), ("low", low), ("high", high), ("tolerance", tolerance)):
        _check_number(name, value)
    if not low < high:
        raise ValueError(f"low must be below high, got {low} and {high}.")
    if tolerance <= 0:
        raise ValueError(f"tolerance must be above 0, got {tolerance}.")
    if isinstance(max_steps, bool) or not isinstance(max_steps, numbers.Integral):
        raise TypeError(f"max_steps must be an integer, got {type(max_steps).__name__} {max_steps!r}.")
    if max_steps < 1:
        raise ValueError(f"max_steps must be at least 1, got {max_steps}.")
    ends = replace(edit, strength=low), replace(edit, strength=high)  # a strength that the op rejects, rejected now
    if model is not None:
        from pyvalue.models.hook import ResidualEdits

        ResidualEdits(model.network, ends, model.tokenizer)
    trials: list[tuple[float, float]] = []
    with progress_bar("searching strength", 2 + max_steps, progress) as advance:

        def measured(strength: float) -> float:
            found = effect(replace(edit, strength=strength))
            if not isinstance(found, numbers.Real):
                raise TypeError(f"effect must give a number, got {type(found).__name__} at strength {strength:g}.")
            trials.append((strength, float(found)))
            advance()
            return float(found)

        reason = _bisect(measured, float(wanted), float(low), float(high), float(tolerance), int(max_steps))
    finite = [trial for trial in trials if math.isfinite(trial[1])] or trials
    strength, reached = min(finite, key=lambda trial: abs(trial[1] - wanted))
    return StrengthSearch(
        edit=replace(edit, strength=strength),
        strength=strength,
        effect=reached,
        wanted=float(wanted),
        tolerance=float(tolerance),
        converged=abs(reached - wanted) <= tolerance,
        reason=reason,
        trials=pd.DataFrame(trials, columns=["strength", "effect"], dtype="float64"),
    )


def _bisect(
    measured: Callable[[float], float], wanted: float, low: float, high: float, tolerance: float, max_steps: int
) -> str:
    """Try strengths until one is near enough or none will be; return why it ended."""
    at_low = measured(low)
    if reason := _ended(low, at_low, wanted, tolerance):
        return reason
    at_high = measured(high)
    if reason := _ended(high, at_high, wanted, tolerance):
        return reason
    if (at_low - wanted) * (at_high - wanted) > 0:
        return (
            f"not reached: the effect is {at_low:.4g} at strength {low:g} and {at_high:.4g} at {high:g}, both on one "
            f"side of {wanted:.4g}; try a wider interval, or a lower high if strong edits break the model"
        )
    for _ in range(max_steps):
        middle = low + (high - low) / 2
        if not low < middle < high:
            return f"not reached: the effect jumps from {at_low:.4g} to {at_high:.4g} at strength {low:.10g}"
        found = measured(middle)
        if reason := _ended(middle, found, wanted, tolerance):
            return reason
        if not min(at_low, at_high) - tolerance <= found <= max(at_low, at_high) + tolerance:
            return (
                f"not monotone: the effect is {at_low:.4g} at strength {low:g}, {found:.4g} at {middle:g} and "
                f"{at_high:.4g} at {high:g}; search on one side of {middle:g}"
            )
        if (found - wanted) * (at_low - wanted) > 0:
            low, at_low = middle, found
        else:
            high, at_high = middle, found
    return (
        f"not reached within {max_steps} steps: between strengths {low:.10g} and {high:.10g} the effect goes from "
        f"{at_low:.4g} to {at_high:.4g}; allow more steps or a larger tolerance (the effect may jump there)"
    )


def _ended(strength: float, effect: float, wanted: float, tolerance: float) -> str:
    if not math.isfinite(effect):
        return f"the effect is {effect} at strength {strength:g}; search where it can be measured"
    return "reached" if abs(effect - wanted) <= tolerance else ""


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {type(value).__name__} {value!r}.")
    if not math.isfinite(float(value)):
        raise ValueError(f"{name} must be finite, got {value}.")
