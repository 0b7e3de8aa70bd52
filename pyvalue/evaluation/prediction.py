"""Predicted against measured: did the values move that the graph said would move, and the others stay?"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.broken_edits import edit_table
from pyvalue.evaluation.magnitude import summarise
from pyvalue.measurement.store import write_json
from pyvalue.responses import VALID, Responses, Score
from pyvalue.steering.plan import SteeringPlan

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """How a prediction held.

    Attributes:
        effects: one row a value: ``value, predicted, change, low, high, changed, base, steered`` (mean paired change
            over personas with its interval; ``changed``: the interval leaves out 0).
        summary: one row a quantity with ``estimate, low, high``: ``target gain`` (in the wanted direction),
            ``expected change`` and ``unexpected change`` (root mean square change of the values predicted to move
            and not to move, noise taken out), ``contrast`` (signed root of the difference of the mean squares), and
            ``leakage`` (unexpected change per unit of target gain; missing unless the gain's interval is above 0).
            See ``pyvalue.evaluation.magnitude``.
        personas: number of personas compared.
        facts: score, confidence, resamples, seed, the edit's label, and ``broken``, the reason, where the edit broke
            the model.
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
    resamples: int = 2000,
    seed: int = 0,
) -> Evaluation:
    """Compare every persona's steered answers with its own unedited ones, question by question.

    A question that is not validly answered both times is left out on both sides, so that a change is never a change
    of questions.

    Intervals of the effects are percentiles of a bootstrap over personas, those of the summary a jackknife over
    personas (the rows of one persona stay together).

    Args:
        plan: with the target and the predicted relation of every value.
        base: unedited answers.
        steered: answers under the plan's edits.
        score: see ``Responses.answers``.
        confidence: of the intervals, in (0, 1).
        resamples: bootstrap samples of personas.
        seed: of the bootstrap.

    Raises:
        ValueError: fewer than 3 personas in common, no common values, steered answers under more than one edit, or
            answers of different models.

    Warns:
        UserWarning: the edit broke the model, so that its answers say little; see ``pyvalue.broken_edits``.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    if resamples < 100:
        raise ValueError(f"resamples: expected at least 100, got {resamples}")
    before, after = _paired(plan, base, steered, score)
    change = (after - before).to_numpy()
    random = np.random.default_rng(seed)
    draws = random.multinomial(len(change), np.full(len(change), 1 / len(change)), size=resamples)
    means = _weighted_means(change, draws)
    tails = [100 * (1 - confidence) / 2, 100 * (1 + confidence) / 2]
    effects = _effects(plan, before, after, means, tails)
    summary = _summary(plan, list(before.columns), change, confidence)
    facts = {
        "score": score,
        "confidence": confidence,
        "resamples": resamples,
        "seed": seed,
        "edit": steered.edits[0],
    }
    broken = _why_broken(base, steered)
    if broken:
        told = f"the edit {steered.edits[0]!r} broke the model, so its answers say little: {broken}"
        warnings.warn(told, stacklevel=2)
        facts["broken"] = broken
    return Evaluation(effects, summary, len(change), facts)


def _paired(
    plan: SteeringPlan, base: Responses, steered: Responses, score: Score
) -> tuple[pd.DataFrame, pd.DataFrame]:
    if len(steered.edits) != 1:
        raise ValueError(f"steered: expected answers under one edit, got {len(steered.edits)}; use .only(edit=...)")
    models = set(base.table["model"]) | set(steered.table["model"])
    if len(models) != 1:
        raise ValueError(f"base, steered: expected answers of one model, got {', '.join(sorted(models))}")
    unedited, steered = _answered_both_times(base.only(edit=""), steered)
    before = unedited.matrix(score).droplevel("edit")
    after = steered.matrix(score).droplevel("edit")
    personas = [p for p in before.index if p in after.index]
    values = [v for v in plan.predicted if v in before.columns and v in after.columns]
    if len(personas) < 3:
        raise ValueError(f"base, steered: expected at least 3 personas in common, got {len(personas)}")
    if not set(plan.target) <= set(values):
        raise ValueError(f"base, steered: the target {', '.join(plan.target)} was not asked in both")
    return before.loc[personas, values], after.loc[personas, values]


def _why_broken(base: Responses, steered: Responses) -> str:
    """Why the steered answers are those of a broken model; empty where they are not."""
    both = pd.concat([base.only(edit="").table, steered.table], ignore_index=True)
    edits = edit_table(both)
    return "; ".join(edits.loc[edits["broken"], "reason"])


def _answered_both_times(one: Responses, other: Responses) -> tuple[Responses, Responses]:
    """The answers to questions that a persona answered validly in both, and those personas and values alone."""
    keys = ["persona", "item", "mode", "wording", "order", "repeat"]
    valid = [r.table[r.table["status"].isin(VALID)].reset_index(drop=True) for r in (one, other)]
    rows = [pd.MultiIndex.from_frame(table[keys]) for table in valid]
    kept = [
        Responses(table[mine.isin(theirs)].reset_index(drop=True), r.facts)
        for r, table, mine, theirs in zip((one, other), valid, rows, rows[::-1], strict=True)
    ]
    return kept[0], kept[1]


def _weighted_means(change: Floats, draws: npt.NDArray[np.int64]) -> Floats:
    """Mean change of every value in every resample (resamples, values); missing answers are left out."""
    known = np.isfinite(change)
    total = draws @ np.where(known, change, 0.0)
    count = draws @ known.astype(float)
    means: Floats = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return means


def _effects(
    plan: SteeringPlan, before: pd.DataFrame, after: pd.DataFrame, means: Floats, tails: list[float]
) -> pd.DataFrame:
    low, high = np.nanpercentile(means, tails, axis=0)
    return pd.DataFrame(
        {
            "value": before.columns,
            "predicted": [plan.predicted[v] for v in before.columns],
            "change": (after - before).mean().to_numpy(),
            "low": low,
            "high": high,
            "changed": (low > 0) | (high < 0),
            "base": before.mean().to_numpy(),
            "steered": after.mean().to_numpy(),
        }
    )


def _summary(plan: SteeringPlan, values: list[str], change: Floats, confidence: float) -> pd.DataFrame:
    sign = np.array([plan.target.get(v, 0) for v in values], dtype=float)
    relation = np.array([plan.predicted[v] for v in values])
    groups = {"expected": np.isin(relation, ["definite", "possible"]), "unexpected": relation == "unaffected"}
    return summarise(change, sign, groups, confidence)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.astype(object).where(table.notna(), None)
    rows = plain.to_dict("records")
    return [{k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()} for row in rows]
