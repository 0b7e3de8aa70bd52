"""Predicted against measured: did the values move that the graph said would move, and the others stay?"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.broken_edits import edit_table
from pyvalue.edit_changes import answered_both_times
from pyvalue.effects.leakage import leakage
from pyvalue.evaluation.magnitude import MIN_PAIRS, Floats, summarise
from pyvalue.evaluation.prediction_intervals import predicted_columns, prediction_rows
from pyvalue.evaluation.prediction_text import evaluation_lines
from pyvalue.measurement.store import write_json
from pyvalue.plotted import Plotted
from pyvalue.responses import Responses, Score
from pyvalue.steering.plan import SteeringPlan
from pyvalue.yes_bias import mean_estimate


@dataclass(frozen=True)
class Evaluation(Plotted):
    """How a prediction held.

    Attributes:
        effects: one row a value: ``value, predicted, pairs, change, low, high, changed, base, steered, predicted_low,
            predicted_high, covered``. ``pairs``: personas with a score both times; ``change``: their mean change with
            its interval, which needs 3 of them; ``changed``: the interval leaves out 0; ``base, steered``: means of the
            same personas. ``predicted_low, predicted_high``: the plan's interval for the change that the target was
            measured to make; ``covered``: whether some change in it agrees with what was measured, the noise of the
            target's change included (``pyvalue.evaluation.prediction_intervals``). They are missing at the target and
            where the plan has no numbers.
        summary: one row a quantity with ``estimate, low, high``: ``target gain`` (in the wanted direction),
            ``expected change`` and ``unexpected change`` (root mean square change of the values predicted to move
            and not to move, noise taken out), ``contrast`` (signed root of the difference of the mean squares; see
            ``pyvalue.evaluation.magnitude``), and ``leakage`` (root mean square change of all other values per unit of
            target change; missing unless the gain's interval leaves out 0; see ``pyvalue.effects.leakage``). Where the
            plan has numbers, leakage is over the values that have both a predicted and a measured change, and there are
            also ``coverage`` (share of values that are covered), ``coverage of no change`` (share
            that would be if no change had been predicted of any: where it is as high, intervals say little) and
            ``sign accuracy`` (share with the predicted sign, of the values whose predicted and measured intervals both
            leave out 0; missing unless the gain's interval does); they have no intervals.
        personas: number of personas with a score both times on at least one value.
        facts: score, confidence, the edit's label; ``expected``, what the summary's quantities should be if the graph
            is right: ``coverage`` at least the confidence, ``leakage`` the plan's ``minimum, maximum, low, high`` over
            the same values, ``sign accuracy`` of a guess; ``not_in_leakage``, the values that leakage leaves out;
            ``too_few``, the values with fewer than 3 pairs, where there are any; and ``broken``, the reason, where the
            edit broke the model.
    """

    effects: pd.DataFrame = field(repr=False)
    summary: pd.DataFrame = field(repr=False)
    personas: int
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    def estimate(self, quantity: str) -> tuple[float, float, float]:
        """``(estimate, low, high)`` of one row of the summary."""
        row = self.summary.set_index("quantity").loc[quantity]
        return float(row["estimate"]), float(row["low"]), float(row["high"])

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; missing numbers are null."""
        tables = {name: _records(getattr(self, name)) for name in ("effects", "summary")}
        return {"personas": self.personas, **tables, "facts": self.facts}

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        write_json(path, self.to_dict())
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Evaluation:
        """Read what :meth:`save` wrote; StoreError where the file is something else."""
        from pyvalue.evaluation.prediction_json import load_evaluation

        return load_evaluation(path)

    def lines(self) -> list[str]:
        """Predicted against measured, value by value, then the summary: what ``print`` shows."""
        return evaluation_lines(self)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        gain, expected, unexpected = (
            self.estimate(q)[0] for q in ("target gain", "expected change", "unexpected change")
        )
        return (
            f"Evaluation({self.personas} personas: target gain {gain:+.3f}, "
            f"expected change {expected:.3f}, unexpected change {unexpected:.3f})"
        )


def evaluate(
    plan: SteeringPlan,
    base: Responses,
    steered: Responses,
    *,
    score: Score = "corrected",
    confidence: float = 0.95,
) -> Evaluation:
    """Compare every persona's steered answers with its own unedited ones, question by question.

    A question that is not validly answered both times is left out on both sides, so that a change is never a change
    of questions.

    Intervals of the effects are Student's t over personas, those of the summary a jackknife over personas (the rows of
    one persona stay together). A value needs 3 personas with a score both times, else it has no interval, is not
    called changed, and stays out of the summary.

    Args:
        plan: with the target and the predicted relation of every value; and with ``effects`` and ``unit_changes``,
            where changes are predicted in numbers.
        base: unedited answers.
        steered: answers under the plan's edits.
        score: see ``Responses.answers``.
        confidence: of the intervals, in (0, 1).

    Raises:
        ValueError: fewer than 3 personas with a score both times, no common values, steered answers under no edit or
            more than one, or answers of different models.
        TypeError: the plan or the answers are something else, such as a table of scores.

    Warns:
        UserWarning: the edit broke the model, so that its answers say little; see ``pyvalue.broken_edits``. Or some
            values have fewer than 3 personas with a score both times.
    """
    _check_kinds(plan, base, steered, confidence)
    before, after = _paired(plan, base, steered, score)
    change = (after - before).to_numpy()
    sign = np.array([plan.target.get(v, 0) for v in before.columns], dtype=float)
    predicted = predicted_columns(plan.unit_changes, list(before.columns), change, sign, confidence)
    effects = _effects(plan, before, after, confidence).join(predicted.drop(columns="still"))
    numbered = bool(effects["covered"].notna().any())
    counted = [
        v for v, known in zip(effects["value"], effects["covered"].notna(), strict=True) if known or not numbered
    ]
    summary = _summary(plan, after - before, sign, confidence, counted)
    facts: dict[str, Any] = {"score": score, "confidence": confidence, "edit": steered.edits[0]}
    if numbered:
        gain = summary.set_index("quantity").loc["target gain"]
        rows = prediction_rows(effects, predicted["still"], bool(gain["low"] > 0 or gain["high"] < 0))
        summary = pd.concat([summary, pd.DataFrame(rows)], ignore_index=True)
        facts["expected"] = _expected(plan, confidence, counted)
        if left := [v for v in plan.predicted if v not in counted and v not in plan.target]:
            facts["not_in_leakage"] = left
    few = effects[effects["pairs"] < MIN_PAIRS]
    if len(few):
        facts["too_few"] = list(few["value"])
        named = ", ".join(f"{row['value']} ({row['pairs']})" for row in few.to_dict("records"))
        told = f"fewer than {MIN_PAIRS} personas have a score both times, so nothing is said of the change of {named}"
        warnings.warn(told, stacklevel=2)
    broken = _why_broken(base, steered)
    if broken:
        told = f"the edit {steered.edits[0]!r} broke the model, so its answers say little: {broken}"
        warnings.warn(told, stacklevel=2)
        facts["broken"] = broken
    return Evaluation(effects, summary, len(change), facts)


def _check_kinds(plan: Any, base: Any, steered: Any, confidence: float) -> None:
    if not isinstance(plan, SteeringPlan):
        raise TypeError(f"plan: expected a SteeringPlan, such as of pv.plan, got {type(plan).__name__}")
    for name, given in (("base", base), ("steered", steered)):
        if not isinstance(given, Responses):
            raise TypeError(
                f"{name}: expected Responses, got {type(given).__name__}; for a table of scores there is "
                "pv.side_effects(rows, target)"
            )
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")


def _paired(plan: SteeringPlan, base: Responses, steered: Responses, score: Score) -> tuple[pd.DataFrame, pd.DataFrame]:
    if len(steered.edits) != 1:
        raise ValueError(f"steered: expected answers under one edit, got {len(steered.edits)}; use .only(edit=...)")
    if steered.edits == ("",):
        raise ValueError("steered: expected answers under an edit, got unedited ones, which are no steering to judge")
    models = set(base.table["model"]) | set(steered.table["model"])
    if len(models) != 1:
        raise ValueError(f"base, steered: expected answers of one model, got {', '.join(sorted(models))}")
    unedited, steered = answered_both_times(base.only(edit=""), steered)
    before = unedited.matrix(score).droplevel("edit")
    after = steered.matrix(score).droplevel("edit")
    personas = [p for p in before.index if p in after.index]
    values = [v for v in plan.predicted if v in before.columns and v in after.columns]
    if not set(plan.target) <= set(values) and len(personas) >= MIN_PAIRS:
        raise ValueError(f"base, steered: the target {', '.join(plan.target)} was not asked in both")
    before, after = before.loc[personas, values], after.loc[personas, values]
    scored = (before.notna() & after.notna()).any(axis=1)
    if scored.sum() < MIN_PAIRS:
        raise ValueError(
            f"base, steered: expected at least {MIN_PAIRS} personas in common that have a {score} score both times, "
            f"got {scored.sum()} of {len(personas)} that were asked both times"
        )
    return before[scored], after[scored]


def _why_broken(base: Responses, steered: Responses) -> str:
    """Why the steered answers are those of a broken model; empty where they are not."""
    both = pd.concat([base.only(edit="").table, steered.table], ignore_index=True)
    edits = edit_table(both)
    return "; ".join(edits.loc[edits["broken"], "reason"])


def _effects(plan: SteeringPlan, before: pd.DataFrame, after: pd.DataFrame, confidence: float) -> pd.DataFrame:
    rows = []
    for value in before.columns:
        pairs = pd.DataFrame({"before": before[value], "after": after[value]}).dropna()
        change = (pairs["after"] - pairs["before"]).to_numpy()
        found = mean_estimate(change, confidence)
        low, high = (found.low, found.high) if len(change) >= MIN_PAIRS else (math.nan, math.nan)
        rows.append(
            {
                "value": value,
                "predicted": plan.predicted[value],
                "pairs": len(change),
                "change": found.value,
                "low": low,
                "high": high,
                "changed": low > 0 or high < 0,
                "base": pairs["before"].mean(),
                "steered": pairs["after"].mean(),
            }
        )
    return pd.DataFrame(rows)


def _summary(
    plan: SteeringPlan, change: pd.DataFrame, sign: Floats, confidence: float, counted: list[str]
) -> pd.DataFrame:
    relation = np.array([plan.predicted[v] for v in change.columns])
    groups = {"expected": np.isin(relation, ["definite", "possible"]), "unexpected": relation == "unaffected"}
    found = summarise(change.to_numpy(), sign, groups, confidence)
    # Values without a prediction would be measured against nothing.
    compared = change[[v for v in change.columns if v in plan.target or v in counted]]
    leaks = leakage(compared, plan.target, confidence=confidence).estimate()
    row = dict(zip(("quantity", "estimate", "low", "high"), ("leakage", *leaks), strict=True))
    return pd.concat([found, pd.DataFrame([row])], ignore_index=True)


def _expected(plan: SteeringPlan, confidence: float, counted: list[str]) -> dict[str, Any]:
    """What the quantities should be if the graph is right; of leakage nothing where the plan has no effects."""
    found: dict[str, Any] = {"coverage": confidence, "sign accuracy": 0.5}
    leaks = plan.expected_leakage_on(counted)
    return found | ({"leakage": leaks._asdict()} if leaks.known else {})


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.astype(object).where(table.notna(), None)
    rows = plain.to_dict("records")
    return [{k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()} for row in rows]
